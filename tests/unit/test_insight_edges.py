"""The edges of insights and of sample data: odd days, empty periods, full places."""

from __future__ import annotations

from datetime import date

import pytest

from domain.errors import Conflict, InvalidInput
from domain.insights.model import Analysis, Period, Rules
from domain.samples.model import SampleSize
from domain.samples.service import SampleService
from tests.fakes.insight_rates import daily_ctr
from tests.fakes.samples import MemorySampleSink

DAY = date(2025, 3, 1)


def test_a_period_without_impressions_has_no_rate() -> None:
    analysis = Analysis(
        period=Period.of_day(DAY),
        rules=Rules(),
        days=[daily_ctr(DAY, [])],
        top_queries=[],
        low_performance_queries=[],
        undated_rows=0,
    )
    assert (analysis.clicks, analysis.impressions) == (0, 0)
    assert (analysis.average_ctr, analysis.overall_ctr) == (None, None)


def test_rules_out_of_their_bounds_are_all_named() -> None:
    with pytest.raises(InvalidInput) as refusal:
        Rules(top=0, low_percentile=1.1, low_ctr_ratio=float("nan"), low_limit=1001)
    assert [each.pointer for each in refusal.value.violations] == [
        "top",
        "low_percentile",
        "low_ctr_ratio",
        "low_limit",
    ]
    assert refusal.value.violations[0].detail == "must be from 1 to 100"


def told(_: str, __: int) -> None:
    """Nobody watches."""


async def test_every_thousand_rows_are_told_and_then_the_rest() -> None:
    heard: list[tuple[str, int]] = []
    size = SampleSize(seed=1, users=1_001, orders=0, clicks=0, texts=0, until=DAY)
    await SampleService(sink=MemorySampleSink()).fill(
        size, append=False, progress=lambda kind, count: heard.append((kind, count))
    )
    assert heard == [("users", 1_000), ("users", 1), ("orders", 0), ("clicks", 0), ("texts", 0)]


async def test_a_place_with_rows_is_filled_only_when_told_to_append() -> None:
    sink = MemorySampleSink()
    size = SampleSize(seed=1, users=2, orders=0, clicks=0, texts=0, until=DAY)
    service = SampleService(sink=sink)
    await service.fill(size, append=False, progress=told)
    with pytest.raises(Conflict, match="already: users"):
        await service.fill(size, append=False, progress=told)
    await service.fill(size, append=True, progress=told)
    assert len({user.id for user in sink.users}) == 4
