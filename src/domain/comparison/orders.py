"""Comparisons that are ordered and carried out by workers: a job for each model and repeat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from domain.comparison.building import build_report
from domain.comparison.contestants import (
    BASELINE,
    MOST_CONTESTANTS,
    Entry,
    contestant_of,
)
from domain.comparison.model import Contestant, LabelledText, Outcome, outcome_of
from domain.comparison.readers import BaselineReader, baseline
from domain.comparison.report import ComparisonReport
from domain.comparison.stored import Comparison, ComparisonDraft, ComparisonId, ComparisonJob
from domain.errors import Conflict, InvalidInput, Violation
from domain.extraction.calls import FailureKind
from domain.extraction.jobs.items import ENDED, Document, ItemResult
from domain.extraction.jobs.model import ExtractionJob, JobCommand, JobSpec, NewJob
from domain.extraction.jobs.service import ExtractionJobService
from domain.extraction.model import ExtractionStatus
from domain.extraction.schema import Schema
from domain.extraction.service import ExtractionService
from ports.comparisons import ComparisonRepository
from ports.extraction import ExtractionSchemaRepository
from ports.extraction_jobs import ExtractionJobRepository
from ports.language_models import LanguageModel
from ports.statistics import Statistics
from ports.unit_of_work import UnitOfWork

MOST_ANSWERS: Final = 50_000
"""Texts by contestants by repeats of one comparison."""


class ComparisonOrders:
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
        self._reporting = asyncio.Lock()

    async def draft(
        self,
        *,
        dataset: str,
        schema: Schema,
        texts: Sequence[LabelledText],
        providers: Sequence[str],
        repeats: int,
        seed: int,
        machine_usd_per_hour: float | None,
    ) -> ComparisonDraft:
        """A comparison whose schema and contestants are fixed from now on.

        Args:
            dataset: the name of the data.
            schema: the record to fill.
            texts: each id once.
            providers: configured ones, or `regex`, each once.
            repeats: answers of each to each text.
            seed: of the resampling in the report.
            machine_usd_per_hour: price of the machine of models that run on one's own.

        Raises:
            InvalidInput: names each provider that cannot be compared, or the size.
        """
        violations = list(self._violations(providers, schema))
        answers = len(texts) * len(providers) * repeats
        if answers > MOST_ANSWERS:
            detail = f"these are {answers} answers; a comparison has {MOST_ANSWERS} at most"
            violations.append(Violation(pointer="/texts", detail=detail))
        if violations:
            raise InvalidInput.of(violations)
        contestants = [
            baseline(name)
            if name == BASELINE
            else contestant_of(
                Entry(name=name, provider=name),
                self._models[name].profile,
                schema,
                concurrency=self._concurrency,
                machine_usd_per_hour=machine_usd_per_hour,
                simulated=await self._is_stand_in(name),
            )
            for name in providers
        ]
        return ComparisonDraft(
            dataset=dataset,
            schema=schema.name,
            schema_version=schema.version,
            texts=tuple(texts),
            contestants=tuple(contestants),
            repeats=repeats,
            seed=seed,
        )

    async def take(
        self, unit: UnitOfWork, draft: ComparisonDraft
    ) -> tuple[Comparison, Sequence[ExtractionJob]]:
        """Store it with its jobs in an open unit; `announce` wakes a worker after the commit."""

        async def documents() -> AsyncIterator[Document]:
            for text in draft.texts:
                yield Document(text=text.text, id=text.id)

        links: list[ComparisonJob] = []
        jobs: list[ExtractionJob] = []
        for repeat in range(draft.repeats):
            for contestant in draft.contestants:
                if contestant.provider == BASELINE:
                    continue
                spec = JobSpec(
                    schema=draft.schema,
                    schema_version=draft.schema_version,
                    providers=(contestant.provider,),
                    reuse=False,  # a known answer says nothing about the next one
                )
                job = await unit.extraction_jobs.add(NewJob(spec=spec), documents())
                jobs.append(job)
                links.append(
                    ComparisonJob(contestant=contestant.name, repeat=repeat, job_id=job.id)
                )
        return await unit.comparisons.add(draft, links), jobs

    async def announce(self) -> None:
        """Wake a worker for a comparison that was stored in a unit of another."""
        await self._job_service.announce()

    async def jobs_of(self, comparison: Comparison) -> Sequence[ExtractionJob]:
        """Its jobs as they stand, in order."""
        return [await self._jobs.get(job.job_id) for job in comparison.jobs]

    async def report(self, comparison_id: ComparisonId) -> tuple[Comparison, ComparisonReport]:
        """Judge what is answered so far; one report at a time is made in a process.

        Raises:
            NotFound: no such comparison.
            Conflict: there is no text yet that every contestant has answered.
        """
        comparison = await self._comparisons.get(comparison_id)
        texts = await self._comparisons.texts(comparison_id)
        schema = await self._schemas.get(comparison.schema, comparison.schema_version)
        async with self._reporting:
            outcomes = [each async for each in self._outcomes(comparison, texts, schema)]
            try:
                report = await asyncio.to_thread(
                    build_report,
                    dataset=comparison.dataset,
                    schema=schema,
                    texts=texts,
                    contestants=comparison.contestants,
                    outcomes=outcomes,
                    statistics=self._statistics,
                    seed=comparison.seed,
                )
            except InvalidInput as error:
                raise Conflict(str(error)) from error
        return comparison, report

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

    def _violations(self, providers: Sequence[str], schema: Schema) -> list[Violation]:
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
                BaselineReader(schema, name=BASELINE, now=self._now)
            except InvalidInput as error:
                found += [replace(each, pointer="/providers") for each in error.violations]
        return found

    async def _outcomes(
        self, comparison: Comparison, texts: Sequence[LabelledText], schema: Schema
    ) -> AsyncIterator[Outcome]:
        by_place = dict(enumerate(texts, start=1))
        contestants = {contestant.name: contestant for contestant in comparison.contestants}
        for job in comparison.jobs:
            async for item in self._job_service.all_results(job.job_id):
                if item.state in ENDED:
                    text = by_place[item.position]
                    contestant = contestants[job.contestant]
                    yield self._outcome(item, text, contestant, job.repeat, schema)
        for contestant in comparison.contestants:
            if contestant.provider == BASELINE:
                reader = BaselineReader(schema, name=contestant.name, now=self._now)
                for repeat in range(comparison.repeats):
                    for text in texts:
                        yield (await reader.read(text, repeat))[0]

    def _outcome(
        self,
        item: ItemResult,
        text: LabelledText,
        contestant: Contestant,
        repeat: int,
        schema: Schema,
    ) -> Outcome:
        if item.extraction is None:
            code = "" if item.reason is None else item.reason.code
            kind = next((each for each in FailureKind if each == code), FailureKind.SERVER_ERROR)
            return Outcome(
                contestant=contestant.name,
                text_id=text.id,
                repeat=repeat,
                status=ExtractionStatus.FAILED,
                fields={field.name: None for field in schema.fields},
                failure=kind,
                attempts=item.attempts,
            )
        result = item.extraction.result
        batched = [replace(attempt, batched=True) for attempt in result.attempts]
        windows = 1
        if contestant.provider in self._models:  # it may have left the settings since
            prompts = self._extraction.first_prompts(text.text, schema, contestant.provider)
            windows = len(prompts)
        return outcome_of(
            result,
            contestant=contestant.name,
            text_id=text.id,
            repeat=repeat,
            windows=windows,
            batch_cost_usd=self._extraction.prices.cost(batched),
        )
