"""Extraction jobs that a provider answers in batches, over a store in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from adapters.llm.record_validator import PydanticRecordValidator
from domain.extraction.calls import (
    FailureKind,
)
from domain.extraction.jobs.batch_processor import BatchOptions, BatchProcessor
from domain.extraction.jobs.items import ItemResult, ItemSettlement
from domain.extraction.jobs.model import (
    ExtractionJob,
    JobCaps,
    JobId,
    JobSpec,
    JobStatus,
    ProviderMode,
    WorkerId,
)
from domain.extraction.jobs.reader import DocumentExtractor
from domain.extraction.jobs.settlement import RetryPolicy
from domain.extraction.service import ExtractionService
from ports.extraction_jobs import ClaimedBatch, ExtractionQueue
from ports.language_models import (
    BatchLanguageModel,
    FinishReason,
    ModelProfile,
    Prompt,
)
from tests.contracts.extraction_jobs import JobStore
from tests.fakes.extraction import MemoryExtractionSchemaRepository
from tests.fakes.extraction_jobs import (
    MemoryExtractionActivityReader,
    MemoryExtractionCache,
    MemoryExtractionJobRepository,
    MemoryExtractionQueue,
)
from tests.fakes.language_models import QUOTING, ScriptedBatchLanguageModel, ScriptedLanguageModel
from tests.fakes.provider_batches import MemoryProviderBatches
from tests.fakes.system import StandingClock
from tests.fakes.tables import RecordTables
from tests.fakes.unit_of_work import MemoryUnitOfWorkFactory
from tests.unit.job_texts import PRICES, a_text, answer, text_in

SPEC = JobSpec(
    schema="order_message", schema_version=1, providers=("scripted",), mode=ProviderMode.BATCH
)


OPTIONS = BatchOptions(documents=10, poll_s=30, lease_s=60, unsure_s=120, retry_s=60, concurrency=4)


@dataclass(slots=True, kw_only=True)
class BatchBench:
    """A store, a provider with batches, and a processor between them."""

    clock: StandingClock = field(default_factory=StandingClock)
    said: dict[int, str | FinishReason | FailureKind] = field(default_factory=dict)
    profile: ModelProfile = QUOTING
    options: BatchOptions = OPTIONS
    tables: RecordTables = field(init=False)
    store: JobStore = field(init=False)
    batches: MemoryProviderBatches = field(init=False)
    provider: ScriptedBatchLanguageModel = field(init=False)
    direct: ScriptedLanguageModel = field(init=False)
    processor: BatchProcessor = field(init=False)

    def __post_init__(self) -> None:
        self.tables = RecordTables(clock=self.clock)

        async def let_pass(time: timedelta) -> None:
            self.clock.advance(time)

        self.store = JobStore(
            jobs=MemoryExtractionJobRepository(self.tables),
            activity=MemoryExtractionActivityReader(self.tables),
            queue=MemoryExtractionQueue(self.tables),
            cache=MemoryExtractionCache(self.tables),
            open_unit=MemoryUnitOfWorkFactory(self.tables),
            let_pass=let_pass,
            new_key=self.tables.new_key,
            set_budget=self.tables.set_budget,
            revoke_key=self.tables.revoke_key,
        )
        self.batches = MemoryProviderBatches(self.tables)
        self.provider = ScriptedBatchLanguageModel(say=self._say)
        self.direct = ScriptedLanguageModel(otherwise=answer, profile=self.profile)
        self.processor = self.a_processor()

    def _say(self, prompt: Prompt) -> str | FinishReason | FailureKind:
        number = int(text_in(prompt).split()[0].removeprefix("Ann"))
        return self.said.get(number) or answer(prompt)

    def a_processor(
        self,
        *,
        queue: ExtractionQueue | None = None,
        provider: BatchLanguageModel | None = None,
        others: Mapping[str, ScriptedLanguageModel] | None = None,
        batched: bool = True,
    ) -> BatchProcessor:
        async def opened() -> BatchLanguageModel:
            return provider or self.provider

        service = ExtractionService(
            models={"scripted": self.direct, **(others or {})},
            chain=["scripted"],
            validator=PydanticRecordValidator(),
            prices=PRICES,
            monotonic=lambda: 0.0,
            new_mark=lambda: "0123abcd",
        )
        retry_policy = RetryPolicy(attempts=3)
        return BatchProcessor(
            batches=self.batches,
            queue=queue or self.store.queue,
            cache=self.store.cache,
            extraction=service,
            reader=DocumentExtractor(
                extraction=service,
                schemas=MemoryExtractionSchemaRepository(self.tables.extraction),
                clock=self.clock,
                new_id=uuid4,
                chance=lambda: 0.5,
                retry_policy=retry_policy,
                deadline_s=60,
            ),
            models={"scripted": opened} if batched else {},
            retry_policy=retry_policy,
            chance=lambda: 0.5,
            options=self.options,
        )

    async def job(
        self, count: int = 3, *, spec: JobSpec = SPEC, caps: JobCaps | None = None
    ) -> JobId:
        texts = [a_text(number) for number in range(count)]
        return (await self.store.job(texts, spec, caps)).id

    async def opened(self) -> ClaimedBatch:
        batch = await self.batches.open(
            WorkerId(uuid4()), limit=self.options.documents, lease_s=self.options.lease_s
        )
        assert batch is not None
        return batch

    async def look(self, processor: BatchProcessor | None = None, *, rounds: int = 40) -> None:
        """Look after batches as the worker does, until none is open and nothing is due."""
        for _ in range(rounds):
            found = await self.batches.take(limit=1, lease_s=self.options.lease_s)
            if not found:
                opened = await self.batches.open(
                    WorkerId(uuid4()), limit=self.options.documents, lease_s=self.options.lease_s
                )
                found = [] if opened is None else [opened]
            for batch in found:
                wait_s = await (processor or self.processor).advance(batch)
                if wait_s is not None:
                    await self.batches.put_off(batch, seconds=wait_s)
            if not found:
                if all(row.closed for row in self.tables.batches.values()):
                    return
                self.clock.advance(timedelta(seconds=30))

    async def seen(self, job_id: JobId) -> ExtractionJob:
        return await self.store.jobs.get(job_id)

    async def results(self, job_id: JobId) -> Sequence[ItemResult]:
        return await self.store.jobs.results(job_id, limit=1000)

    @property
    def asked(self) -> list[str]:
        """What the provider was asked in batches, in order."""
        return [
            text_in(request.prompt)
            for batch in self.provider.batches.values()
            for request in batch.requests
        ]


class FaultyQueue(MemoryExtractionQueue):
    """Raises `fault` instead of settling, or for results alone."""

    def __init__(self, tables: RecordTables, fault: Exception, *, results: bool = False) -> None:
        super().__init__(tables)
        self.fault, self.results = fault, results

    async def settle(
        self, worker: WorkerId, settlements: Sequence[ItemSettlement]
    ) -> Mapping[JobId, JobStatus]:
        if not self.results or any(each.extraction is not None for each in settlements):
            raise self.fault
        return await MemoryExtractionQueue.settle(self, worker, settlements)
