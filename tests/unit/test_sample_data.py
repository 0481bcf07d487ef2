"""The made-up shop: the same by its seed, whole, and true to what it says of itself."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Conflict, InvalidInput
from domain.insights.model import RankingRules, SearchClickRow
from entrypoints.up.sample_data.catalogue import NOT_SOLD, PRODUCTS
from entrypoints.up.sample_data.filling import FileSampleSink, SampleFiller
from entrypoints.up.sample_data.rows import (
    ClickRow,
    SampleSpec,
    busy_days,
    moment,
    orders,
    search_clicks,
    seeded,
    users,
)
from tests.contracts.samples import (
    SIZE,
    AppendableSamplesContract,
    SamplePlace,
    SamplesContract,
    ignored,
)
from tests.fakes.insight_rates import is_usable, low_performers, query_totals
from tests.fakes.sample_data import MemorySampleSink

UNTIL = date(2026, 11, 20)


def size(*, clicks: int = 0, seed: int = 1) -> SampleSpec:
    return SampleSpec(users=1, orders=1, clicks=clicks, seed=seed, until=UNTIL)


@pytest.fixture(scope="module")
def clicks() -> Sequence[ClickRow]:
    return list(search_clicks(size(clicks=40_000)))


@given(
    people=st.integers(1, 60),
    bought=st.integers(0, 200),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_there_are_as_many_users_and_orders_as_asked_for_and_none_orders_before_signing_up(
    people: int, bought: int, seed: int
) -> None:
    wanted = SampleSpec(users=people, orders=bought, clicks=0, seed=seed, until=UNTIL)
    signed_up = {user.id: user.created_at for user in users(wanted, first_id=11)}
    made = list(orders(wanted, first_user_id=11))
    assert list(signed_up) == list(range(11, 11 + people))
    assert len(made) == bought
    assert all(signed_up[order.user_id] <= order.order_date for order in made)
    assert all(order.order_date.date() <= UNTIL and order.quantity >= 1 for order in made)
    assert list(signed_up.values()) == sorted(signed_up.values())
    assert [order.order_date for order in made] == sorted(order.order_date for order in made)


@given(second=st.integers(0, 86_399), people=st.integers(1, 9), bought=st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_no_row_of_a_day_that_is_not_over_is_later_than_now(
    second: int, people: int, bought: int
) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(seconds=second, microseconds=5)
    wanted = SampleSpec(users=people, orders=bought, clicks=9, seed=1, until=UNTIL, now=now)
    signed_up = {user.id: user.created_at for user in users(wanted, first_id=1)}
    made = list(orders(wanted, first_user_id=1))
    assert (len(signed_up), len(made)) == (people, bought)
    assert max([*signed_up.values(), *(each.order_date for each in made)]) <= now
    assert all(signed_up[each.user_id] <= each.order_date for each in made)
    assert all(row.search_date <= now.date() for row in search_clicks(wanted))
    over = replace(wanted, now=now + timedelta(days=1))
    assert list(users(over, first_id=1)) == list(users(replace(wanted, now=None), first_id=1))


def test_data_of_days_to_come_is_refused() -> None:
    now = datetime(2026, 11, 19, 23, 59, tzinfo=UTC)
    with pytest.raises(InvalidInput) as refused:
        SampleSpec(users=1, orders=1, clicks=1, seed=1, until=UNTIL, now=now)
    assert [each.pointer for each in refused.value.violations] == ["until"]
    assert "must not be after today, 2026-11-19 (UTC)" in refused.value.violations[0].detail


def test_addresses_are_unique_and_names_come_from_many_scripts() -> None:
    wanted = SampleSpec(users=2_000, orders=0, clicks=0, seed=3, until=UNTIL)
    people = list(users(wanted, first_id=1))
    assert len({user.email.lower() for user in people}) == len(people)
    assert all(user.email.isascii() and len(user.email) <= 254 for user in people)
    assert sum(not user.name.isascii() for user in people) > 500
    assert any("\u3040" < letter < "\u9fff" for user in people for letter in user.name)


def test_the_same_seed_makes_the_same_shop_and_another_seed_another() -> None:
    one, same = list(search_clicks(size(clicks=500))), list(search_clicks(size(clicks=500)))
    assert one == same != list(search_clicks(size(clicks=500, seed=2)))


def test_every_search_can_be_counted_and_carries_its_rate(clicks: Sequence[ClickRow]) -> None:
    assert len(clicks) == 40_000
    for row in clicks:
        rate = row.clicks / row.impressions if row.impressions else None
        assert row.click_through_rate == rate
        assert len(row.search_query) <= 255
        assert is_usable(as_click(row))
    assert [row.search_date for row in clicks] == sorted(row.search_date for row in clicks)
    assert {row.search_date for row in clicks} == {UNTIL - timedelta(days=n) for n in range(90)}


def as_click(row: ClickRow) -> SearchClickRow:
    return SearchClickRow(
        search_query=row.search_query,
        clicks=row.clicks,
        impressions=row.impressions,
        search_date=row.search_date,
    )


def test_a_few_queries_make_most_searches(clicks: Sequence[ClickRow]) -> None:
    totals = query_totals(map(as_click, clicks))
    by_impressions = sorted((n for _, n in totals.values()), reverse=True)
    assert sum(by_impressions[:30]) > 0.5 * sum(by_impressions)
    assert len(totals) < len({row.search_query for row in clicks})


def test_what_the_shop_does_not_sell_comes_out_as_low_performers(
    clicks: Sequence[ClickRow],
) -> None:
    found = {
        query.query for query in low_performers(query_totals(map(as_click, clicks)), RankingRules())
    }
    assert len(found & set(NOT_SOLD)) >= 5
    assert not found & {product.search for product in PRODUCTS}


def test_a_week_has_its_rhythm(clicks: Sequence[ClickRow]) -> None:
    by_weekday = Counter(row.search_date.weekday() for row in clicks)
    assert by_weekday[6] > 1.2 * by_weekday[5]


@given(total=st.integers(0, 5000), days=st.integers(1, 400), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_shares_of_days_add_up(total: int, days: int, seed: int) -> None:
    first = UNTIL - timedelta(days=days - 1)
    shares = list(busy_days(seeded(seed, "x"), total, first=first, last=UNTIL))
    assert sum(count for _, count in shares) == total
    assert all(count >= 0 for _, count in shares)
    assert len(shares) == days


@given(fractions=st.lists(st.floats(0, 1), min_size=2))
def test_moments_of_a_day_keep_their_order_and_their_day(fractions: list[float]) -> None:
    moments = [moment(UNTIL, fraction) for fraction in sorted(fractions)]
    assert moments == sorted(moments)
    assert {each.date() for each in moments} == {UNTIL}
    assert moment(UNTIL, 0.0) == datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"users": -1}, ["users"]),
        ({"users": 0, "orders": 3}, ["users"]),
        ({"orders": -5, "clicks": -1}, ["orders", "clicks"]),
    ],
)
def test_a_size_that_cannot_be_made_is_refused(members: dict[str, int], named: list[str]) -> None:
    wanted = {"users": 1, "orders": 0, "clicks": 0} | members
    with pytest.raises(InvalidInput) as refusal:
        SampleSpec(**wanted, seed=1, until=UNTIL, now=None)
    assert [each.pointer for each in refusal.value.violations] == named


class TestMemorySamples(AppendableSamplesContract):
    @pytest.fixture
    def place(self) -> SamplePlace:
        sink = MemorySampleSink()

        async def counts() -> tuple[int, int, int]:
            return len(sink.users), len(sink.orders), len(sink.clicks)

        async def strangers() -> int:
            known = {user.id for user in sink.users}
            return sum(order.user_id not in known for order in sink.orders)

        return SamplePlace(sink=sink, counts=counts, strangers=strangers)


class TestFileSamples(SamplesContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> SamplePlace:
        folder = tmp_path / "new" / "folder"

        def rows(name: str) -> list[dict[str, str]]:
            path = folder / name
            if not path.exists():
                return []
            with path.open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))

        async def counts() -> tuple[int, int, int]:
            return len(rows("users.csv")), len(rows("orders.csv")), len(rows("search_clicks.csv"))

        async def strangers() -> int:
            known = {row["id"] for row in rows("users.csv")}
            return sum(row["user_id"] not in known for row in rows("orders.csv"))

        return SamplePlace(sink=FileSampleSink(folder), counts=counts, strangers=strangers)


async def test_each_kind_of_row_has_a_file(tmp_path: Path) -> None:
    await SampleFiller(sink=FileSampleSink(tmp_path)).fill(SIZE, append=False, progress=ignored)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "orders.csv",
        "search_clicks.csv",
        "users.csv",
    ]


async def test_a_kind_without_rows_has_no_file(tmp_path: Path) -> None:
    only = SampleSpec(users=0, orders=0, clicks=5, seed=1, until=UNTIL)
    await SampleFiller(sink=FileSampleSink(tmp_path)).fill(only, append=False, progress=ignored)
    assert [path.name for path in tmp_path.iterdir()] == ["search_clicks.csv"]


async def test_the_files_in_the_docs_are_what_the_generators_make(tmp_path: Path) -> None:
    shown = SampleSpec(users=30, orders=60, clicks=120, seed=1, until=UNTIL)
    await SampleFiller(sink=FileSampleSink(tmp_path)).fill(shown, append=False, progress=ignored)
    docs = Path(__file__).parents[2] / "docs" / "samples"
    for path in tmp_path.iterdir():
        assert path.read_text(encoding="utf-8") == (docs / path.name).read_text(encoding="utf-8")


async def test_every_thousand_rows_are_told_and_then_the_rest() -> None:
    heard: list[tuple[str, int]] = []
    wanted = SampleSpec(seed=1, users=1_001, orders=0, clicks=0, until=UNTIL)
    await SampleFiller(sink=MemorySampleSink()).fill(
        wanted, append=False, progress=lambda kind, count: heard.append((kind, count))
    )
    assert heard == [("users", 1_000), ("users", 1), ("orders", 0), ("clicks", 0)]


async def test_a_place_with_rows_is_filled_only_when_told_to_append() -> None:
    sink = MemorySampleSink()
    wanted = SampleSpec(seed=1, users=2, orders=0, clicks=0, until=UNTIL)
    service = SampleFiller(sink=sink)
    await service.fill(wanted, append=False, progress=ignored)
    with pytest.raises(Conflict, match="already: users"):
        await service.fill(wanted, append=False, progress=ignored)
    await service.fill(wanted, append=True, progress=ignored)
    assert len({user.id for user in sink.users}) == 4
