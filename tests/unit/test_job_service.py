"""What people may do with jobs: drafts name every fault, orders wake workers, results are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from adapters.llm.record_validator import PydanticRecordValidator
from domain.errors import InvalidInput, NotFound
from domain.extraction.calls import PriceTable
from domain.extraction.jobs.items import MAX_DOCUMENT_ID, Document, ItemState
from domain.extraction.jobs.model import (
    ExtractionJob,
    JobCaps,
    JobCommand,
    JobId,
    JobSpec,
    JobStatus,
    ProviderMode,
)
from domain.extraction.jobs.service import ExtractionJobService, check_document
from domain.extraction.service import ExtractionService
from ports.extraction_jobs import WorkerWakeup
from tests.fakes.extraction import MemoryExtractionSchemaRepository
from tests.fakes.extraction_jobs import MemoryExtractionJobRepository
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
class Office:
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


@pytest.fixture
def office() -> Office:
    return Office()


async def test_a_draft_fixes_the_newest_version_and_the_configured_chain(office: Office) -> None:
    draft = await office.service().draft(schema="order_message", provider=None)
    assert draft.spec == JobSpec(schema="order_message", schema_version=1, providers=("scripted",))
    assert draft.caps == JobCaps()


async def test_a_draft_keeps_its_caps_its_mode_and_whether_results_are_reused(
    office: Office,
) -> None:
    caps = JobCaps(max_tokens=5)
    draft = await office.service().draft(
        schema="order_message", provider="scripted", reuse=False, caps=caps, mode=ProviderMode.BATCH
    )
    assert (draft.caps, draft.spec.reuse, draft.spec.mode) == (caps, False, ProviderMode.BATCH)


async def test_a_draft_names_every_fault_at_once(office: Office) -> None:
    with pytest.raises(InvalidInput) as refused:
        await office.service().draft(
            schema="nothing", provider="nobody", caps=JobCaps(max_tokens=0), mode=ProviderMode.BATCH
        )
    pointers = [each.pointer for each in refused.value.violations]
    assert pointers == ["/max_tokens", "/provider", "/schema"]


@pytest.mark.parametrize(
    ("able", "named"), [((), "none that is configured"), (("openai", "gemini"), "openai, gemini")]
)
async def test_a_provider_without_batches_is_refused_with_those_that_have_them(
    office: Office, able: Sequence[str], named: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await office.service(batch_providers=able).draft(
            schema="order_message", provider=None, mode=ProviderMode.BATCH
        )
    [violation] = refused.value.violations
    assert violation.pointer == "/mode"
    assert violation.detail.endswith(f"may be: {named}")


async def test_a_submitted_job_is_stored_and_wakes_a_worker(office: Office) -> None:
    job = await office.job(3)
    assert (job.status, job.counts.total) == (JobStatus.RUNNING, 3)
    assert await MemoryExtractionJobRepository(office.tables).get(job.id) == job
    assert office.wakeup.hints == 1


async def test_nothing_is_stored_when_the_documents_break_off(office: Office) -> None:
    async def broken() -> AsyncIterator[Document]:
        yield Document(text="text")
        raise OSError("the line went dead")

    service = office.service()
    draft = await service.draft(schema="order_message", provider=None)
    with pytest.raises(OSError, match="the line went dead"):
        await service.submit(draft, broken())
    assert office.tables.jobs == {}
    assert office.wakeup.hints == 0


async def test_a_job_stored_elsewhere_is_announced(office: Office) -> None:
    await office.service().announce()
    assert office.wakeup.hints == 1


async def test_all_results_come_in_order_over_several_pages(office: Office) -> None:
    job = await office.job(1_001)
    found = [each.position async for each in office.service().all_results(job.id)]
    assert found == list(range(1, 1_002))


async def test_results_are_only_those_of_the_wanted_state(office: Office) -> None:
    job = await office.job(3)
    office.tables.jobs[job.id].items[2].state = ItemState.FAILED
    service = office.service()
    found = [each.document_id async for each in service.all_results(job.id, ItemState.FAILED)]
    assert found == ["doc-2"]


async def test_results_of_no_job_are_not_found(office: Office) -> None:
    with pytest.raises(NotFound):
        await anext(office.service().all_results(JobId(7)))


async def test_only_a_resumed_job_wakes_a_worker(office: Office) -> None:
    job = await office.job()
    paused = await office.service().apply(job.id, JobCommand.PAUSE)
    assert (paused.status, office.wakeup.hints) == (JobStatus.PAUSED, 1)
    resumed = await office.service().apply(job.id, JobCommand.RESUME, JobCaps(max_tokens=9))
    assert (resumed.status, resumed.caps.max_tokens) == (JobStatus.RUNNING, 9)
    assert office.wakeup.hints == 2


async def test_an_order_with_impossible_caps_changes_nothing(office: Office) -> None:
    job = await office.job()
    with pytest.raises(InvalidInput) as refused:
        await office.service().apply(job.id, JobCommand.PAUSE, JobCaps(max_tokens=-1))
    assert [each.pointer for each in refused.value.violations] == ["/max_tokens"]
    assert office.tables.jobs[job.id].status is JobStatus.RUNNING


@pytest.mark.parametrize("name", [None, "a", "x" * MAX_DOCUMENT_ID])
def test_a_document_that_can_be_read_has_nothing_wrong(name: str | None) -> None:
    assert check_document(Document(text="two lamps", id=name), "/documents/0") == []


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        (Document(text="  "), "/documents/4/text"),
        (Document(text="a", id=""), "/documents/4/id"),
        (Document(text="a", id="x" * (MAX_DOCUMENT_ID + 1)), "/documents/4/id"),
        (Document(text="a", id="a\x00"), "/documents/4/id"),
        (Document(text="a", id="\ud800"), "/documents/4/id"),
    ],
)
def test_a_document_that_cannot_be_taken_is_named_with_its_place(
    document: Document, pointer: str
) -> None:
    assert [each.pointer for each in check_document(document, "/documents/4")] == [pointer]
