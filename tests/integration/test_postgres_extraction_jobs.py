"""Extraction jobs in PostgreSQL are what the ports promise."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.postgres.queries import SQL_DIR
from tests.contracts.extraction_jobs import ExtractionJobsContract, JobStore
from tests.integration.extraction_jobs import jobs_database, jobs_in


class TestPostgresExtractionJobs(ExtractionJobsContract):
    @pytest.fixture
    async def store(self, module_database_url: str) -> AsyncIterator[JobStore]:
        async with jobs_database(module_database_url) as database:
            yield jobs_in(database)


async def test_a_wait_of_31_690_years_that_is_stored_already_ends_with_the_migration(
    fresh_database_url: str,
) -> None:
    async with jobs_database(fresh_database_url) as database:
        store = jobs_in(database)
        job, other = await store.job(), await store.job()
        worker = await store.worker()
        await database.execute(
            "UPDATE extraction_jobs SET waits_until = CASE"
            " WHEN id = $1 THEN timestamptz '33715-01-01 00:00Z'"
            " ELSE now() + interval '1 h' END",
            job.id,
        )
        await database.execute((SQL_DIR / "migrations" / "0017_waits_within_a_day.sql").read_text())
        found = {each.id: each.waits_until for each in await store.jobs.page(limit=5)}
        assert found[job.id] is None
        assert found[other.id] is not None
        assert {each.job_id for each in await store.queue.claim(worker, limit=9)} == {job.id}
