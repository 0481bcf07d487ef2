"""Sample data into lists, for tests; held to the same contract as PostgreSQL and files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from entrypoints.up.sample_data.filling import SampleRowWriter, SampleSink
from entrypoints.up.sample_data.rows import ClickRow, OrderRow, UserRow


class MemorySampleSink(SampleSink):
    """Lists of rows by kind."""

    def __init__(self) -> None:
        self.users: list[UserRow] = []
        self.orders: list[OrderRow] = []
        self.clicks: list[ClickRow] = []

    async def occupied(self) -> Sequence[str]:
        """Kinds that hold rows; see the port."""
        kinds = {"users": self.users, "orders": self.orders, "search_clicks": self.clicks}
        return [name for name, rows in kinds.items() if rows]

    def open(self) -> AbstractAsyncContextManager[SampleRowWriter]:
        """A writer; see the port."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[SampleRowWriter]:
        writer = _ListWriter(max((user.id for user in self.users), default=0) + 1)
        yield writer
        self.users += writer.users
        self.orders += writer.orders
        self.clicks += writer.clicks


class _ListWriter(SampleRowWriter):
    def __init__(self, next_id: int) -> None:
        self._next_id = next_id
        self.users: list[UserRow] = []
        self.orders: list[OrderRow] = []
        self.clicks: list[ClickRow] = []

    async def reserve_user_ids(self, count: int) -> int:
        """See the port."""
        return self._next_id

    async def write_users(self, rows: Iterable[UserRow]) -> None:
        """See the port."""
        self.users += rows

    async def write_orders(self, rows: Iterable[OrderRow]) -> None:
        """See the port."""
        self.orders += rows

    async def write_clicks(self, rows: Iterable[ClickRow]) -> None:
        """See the port."""
        self.clicks += rows
