"""Extraction jobs that workers carry out, over a store in memory."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import uuid4

from adapters.llm.record_validator import PydanticRecordValidator
from adapters.system.clock import SystemClock
from domain.extraction.jobs.model import (
    ExtractionJob,
    JobCaps,
    JobId,
    JobSpec,
    JobStatus,
)
from domain.extraction.jobs.reader import DocumentExtractor
from domain.extraction.jobs.settlement import RetryPolicy
from domain.extraction.jobs.worker import ExtractionWorker, WorkerOptions
from domain.extraction.service import ExtractionService
from ports.extraction_jobs import ExtractionQueue
from ports.language_models import Answer, LanguageModel, ModelProfile, Prompt, TimeBudget
from tests.contracts.extraction_jobs import JobStore
from tests.fakes.extraction import MemoryExtractionSchemaRepository
from tests.fakes.extraction_jobs import (
    MemoryExtractionActivityReader,
    MemoryExtractionCache,
    MemoryExtractionJobRepository,
    MemoryExtractionQueue,
)
from tests.fakes.language_models import QUOTING, Said, ScriptedLanguageModel
from tests.fakes.tables import RecordTables
from tests.fakes.unit_of_work import MemoryUnitOfWorkFactory
from tests.unit.job_texts import PRICES, a_text, answer

SPEC = JobSpec(schema="order_message", schema_version=1, providers=("scripted",))


class CountingModel(LanguageModel):
    """Answers after `latency_s`, counts, and can be held up."""

    def __init__(self, *said: Said, latency_s: float = 0.0) -> None:
        self._inner = ScriptedLanguageModel(said, otherwise=answer, latency_s=latency_s)
        self.texts: Counter[str] = Counter()
        self.running = self.peak = 0
        self.open = asyncio.Event()
        self.open.set()

    @property
    def profile(self) -> ModelProfile:
        return QUOTING

    @property
    def calls(self) -> int:
        return self.texts.total()

    async def complete(self, prompt: Prompt, budget: TimeBudget) -> Answer:
        found = re.search(r"Ann\d+ wants \d+ lamps", prompt.messages[-1].content)
        assert found is not None
        self.texts[found[0]] += 1
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            await self.open.wait()
            return await self._inner.complete(prompt, budget)
        finally:
            self.running -= 1


@dataclass(slots=True, kw_only=True)
class WorkerBench:
    """A store, a model, and workers over both."""

    store: JobStore
    model: LanguageModel
    tables: RecordTables
    options: WorkerOptions = field(
        default_factory=lambda: WorkerOptions(concurrency=4, lease_s=60, poll_s=0.01, grace_s=0.05)
    )
    retry_policy: RetryPolicy = field(
        default_factory=lambda: RetryPolicy(attempts=3, first_delay_s=0.01, longest_delay_s=0.02)
    )

    @asynccontextmanager
    async def worker(
        self, *, queue: ExtractionQueue | None = None, model: LanguageModel | None = None
    ) -> AsyncIterator[ExtractionWorker]:
        """One that runs while the block does, and is then told to stop."""
        extraction = ExtractionService(
            models={"scripted": model or self.model},
            chain=("scripted",),
            validator=PydanticRecordValidator(),
            prices=PRICES,
            monotonic=lambda: 0.0,
            new_mark=lambda: "feedc0de",
        )
        reader = DocumentExtractor(
            extraction=extraction,
            schemas=MemoryExtractionSchemaRepository(self.tables.extraction),
            clock=SystemClock(),
            new_id=uuid4,
            chance=lambda: 0.5,
            retry_policy=self.retry_policy,
            deadline_s=60,
        )
        worker = ExtractionWorker(
            queue=queue or self.store.queue,
            cache=self.store.cache,
            reader=reader,
            new_id=uuid4,
            host="test",
            options=self.options,
        )
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop))
        try:
            yield worker
        finally:
            stop.set()
            await running

    async def job(self, count: int, caps: JobCaps | None = None, **more: object) -> ExtractionJob:
        spec = replace(SPEC, **more)  # type: ignore[arg-type]
        return await self.store.job([a_text(n) for n in range(count)], spec, caps)

    async def until(self, job_id: JobId, *statuses: JobStatus) -> ExtractionJob:
        """Wait until the job stands so."""
        return await self.until_job(job_id, lambda job: job.status in statuses)

    async def until_job(
        self, job_id: JobId, fits: Callable[[ExtractionJob], bool]
    ) -> ExtractionJob:
        async with asyncio.timeout(120):
            while not fits(job := await self.store.jobs.get(job_id)):
                await asyncio.sleep(0.002)
        return job


def idle_worker_bench() -> WorkerBench:
    """One whose store and model are empty and idle."""
    tables = RecordTables(clock=SystemClock())

    async def let_pass(_: object) -> None:
        raise NotImplementedError

    store = JobStore(
        jobs=MemoryExtractionJobRepository(tables),
        activity=MemoryExtractionActivityReader(tables),
        queue=MemoryExtractionQueue(tables),
        cache=MemoryExtractionCache(tables),
        open_unit=MemoryUnitOfWorkFactory(tables),
        let_pass=let_pass,
        new_key=tables.new_key,
        set_budget=tables.set_budget,
        revoke_key=tables.revoke_key,
    )
    return WorkerBench(store=store, model=CountingModel(), tables=tables)
