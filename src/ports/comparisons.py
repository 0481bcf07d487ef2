"""Storage of comparisons that workers carry out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from domain.comparison.model import LabelledText
from domain.comparison.stored import Comparison, ComparisonDraft, ComparisonId, ComparisonJob


class ComparisonIntake(Protocol):
    """Takes new comparisons; lives in a unit of work, beside their jobs."""

    @abstractmethod
    async def add(self, draft: ComparisonDraft, jobs: Sequence[ComparisonJob]) -> Comparison:
        """Store a comparison whose jobs are stored already.

        Raises:
            NotFound: the schema version is not registered.
        """
        ...


class ComparisonRepository(Protocol):
    """Comparisons by id; each method is atomic.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def get(self, comparison_id: ComparisonId) -> Comparison:
        """Load one.

        Raises:
            NotFound: no such comparison.
        """
        ...

    @abstractmethod
    async def page(self, *, limit: int, before: ComparisonId | None = None) -> Sequence[Comparison]:
        """Up to `limit` comparisons, newest first, with ids below `before`."""
        ...

    @abstractmethod
    async def texts(self, comparison_id: ComparisonId) -> Sequence[LabelledText]:
        """What is read in it, in its order.

        Raises:
            NotFound: no such comparison.
        """
        ...

    @abstractmethod
    async def remove(self, comparison_id: ComparisonId) -> None:
        """Remove it; its jobs and their results stay.

        Raises:
            NotFound: no such comparison.
        """
        ...
