"""Where sample data goes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from domain.comparison.model import LabelledText
from domain.samples.model import ClickRow, OrderRow, UserRow


class SampleWriter(Protocol):
    """Takes rows as they are made, a table at a time; none is kept in memory.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
        OSError: a file cannot be written.
    """

    @abstractmethod
    async def reserve_user_ids(self, count: int) -> int:
        """The first of `count` ids in a row that no other user has or will get."""
        ...

    @abstractmethod
    async def write_users(self, rows: Iterable[UserRow]) -> None:
        """Write users, with the ids reserved before."""
        ...

    @abstractmethod
    async def write_orders(self, rows: Iterable[OrderRow]) -> None:
        """Write orders of the users written before."""
        ...

    @abstractmethod
    async def write_clicks(self, rows: Iterable[ClickRow]) -> None:
        """Write searches."""
        ...

    @abstractmethod
    async def write_texts(self, rows: Iterable[LabelledText]) -> None:
        """Write messages, where there is a place for them."""
        ...


class SampleSink(Protocol):
    """A place for sample data."""

    @abstractmethod
    async def occupied(self) -> Sequence[str]:
        """What holds rows already: names of tables or files, none when all is empty."""
        ...

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[SampleWriter]:
        """A writer; what it wrote is there when the block ends, and is not when it raises."""
        ...
