"""Schemas and results in memory are what the ports promise."""

from __future__ import annotations

import pytest

from adapters.memory.clock import StandingClock
from adapters.memory.extractions import (
    MemoryExtractionRepository,
    MemoryExtractionSchemaRepository,
)
from adapters.memory.tables import RecordTables
from adapters.memory.unit_of_work import MemoryUnitOfWorkFactory
from tests.contracts.extractions import ExtractionsContract, Store


class TestMemoryExtractions(ExtractionsContract):
    @pytest.fixture
    def store(self) -> Store:
        tables = RecordTables(clock=StandingClock())
        return Store(
            schemas=MemoryExtractionSchemaRepository(tables.extraction),
            extractions=MemoryExtractionRepository(tables.extraction),
            open_unit=MemoryUnitOfWorkFactory(tables),
        )
