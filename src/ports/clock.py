"""The time."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    @abstractmethod
    def now(self) -> datetime:
        """The current instant, aware, UTC."""
        ...
