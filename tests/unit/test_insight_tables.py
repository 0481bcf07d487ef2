"""Insights in a terminal: sparklines, tables, what changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console, RenderableType

from domain.errors import Violation
from domain.insights.model import FIRST_DAY, Period, RankingRules, SearchClickRow, StoredInsight
from domain.insights.period_over_period import PeriodOverPeriod
from domain.insights.service import InsightService
from entrypoints.cli.insight_tables import analysis_tables, first_of, insight_tables, sparkline
from tests.contracts.insights import foreign, row
from tests.fakes.insights import MemorySearchAnalyser, MemorySearchInsightRepository
from tests.fakes.system import StandingClock

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 23, 0, 20, tzinfo=UTC)
ROWS = [
    row("lamp", 10, 100, DAY - timedelta(days=2)),
    row("sofa", 80, 100, DAY - timedelta(days=2)),
    row("sofa", 40, 100, DAY - timedelta(days=1)),
    row("rug", 90, 100, DAY),
    row("lamp", 20, 100, DAY),
    row("gift [card]", 0, 900, DAY),
]


def printed(*parts: RenderableType) -> str:
    console = Console(file=StringIO(), width=160)
    console.print(*parts, sep="\n")
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ""),
        ([None, None], "··"),
        ([0.0, 0], "▁▁"),
        ([1.0, None, 2.0, 4.0, 8.0], "▂·▃▅█"),
        ([0.1], "█"),
    ],
)
def test_a_sparkline_goes_from_nought_to_the_greatest(
    values: list[float | None], expected: str
) -> None:
    assert sparkline(values) == expected


def test_days_begin_no_earlier_than_the_first_day() -> None:
    assert first_of(DAY, 1) == DAY
    assert first_of(DAY, 28) == date(2026, 10, 24)
    assert first_of(FIRST_DAY + timedelta(days=1), 28) == FIRST_DAY


async def stored(rows: list[SearchClickRow]) -> list[StoredInsight]:
    store = MemorySearchInsightRepository(rows)
    for back in (3, 0):
        await store.compute(DAY - timedelta(days=back), RankingRules(), now=NOW)
    return list(await store.page(limit=9))


async def test_a_stored_day_is_shown_with_the_days_before_it() -> None:
    text = printed(*insight_tables(await stored(ROWS), days=4))
    # By hand: (0.9 + 0.2 + 0) / 3 and 110 / 1100.
    assert text.startswith("2026-11-20: average CTR 36.7%, overall 10.0% (110 clicks / 1,100")
    assert "2026-11-17 to 2026-11-20" in text
    assert "average CTR ···█ up to 36.7%" in text.replace("  ", " ")
    assert "gift [card]" in text
    assert "computed 2026-11-23 00:20:00Z" in text


async def test_a_day_of_another_program_says_what_it_does_not_know() -> None:
    odd = StoredInsight(
        **{
            **{name: getattr(foreign(DAY), name) for name in StoredInsight.__slots__},
            "problems": (Violation(pointer="/top_queries", detail="is no list"),),
        }
    )
    text = printed(*insight_tables([odd], days=1))
    assert "average CTR 50.0%, overall - ( clicks /  impressions)" in text
    assert "computed unknown" in text
    assert "/top_queries is no list" in text


async def overview(rows: list[SearchClickRow], rules: RankingRules) -> PeriodOverPeriod:
    service = InsightService(
        insights=MemorySearchInsightRepository(rows),
        analyser=MemorySearchAnalyser(rows),
        clock=StandingClock(NOW),
    )
    return await service.period_over_period(Period(first=DAY - timedelta(days=1), last=DAY), rules)


async def test_a_period_is_shown_beside_the_one_before_it() -> None:
    rules = RankingRules(low_percentile=0.0)
    text = printed(*analysis_tables(await overview(ROWS, rules)))
    assert "2026-11-19 to 2026-11-20: average CTR 37.5%, overall 12.5%" in text
    assert "2026-11-17 to 2026-11-18: average CTR 45.0%, overall 45.0%" in text
    lines = {
        cells[1].strip(): cells[-2].strip()
        for cells in (line.split("│") for line in text.splitlines())
        if len(cells) > 7
    }
    top = {"rug": "new", "sofa": "↓ 1", "lamp": "↓ 2"}
    assert {query: lines[query] for query in top} == top
    assert "2 stored days are behind these figures" in text


async def test_a_period_without_searches_is_shown_as_such() -> None:
    text = printed(*analysis_tables(await overview([], RankingRules())))
    assert "average CTR -, overall - (0 clicks / 0 impressions)" in text
    assert "average CTR ·· up to -" in text.replace("  ", " ")
    assert "behind" not in text


async def test_queries_that_climbed_stayed_and_left_are_told() -> None:
    rows = [
        row("lamp", 50, 100, DAY - timedelta(days=2)),
        row("sofa", 40, 100, DAY - timedelta(days=2)),
        row("bed", 30, 100, DAY - timedelta(days=2)),
        row("chair", 20, 100, DAY - timedelta(days=2)),
        row("bed", 90, 100),
        row("sofa", 80, 100),
    ]
    text = printed(*analysis_tables(await overview(rows, RankingRules())))
    assert "↑ 3" in text
    assert " = " in text
    assert "Left: lamp; chair" in text
