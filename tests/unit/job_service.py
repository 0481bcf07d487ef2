"""The service of extraction jobs over a store in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from adapters.llm.record_validator import PydanticRecordValidator
from domain.extraction.calls import PriceTable
from domain.extraction.jobs.items import Document
from domain.extraction.jobs.model import (
    ExtractionJob,
)
from domain.extraction.jobs.service import ExtractionJobService
from domain.extraction.service import ExtractionService
from ports.extraction_jobs import WorkerWakeup
from tests.contracts.extraction_jobs import JobStore
from tests.fakes.extraction import MemoryExtractionSchemaRepository
from tests.fakes.extraction_jobs import (
    MemoryExtractionActivityReader,
    MemoryExtractionCache,
    MemoryExtractionJobRepository,
    MemoryExtractionQueue,
)
from tests.fakes.language_models import ScriptedLanguageModel
from tests.fakes.system import StandingClock
from tests.fakes.tables import RecordTables
from tests.fakes.unit_of_work import MemoryUnitOfWorkFactory


class CountingWakeup(WorkerWakeup):
    """Counts the hints."""

    def __init__(self) -> None:
        self.hints = 0

    async def wake(self) -> None:
        self.hints += 1


@dataclass(slots=True, kw_only=True)
class JobServiceBench:
    """A service over a store in memory."""

    tables: RecordTables = field(default_factory=lambda: RecordTables(clock=StandingClock()))
    wakeup: CountingWakeup = field(default_factory=CountingWakeup)

    def service(self, *, batch_providers: Sequence[str] = ("scripted",)) -> ExtractionJobService:
        return ExtractionJobService(
            jobs=MemoryExtractionJobRepository(self.tables),
            open_unit=MemoryUnitOfWorkFactory(self.tables),
            schemas=MemoryExtractionSchemaRepository(self.tables.extraction),
            extraction=ExtractionService(
                models={"scripted": ScriptedLanguageModel()},
                chain=["scripted"],
                validator=PydanticRecordValidator(),
                prices=PriceTable(prices={}),
                monotonic=lambda: 0.0,
                new_mark=lambda: "feedc0de",
            ),
            wakeup=self.wakeup,
            batch_providers=batch_providers,
        )

    async def job(self, count: int = 1) -> ExtractionJob:
        service = self.service()
        draft = await service.draft(schema="order_message", provider=None)
        return await service.submit(draft, documents(count))


async def documents(count: int) -> AsyncIterator[Document]:
    for number in range(1, count + 1):
        yield Document(text=f"text {number}", id=f"doc-{number}")


def jobs_in_memory() -> tuple[RecordTables, JobStore]:
    """A store of jobs that starts empty, and its tables."""
    clock = StandingClock()
    tables = RecordTables(clock=clock)

    async def let_pass(time: timedelta) -> None:
        clock.advance(time)

    return tables, JobStore(
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
