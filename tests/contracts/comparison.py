"""What every store of comparisons holds, and every log of one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from domain.comparison.model import (
    AnswerId,
    Comparison,
    ComparisonId,
    ComparisonJob,
    ComparisonSpec,
    LabelledText,
)
from domain.comparison.results import ContestantAnswer
from domain.errors import NotFound
from domain.extraction.calls import FailureKind, TokenUsage
from domain.extraction.jobs.items import Document
from domain.extraction.jobs.model import JobSpec, NewJob
from domain.extraction.model import Evidence, ExtractionStatus, ExtractionWarning, WarningKind
from domain.extraction.schema import DEFAULT
from ports.comparison import ComparisonRepository, ComparisonResultLog
from ports.unit_of_work import UnitOfWorkFactory
from tests.comparisons import LOCAL, OTHER, PROVENANCE, TEXTS, a_spec
from tests.contracts.contract import Contract

SPEC = a_spec(dataset="orders", texts=TEXTS, contestants=(OTHER, LOCAL), repeats=2, seed=11)
MISSING = ComparisonId(2_000_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonStore:
    """A store of comparisons, and the units in which they are made."""

    comparisons: ComparisonRepository
    open_unit: UnitOfWorkFactory


async def added(store: ComparisonStore, spec: ComparisonSpec = SPEC) -> Comparison:
    """A comparison with a job for each contestant."""

    async def documents() -> AsyncIterator[Document]:
        for text in spec.texts:
            yield Document(text=text.text, id=text.id)

    async with store.open_unit() as unit:
        links = []
        for contestant in spec.contestants:
            job_spec = JobSpec(
                schema="default", schema_version=1, providers=(contestant.provider,), reuse=False
            )
            job = await unit.extraction_jobs.add(NewJob(spec=job_spec), documents())
            links.append(ComparisonJob(contestant=contestant.name, repeat=0, job_id=job.id))
        comparison = await unit.comparisons.add(spec, links)
        await unit.commit()
    return comparison


class ComparisonsContract(Contract):
    """Subclasses give `comparison_store`."""

    async def test_what_was_added_is_read_back(self, comparison_store: ComparisonStore) -> None:
        made = await added(comparison_store)
        assert await comparison_store.comparisons.get(made.id) == made
        assert (made.dataset, made.schema, made.schema_version) == ("orders", "default", 1)
        assert (made.texts, made.repeats, made.seed) == (3, 2, 11)
        assert made.contestants == (OTHER, LOCAL)
        assert [job.contestant for job in made.jobs] == ["other", "local"]
        texts = await comparison_store.comparisons.texts(made.id)
        assert tuple(texts) == TEXTS
        assert all(isinstance(text, LabelledText) for text in texts)

    async def test_one_without_jobs_is_kept_too(self, comparison_store: ComparisonStore) -> None:
        made = await added(comparison_store, replace(SPEC, contestants=()))
        assert made.jobs == ()

    async def test_pages_hold_each_comparison_once_newest_first(
        self, comparison_store: ComparisonStore
    ) -> None:
        ids = [(await added(comparison_store)).id for _ in range(3)]
        store = comparison_store.comparisons
        first = await store.page(limit=2)
        assert [each.id for each in first] == [ids[2], ids[1]]
        rest = await store.page(limit=1, before=ids[1])
        assert [each.id for each in rest] == [ids[0]]

    async def test_a_unit_that_is_left_keeps_nothing(
        self, comparison_store: ComparisonStore
    ) -> None:
        async with comparison_store.open_unit() as unit:
            made = await unit.comparisons.add(SPEC, [])
        with pytest.raises(NotFound):
            await comparison_store.comparisons.get(made.id)

    async def test_a_schema_version_that_is_not_there_is_refused(
        self, comparison_store: ComparisonStore
    ) -> None:
        async with comparison_store.open_unit() as unit:
            with pytest.raises(NotFound, match="'default' in version 9"):
                await unit.comparisons.add(replace(SPEC, schema=replace(DEFAULT, version=9)), [])

    async def test_what_is_removed_is_gone(self, comparison_store: ComparisonStore) -> None:
        made = await added(comparison_store)
        await comparison_store.comparisons.remove(made.id)
        for read in (
            comparison_store.comparisons.get,
            comparison_store.comparisons.texts,
            comparison_store.comparisons.remove,
        ):
            with pytest.raises(NotFound, match=f"no comparison {made.id}"):
                await read(made.id)
            with pytest.raises(NotFound):
                await read(MISSING)


ANSWER = ContestantAnswer(
    contestant="local",
    text_id="a",
    status=ExtractionStatus.PARTIAL,
    fields={"field_1": "Zoë 李", "field_2": ["x", 1, 2.5, True, None], "field_3": 9},
    evidence=(Evidence(field="field_1", quote="Zoë 李", start=0, end=5),),
    warnings=(ExtractionWarning(kind=WarningKind.UNGROUNDED, detail="It did not stand there."),),
    attempts=3,
    reasks=1,
    latency_s=1.25,
    usage=TokenUsage(input_tokens=100, cached_tokens=10, output_tokens=20),
    cost_usd=Decimal("0.000123"),
    batch_cost_usd=None,
    confidence={"field_1": 0.8, "field_2": 0.1},
)
FAILED = ContestantAnswer(
    contestant="local",
    text_id="b",
    repeat=2,
    status=ExtractionStatus.FAILED,
    fields={},
    failure=FailureKind.INVALID_JSON,
)


class ComparisonLogContract(Contract):
    """Subclasses give `log`, an empty one."""

    def test_an_empty_log_holds_nothing(self, log: ComparisonResultLog) -> None:
        assert log.read() is None

    def test_what_was_written_is_read_back(self, log: ComparisonResultLog) -> None:
        log.begin(a_spec(), PROVENANCE)
        log.append(ANSWER)
        log.append(FAILED)
        found = log.read()
        assert found is not None
        assert found.spec == a_spec()
        assert found.provenance == PROVENANCE
        assert found.answers == {
            AnswerId("local", "a", 0): ANSWER,
            AnswerId("local", "b", 2): FAILED,
        }

    def test_a_run_that_is_gone_on_with_adds_to_the_first(self, log: ComparisonResultLog) -> None:
        log.begin(a_spec(), PROVENANCE)
        log.append(ANSWER)
        later = datetime(2026, 11, 27, tzinfo=UTC)
        log.begin(
            a_spec(texts=TEXTS, contestants=(OTHER,), repeats=3),
            replace(PROVENANCE, asked_at=later, program="2.0"),
        )
        found = log.read()
        assert found is not None
        assert found.spec == a_spec(texts=TEXTS, contestants=(OTHER, LOCAL), repeats=3)
        assert found.provenance == replace(PROVENANCE, program="2.0")
        assert len(found.answers) == 1

    def test_of_two_answers_with_one_key_the_later_counts(self, log: ComparisonResultLog) -> None:
        log.begin(a_spec(), PROVENANCE)
        log.append(FAILED)
        better = ContestantAnswer(
            contestant="local",
            text_id="b",
            repeat=2,
            status=ExtractionStatus.VALID,
            fields={"field_3": 1},
        )
        log.append(better)
        found = log.read()
        assert found is not None
        assert found.answers == {AnswerId("local", "b", 2): better}
