"""Known answers and open questions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from typing import Final

from adapters.postgres.pool import Database
from adapters.postgres.queries import load_queries
from domain.extraction.model import ExtractionId, Status
from domain.jobs.model import WorkerId
from ports.extraction_queue import LeaseLost
from ports.known_extractions import KnownExtraction, KnownExtractions, Question

_QUERIES: Final = load_queries("known_extractions")


class PostgresKnownExtractions(KnownExtractions):
    """The stored results, and a row for each question that is being asked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def recall(
        self, texts: Sequence[str], question: Question
    ) -> Mapping[str, KnownExtraction]:
        """See the port."""
        query = _QUERIES["recall"]
        arguments = query.args(
            texts=list(texts),
            schema_name=question.schema,
            schema_version=question.schema_version,
            providers=[provider for provider, _ in question.prompts],
            prompt_hashes=[prompt_hash for _, prompt_hash in question.prompts],
        )
        return {
            row["text"]: KnownExtraction(id=ExtractionId(row["id"]), status=Status(row["status"]))
            for row in await self._database.fetch(query.sql, *arguments)
        }

    async def reserve(self, worker: WorkerId, keys: Collection[bytes]) -> Set[bytes]:
        """See the port."""
        query = _QUERIES["reserve"]
        # In one order everywhere, so that two workers wait for each other in one direction only.
        arguments = query.args(worker_id=worker, keys=sorted(set(keys)))
        rows = await self._database.fetch(query.sql, *arguments)
        if not rows:
            raise LeaseLost("The worker's lease is over; others took what it had.")
        return {row["key"] for row in rows if row["key"] is not None}

    async def release(self, worker: WorkerId, keys: Collection[bytes]) -> None:
        """See the port."""
        query = _QUERIES["release"]
        await self._database.execute(query.sql, *query.args(worker_id=worker, keys=list(keys)))
