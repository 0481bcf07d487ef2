from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.postgres.insights.scheduled_runs import PostgresScheduledRunRepository
from adapters.postgres.pool import PoolOptions, open_database
from ports.insights import ScheduledRunRepository
from tests.contracts.scheduled_runs import ScheduledRunRepositoryContract
from tests.integration.owners_database import execute
from tests.integration.service_role import service_url


class TestPostgresScheduledRuns(ScheduledRunRepositoryContract):
    @pytest.fixture
    async def runs(self, module_database_url: str) -> AsyncIterator[ScheduledRunRepository]:
        await execute(module_database_url, "TRUNCATE scheduled_runs")
        async with open_database(service_url(module_database_url), PoolOptions()) as database:
            yield PostgresScheduledRunRepository(database)
