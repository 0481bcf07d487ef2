"""A server that the supervisor keeps running."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Protocol


class ServerProcess(Protocol):
    """One child process: started, watched, stopped, and startable again after its end."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What messages call it, such as `postgres`."""

    @property
    @abstractmethod
    def pid(self) -> int | None:
        """Its process id, None while it does not run."""

    @property
    @abstractmethod
    def log(self) -> Path:
        """The file that its output goes to."""

    @abstractmethod
    async def start(self) -> None:
        """Start it and return once it is ready for use; a process that runs is left alone.

        Raises:
            Unavailable: it ended, or was not ready in time; the message quotes its log.
        """

    @abstractmethod
    async def wait(self) -> str:
        """Wait until it ends; say how, such as `exit status 1` or `SIGKILL`."""

    @abstractmethod
    async def stop(self) -> None:
        """End it and everything that it started; nothing happens where it does not run."""
