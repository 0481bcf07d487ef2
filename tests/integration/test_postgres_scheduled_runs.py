from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.postgres.insights.scheduled_runs import PostgresScheduledRuns
from adapters.postgres.pool import PoolOptions, open_database
from ports.insights import ScheduledRuns
from tests.contracts.scheduled_runs import ScheduledRunsContract


class TestPostgresScheduledRuns(ScheduledRunsContract):
    @pytest.fixture
    async def runs(self, module_database_url: str) -> AsyncIterator[ScheduledRuns]:
        async with open_database(module_database_url, PoolOptions()) as database:
            await database.execute("TRUNCATE scheduled_runs")
            yield PostgresScheduledRuns(database)
