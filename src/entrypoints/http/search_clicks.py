"""`/search-clicks`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, Request, Response, post
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from msgspec import UNSET, Meta, Struct, UnsetType

from domain.errors import (
    IdempotencyKeyReused,
    InvalidInput,
    RequestInProgress,
    Violation,
)
from domain.insights.model import SearchClick
from domain.insights.rates import click_violations
from domain.orders.model import MAX_INT
from entrypoints.http.answers import json_response
from entrypoints.http.idempotency import idempotency_key, once
from entrypoints.http.openapi import DATABASE_ERRORS, contract
from entrypoints.http.reading import object_violations, read_json, read_object
from ports.search_clicks import SearchClickLog
from ports.unit_of_work import UnitOfWork, UnitOfWorkFactory

MAX_ROWS: Final = 10_000

SearchQuery = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        pattern=r"^[^\x00]*\S[^\x00]*$",
        description="As typed, 1..255 characters, not blank",
        examples=["wool blanket"],
    ),
]
Count = Annotated[int, Meta(ge=0, le=MAX_INT)]


class ClickBody(Struct, forbid_unknown_fields=True):
    """What happened to one query on one UTC day; several rows for a query add up."""

    search_query: SearchQuery
    clicks: Annotated[Count, Meta(description="At most as many as impressions")]
    impressions: Count
    search_date: Annotated[date, Meta(description="Today (UTC) if not given")] | UnsetType = UNSET


Rows = Annotated[list[ClickBody], Meta(min_length=1, max_length=MAX_ROWS)]


class Accepted(Struct):
    """How many rows were written."""

    accepted: int


Log = NamedDependency[SkipValidation[SearchClickLog]]
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
            body_example=[
                {
                    "search_query": "wool blanket",
                    "clicks": 12,
                    "impressions": 40,
                    "search_date": "2026-11-22",
                }
            ],
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
        rows = [_row(body) for body in _bodies(await read_json(request))]

        async def append(log: SearchClickLog) -> Response[bytes]:
            return json_response(Accepted(accepted=await log.append(rows)), status=201)

        if key is None:
            return await append(search_clicks)

        async def in_unit(unit: UnitOfWork) -> Response[bytes]:
            return await append(unit.search_clicks)

        return await once(request, key, open_unit, in_unit)


def _bodies(raw: Any) -> list[ClickBody]:
    """One row or many.

    Raises:
        InvalidInput: names every bad member of every row, or the array that is empty or too long.
    """
    if not isinstance(raw, list):
        return [read_object(raw, ClickBody, click_violations)]
    if not 1 <= len(raw) <= MAX_ROWS:
        detail = f"must have 1..{MAX_ROWS} rows, has {len(raw)}"
        raise InvalidInput.of([Violation(pointer="", detail=detail)])
    try:
        bodies = msgspec.convert(raw, list[ClickBody])
    except msgspec.ValidationError:
        found = [
            violation
            for nth, each in enumerate(raw)
            for violation in object_violations(each, ClickBody, click_violations, f"/{nth}")
        ]
        raise InvalidInput.of(found) from None
    wrong = [
        Violation(pointer=f"/{nth}{violation.pointer}", detail=violation.detail)
        for nth, body in enumerate(bodies)
        for violation in click_violations(msgspec.structs.asdict(body))
    ]
    if wrong:
        raise InvalidInput.of(wrong)
    return bodies


def _row(body: ClickBody) -> SearchClick:
    return SearchClick(
        search_query=body.search_query,
        clicks=body.clicks,
        impressions=body.impressions,
        search_date=None if body.search_date is UNSET else body.search_date,
    )
