"""How the parts of the service are: ready to work; looked at closely for who has to mend them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class ReadinessProbe(Protocol):
    """One part: the database, the queue."""

    @abstractmethod
    async def problem(self) -> str | None:
        """What is wrong, in a few words that leak nothing of the inside; None when it is ready.

        Takes at most 2 s and never raises.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One thing that was looked at.

    Attributes:
        subject: what it is, in a word or two, such as `database version`.
        good: whether it is as it should be.
        detail: what was found; if that is not good, what to do too. Holds no secret.
        warns: it works as it is, and something better is at hand, which `detail` names.
    """

    subject: str
    good: bool
    detail: str
    warns: bool = False


class DiagnosticCheck(Protocol):
    """One part: the database, the queue, a model, a certificate."""

    @abstractmethod
    async def results(self) -> Sequence[CheckResult]:
        """Look; at least one result. What is wrong is a result, never an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUsage:
    """Connections of this process to the database.

    Attributes:
        busy: in use.
        idle: open and free.
        most: that it may have.
    """

    busy: int
    idle: int
    most: int


class ConnectionPool(Protocol):
    """Holds connections for all requests of a process."""

    @abstractmethod
    def usage(self) -> PoolUsage:
        """How many there are now; asks nobody."""
        ...
