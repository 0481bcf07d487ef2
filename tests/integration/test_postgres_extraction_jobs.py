"""Extraction jobs in PostgreSQL are what the ports promise."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.contracts.extraction_jobs import ExtractionJobsContract, JobStore
from tests.integration.extraction_jobs import jobs_database, jobs_in


class TestPostgresExtractionJobs(ExtractionJobsContract):
    @pytest.fixture
    async def store(self, module_database_url: str) -> AsyncIterator[JobStore]:
        async with jobs_database(module_database_url) as database:
            yield jobs_in(database)
