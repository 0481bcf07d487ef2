"""`/extraction-jobs`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final, TypeAlias

from litestar import Controller, Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from litestar.response import Stream

from domain.access.budgets import ModelBudgets
from domain.access.limits import HEAVY_COST
from domain.access.model import Scope
from domain.errors import Conflict, InvalidInput, ModelBudgetUsedUp, Violation
from domain.extraction.jobs.model import JobCommand, JobId
from domain.extraction.jobs.service import ExtractionJobService
from entrypoints.http.access.authentication import caller_of
from entrypoints.http.extraction.job_bodies import JobToMake
from entrypoints.http.extraction.job_views import (
    CapsBody,
    ItemListQuery,
    ItemPage,
    JobPage,
    JobView,
    item_view,
    job_view,
)
from entrypoints.http.protocol.answers import Id, JsonAnswer, json_response, path_id
from entrypoints.http.protocol.bodies import JSON, NDJSON
from entrypoints.http.protocol.operations import delete, get, post
from entrypoints.http.protocol.pages import ListQuery
from entrypoints.http.protocol.parameters import (
    Body,
    IdempotentWork,
    InPath,
    PageOf,
    WritesExistence,
)
from entrypoints.http.protocol.preconditions import refuse_if_known
from ports.extraction import ExtractionSchemaRepository
from ports.extraction_jobs import ExtractionJobRepository
from ports.reports import ResultFormat
from ports.unit_of_work import UnitOfWork

_STREAMS: Final = {
    NDJSON: '{"position":1,"id":"mail-1","status":"valid","fields":{"field_1":"Maria Lopez"}}\n',
    "text/csv": "position,id,status,fields.field_1\r\n1,mail-1,valid,Maria Lopez\r\n",
    "application/vnd.apache.parquet": "PAR1...",
}

Jobs = NamedDependency[SkipValidation[ExtractionJobRepository]]
Service = NamedDependency[SkipValidation[ExtractionJobService]]
Budgets = NamedDependency[SkipValidation[ModelBudgets]]
Schemas = NamedDependency[SkipValidation[ExtractionSchemaRepository]]
Formats = NamedDependency[SkipValidation[Mapping[str, ResultFormat]]]
JobIdInPath: TypeAlias = Annotated[JobId, InPath(partial(path_id, what="extraction job"), Id)]


class ExtractionJobController(Controller):
    """Many texts, read by workers."""

    path = "/extraction-jobs"
    tags = ("jobs",)

    @post(
        scope=Scope.EXTRACT,
        cost=HEAVY_COST,
        status=202,
        headers=["Location"],
        errors=[ModelBudgetUsedUp],
    )
    async def create_extraction_job(
        self,
        once: IdempotentWork,
        asked: JobToMake,
        extraction_job_service: Service,
        model_budgets: Budgets,
    ) -> JsonAnswer[JobView]:
        """Have many texts read by workers; all are taken or none."""
        caller = caller_of(once.request)
        async with asked as job:
            draft = await extraction_job_service.draft(
                schema=job.schema,
                provider=job.provider,
                reuse=job.reuse,
                caps=job.caps,
                mode=job.mode,
                priority=job.priority,
                budget=caller.budget,
            )

            async def take(unit: UnitOfWork) -> JsonAnswer[JobView]:
                await model_budgets.check(caller, unit.model_spending)
                stored = await unit.extraction_jobs.add(draft, job.documents())
                location = {"Location": f"/extraction-jobs/{stored.id}"}
                return json_response(job_view(stored), status=202, headers=location)

            response = await once.do(take, digest=job.digest)
        await extraction_job_service.announce()
        return response

    @get(scope=Scope.EXTRACT)
    async def list_extraction_jobs(
        self, page: PageOf[ListQuery], extraction_jobs: Jobs
    ) -> JsonAnswer[JobPage]:
        """List jobs, newest first."""
        found = await extraction_jobs.page(limit=page.read_limit, before=page.before(JobId))
        return page.answer(JobPage, found, job_view, lambda job: job.id)

    @get("/{job_id:str}", scope=Scope.EXTRACT)
    async def get_extraction_job(
        self, job_id: JobIdInPath, extraction_jobs: Jobs
    ) -> JsonAnswer[JobView]:
        """See how a job stands."""
        return json_response(job_view(await extraction_jobs.get(job_id)))

    @get("/{job_id:str}/results", scope=Scope.EXTRACT, more_media=_STREAMS)
    async def get_extraction_job_results(
        self,
        request: Request[Any, Any, Any],
        job_id: JobIdInPath,
        page: PageOf[ItemListQuery],
        extraction_jobs: Jobs,
        extraction_job_service: Service,
        extraction_schemas: Schemas,
        result_formats: Formats,
    ) -> JsonAnswer[ItemPage] | Stream:
        """Read the results: a page, or all of them as NDJSON, CSV or Parquet by Accept."""
        by_media = {form.media_type: form for form in result_formats.values()}
        wanted = request.accept.best_match([JSON, *by_media], default=JSON)
        if wanted == JSON:
            found = await extraction_jobs.results(
                job_id, state=page.query.status, limit=page.read_limit, after=page.position or 0
            )
            return page.answer(ItemPage, found, item_view, lambda result: result.position)
        _refuse_paging(request)
        form = by_media[wanted]
        form.check()
        spec = (await extraction_jobs.get(job_id)).spec
        schema = await extraction_schemas.get(spec.schema, spec.schema_version)
        results = extraction_job_service.all_results(job_id, page.query.status)
        return Stream(
            form.encode(results, schema),
            media_type=wanted,
            headers={"Vary": "Accept", "Content-Disposition": "attachment"},
        )

    @post(
        "/{job_id:str}/pause",
        scope=Scope.EXTRACT,
        status=200,
        errors=[Conflict],
        example={**JobView.EXAMPLE, "status": "paused"},
    )
    async def pause_extraction_job(
        self, job_id: JobIdInPath, extraction_job_service: Service
    ) -> JsonAnswer[JobView]:
        """Pause a job: what is under way comes to its end, nothing more is begun."""
        return json_response(job_view(await extraction_job_service.apply(job_id, JobCommand.PAUSE)))

    @post("/{job_id:str}/resume", scope=Scope.EXTRACT, status=200, errors=[Conflict])
    async def resume_extraction_job(
        self, job_id: JobIdInPath, caps: Body[CapsBody | None], extraction_job_service: Service
    ) -> JsonAnswer[JobView]:
        """Resume a job that was paused or failed, with other caps if you like."""
        asked = None if caps is None else caps.caps()
        return json_response(
            job_view(await extraction_job_service.apply(job_id, JobCommand.RESUME, asked))
        )

    @delete(
        "/{job_id:str}",
        scope=Scope.EXTRACT,
        status=202,
        errors=[Conflict],
        example={**JobView.EXAMPLE, "status": "cancelled"},
    )
    async def cancel_extraction_job(
        self,
        job_id: JobIdInPath,
        conditions: WritesExistence,
        extraction_job_service: Service,
        extraction_jobs: Jobs,
    ) -> JsonAnswer[JobView]:
        """Cancel a job: what is under way is given up, what is done stays."""
        fetch = partial(extraction_jobs.get, job_id)
        await refuse_if_known(conditions, f"The extraction job {job_id}", fetch)
        job = await extraction_job_service.apply(job_id, JobCommand.CANCEL)
        return json_response(job_view(job), status=202)


def _refuse_paging(request: Request[Any, Any, Any]) -> None:
    given = [name for name in ("limit", "cursor") if name in request.query_params]
    if given:
        detail = "goes with JSON pages; a stream holds every result"
        raise InvalidInput.of([Violation(pointer=name, detail=detail) for name in given])
