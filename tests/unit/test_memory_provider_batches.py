"""Batches in memory are what the port promises."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.memory.clock import StandingClock
from adapters.memory.extraction_jobs import MemoryExtractionJobRepository
from adapters.memory.extraction_queue import MemoryExtractionQueue, MemoryKnownExtractions
from adapters.memory.provider_batches import MemoryProviderBatches
from adapters.memory.tables import RecordTables
from adapters.memory.unit_of_work import MemoryUnitOfWorkFactory
from tests.contracts.extraction_jobs import JobStore
from tests.contracts.provider_batches import BatchStore, ProviderBatchesContract


class TestMemoryProviderBatches(ProviderBatchesContract):
    @pytest.fixture
    def store(self) -> BatchStore:
        clock = StandingClock()
        tables = RecordTables(clock=clock)

        async def let_pass(time: timedelta) -> None:
            clock.advance(time)

        jobs = JobStore(
            jobs=MemoryExtractionJobRepository(tables),
            queue=MemoryExtractionQueue(tables),
            known=MemoryKnownExtractions(tables),
            open_unit=MemoryUnitOfWorkFactory(tables),
            let_pass=let_pass,
        )
        return BatchStore(jobs=jobs, batches=MemoryProviderBatches(tables))
