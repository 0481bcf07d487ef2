"""Keeps what a comparison did, as it does it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from domain.comparison.model import Outcome
from domain.comparison.recording import Recording, Run


class ComparisonLog(Protocol):
    """One comparison's own; nothing that was appended is lost when the process dies."""

    @abstractmethod
    def read(self) -> Recording | None:
        """What stands there; None when nothing does.

        Raises:
            InvalidInput: it is not such a log, or damaged; names the line.
        """
        ...

    @abstractmethod
    def begin(self, run: Run) -> None:
        """Write down what is asked from now on, in addition to what stands there."""
        ...

    @abstractmethod
    def append(self, outcome: Outcome) -> None:
        """Write down one outcome."""
        ...
