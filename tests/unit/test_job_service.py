"""What people may do with jobs: drafts name faults, commands wake workers, results are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

import pytest

from domain.access.model import ModelBudget
from domain.errors import InvalidInput, NotFound
from domain.extraction.calls import PriceTable, TokenPrice
from domain.extraction.jobs.items import (
    MAX_DOCUMENT_ID,
    Document,
    ItemState,
)
from domain.extraction.jobs.model import (
    JobCaps,
    JobCommand,
    JobId,
    JobSpec,
    JobStatus,
    ProviderMode,
)
from domain.extraction.jobs.service import check_document
from tests.fakes.extraction_jobs import MemoryExtractionJobRepository
from tests.unit.job_service import JobServiceBench


@pytest.fixture
def bench() -> JobServiceBench:
    return JobServiceBench()


async def test_a_draft_fixes_the_newest_version_and_the_configured_chain(
    bench: JobServiceBench,
) -> None:
    draft = await bench.service().draft(schema="order_message", provider=None)
    assert draft.spec == JobSpec(schema="order_message", schema_version=1, providers=("scripted",))
    assert draft.caps == JobCaps()


async def test_a_draft_keeps_its_caps_its_mode_and_whether_results_are_reused(
    bench: JobServiceBench,
) -> None:
    caps = JobCaps(max_tokens=5)
    draft = await bench.service().draft(
        schema="order_message", provider="scripted", reuse=False, caps=caps, mode=ProviderMode.BATCH
    )
    assert (draft.caps, draft.spec.reuse, draft.spec.mode) == (caps, False, ProviderMode.BATCH)


async def test_a_draft_names_every_fault_at_once(bench: JobServiceBench) -> None:
    with pytest.raises(InvalidInput) as refused:
        await bench.service().draft(
            schema="nothing", provider="nobody", caps=JobCaps(max_tokens=0), mode=ProviderMode.BATCH
        )
    pointers = [each.pointer for each in refused.value.violations]
    assert pointers == ["/max_tokens", "/provider", "/schema"]


@pytest.mark.parametrize(
    ("able", "named"), [((), "none that is configured"), (("openai", "gemini"), "openai, gemini")]
)
async def test_a_provider_without_batches_is_refused_with_those_that_have_them(
    bench: JobServiceBench, able: Sequence[str], named: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await bench.service(batch_providers=able).draft(
            schema="order_message", provider=None, mode=ProviderMode.BATCH
        )
    [violation] = refused.value.violations
    assert violation.pointer == "/mode"
    assert violation.detail.endswith(f"may be: {named}")


async def test_a_submitted_job_is_stored_and_wakes_a_worker(bench: JobServiceBench) -> None:
    job = await bench.job(3)
    assert (job.status, job.counts.total) == (JobStatus.RUNNING, 3)
    assert await MemoryExtractionJobRepository(bench.tables).get(job.id) == job
    assert bench.wakeup.hints == 1


async def test_nothing_is_stored_when_the_documents_break_off(bench: JobServiceBench) -> None:
    async def broken() -> AsyncIterator[Document]:
        yield Document(text="text")
        raise OSError("the line went dead")

    service = bench.service()
    draft = await service.draft(schema="order_message", provider=None)
    with pytest.raises(OSError, match="the line went dead"):
        await service.submit(draft, broken())
    assert bench.tables.jobs == {}
    assert bench.wakeup.hints == 0


async def test_a_job_stored_elsewhere_is_announced(bench: JobServiceBench) -> None:
    await bench.service().announce()
    assert bench.wakeup.hints == 1


async def test_all_results_come_in_order_over_several_pages(bench: JobServiceBench) -> None:
    job = await bench.job(1_001)
    found = [each.position async for each in bench.service().all_results(job.id)]
    assert found == list(range(1, 1_002))


async def test_results_are_only_those_of_the_wanted_state(bench: JobServiceBench) -> None:
    job = await bench.job(3)
    bench.tables.jobs[job.id].items[2].state = ItemState.FAILED
    service = bench.service()
    found = [each.document_id async for each in service.all_results(job.id, ItemState.FAILED)]
    assert found == ["doc-2"]


async def test_results_of_no_job_are_not_found(bench: JobServiceBench) -> None:
    with pytest.raises(NotFound):
        await anext(bench.service().all_results(JobId(7)))


async def test_only_a_resumed_job_wakes_a_worker(bench: JobServiceBench) -> None:
    job = await bench.job()
    paused = await bench.service().apply(job.id, JobCommand.PAUSE)
    assert (paused.status, bench.wakeup.hints) == (JobStatus.PAUSED, 1)
    resumed = await bench.service().apply(job.id, JobCommand.RESUME, JobCaps(max_tokens=9))
    assert (resumed.status, resumed.caps.max_tokens) == (JobStatus.RUNNING, 9)
    assert bench.wakeup.hints == 2


async def test_a_command_with_impossible_caps_changes_nothing(bench: JobServiceBench) -> None:
    job = await bench.job()
    with pytest.raises(InvalidInput) as refused:
        await bench.service().apply(job.id, JobCommand.PAUSE, JobCaps(max_tokens=-1))
    assert [each.pointer for each in refused.value.violations] == ["/max_tokens"]
    assert bench.tables.jobs[job.id].status is JobStatus.RUNNING


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


@pytest.mark.parametrize("cost", [Decimal(0), Decimal(2_000_000_000)])
def test_a_cost_cap_out_of_bounds_is_named(cost: Decimal) -> None:
    [violation] = JobCaps(max_cost_usd=cost).violations()
    assert violation.pointer == "/max_cost_usd"


async def test_a_refused_resume_that_no_cap_forbids_names_the_status(
    bench: JobServiceBench,
) -> None:
    job = await bench.job()
    paused = await bench.service().apply(job.id, JobCommand.PAUSE)
    refusal = paused.refusal(JobCommand.RESUME)
    assert str(refusal) == f"Job {job.id} is paused; it cannot resume."


async def test_a_budget_in_dollars_wants_a_model_whose_price_is_known(
    bench: JobServiceBench,
) -> None:
    service = bench.service()
    with pytest.raises(InvalidInput) as refused:
        await service.draft(
            schema="order_message", provider=None, budget=ModelBudget(usd=Decimal(1))
        )
    assert {each.pointer for each in refused.value.violations} == {"/provider"}
    draft = await service.draft(schema="default", provider=None, budget=ModelBudget(tokens=1))
    assert draft.spec.schema == "default"
    price = TokenPrice(input=Decimal(1), cached=Decimal(1), output=Decimal(1))
    service._extraction.prices = PriceTable(prices={("scripted", "*"): price})
    dollars = ModelBudget(usd=Decimal(1))
    assert (await service.draft(schema="default", provider=None, budget=dollars)).spec == draft.spec
