from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.postgres.insights.scheduled_runs import PostgresScheduledRunRepository
from adapters.postgres.pool import PoolOptions, open_database
from ports.insights import ScheduledRunRepository
from tests.contracts.scheduled_runs import ScheduledRunRepositoryContract


class TestPostgresScheduledRuns(ScheduledRunRepositoryContract):
    @pytest.fixture
    async def runs(self, module_database_url: str) -> AsyncIterator[ScheduledRunRepository]:
        async with open_database(module_database_url, PoolOptions()) as database:
            await database.execute("TRUNCATE scheduled_runs")
            yield PostgresScheduledRunRepository(database)
