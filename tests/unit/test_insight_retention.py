"""Old rows are given up, and every figure stays."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from domain.errors import InvalidInput
from domain.insights.model import SearchClickRow
from domain.insights.retention import ClickRetentionService
from tests.fakes.insights import MemorySearchClickPruner, MemorySearchInsightRepository
from tests.fakes.system import StandingClock

TODAY = StandingClock().now().date()


def days_ago(count: int) -> date:
    return TODAY - timedelta(days=count)


@pytest.fixture
def store() -> MemorySearchInsightRepository:
    rows = [
        SearchClickRow(search_query="lamp", clicks=1, impressions=2, search_date=days_ago(age))
        for age in (0, 9, 10, 10, 11)
    ]
    return MemorySearchInsightRepository(rows)


@pytest.fixture
def service(store: MemorySearchInsightRepository) -> ClickRetentionService:
    retention = MemorySearchClickPruner(store._rows, store)
    return ClickRetentionService(pruner=retention, clock=StandingClock())


async def test_the_days_before_are_pruned_from_the_oldest_on_and_told(
    service: ClickRetentionService, store: MemorySearchInsightRepository
) -> None:
    told: list[tuple[date, int]] = []
    before = days_ago(9)
    assert await service.days_to_prune(before) == [days_ago(11), days_ago(10)]
    assert await service.prune(before, progress=lambda *each: told.append(each)) == 3
    assert told == [(days_ago(11), 1), (days_ago(10), 2)]
    assert await service.days_to_prune(before) == []
    assert (await store.get(days_ago(10))).clicks == 2


async def test_today_may_be_the_first_day_that_is_kept_and_no_later_day(
    service: ClickRetentionService,
) -> None:
    assert await service.days_to_prune(TODAY) == [days_ago(11), days_ago(10), days_ago(9)]
    with pytest.raises(InvalidInput) as refusal:
        await service.prune(TODAY + timedelta(days=1), progress=lambda *_: None)
    assert [each.pointer for each in refusal.value.violations] == ["before"]
