"""Writes a comparison report down."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.comparison.report import ComparisonReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a report comes from: nothing in it changes when it is made again.

    Attributes:
        program: version of the program that asked.
        asked_at: when the first question was asked, aware UTC.
        command: what makes these figures anew.
    """

    program: str
    asked_at: datetime
    command: str


class ComparisonWriter(Protocol):
    """One form of a report."""

    @property
    @abstractmethod
    def media_type(self) -> str:
        """Such as `text/html`."""
        ...

    @abstractmethod
    async def write(self, report: ComparisonReport, provenance: Provenance) -> bytes:
        """The whole file.

        Raises:
            ChartFailed: a chart cannot be drawn.
        """
        ...
