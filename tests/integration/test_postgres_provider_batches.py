"""Batches in PostgreSQL are what the port promises."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.postgres.extraction.batches import PostgresProviderBatches
from tests.contracts.provider_batches import BatchStore, ProviderBatchesContract
from tests.integration.extraction_jobs import jobs_database, jobs_in


class TestPostgresProviderBatches(ProviderBatchesContract):
    @pytest.fixture
    async def store(self, module_database_url: str) -> AsyncIterator[BatchStore]:
        async with jobs_database(module_database_url) as database:
            yield BatchStore(jobs=jobs_in(database), batches=PostgresProviderBatches(database))
