"""Comparisons in memory are what the port promises."""

from __future__ import annotations

import pytest

from adapters.memory.clock import StandingClock
from adapters.memory.comparisons import MemoryComparisonRepository
from adapters.memory.tables import RecordTables
from adapters.memory.unit_of_work import MemoryUnitOfWorkFactory
from tests.contracts.comparisons import ComparisonsContract, ComparisonStore


class TestMemoryComparisons(ComparisonsContract):
    @pytest.fixture
    def comparison_store(self) -> ComparisonStore:
        tables = RecordTables(clock=StandingClock())
        return ComparisonStore(
            comparisons=MemoryComparisonRepository(tables),
            open_unit=MemoryUnitOfWorkFactory(tables),
        )
