"""Tells workers that there is work."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol


class JobWakeup(Protocol):
    """A hint and nothing more: workers also look by themselves every few seconds."""

    @abstractmethod
    async def wake(self) -> None:
        """Wake a worker, if the queue can be reached; a lost hint is no error."""
        ...
