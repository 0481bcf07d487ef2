"""Schemas and results in PostgreSQL are what the ports promise."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.postgres.extraction.results import (
    PostgresExtractionRepository,
    PostgresExtractionSchemaRepository,
)
from adapters.postgres.pool import PoolOptions, open_database
from adapters.postgres.unit_of_work import PostgresUnitOfWorkFactory
from tests.contracts.extractions import ExtractionsContract, Store
from tests.integration.service_role import service_url


class TestPostgresExtractions(ExtractionsContract):
    @pytest.fixture
    async def store(self, fresh_database_url: str) -> AsyncIterator[Store]:
        async with open_database(service_url(fresh_database_url), PoolOptions(size=4)) as database:
            yield Store(
                schemas=PostgresExtractionSchemaRepository(database),
                extractions=PostgresExtractionRepository(database),
                open_unit=PostgresUnitOfWorkFactory(database),
            )
