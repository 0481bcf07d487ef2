"""`/extraction-jobs`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from litestar import Controller, Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation
from litestar.response import Stream

from domain.errors import (
    Conflict,
    IdempotencyKeyReused,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    RequestInProgress,
    Violation,
)
from domain.jobs.model import Caps, JobId, Order
from domain.jobs.service import ExtractionJobService
from entrypoints.http.extraction.job_bodies import JobBody, JobQuery, read_job
from entrypoints.http.extraction.job_views import (
    ITEM,
    JOB,
    CapsBody,
    ItemListQuery,
    ItemPage,
    JobListQuery,
    JobPage,
    JobView,
    item_view,
    job_view,
)
from entrypoints.http.protocol.answers import Id, json_response, page_response, path_id
from entrypoints.http.protocol.bodies import JSON, NDJSON, read_body
from entrypoints.http.protocol.idempotency import idempotency_key, once
from entrypoints.http.protocol.openapi import contract
from entrypoints.http.protocol.operations import DATABASE_ERRORS
from entrypoints.http.protocol.pages import Cursors, read_page
from entrypoints.http.protocol.preconditions import existence
from ports.extraction_jobs import ExtractionJobRepository
from ports.extraction_schemas import ExtractionSchemaRepository
from ports.reports import ResultFormat
from ports.unit_of_work import UnitOfWork, UnitOfWorkFactory

_STREAMS: Final = {
    NDJSON: '{"position":1,"id":"mail-1","status":"valid","fields":{"field_1":"Maria Lopez"}}\n',
    "text/csv": "position,id,status,fields.field_1\r\n1,mail-1,valid,Maria Lopez\r\n",
    "application/vnd.apache.parquet": "PAR1...",
}
_LINES: Final = (
    '{"id": "mail-1", "text": "Maria Lopez here, 24 oat milk cartons please"}\n'
    '"We need nine oak chairs. Nina Hall"\n'
)
_BODY: Final = {"texts": ["Maria Lopez here, 24 oat milk cartons please"], "max_cost_usd": 5}

Jobs = NamedDependency[SkipValidation[ExtractionJobRepository]]
Service = NamedDependency[SkipValidation[ExtractionJobService]]
Schemas = NamedDependency[SkipValidation[ExtractionSchemaRepository]]
Formats = NamedDependency[SkipValidation[Mapping[str, ResultFormat]]]
Units = NamedDependency[SkipValidation[UnitOfWorkFactory]]
Sealer = NamedDependency[SkipValidation[Cursors]]


class ExtractionJobController(Controller):
    """Many texts, read by workers."""

    path = "/extraction-jobs"

    @post(
        opt=contract(
            summary="Have many texts read by workers; all are taken or none",
            tag="extraction",
            status=202,
            returns=JobView,
            example=JOB,
            body=JobBody,
            body_example=_BODY,
            more_bodies={NDJSON: _LINES},
            query=JobQuery,
            errors=(RequestInProgress, IdempotencyKeyReused, *DATABASE_ERRORS),
            request_headers=("Idempotency-Key",),
            response_headers=("Location", "Idempotency-Replayed"),
        )
    )
    async def create_extraction_job(
        self,
        request: Request[Any, Any, Any],
        extraction_job_service: Service,
        open_unit: Units,
    ) -> Response[bytes]:
        """Take a job."""
        key = idempotency_key(request)
        async with read_job(request) as asked:
            draft = await extraction_job_service.draft(
                schema=asked.schema,
                provider=asked.provider,
                reuse=asked.reuse,
                caps=asked.caps,
                mode=asked.mode,
            )

            async def take(unit: UnitOfWork) -> Response[bytes]:
                job = await unit.extraction_jobs.add(draft, asked.documents())
                return json_response(
                    job_view(job), status=202, headers={"Location": f"/extraction-jobs/{job.id}"}
                )

            if key is not None:
                response = await once(request, key, open_unit, take, digest=asked.digest)
            else:
                async with open_unit() as unit:
                    response = await take(unit)
                    await unit.commit()
        await extraction_job_service.announce()
        return response

    @get(
        opt=contract(
            summary="List jobs, newest first",
            tag="extraction",
            returns=JobPage,
            example={"items": [JOB], "next": None},
            query=JobListQuery,
            errors=DATABASE_ERRORS,
            response_headers=("Link",),
        )
    )
    async def list_extraction_jobs(
        self, request: Request[Any, Any, Any], extraction_jobs: Jobs, cursors: Sealer
    ) -> Response[bytes]:
        """One page."""
        query, filters, before = read_page(request, JobListQuery, cursors, self.path)
        found = await extraction_jobs.page(
            limit=query.limit + 1, before=None if before is None else JobId(before)
        )
        items = [job_view(job) for job in found[: query.limit]]
        more = len(found) > query.limit
        return page_response(
            items,
            cursors.next_path(self.path, filters, items[-1].id, query.limit) if more else None,
        )

    @get(
        "/{job_id:str}",
        opt=contract(
            summary="See how a job stands",
            tag="extraction",
            returns=JobView,
            example=JOB,
            path={"job_id": Id},
            errors=(NotFound, *DATABASE_ERRORS),
        ),
    )
    async def get_extraction_job(
        self, job_id: FromPath[str], extraction_jobs: Jobs
    ) -> Response[bytes]:
        """Fetch one."""
        return json_response(job_view(await extraction_jobs.get(_id(job_id))))

    @get(
        "/{job_id:str}/results",
        opt=contract(
            summary="Read the results: a page, or all of them as NDJSON, CSV or Parquet by Accept",
            tag="extraction",
            returns=ItemPage,
            example={"items": [ITEM], "next": None},
            more_media=_STREAMS,
            path={"job_id": Id},
            query=ItemListQuery,
            errors=(NotFound, *DATABASE_ERRORS),
            response_headers=("Link",),
        ),
    )
    async def get_extraction_job_results(
        self,
        request: Request[Any, Any, Any],
        job_id: FromPath[str],
        extraction_jobs: Jobs,
        extraction_job_service: Service,
        extraction_schemas: Schemas,
        result_formats: Formats,
        cursors: Sealer,
    ) -> Response[bytes] | Stream:
        """A page, or a stream of everything."""
        identity = _id(job_id)
        path = f"{self.path}/{identity}/results"
        query, filters, after = read_page(request, ItemListQuery, cursors, path)
        by_media = {form.media_type: form for form in result_formats.values()}
        wanted = request.accept.best_match([JSON, *by_media], default=JSON)
        if wanted != JSON:
            _refuse_paging(request)
            form = by_media[wanted]
            form.check()
            assignment = (await extraction_jobs.get(identity)).assignment
            schema = await extraction_schemas.get(assignment.schema, assignment.schema_version)
            results = extraction_job_service.all_results(identity, query.status)
            return Stream(
                form.encode(results, schema),
                media_type=wanted,
                headers={"Vary": "Accept", "Content-Disposition": "attachment"},
            )
        found = await extraction_jobs.results(
            identity, state=query.status, limit=query.limit + 1, after=after or 0
        )
        items = [item_view(result) for result in found[: query.limit]]
        more = len(found) > query.limit
        next_path = None
        if more:
            next_path = cursors.next_path(path, filters, items[-1].position, query.limit)
        return page_response(items, next_path)

    @post(
        "/{job_id:str}/pause",
        status_code=200,
        opt=contract(
            summary="Pause a job: what is under way comes to its end, nothing more is begun",
            tag="extraction",
            returns=JobView,
            example={**JOB, "status": "paused"},
            path={"job_id": Id},
            errors=(NotFound, Conflict, *DATABASE_ERRORS),
        ),
    )
    async def pause_extraction_job(
        self, job_id: FromPath[str], extraction_job_service: Service
    ) -> Response[bytes]:
        """Pause one."""
        return json_response(job_view(await extraction_job_service.order(_id(job_id), Order.PAUSE)))

    @post(
        "/{job_id:str}/resume",
        status_code=200,
        opt=contract(
            summary="Resume a job that was paused or failed, with other caps if you like",
            tag="extraction",
            returns=JobView,
            example=JOB,
            body=CapsBody,
            body_required=False,
            body_example={"max_cost_usd": 10},
            path={"job_id": Id},
            errors=(NotFound, Conflict, *DATABASE_ERRORS),
        ),
    )
    async def resume_extraction_job(
        self,
        request: Request[Any, Any, Any],
        job_id: FromPath[str],
        extraction_job_service: Service,
    ) -> Response[bytes]:
        """Resume one."""
        identity = _id(job_id)
        caps = None
        if await request.body():
            body = await read_body(request, CapsBody)
            cost = body.max_cost_usd
            caps = Caps(
                max_cost_usd=None if cost is None else round(Decimal(str(cost)), 9),
                max_tokens=body.max_tokens,
            )
        return json_response(
            job_view(await extraction_job_service.order(identity, Order.RESUME, caps))
        )

    @delete(
        "/{job_id:str}",
        status_code=202,
        opt=contract(
            summary="Cancel a job: what is under way is given up, what is done stays",
            tag="extraction",
            status=202,
            returns=JobView,
            example={**JOB, "status": "cancelled"},
            path={"job_id": Id},
            errors=(NotFound, Conflict, PreconditionFailed, *DATABASE_ERRORS),
            request_headers=("If-Match", "If-None-Match"),
        ),
    )
    async def cancel_extraction_job(
        self,
        request: Request[Any, Any, Any],
        job_id: FromPath[str],
        extraction_job_service: Service,
        extraction_jobs: Jobs,
    ) -> Response[bytes]:
        """Cancel one."""
        identity = _id(job_id)
        if existence(request)["only_new"]:
            await extraction_jobs.get(identity)
            raise PreconditionFailed(f"The extraction job {identity} exists.")
        job = await extraction_job_service.order(identity, Order.CANCEL)
        return json_response(job_view(job), status=202)


def _refuse_paging(request: Request[Any, Any, Any]) -> None:
    given = [name for name in ("limit", "cursor") if name in request.query_params]
    if given:
        detail = "goes with JSON pages; a stream holds every result"
        raise InvalidInput.of([Violation(pointer=name, detail=detail) for name in given])


def _id(raw: str) -> JobId:
    return JobId(path_id(raw, "extraction job"))
