"""What every place for sample data holds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date

import pytest

from domain.errors import Conflict
from entrypoints.up.sample_data.filling import SampleFiller, SampleSink
from entrypoints.up.sample_data.rows import SampleSpec, orders, search_clicks, users
from tests.contracts.contract import Contract

SIZE = SampleSpec(users=40, orders=120, clicks=300, seed=7, until=date(2026, 11, 20))


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplePlace:
    """A place that starts empty.

    Attributes:
        counts: rows by kind: users, orders, clicks.
        strangers: orders whose user is not there.
    """

    sink: SampleSink
    counts: Callable[[], Awaitable[tuple[int, int, int]]]
    strangers: Callable[[], Awaitable[int]]


def ignored(kind: str, count: int) -> None:
    """Progress that nobody looks at."""


class SamplesContract(Contract):
    @pytest.fixture
    def place(self) -> SamplePlace:
        raise NotImplementedError

    async def test_all_rows_are_there_and_every_order_has_its_user(
        self, place: SamplePlace
    ) -> None:
        told: dict[str, int] = {}

        def progress(kind: str, count: int) -> None:
            told[kind] = told.get(kind, 0) + count

        await SampleFiller(sink=place.sink).fill(SIZE, append=False, progress=progress)
        assert await place.counts() == (40, 120, 300)
        assert await place.strangers() == 0
        assert told == {"users": 40, "orders": 120, "clicks": 300}

    async def test_a_place_that_holds_rows_is_not_filled_again_and_says_which(
        self, place: SamplePlace
    ) -> None:
        service = SampleFiller(sink=place.sink)
        assert await place.sink.occupied() == []
        await service.fill(SIZE, append=False, progress=ignored)
        with pytest.raises(Conflict, match=r"users.*orders.*search_clicks.*--append"):
            await service.fill(SIZE, append=False, progress=ignored)
        assert await place.counts() == (40, 120, 300)

    async def test_nothing_is_there_when_the_filling_breaks_off(self, place: SamplePlace) -> None:
        async def break_off() -> None:
            async with place.sink.open() as writer:
                first = await writer.reserve_user_ids(SIZE.users)
                await writer.write_users(users(SIZE, first_id=first))
                await writer.write_orders(orders(SIZE, first_user_id=first))
                await writer.write_clicks(search_clicks(SIZE))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await break_off()
        assert await place.counts() == (0, 0, 0)
        assert await place.sink.occupied() == []


class AppendableSamplesContract(SamplesContract):
    async def test_rows_are_added_when_asked_for(self, place: SamplePlace) -> None:
        service = SampleFiller(sink=place.sink)
        for append in (False, True, True):
            await service.fill(SIZE, append=append, progress=ignored)
        assert await place.counts() == (120, 360, 900)
        assert await place.strangers() == 0
