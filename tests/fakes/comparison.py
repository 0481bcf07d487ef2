"""Comparisons in memory and their logs; held to the same contracts as PostgreSQL and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from domain.comparison.model import (
    Comparison,
    ComparisonId,
    ComparisonJob,
    ComparisonSpec,
    LabelledText,
)
from domain.comparison.results import ComparisonResults, ContestantAnswer, Provenance, resumed
from domain.errors import NotFound
from ports.comparison import ComparisonRepository, ComparisonResultLog
from tests.fakes.tables import RecordTables, Undo, put


class MemoryComparisonRepository(ComparisonRepository):
    """Comparisons in a dict."""

    def __init__(self, tables: RecordTables, undo: Undo | None = None) -> None:
        self._tables = tables
        self._undo: Undo = [] if undo is None else undo

    async def add(self, spec: ComparisonSpec, jobs: Sequence[ComparisonJob]) -> Comparison:
        """See the port."""
        versions = self._tables.extraction.schemas.get(spec.schema.name, [])
        if not 1 <= spec.schema.version <= len(versions):
            raise NotFound(
                f"There is no schema {spec.schema.name!r} in version {spec.schema.version}."
            )
        comparison = Comparison(
            id=ComparisonId(next(self._tables.comparison_ids)),
            dataset=spec.dataset,
            schema=spec.schema.name,
            schema_version=spec.schema.version,
            texts=len(spec.texts),
            contestants=spec.contestants,
            repeats=spec.repeats,
            seed=spec.seed,
            jobs=tuple(sorted(jobs, key=lambda job: job.job_id)),
            created_at=self._tables.clock.now(),
        )
        put(self._tables.comparisons, comparison.id, (comparison, spec.texts), self._undo)
        return comparison

    async def get(self, comparison_id: ComparisonId) -> Comparison:
        """See the port."""
        return self._row(comparison_id)[0]

    async def page(self, *, limit: int, before: ComparisonId | None = None) -> Sequence[Comparison]:
        """See the port."""
        found = [row for row, _ in self._tables.comparisons.values()]
        below = [row for row in found if before is None or row.id < before]
        return sorted(below, key=lambda row: -row.id)[:limit]

    async def texts(self, comparison_id: ComparisonId) -> Sequence[LabelledText]:
        """See the port."""
        return list(self._row(comparison_id)[1])

    async def remove(self, comparison_id: ComparisonId) -> None:
        """See the port."""
        self._row(comparison_id)
        del self._tables.comparisons[comparison_id]

    def _row(self, comparison_id: ComparisonId) -> tuple[Comparison, tuple[LabelledText, ...]]:
        if comparison_id not in self._tables.comparisons:
            raise NotFound(f"There is no comparison {comparison_id}.")
        return self._tables.comparisons[comparison_id]


class MemoryComparisonResultLog(ComparisonResultLog):
    """What was written, as results."""

    def __init__(self) -> None:
        self._results: ComparisonResults | None = None

    def read(self) -> ComparisonResults | None:
        """See the port."""
        return self._results

    def begin(self, spec: ComparisonSpec, provenance: Provenance) -> None:
        """See the port."""
        if self._results is None:
            self._results = ComparisonResults(spec=spec, provenance=provenance)
            return
        before = self._results.spec.texts
        known = {text.id for text in before}
        texts = (*before, *(text for text in spec.texts if text.id not in known))
        found = resumed(self._results, spec, provenance)
        self._results = replace(found, spec=replace(found.spec, texts=texts))

    def append(self, answer: ContestantAnswer) -> None:
        """See the port."""
        assert self._results is not None
        answers = {**self._results.answers, answer.key: answer}
        self._results = replace(self._results, answers=answers)
