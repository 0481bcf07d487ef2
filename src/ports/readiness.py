"""Whether a part that the service needs can do its work now."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol


class Check(Protocol):
    """One part: the database, the queue."""

    @abstractmethod
    async def problem(self) -> str | None:
        """What is wrong, in a few words that leak nothing of the inside; None when it is ready.

        Takes at most 2 s and never raises.
        """
        ...
