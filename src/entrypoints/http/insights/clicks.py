"""`/search-clicks`."""

from __future__ import annotations

from typing import Any, Final

from litestar import Controller, Request, Response, post
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from msgspec import Struct

from domain.errors import IdempotencyKeyReused, RequestInProgress
from entrypoints.http.extraction.job_bodies import NDJSON
from entrypoints.http.insights.click_bodies import ClickBody, Rows, read_clicks
from entrypoints.http.protocol.answers import json_response
from entrypoints.http.protocol.idempotency import idempotency_key, once
from entrypoints.http.protocol.openapi import contract
from entrypoints.http.protocol.operations import DATABASE_ERRORS
from ports.insights import SearchClickWriter
from ports.unit_of_work import UnitOfWork, UnitOfWorkFactory

_ROW: Final = {
    "search_query": "wool blanket",
    "clicks": 12,
    "impressions": 40,
    "search_date": "2026-11-22",
}
_LINES: Final = (
    '{"search_query": "wool blanket", "clicks": 12, "impressions": 40}\n'
    '{"search_query": "gift card", "clicks": 0, "impressions": 9, "search_date": "2026-11-22"}\n'
)


class Accepted(Struct):
    """How many rows were written."""

    accepted: int


Log = NamedDependency[SkipValidation[SearchClickWriter]]
Units = NamedDependency[SkipValidation[UnitOfWorkFactory]]


class SearchClickController(Controller):
    """The log of searches and clicks."""

    path = "/search-clicks"

    @post(
        opt=contract(
            summary="Write down what happened to one query or to many; all rows or none",
            tag="insights",
            status=201,
            returns=Accepted,
            example={"accepted": 1},
            body=ClickBody | Rows,
            body_example=[_ROW],
            more_bodies={NDJSON: _LINES},
            errors=(RequestInProgress, IdempotencyKeyReused, *DATABASE_ERRORS),
            request_headers=("Idempotency-Key",),
            response_headers=("Idempotency-Replayed",),
        )
    )
    async def append_search_clicks(
        self, request: Request[Any, Any, Any], search_clicks: Log, open_unit: Units
    ) -> Response[bytes]:
        """Append rows."""
        key = idempotency_key(request)
        rows = await read_clicks(request)

        async def append(log: SearchClickWriter) -> Response[bytes]:
            return json_response(Accepted(accepted=await log.append(rows)), status=201)

        if key is None:
            return await append(search_clicks)

        async def in_unit(unit: UnitOfWork) -> Response[bytes]:
            return await append(unit.search_clicks)

        return await once(request, key, open_unit, in_unit)
