"""Storage of extraction results."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from domain.extraction.model import Extraction, ExtractionId


class ExtractionRepository(Protocol):
    """What was extracted, kept for later reading."""

    @abstractmethod
    async def add(self, extraction: Extraction) -> None:
        """Store a new extraction.

        Raises:
            NotFound: its schema version is not registered.
        """
        ...

    @abstractmethod
    async def get(self, extraction_id: ExtractionId) -> Extraction:
        """Load one extraction.

        Raises:
            NotFound: no such extraction.
        """
        ...
