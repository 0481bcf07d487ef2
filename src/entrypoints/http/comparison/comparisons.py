"""`/comparisons`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from litestar import Controller, Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation
from msgspec import UNSET

from domain.comparison.datasets.labels import BadLine, faults_between
from domain.comparison.datasets.lines import text_of
from domain.comparison.jobs import ComparisonJobService
from domain.comparison.model import ComparisonId, LabelledText
from domain.errors import (
    ChartFailed,
    Conflict,
    IdempotencyKeyReused,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    RequestInProgress,
    Violation,
)
from domain.extraction.schema import ORDER_MESSAGE, Schema
from domain.text import storable_problem
from entrypoints.http.comparison.comparison_views import (
    BODY,
    COMPARISON,
    ComparisonBody,
    ComparisonListQuery,
    ComparisonPage,
    ComparisonView,
    ReportQuery,
    comparison_view,
)
from entrypoints.http.protocol.answers import Id, json_response, page_response, path_id
from entrypoints.http.protocol.bodies import JSON, read_json, read_object, read_query
from entrypoints.http.protocol.idempotency import idempotency_key, once
from entrypoints.http.protocol.openapi import contract
from entrypoints.http.protocol.operations import DATABASE_ERRORS
from entrypoints.http.protocol.pages import Cursors, read_page
from entrypoints.http.protocol.preconditions import existence
from ports.comparison import ComparisonRepository, ComparisonWriter
from ports.extraction import ExtractionSchemaRepository
from ports.unit_of_work import UnitOfWork, UnitOfWorkFactory

_MOST_VIOLATIONS: Final = 100
_FORMS: Final = {"html": ".html", "json": ".json", "csv": ".csv", "markdown": ".md"}
_EXAMPLES: Final = {
    "text/html": "<!doctype html>",
    "text/csv": "contestant,against,group,item,measure,value,low,high,count,total\r\n",
    "text/markdown": "# openai and regex on 300 texts\n",
}
# The page holds its style and its script, whose hash its own policy names.
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)

Jobs = NamedDependency[SkipValidation[ComparisonJobService]]
Store = NamedDependency[SkipValidation[ComparisonRepository]]
Schemas = NamedDependency[SkipValidation[ExtractionSchemaRepository]]
Writers = NamedDependency[SkipValidation[Mapping[str, ComparisonWriter]]]
Units = NamedDependency[SkipValidation[UnitOfWorkFactory]]
Sealer = NamedDependency[SkipValidation[Cursors]]


class ComparisonController(Controller):
    """The same texts for several providers, read by workers and judged."""

    path = "/comparisons"

    @post(
        opt=contract(
            summary="Have the same texts read by several providers",
            tag="comparison",
            status=202,
            returns=ComparisonView,
            example=COMPARISON,
            body=ComparisonBody,
            body_example=BODY,
            errors=(RequestInProgress, IdempotencyKeyReused, *DATABASE_ERRORS),
            request_headers=("Idempotency-Key",),
            response_headers=("Location", "Idempotency-Replayed"),
        )
    )
    async def create_comparison(
        self,
        request: Request[Any, Any, Any],
        comparison_jobs: Jobs,
        extraction_schemas: Schemas,
        open_unit: Units,
    ) -> Response[bytes]:
        """Take one."""
        key = idempotency_key(request)
        raw = await read_json(request)
        body = read_object(raw, ComparisonBody)
        if unstorable := _unstorable(raw):
            raise InvalidInput.of(unstorable)
        schema = await _schema(body, extraction_schemas)
        machine = body.machine_usd_per_hour
        spec = await comparison_jobs.prepare(
            dataset=body.dataset,
            schema=schema,
            texts=_texts(raw["texts"], schema),
            providers=body.providers,
            repeats=body.repeat,
            seed=body.seed,
            machine_usd_per_hour=None if machine is UNSET else machine,
        )

        async def take(unit: UnitOfWork) -> Response[bytes]:
            comparison, jobs = await comparison_jobs.create(unit, spec)
            return json_response(
                comparison_view(comparison, jobs),
                status=202,
                headers={"Location": f"/comparisons/{comparison.id}"},
            )

        if key is not None:
            response = await once(request, key, open_unit, take)
        else:
            async with open_unit() as unit:
                response = await take(unit)
                await unit.commit()
        await comparison_jobs.announce()
        return response

    @get(
        opt=contract(
            summary="List comparisons, newest first",
            tag="comparison",
            returns=ComparisonPage,
            example={"items": [COMPARISON], "next": None},
            query=ComparisonListQuery,
            errors=DATABASE_ERRORS,
            response_headers=("Link",),
        )
    )
    async def list_comparisons(
        self,
        request: Request[Any, Any, Any],
        comparisons: Store,
        comparison_jobs: Jobs,
        cursors: Sealer,
    ) -> Response[bytes]:
        """One page."""
        query, filters, before = read_page(request, ComparisonListQuery, cursors, self.path)
        found = await comparisons.page(
            limit=query.limit + 1, before=None if before is None else ComparisonId(before)
        )
        items = [
            comparison_view(each, await comparison_jobs.jobs_of(each))
            for each in found[: query.limit]
        ]
        more = len(found) > query.limit
        return page_response(
            items,
            cursors.next_path(self.path, filters, items[-1].id, query.limit) if more else None,
        )

    @get(
        "/{comparison_id:str}",
        opt=contract(
            summary="See how a comparison stands",
            tag="comparison",
            returns=ComparisonView,
            example=COMPARISON,
            path={"comparison_id": Id},
            errors=(NotFound, *DATABASE_ERRORS),
        ),
    )
    async def get_comparison(
        self, comparison_id: FromPath[str], comparisons: Store, comparison_jobs: Jobs
    ) -> Response[bytes]:
        """Fetch one."""
        comparison = await comparisons.get(_id(comparison_id))
        jobs = await comparison_jobs.jobs_of(comparison)
        return json_response(comparison_view(comparison, jobs))

    @get(
        "/{comparison_id:str}/report",
        opt=contract(
            summary="Read the report of what is answered so far: a page, JSON, CSV or Markdown",
            tag="comparison",
            returns=dict[str, Any],
            example={"format": "storekeeper-comparison-report/1"},
            more_media=_EXAMPLES,
            path={"comparison_id": Id},
            query=ReportQuery,
            errors=(NotFound, Conflict, ChartFailed, *DATABASE_ERRORS),
        ),
    )
    async def get_comparison_report(
        self,
        request: Request[Any, Any, Any],
        comparison_id: FromPath[str],
        comparison_jobs: Jobs,
        comparison_writers: Writers,
    ) -> Response[bytes]:
        """Judge and write."""
        identity = _id(comparison_id)
        query = read_query(request, ReportQuery)
        report = await comparison_jobs.report(identity)
        by_media = {writer.media_type: writer for writer in comparison_writers.values()}
        wanted = request.accept.best_match([JSON, *by_media], default=JSON)
        writer = comparison_writers[_FORMS[query.format]] if query.format else by_media[wanted]
        content = await writer.write(report)
        headers = {"Vary": "Accept", "Content-Security-Policy": _POLICY}
        return Response(content, media_type=writer.media_type, headers=headers)

    @delete(
        "/{comparison_id:str}",
        opt=contract(
            summary="Remove a comparison; what is not asked yet is cancelled, its jobs stay",
            tag="comparison",
            status=204,
            path={"comparison_id": Id},
            errors=(NotFound, PreconditionFailed, *DATABASE_ERRORS),
            request_headers=("If-Match", "If-None-Match"),
        ),
    )
    async def delete_comparison(
        self,
        request: Request[Any, Any, Any],
        comparison_id: FromPath[str],
        comparisons: Store,
        comparison_jobs: Jobs,
    ) -> None:
        """Remove one."""
        identity = _id(comparison_id)
        if existence(request)["only_new"]:
            await comparisons.get(identity)
            raise PreconditionFailed(f"The comparison {identity} exists.")
        await comparison_jobs.remove(identity)


async def _schema(body: ComparisonBody, schemas: ExtractionSchemaRepository) -> Schema:
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


def _texts(raw: Sequence[Mapping[str, Any]], schema: Schema) -> Sequence[LabelledText]:
    """The texts of a body.

    Raises:
        InvalidInput: names every bad one, up to 100 of them.
    """
    found: list[tuple[int, LabelledText]] = []
    faults: list[tuple[int, str]] = []
    for number, each in enumerate(raw, start=1):
        try:
            found.append((number, text_of(each, schema, number=number)))
        except BadLine as error:
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


def _id(raw: str) -> ComparisonId:
    return ComparisonId(path_id(raw, "comparison"))
