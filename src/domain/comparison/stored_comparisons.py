"""Comparisons that workers carry out: a job for each model and repeat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from domain.access.audit import acting_key
from domain.access.model import NO_BUDGET, ModelBudget
from domain.comparison.baseline import RegexExtractor
from domain.comparison.contestants import (
    BASELINE,
    MOST_CONTESTANTS,
    ContestantSpec,
    contestant_of,
)
from domain.comparison.model import (
    Comparison,
    ComparisonId,
    ComparisonJob,
    ComparisonSpec,
    Contestant,
    LabelledText,
)
from domain.comparison.report import ComparisonReport
from domain.comparison.report_builder import build_report
from domain.comparison.results import (
    ComparisonResults,
    ContestantAnswer,
    Provenance,
    answer_of,
    answers_by_key,
    compare_command,
)
from domain.errors import Conflict, InvalidInput, Violation
from domain.extraction.calls import FailureKind, current_name
from domain.extraction.jobs.items import ENDED, Document, ItemResult
from domain.extraction.jobs.model import ExtractionJob, JobCommand, JobSpec, NewJob
from domain.extraction.jobs.service import ExtractionJobService
from domain.extraction.model import ExtractionStatus
from domain.extraction.schema import RecordSchema
from domain.extraction.service import ExtractionService
from ports.comparison import ComparisonRepository, Statistics
from ports.extraction import ExtractionSchemaRepository
from ports.extraction_jobs import ExtractionJobRepository
from ports.language_models import LanguageModel
from ports.unit_of_work import UnitOfWork

MOST_ANSWERS: Final = 50_000
"""Texts by contestants by repeats of one comparison."""


class StoredComparisonService:
    """Makes comparisons, says how they stand, and reports on them.

    Args:
        comparisons: where they are kept.
        jobs: knows the jobs behind them.
        job_service: gives orders to jobs.
        schemas: knows the schemas.
        extraction: knows prices and prompts.
        models: the configured models by provider name.
        statistics: tests and the bootstrap.
        is_stand_in: whether no model answers behind a configured provider.
        concurrency: calls to one provider at once, of each worker.
        now: a clock that never goes back, in seconds.
        program: version of this program, for readers of reports.
    """

    def __init__(
        self,
        *,
        comparisons: ComparisonRepository,
        jobs: ExtractionJobRepository,
        job_service: ExtractionJobService,
        schemas: ExtractionSchemaRepository,
        extraction: ExtractionService,
        models: Mapping[str, LanguageModel],
        statistics: Statistics,
        is_stand_in: Callable[[str], Awaitable[bool]],
        concurrency: int,
        now: Callable[[], float],
        program: str,
    ) -> None:
        self._comparisons = comparisons
        self._jobs = jobs
        self._job_service = job_service
        self._schemas = schemas
        self._extraction = extraction
        self._models = models
        self._statistics = statistics
        self._is_stand_in = is_stand_in
        self._concurrency = concurrency
        self._now = now
        self._program = program
        self._reporting = asyncio.Lock()

    async def prepare(
        self,
        *,
        dataset: str,
        schema: RecordSchema,
        texts: Sequence[LabelledText],
        providers: Sequence[str],
        repeats: int,
        seed: int,
        machine_usd_per_hour: float | None,
        budget: ModelBudget = NO_BUDGET,
    ) -> ComparisonSpec:
        """A comparison whose schema and contestants are fixed from now on.

        Args:
            dataset: the name of the data.
            schema: the record to fill.
            texts: each id once.
            providers: configured ones, or `regex`, each once.
            repeats: answers of each to each text.
            seed: of the resampling in the report.
            machine_usd_per_hour: price of the machine of models that run on one's own.
            budget: of who asks.

        Raises:
            InvalidInput: names each provider that cannot be compared, or the size.
        """
        providers = [current_name(name) for name in providers]
        violations = list(self._violations(providers, schema))
        asked = [name for name in providers if name in self._models]
        violations += [
            replace(each, pointer="/providers")
            for each in self._extraction.price_violations(asked, budget)
        ]
        answers = len(texts) * len(providers) * repeats
        if answers > MOST_ANSWERS:
            detail = f"these are {answers} answers; a comparison has {MOST_ANSWERS} at most"
            violations.append(Violation(pointer="/texts", detail=detail))
        if violations:
            raise InvalidInput.of(violations)
        contestants = [
            self._baseline(schema, name).contestant
            if name == BASELINE
            else contestant_of(
                ContestantSpec(name=name, provider=name),
                self._models[name].profile,
                schema,
                concurrency=self._concurrency,
                machine_usd_per_hour=machine_usd_per_hour,
                simulated=await self._is_stand_in(name),
            )
            for name in providers
        ]
        return ComparisonSpec(
            dataset=dataset,
            schema=schema,
            texts=tuple(texts),
            contestants=tuple(contestants),
            repeats=repeats,
            seed=seed,
        )

    async def create(
        self, unit: UnitOfWork, spec: ComparisonSpec
    ) -> tuple[Comparison, Sequence[ExtractionJob]]:
        """Store it with its jobs in an open unit; `announce` wakes a worker after the commit."""

        async def documents() -> AsyncIterator[Document]:
            for text in spec.texts:
                yield Document(text=text.text, id=text.id)

        links: list[ComparisonJob] = []
        jobs: list[ExtractionJob] = []
        for repeat in range(spec.repeats):
            for contestant in spec.contestants:
                if contestant.provider == BASELINE:
                    continue
                job_spec = JobSpec(
                    schema=spec.schema.name,
                    schema_version=spec.schema.version,
                    providers=(contestant.provider,),
                    reuse=False,  # a known answer says nothing about the next one
                )
                draft = NewJob(spec=job_spec, key_id=acting_key())
                job = await unit.extraction_jobs.add(draft, documents())
                jobs.append(job)
                links.append(
                    ComparisonJob(contestant=contestant.name, repeat=repeat, job_id=job.id)
                )
        return await unit.comparisons.add(spec, links), jobs

    async def announce(self) -> None:
        """Wake a worker for a comparison that was stored in a unit of another."""
        await self._job_service.announce()

    async def jobs_of(self, comparison: Comparison) -> Sequence[ExtractionJob]:
        """Its jobs as they stand, in order."""
        return [await self._jobs.get(job.job_id) for job in comparison.jobs]

    async def report(self, comparison_id: ComparisonId) -> ComparisonReport:
        """Judge what is answered so far; one report at a time is made in a process.

        Raises:
            NotFound: no such comparison.
            Conflict: there is no text yet that every provider has answered.
        """
        comparison = await self._comparisons.get(comparison_id)
        texts = await self._comparisons.texts(comparison_id)
        schema = await self._schemas.get(comparison.schema, comparison.schema_version)
        async with self._reporting:
            answers = [each async for each in self._answers(comparison, texts, schema)]
            try:
                results = ComparisonResults(
                    spec=ComparisonSpec(
                        dataset=comparison.dataset,
                        schema=schema,
                        texts=tuple(texts),
                        contestants=comparison.contestants,
                        repeats=comparison.repeats,
                        seed=comparison.seed,
                    ),
                    provenance=self._provenance(comparison),
                    answers=answers_by_key(answers),
                )
                return await asyncio.to_thread(build_report, results, self._statistics)
            except InvalidInput as error:
                raise Conflict(str(error)) from error

    async def remove(self, comparison_id: ComparisonId) -> None:
        """Remove it; what is still to be asked is cancelled, what was answered stays with its jobs.

        Raises:
            NotFound: no such comparison.
        """
        comparison = await self._comparisons.get(comparison_id)
        await self._comparisons.remove(comparison_id)
        for job in comparison.jobs:
            with suppress(Conflict):  # it has come to its end
                await self._job_service.apply(job.job_id, JobCommand.CANCEL)

    def _violations(self, providers: Sequence[str], schema: RecordSchema) -> list[Violation]:
        known = [*self._models, BASELINE]
        found = [
            Violation(
                pointer=f"/providers/{place}",
                detail=f"{name!r} is not configured; there are {', '.join(known)}",
            )
            for place, name in enumerate(providers)
            if name not in known
        ]
        if not 1 <= len(set(providers)) == len(providers) <= MOST_CONTESTANTS:
            detail = f"must name 1..{MOST_CONTESTANTS} providers, each once"
            found.append(Violation(pointer="/providers", detail=detail))
        if BASELINE in providers:
            try:
                self._baseline(schema, BASELINE)
            except InvalidInput as error:
                found += [replace(each, pointer="/providers") for each in error.violations]
        return found

    def _baseline(self, schema: RecordSchema, name: str) -> RegexExtractor:
        return RegexExtractor(schema, name=name, now=self._now)

    def _provenance(self, comparison: Comparison) -> Provenance:
        return Provenance(
            program=self._program,
            asked_at=comparison.created_at,
            command=compare_command(
                {
                    "providers": ",".join(each.name for each in comparison.contestants),
                    "dataset": comparison.dataset,
                    "schema": comparison.schema,
                    "split": "all",
                    "seed": comparison.seed,
                    "repeat": comparison.repeats,
                }
            ),
        )

    async def _answers(
        self, comparison: Comparison, texts: Sequence[LabelledText], schema: RecordSchema
    ) -> AsyncIterator[ContestantAnswer]:
        by_place = dict(enumerate(texts, start=1))
        contestants = {contestant.name: contestant for contestant in comparison.contestants}
        for job in comparison.jobs:
            async for item in self._job_service.all_results(job.job_id):
                if item.state in ENDED:
                    text = by_place[item.position]
                    contestant = contestants[job.contestant]
                    yield self._answer(item, text, contestant, job.repeat, schema)
        for contestant in comparison.contestants:
            if contestant.provider == BASELINE:
                baseline = self._baseline(schema, contestant.name)
                for repeat in range(comparison.repeats):
                    for text in texts:
                        yield (await baseline.extract(text, repeat))[0]

    def _answer(
        self,
        item: ItemResult,
        text: LabelledText,
        contestant: Contestant,
        repeat: int,
        schema: RecordSchema,
    ) -> ContestantAnswer:
        if item.extraction is None:
            code = "" if item.reason is None else item.reason.code
            kind = next((each for each in FailureKind if each == code), FailureKind.SERVER_ERROR)
            return ContestantAnswer(
                contestant=contestant.name,
                text_id=text.id,
                repeat=repeat,
                status=ExtractionStatus.FAILED,
                fields={field.name: None for field in schema.fields},
                failure=kind,
                attempts=item.attempts,
            )
        windows = 1
        if contestant.provider in self._models:  # it may have left the settings since
            prompts = self._extraction.first_prompts(text.text, schema, contestant.provider)
            windows = len(prompts)
        return answer_of(
            item.extraction.result,
            contestant=contestant.name,
            text_id=text.id,
            repeat=repeat,
            windows=windows,
            prices=self._extraction.prices,
        )
