"""What every store of comparisons holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from domain.comparison.model import LabelledText
from domain.comparison.stored import Comparison, ComparisonDraft, ComparisonId, ComparisonJob
from domain.errors import NotFound
from domain.extraction.jobs.items import Document
from domain.extraction.jobs.model import JobSpec, NewJob
from ports.comparisons import ComparisonRepository
from ports.unit_of_work import UnitOfWorkFactory
from tests.contracts.comparison_log import LOCAL, OTHER, TEXTS
from tests.contracts.contract import Contract

DRAFT = ComparisonDraft(
    dataset="orders",
    schema="default",
    schema_version=1,
    texts=TEXTS,
    contestants=(OTHER, LOCAL),
    repeats=2,
    seed=11,
)
MISSING = ComparisonId(2_000_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonStore:
    """A store of comparisons, and the units in which they are made."""

    comparisons: ComparisonRepository
    open_unit: UnitOfWorkFactory


async def added(store: ComparisonStore, draft: ComparisonDraft = DRAFT) -> Comparison:
    """A comparison with a job for each contestant."""

    async def documents() -> AsyncIterator[Document]:
        for text in draft.texts:
            yield Document(text=text.text, id=text.id)

    async with store.open_unit() as unit:
        links = []
        for contestant in draft.contestants:
            spec = JobSpec(
                schema="default", schema_version=1, providers=(contestant.provider,), reuse=False
            )
            job = await unit.extraction_jobs.add(NewJob(spec=spec), documents())
            links.append(ComparisonJob(contestant=contestant.name, repeat=0, job_id=job.id))
        comparison = await unit.comparisons.add(draft, links)
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
        made = await added(comparison_store, replace(DRAFT, contestants=()))
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
            made = await unit.comparisons.add(DRAFT, [])
        with pytest.raises(NotFound):
            await comparison_store.comparisons.get(made.id)

    async def test_a_schema_version_that_is_not_there_is_refused(
        self, comparison_store: ComparisonStore
    ) -> None:
        async with comparison_store.open_unit() as unit:
            with pytest.raises(NotFound, match="'default' in version 9"):
                await unit.comparisons.add(replace(DRAFT, schema_version=9), [])

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
