"""Which days are computed, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest

from domain.errors import InvalidInput
from domain.insights.model import FIRST_DAY, LAST_DAY, Period, RankingRules, SearchClickRow
from domain.insights.period_over_period import RankMovement
from domain.insights.service import InsightService
from tests.contracts.insights import row
from tests.fakes.insights import (
    MemorySearchAnalyser,
    MemorySearchClickWriter,
    MemorySearchInsightRepository,
)
from tests.fakes.system import StandingClock

TODAY = date(2026, 11, 22)
YESTERDAY = TODAY - timedelta(days=1)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    service: InsightService
    log: MemorySearchClickWriter
    store: MemorySearchInsightRepository
    clock: StandingClock


@pytest.fixture
def shop() -> Shop:
    clock = StandingClock(datetime(2026, 11, 22, 0, 20, tzinfo=UTC))
    rows: list[SearchClickRow] = []
    store = MemorySearchInsightRepository(rows)
    return Shop(
        service=InsightService(insights=store, analyser=MemorySearchAnalyser(rows), clock=clock),
        log=MemorySearchClickWriter(clock, rows),
        store=store,
        clock=clock,
    )


async def test_a_day_that_has_not_begun_is_refused_and_today_is_not(shop: Shop) -> None:
    assert (await shop.service.compute(TODAY)).insight_date == TODAY
    with pytest.raises(InvalidInput) as refusal:
        await shop.service.compute(TODAY + timedelta(days=1))
    (violation,) = refusal.value.violations
    assert violation.pointer == "insight_date"
    assert "today, 2026-11-22" in violation.detail
    with pytest.raises(InvalidInput):
        await shop.service.compute(date.min)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (None, None, (ago(28), YESTERDAY)),
        (None, ago(10), (ago(37), ago(10))),
        (ago(5), None, (ago(5), YESTERDAY)),
        (TODAY, None, (TODAY, TODAY)),
        (TODAY + timedelta(days=9), None, (TODAY + timedelta(days=9),) * 2),
        (ago(5), ago(5), (ago(5), ago(5))),
        (None, FIRST_DAY, (FIRST_DAY, FIRST_DAY)),
        (LAST_DAY, None, (LAST_DAY, LAST_DAY)),
        (date(2026, 1, 1), date(2027, 1, 1), (date(2026, 1, 1), date(2027, 1, 1))),
    ],
)
def test_a_period_is_completed(
    shop: Shop, first: date | None, last: date | None, expected: tuple[date, date]
) -> None:
    assert shop.service.period(first, last) == Period(first=expected[0], last=expected[1])


@pytest.mark.parametrize(
    ("first", "last", "reason"),
    [
        (YESTERDAY, ago(2), "must not be after `to`, which is 2026-11-20"),
        (date(2026, 1, 1), date(2027, 1, 2), "367 days"),
        (FIRST_DAY, None, "at most 366"),
        (date.min, None, "from 0001-01-02 to 9999-12-30"),
    ],
)
def test_a_reversed_or_endless_period_is_refused(
    shop: Shop, first: date, last: date | None, reason: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        shop.service.period(first, last)
    assert [each.pointer for each in refusal.value.violations] == ["from"]
    assert reason in refusal.value.violations[0].detail


async def test_an_overview_sets_a_period_beside_the_one_before_it(shop: Shop) -> None:
    await shop.log.append(
        [
            row("lamp", 9, 30, ago(2)),
            row("sofa", 9, 40, ago(1)),
            row("lamp", 9, 30, ago(4)),
            row("rug", 1, 30, ago(3)),
            row("old", 30, 30, ago(5)),
        ]
    )
    await shop.service.compute(ago(1))
    found = await shop.service.period_over_period(Period(first=ago(2), last=TODAY), RankingRules())
    assert (found.current.period, found.previous.period) == (
        Period(first=ago(2), last=TODAY),
        Period(first=ago(5), last=ago(3)),
    )
    assert (found.current.clicks, found.previous.clicks) == (18, 40)
    assert [(each.query, each.change) for each in found.rank_changes.top_queries] == [
        ("lamp", RankMovement.MOVED),
        ("sofa", RankMovement.ENTERED),
        ("old", RankMovement.LEFT),
        ("rug", RankMovement.LEFT),
    ]
    assert found.rank_changes.low_performance_queries == []
    assert found.freshness.pending_days == [ago(2)]
    assert found.freshness.computed_at == shop.clock.now()


async def test_today_is_not_pending_and_a_day_whose_rows_changed_is(shop: Shop) -> None:
    await shop.log.append([row("lamp", 1, 2, day) for day in (ago(2), ago(1), TODAY)])
    for day in (ago(2), ago(1)):
        await shop.service.compute(day)
    period = Period(first=ago(2), last=TODAY)
    assert (await shop.service.freshness(period)).pending_days == []
    await shop.log.append([row("lamp", 1, 2, ago(2))])
    assert (await shop.service.freshness(period)).pending_days == [ago(2)]


async def test_a_period_with_nothing_before_it_has_no_overview(shop: Shop) -> None:
    period = Period(first=FIRST_DAY + timedelta(days=1), last=FIRST_DAY + timedelta(days=2))
    with pytest.raises(InvalidInput) as refusal:
        await shop.service.period_over_period(period, RankingRules())
    (violation,) = refusal.value.violations
    assert violation.pointer == "from"
    assert "no 2 days before it, from 0001-01-02 on" in violation.detail
