"""`/comparisons`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from litestar import Controller, Request, Response
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from msgspec import UNSET

from domain.access.budgets import ModelBudgets
from domain.access.limits import HEAVY_COST
from domain.access.model import Scope
from domain.comparison.contestants import BASELINE
from domain.comparison.datasets.labels import LabelledTextError, faults_between
from domain.comparison.datasets.lines import text_of
from domain.comparison.model import ComparisonId, LabelledText
from domain.comparison.stored_comparisons import StoredComparisonService
from domain.errors import (
    ChartFailed,
    Conflict,
    InvalidInput,
    ModelBudgetUsedUp,
    NotFound,
    Violation,
)
from domain.extraction.schema import ORDER_MESSAGE, RecordSchema
from domain.text import storable_problem
from entrypoints.http.access.authentication import caller_of
from entrypoints.http.comparison.comparison_views import (
    ComparisonBody,
    ComparisonPage,
    ComparisonView,
    ReportQuery,
    comparison_view,
)
from entrypoints.http.protocol.answers import Id, JsonAnswer, json_response, path_id
from entrypoints.http.protocol.bodies import JSON
from entrypoints.http.protocol.operations import delete, get, post
from entrypoints.http.protocol.pages import ListQuery
from entrypoints.http.protocol.parameters import (
    Body,
    IdempotentWork,
    InPath,
    PageOf,
    Query,
    WritesExistence,
)
from entrypoints.http.protocol.preconditions import refuse_if_known
from entrypoints.http.protocol.security_headers import framed
from ports.comparison import ComparisonRepository, ComparisonWriter
from ports.extraction import ExtractionSchemaRepository
from ports.unit_of_work import UnitOfWork

_MOST_VIOLATIONS: Final = 100
_FORMS: Final = {"html": ".html", "json": ".json", "csv": ".csv", "markdown": ".md"}
_EXAMPLES: Final = {
    "text/html": "<!doctype html>",
    "text/csv": "contestant,against,group,item,measure,value,low,high,count,total\r\n",
    "text/markdown": "# openai and regex on 300 texts\n",
}

ComparisonIdInPath: TypeAlias = Annotated[
    ComparisonId, InPath(partial(path_id, what="comparison"), Id)
]
Jobs = NamedDependency[SkipValidation[StoredComparisonService]]
Budgets = NamedDependency[SkipValidation[ModelBudgets]]
Store = NamedDependency[SkipValidation[ComparisonRepository]]
Schemas = NamedDependency[SkipValidation[ExtractionSchemaRepository]]
Writers = NamedDependency[SkipValidation[Mapping[str, ComparisonWriter]]]


class ComparisonController(Controller):
    """The same texts for several providers, read by workers and judged."""

    path = "/comparisons"
    tags = ("comparisons",)

    @post(
        scope=Scope.EXTRACT,
        cost=HEAVY_COST,
        status=202,
        headers=["Location"],
        errors=[ModelBudgetUsedUp],
    )
    async def create_comparison(
        self,
        once: IdempotentWork,
        body: Body[ComparisonBody],
        comparison_jobs: Jobs,
        extraction_schemas: Schemas,
        model_budgets: Budgets,
    ) -> JsonAnswer[ComparisonView]:
        """Have the same texts read by several providers."""
        texts = [msgspec.structs.asdict(each) for each in body.texts]
        if unstorable := _unstorable({"dataset": body.dataset, "texts": texts}):
            raise InvalidInput.of(unstorable)
        schema = await _schema(body, extraction_schemas)
        machine = body.machine_usd_per_hour
        caller = caller_of(once.request)
        spec = await comparison_jobs.prepare(
            dataset=body.dataset,
            schema=schema,
            texts=_texts(texts, schema),
            providers=body.providers,
            repeats=body.repeat,
            seed=body.seed,
            machine_usd_per_hour=None if machine is UNSET else machine,
            budget=caller.budget,
        )

        async def take(unit: UnitOfWork) -> JsonAnswer[ComparisonView]:
            if any(each.provider != BASELINE for each in spec.contestants):
                await model_budgets.check(caller, unit.model_spending)
            comparison, jobs = await comparison_jobs.create(unit, spec)
            location = {"Location": f"/comparisons/{comparison.id}"}
            return json_response(comparison_view(comparison, jobs), status=202, headers=location)

        response = await once.do(take)
        await comparison_jobs.announce()
        return response

    @get(scope=Scope.EXTRACT)
    async def list_comparisons(
        self, page: PageOf[ListQuery], comparisons: Store, comparison_jobs: Jobs
    ) -> JsonAnswer[ComparisonPage]:
        """List comparisons, newest first."""
        found = await comparisons.page(limit=page.read_limit, before=page.before(ComparisonId))
        jobs = {each.id: await comparison_jobs.jobs_of(each) for each in page.shown(found)}
        return page.answer(
            ComparisonPage,
            found,
            lambda each: comparison_view(each, jobs[each.id]),
            lambda each: each.id,
        )

    @get("/{comparison_id:str}", scope=Scope.EXTRACT)
    async def get_comparison(
        self, comparison_id: ComparisonIdInPath, comparisons: Store, comparison_jobs: Jobs
    ) -> JsonAnswer[ComparisonView]:
        """See how a comparison stands."""
        comparison = await comparisons.get(comparison_id)
        jobs = await comparison_jobs.jobs_of(comparison)
        return json_response(comparison_view(comparison, jobs))

    @get(
        "/{comparison_id:str}/report",
        scope=Scope.EXTRACT,
        cost=HEAVY_COST,
        errors=[Conflict, ChartFailed],
        returns=dict[str, Any],
        example={"format": "storekeeper-comparison-report/1"},
        more_media=_EXAMPLES,
    )
    async def get_comparison_report(
        self,
        request: Request[Any, Any, Any],
        comparison_id: ComparisonIdInPath,
        query: Query[ReportQuery],
        comparison_jobs: Jobs,
        comparison_writers: Writers,
    ) -> Response[bytes]:
        """Read the report of what is answered so far: a page, JSON, CSV or Markdown."""
        report = await comparison_jobs.report(comparison_id)
        by_media = {writer.media_type: writer for writer in comparison_writers.values()}
        wanted = request.accept.best_match([JSON, *by_media], default=JSON)
        writer = comparison_writers[_FORMS[query.format]] if query.format else by_media[wanted]
        content = await writer.write(report)
        headers = {
            "Vary": "Accept",
            "Content-Security-Policy": framed(writer.content_security_policy),
        }
        return Response(content, media_type=writer.media_type, headers=headers)

    @delete("/{comparison_id:str}", scope=Scope.EXTRACT)
    async def delete_comparison(
        self,
        comparison_id: ComparisonIdInPath,
        conditions: WritesExistence,
        comparisons: Store,
        comparison_jobs: Jobs,
    ) -> None:
        """Remove a comparison; what is not asked yet is cancelled, its jobs stay."""
        fetch = partial(comparisons.get, comparison_id)
        await refuse_if_known(conditions, f"The comparison {comparison_id}", fetch)
        await comparison_jobs.remove(comparison_id)


async def _schema(body: ComparisonBody, schemas: ExtractionSchemaRepository) -> RecordSchema:
    name = ORDER_MESSAGE.name if body.schema is UNSET else body.schema
    try:
        return await schemas.get(name)
    except NotFound as error:
        raise InvalidInput.of([Violation(pointer="/schema", detail=str(error))]) from None


def _unstorable(members: Mapping[str, object]) -> Sequence[Violation]:
    """What PostgreSQL cannot hold, wherever it stands."""
    return [
        Violation(pointer=f"/{name}{place}", detail=problem)
        for name in ("dataset", "texts")
        for place, text in _strings(members.get(name))
        if (problem := storable_problem(text)) is not None
    ][:_MOST_VIOLATIONS]


def _strings(value: object, at: str = "") -> Iterator[tuple[str, str]]:
    """Every string inside a JSON value, names of members too, with the pointer of its place."""
    match value:
        case str():
            yield at, value
        case list():
            for place, each in enumerate(value):
                yield from _strings(each, f"{at}/{place}")
        case dict():
            for name, each in value.items():
                yield at, name
                step = name.replace("~", "~0").replace("/", "~1")
                yield from _strings(each, f"{at}/{step}")


def _texts(raw: Sequence[Mapping[str, Any]], schema: RecordSchema) -> Sequence[LabelledText]:
    """The texts of a body.

    Raises:
        InvalidInput: names every bad one, up to 100 of them.
    """
    found: list[tuple[int, LabelledText]] = []
    faults: list[tuple[int, str]] = []
    for number, each in enumerate(raw, start=1):
        try:
            found.append((number, text_of(each, schema, number=number)))
        except LabelledTextError as error:
            faults.append((number, str(error)))
    faults = faults or list(faults_between(found))
    if faults:
        raise InvalidInput.of(
            [
                Violation(pointer=f"/texts/{number - 1}", detail=fault)
                for number, fault in faults[:_MOST_VIOLATIONS]
            ]
        )
    return [text for _, text in found]
