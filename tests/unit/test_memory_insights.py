"""Searches and insights in memory are what the ports promise."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from adapters.memory.clock import StandingClock
from adapters.memory.insights import (
    MemorySearchAnalysis,
    MemorySearchClickLog,
    MemorySearchInsightStore,
    MemorySearchRetention,
)
from domain.insights.model import SearchClick, StoredInsight
from tests.contracts.insights import (
    AnalysisContract,
    ClickLogContract,
    InsightStoreContract,
    RetentionContract,
    Searches,
)


def searches_in_memory() -> Searches:
    """A store that starts empty."""
    rows: list[SearchClick] = []
    store = MemorySearchInsightStore(rows)

    async def write_rows(more: Sequence[SearchClick]) -> None:
        rows.extend(more)

    async def write_insight(insight: StoredInsight) -> None:
        store.stored[insight.insight_date] = insight

    return Searches(
        log=MemorySearchClickLog(StandingClock(), rows),
        analysis=MemorySearchAnalysis(rows),
        insights=store,
        retention=MemorySearchRetention(rows, store),
        write_rows=write_rows,
        write_insight=write_insight,
    )


class InMemory:
    @pytest.fixture
    def searches(self) -> Searches:
        return searches_in_memory()


class TestMemoryAnalysis(InMemory, AnalysisContract):
    pass


class TestMemoryInsightStore(InMemory, InsightStoreContract):
    pass


class TestMemoryClickLog(InMemory, ClickLogContract):
    pass


class TestMemoryRetention(InMemory, RetentionContract):
    pass
