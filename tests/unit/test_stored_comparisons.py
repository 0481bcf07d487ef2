"""Comparisons that workers carry out: made with their jobs, judged by what these answered."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from adapters.llm.record_validator import PydanticRecordValidator
from adapters.statistics.scipy_statistics import ScipyStatistics
from domain.comparison.model import Comparison, ComparisonStatus, LabelledText, status_of
from domain.comparison.results import Provenance
from domain.comparison.stored_comparisons import StoredComparisonService
from domain.errors import Conflict, InvalidInput, NotFound
from domain.extraction.calls import PriceTable
from domain.extraction.jobs.items import ItemState
from domain.extraction.jobs.model import JobStatus, StatusReason
from domain.extraction.model import Extraction, ExtractionId, ExtractionResult, ExtractionStatus
from domain.extraction.schema import DEFAULT, ORDER_MESSAGE, RecordSchema
from domain.extraction.service import ExtractionService
from ports.language_models import LanguageModel
from tests.comparisons import SCHEMA
from tests.fakes.comparison import MemoryComparisonRepository
from tests.fakes.extraction import MemoryExtractionSchemaRepository
from tests.fakes.extraction_jobs import MemoryExtractionJobRepository
from tests.fakes.language_models import QUOTING, ScriptedLanguageModel
from tests.fakes.unit_of_work import MemoryUnitOfWorkFactory
from tests.unit.job_service import JobServiceBench

MAILS = tuple(
    LabelledText(
        id=f"m{n}",
        text=f"Please send {n} oak chairs. Regards, Ann Lee",
        gold={"customer": "Ann Lee", "product": "oak chairs", "quantity": n},
    )
    for n in (2, 3)
)


class ComparisonBench:
    """The use case over a store in memory."""

    def __init__(self) -> None:
        self.job_service = JobServiceBench()
        self.tables = self.job_service.tables
        model = ScriptedLanguageModel(profile=replace(QUOTING, provider="scripted"))
        self.models: dict[str, LanguageModel] = {"scripted": model}
        self.open_unit = MemoryUnitOfWorkFactory(self.tables)
        self.jobs = MemoryExtractionJobRepository(self.tables)

    @property
    def service(self) -> StoredComparisonService:
        async def is_stand_in(provider: str) -> bool:
            return provider == "scripted"

        return StoredComparisonService(
            comparisons=MemoryComparisonRepository(self.tables),
            jobs=self.jobs,
            job_service=self.job_service.service(),
            schemas=MemoryExtractionSchemaRepository(self.tables.extraction),
            extraction=ExtractionService(
                models=self.models,
                chain=["scripted"],
                validator=PydanticRecordValidator(),
                prices=PriceTable(prices={}),
                monotonic=lambda: 0.0,
                new_mark=lambda: "feed",
            ),
            models=self.models,
            statistics=ScipyStatistics(),
            is_stand_in=is_stand_in,
            concurrency=3,
            now=lambda: 0.0,
            program="0.1.0",
        )

    async def made(self, *providers: str, repeats: int = 1) -> Comparison:
        spec = await self.service.prepare(
            dataset="mails",
            schema=ORDER_MESSAGE,
            texts=MAILS,
            providers=providers,
            repeats=repeats,
            seed=7,
            machine_usd_per_hour=None,
        )
        async with self.open_unit() as unit:
            comparison, jobs = await self.service.create(unit, spec)
            await unit.commit()
        assert [job.id for job in jobs] == [job.job_id for job in comparison.jobs]
        await self.service.announce()
        return comparison

    def settle(
        self, comparison: Comparison, position: int, reason: StatusReason | None = None
    ) -> None:
        """One document of the first job ends: with the right answer, or without a result."""
        row = self.tables.jobs[comparison.jobs[0].job_id]
        item = row.items[position]
        item.finished_at = self.tables.clock.now()
        item.state, item.reason = ItemState.FAILED, reason
        if reason is not None:
            return
        result = ExtractionResult(
            status=ExtractionStatus.VALID,
            schema="order_message",
            schema_version=1,
            fields=dict(MAILS[position - 1].gold or {}),
            evidence=(),
            warnings=(),
            failure=None,
            provider="scripted",
            model="scripted-1",
            attempts=(),
            fallbacks=(),
            prompt_hash="h",
            latency_s=1.0,
            cost_usd=None,
        )
        found = Extraction(
            id=ExtractionId(uuid4()),
            text=MAILS[position - 1].text,
            result=result,
            created_at=self.tables.clock.now(),
        )
        self.tables.extraction.extractions[found.id] = found
        item.state, item.extraction_id = ItemState.VALID, found.id


@pytest.fixture
def bench() -> ComparisonBench:
    return ComparisonBench()


async def test_each_model_gets_a_job_for_each_round_and_the_baseline_none(
    bench: ComparisonBench,
) -> None:
    comparison = await bench.made("scripted", "regex", repeats=2)
    assert [(job.contestant, job.repeat) for job in comparison.jobs] == [
        ("scripted", 0),
        ("scripted", 1),
    ]
    jobs = await bench.service.jobs_of(comparison)
    assert {(job.spec.providers, job.spec.reuse) for job in jobs} == {(("scripted",), False)}
    scripted, baseline = comparison.contestants
    assert (scripted.simulated, scripted.concurrency) == (True, 3)
    assert (baseline.provider, baseline.simulated) == ("regex", False)
    assert bench.job_service.wakeup.hints == 1


async def test_the_report_is_on_what_is_answered_so_far(bench: ComparisonBench) -> None:
    comparison = await bench.made("scripted", "regex")
    with pytest.raises(Conflict, match="no text that every provider has answered"):
        await bench.service.report(comparison.id)
    bench.settle(comparison, 1)
    report = await bench.service.report(comparison.id)
    assert (report.header.texts, report.header.left_out) == (1, 1)
    bench.settle(comparison, 2, StatusReason(code="internal", detail="It broke."))
    report = await bench.service.report(comparison.id)
    assert report.provenance == Provenance(
        program="0.1.0",
        asked_at=comparison.created_at,
        command="storekeeper compare --providers=scripted,regex --dataset=mails"
        " --schema=order_message --split=all --seed=7 --repeat=1",
    )
    assert report.header.texts == 2
    assert report.contestants[0].perfect is not None
    assert report.contestants[0].perfect.count == 1
    assert report.contestants[0].operations.failures == {"server_error": 1}
    bench.settle(comparison, 2, StatusReason(code="timeout", detail="It took too long."))
    report = await bench.service.report(comparison.id)
    assert report.contestants[0].operations.failures == {"timeout": 1}


async def test_a_provider_that_left_the_settings_is_still_reported(bench: ComparisonBench) -> None:
    comparison = await bench.made("scripted")
    bench.settle(comparison, 1)
    bench.models.clear()
    report = await bench.service.report(comparison.id)
    assert report.contestants[0].contestant.name == "scripted"


async def test_a_provider_may_be_compared_by_its_former_name(bench: ComparisonBench) -> None:
    bench.models["openai_compatible"] = ScriptedLanguageModel(
        profile=replace(QUOTING, provider="openai_compatible")
    )
    comparison = await bench.made("vllm")
    (contestant,) = comparison.contestants
    assert (contestant.name, contestant.provider) == ("openai_compatible", "openai_compatible")
    (job,) = comparison.jobs
    assert (await bench.jobs.get(job.job_id)).spec.providers == ("openai_compatible",)


async def test_removing_cancels_what_still_runs(bench: ComparisonBench) -> None:
    comparison = await bench.made("scripted", repeats=2)
    first, second = (job.job_id for job in comparison.jobs)
    bench.tables.jobs[first].status = JobStatus.COMPLETED
    await bench.service.remove(comparison.id)
    assert (await bench.jobs.get(first)).status is JobStatus.COMPLETED
    assert (await bench.jobs.get(second)).status is JobStatus.CANCELLED
    with pytest.raises(NotFound):
        await bench.service.remove(comparison.id)


@pytest.mark.parametrize(
    ("providers", "schema", "repeats", "said"),
    [
        (["gemini"], DEFAULT, 1, "'gemini' is not configured; there are scripted, regex"),
        (["scripted", "scripted"], DEFAULT, 1, "must name 1..8 providers, each once"),
        ([], DEFAULT, 1, "must name 1..8 providers, each once"),
        (["regex"], SCHEMA, 1, "regex reads orders alone"),
        (["scripted"], DEFAULT, 30_000, "these are 60000 answers; a comparison has 50000 at most"),
    ],
)
async def test_what_cannot_be_compared_is_named(
    bench: ComparisonBench, providers: list[str], schema: RecordSchema, repeats: int, said: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await bench.service.prepare(
            dataset="mails",
            schema=schema,
            texts=MAILS,
            providers=providers,
            repeats=repeats,
            seed=7,
            machine_usd_per_hour=None,
        )
    assert [said in each.detail for each in refused.value.violations] == [True]


async def test_a_comparison_stands_as_the_job_that_is_furthest_from_its_end(
    bench: ComparisonBench,
) -> None:
    comparison = await bench.made("scripted", repeats=2)
    rows = [bench.tables.jobs[job.job_id] for job in comparison.jobs]

    async def standing(*statuses: JobStatus) -> ComparisonStatus:
        for row, status in zip(rows, statuses, strict=True):
            row.status = status
        return status_of(await bench.service.jobs_of(comparison))

    done, running = JobStatus.COMPLETED, JobStatus.RUNNING
    assert await standing(done, done) is ComparisonStatus.COMPLETED
    assert await standing(done, running) is ComparisonStatus.RUNNING
    assert await standing(JobStatus.PAUSED, running) is ComparisonStatus.STOPPED
    assert await standing(JobStatus.FAILED, done) is ComparisonStatus.STOPPED
    assert await standing(JobStatus.CANCELLED, running) is ComparisonStatus.CANCELLED
    assert status_of([]) is ComparisonStatus.COMPLETED
