"""`/search-clicks`."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, ClassVar, Final, TypeAlias

import msgspec
from litestar import Controller, Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from msgspec import UNSET, Meta, Struct, UnsetType

from domain.access.model import Scope
from domain.errors import InvalidInput, Violation
from domain.insights.click_rows import click_violations
from domain.insights.model import SearchClickRow
from domain.records.orders import MAX_INT
from domain.strict_json import NotStrictJson, read_json_line
from entrypoints.http.protocol.answers import JsonAnswer, json_response
from entrypoints.http.protocol.bodies import (
    JSON,
    NDJSON,
    check_media_type,
    object_violations,
    parse_json,
    read_object,
)
from entrypoints.http.protocol.operations import post
from entrypoints.http.protocol.parameters import DocumentedBody, IdempotentWork, ParameterMetadata
from entrypoints.http.protocol.problems import MalformedRequest, UnsupportedMediaType
from ports.insights import SearchClickWriter

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

_AT_ONCE_BYTES: Final = 65_536
"""A larger body is read in a thread, so that other requests go on meanwhile."""

SearchQuery = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        pattern=r"^[^\x00]*[^\s\x00][^\x00]*$",
        description="As typed, 1..255 characters, not blank",
        examples=["wool blanket"],
    ),
]
Count = Annotated[int, Meta(ge=0, le=MAX_INT)]
Rate = Annotated[
    float,
    Meta(
        description="Clicks / impressions, which is what is stored; 422 where it is off by more"
        " than 0.005, or not null without impressions"
    ),
]


class ClickBody(Struct, forbid_unknown_fields=True):
    """What happened to one query on one UTC day; several rows for a query add up."""

    search_query: SearchQuery
    clicks: Annotated[Count, Meta(description="At most as many as impressions")]
    impressions: Count
    click_through_rate: Rate | UnsetType | None = UNSET
    search_date: Annotated[date, Meta(description="Today (UTC) if not given")] | UnsetType = UNSET


Rows = Annotated[list[ClickBody], Meta(min_length=1)]
RowOrRows: Final[Any] = ClickBody | Rows  # one object: the document knows types by identity


class AcceptedRows(Struct):
    """How many rows were written."""

    EXAMPLE: ClassVar = {"accepted": 1}

    accepted: int


@dataclass(frozen=True, kw_only=True)
class _RowsInBody(ParameterMetadata):
    errors = (MalformedRequest, UnsupportedMediaType, InvalidInput)

    async def read(self, request: Request[Any, Any, Any], given: Mapping[str, Any]) -> Any:  # noqa: ARG002
        """See `read_clicks`."""
        return await read_clicks(request)

    def body(self) -> DocumentedBody:
        """A row, an array of rows, or lines of them."""
        return DocumentedBody(kind=RowOrRows, texts={NDJSON: _LINES})


ClicksToAppend: TypeAlias = Annotated[Sequence[SearchClickRow], _RowsInBody()]
Log = NamedDependency[SkipValidation[SearchClickWriter]]


class SearchClickController(Controller):
    """The log of searches and clicks."""

    path = "/search-clicks"
    tags = ("clicks",)

    @post(scope=Scope.INSIGHTS_WRITE, body_example=[_ROW])
    async def append_search_clicks(
        self, once: IdempotentWork, rows: ClicksToAppend, search_clicks: Log
    ) -> JsonAnswer[AcceptedRows]:
        """Write down what happened to one query or to many; all rows or none."""

        async def append(log: SearchClickWriter) -> JsonAnswer[AcceptedRows]:
            return json_response(AcceptedRows(accepted=await log.append(rows)), status=201)

        return await once.do(
            lambda unit: append(unit.search_clicks), alone=lambda: append(search_clicks)
        )


async def read_clicks(request: Request[Any, Any, Any]) -> list[SearchClickRow]:
    """The rows of a body, one at least, all of them right.

    Raises:
        UnsupportedMediaType: neither JSON nor NDJSON, not UTF-8, or compressed.
        MalformedRequest: not JSON, or not UTF-8.
        InvalidInput: names every bad member of every row, by the row's index.
    """
    kind = check_media_type(request, (JSON, NDJSON))
    body = await request.body()
    read = _from_json if kind == JSON else _from_lines
    if len(body) <= _AT_ONCE_BYTES:
        return read(body)
    return await asyncio.to_thread(read, body)


def _from_json(body: bytes) -> list[SearchClickRow]:
    raw = parse_json(body)
    if not isinstance(raw, list):
        return [_row(read_object(raw, ClickBody, click_violations))]
    if not raw:
        raise InvalidInput.of([Violation(pointer="", detail="must have a row at least")])
    try:
        bodies = msgspec.convert(raw, list[ClickBody])
    except (msgspec.ValidationError, UnicodeEncodeError):
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
    return [_row(each) for each in bodies]


def _from_lines(body: bytes) -> list[SearchClickRow]:
    """Blank lines are no rows; a row's index counts the others, from 0, and its line is told."""
    rows = []
    found: list[Violation] = []
    for nth, (number, line) in enumerate(_lines(body)):
        try:
            raw = read_json_line(line, number)
            rows.append(_row(read_object(raw, ClickBody, click_violations, f"/{nth}")))
        except NotStrictJson as error:
            found.append(Violation(pointer=f"/{nth}", detail=f"line {number} {error}"))
        except InvalidInput as error:
            found += [
                Violation(pointer=each.pointer, detail=f"line {number}: {each.detail}")
                for each in error.violations
            ]
    if not rows and not found:
        found.append(Violation(pointer="", detail="must have a row at least"))
    if found:
        raise InvalidInput.of(found)
    return rows


def _lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(body.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if line.strip():
            yield number, line


def _row(body: ClickBody) -> SearchClickRow:
    return SearchClickRow(
        search_query=body.search_query,
        clicks=body.clicks,
        impressions=body.impressions,
        search_date=None if body.search_date is UNSET else body.search_date,
    )
