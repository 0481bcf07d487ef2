"""Comparisons in memory and their logs; held to the same contracts as PostgreSQL and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from domain.comparison.model import LabelledText, Outcome
from domain.comparison.recording import Question, Recording, Run, continued, question_of
from domain.comparison.stored import Comparison, ComparisonDraft, ComparisonId, ComparisonJob
from domain.errors import NotFound
from ports.comparison_log import ComparisonLog
from ports.comparisons import ComparisonIntake, ComparisonRepository
from tests.fakes.tables import RecordTables, Undo, put


class MemoryComparisonIntake(ComparisonIntake):
    """New comparisons into a dict."""

    def __init__(self, tables: RecordTables, undo: Undo) -> None:
        self._tables = tables
        self._undo = undo

    async def add(self, draft: ComparisonDraft, jobs: Sequence[ComparisonJob]) -> Comparison:
        """See the port."""
        versions = self._tables.extraction.schemas.get(draft.schema, [])
        if not 1 <= draft.schema_version <= len(versions):
            raise NotFound(
                f"There is no schema {draft.schema!r} in version {draft.schema_version}."
            )
        comparison = Comparison(
            id=ComparisonId(next(self._tables.comparison_ids)),
            dataset=draft.dataset,
            schema=draft.schema,
            schema_version=draft.schema_version,
            texts=len(draft.texts),
            contestants=draft.contestants,
            repeats=draft.repeats,
            seed=draft.seed,
            jobs=tuple(sorted(jobs, key=lambda job: job.job_id)),
            created_at=self._tables.clock.now(),
        )
        put(self._tables.comparisons, comparison.id, (comparison, draft.texts), self._undo)
        return comparison


class MemoryComparisonRepository(ComparisonRepository):
    """Comparisons in a dict."""

    def __init__(self, tables: RecordTables) -> None:
        self._tables = tables

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


class MemoryComparisonLog(ComparisonLog):
    """What was written, in a list of runs and a mapping of outcomes."""

    def __init__(self) -> None:
        self._run: Run | None = None
        self._texts: dict[str, LabelledText] = {}
        self._outcomes: dict[Question, Outcome] = {}

    def read(self) -> Recording | None:
        """See the port."""
        if self._run is None:
            return None
        run = replace(self._run, texts=tuple(self._texts.values()))
        return Recording(run=run, outcomes=dict(self._outcomes))

    def begin(self, run: Run) -> None:
        """See the port."""
        self._run = run if self._run is None else continued(self._run, run)
        for text in run.texts:
            self._texts.setdefault(text.id, text)

    def append(self, outcome: Outcome) -> None:
        """See the port."""
        self._outcomes[question_of(outcome)] = outcome
