"""Results as files: every form holds the same rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pyarrow.parquet as pq
import pytest

from adapters.reports.result_formats import CsvFormat, NdjsonFormat, ParquetFormat
from domain.extraction.jobs.items import ItemResult, ItemState
from domain.extraction.jobs.model import StatusReason
from domain.extraction.jobs.result_rows import CellType, columns_of
from domain.extraction.model import (
    Evidence,
    ExtractionId,
    ExtractionStatus,
    ExtractionWarning,
    WarningKind,
)
from domain.extraction.schema import Field, FieldType, RecordSchema, Value
from ports.reports import ResultFormat
from tests.contracts.extraction_jobs import a_result

SCHEMA = RecordSchema(
    name="visit",
    version=1,
    description="A visit",
    fields=(
        Field(name="name", type=FieldType.STRING, description="Who"),
        Field(name="guests", type=FieldType.INTEGER, description="N", minimum=0, maximum=9),
        Field(name="huge", type=FieldType.INTEGER, description="A number of any size"),
        Field(name="price", type=FieldType.NUMBER, description="Price"),
        Field(name="paid", type=FieldType.BOOLEAN, description="Paid"),
        Field(name="day", type=FieldType.DATE, description="Day"),
        Field(name="dishes", type=FieldType.STRING, description="Dishes", many=True),
    ),
)
AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
VALUES: dict[str, Value] = {
    "name": '=cmd("Zoë, 1")\n',
    "guests": 3,
    "huge": 10**30,
    "price": 9.5,
    "paid": True,
    "day": "2026-12-24",
    "dishes": ["soup", "pie"],
}


def read(position: int) -> ItemResult:
    extraction = a_result("text", cost_usd=Decimal("0.002"))
    evidence = tuple(
        Evidence(field=field, quote=quote, start=0, end=len(quote))
        for field, quote in (("name", "Zoë"), ("dishes", "soup"), ("dishes", "pie"))
    )
    warning = ExtractionWarning(kind=WarningKind.CONTRADICTION, detail="Two prices.", field="price")
    result = replace(
        extraction.result,
        fields=VALUES,
        evidence=evidence,
        warnings=(warning, warning),
        confidence={"name": 0.9731, "guests": 0.5},
    )
    return ItemResult(
        position=position,
        document_id=f"d-{position}",
        state=ItemState.VALID,
        attempts=0,
        reused=False,
        reason=None,
        extraction=replace(extraction, id=ExtractionId(UUID(int=position)), result=result),
        finished_at=AT,
    )


PENDING = ItemResult(
    position=2,
    document_id=None,
    state=ItemState.PENDING,
    attempts=1,
    reused=False,
    reason=StatusReason(code="timeout", detail="No answer in time."),
    extraction=None,
    finished_at=None,
)
REFUSED = replace(
    read(3),
    state=ItemState.REFUSED,
    reason=StatusReason(code="refused", detail="Declined."),
    extraction=a_result("text", ExtractionStatus.REFUSED),
)


async def written(form: ResultFormat, results: Sequence[ItemResult]) -> bytes:
    async def stream() -> AsyncIterator[ItemResult]:
        for result in results:
            yield result

    return b"".join([piece async for piece in form.encode(stream(), SCHEMA)])


async def test_a_line_of_ndjson_holds_the_whole_result() -> None:
    lines = (await written(NdjsonFormat(), [read(1), PENDING, REFUSED])).splitlines()
    first, second, third = map(json.loads, lines)
    assert first["fields"] == VALUES
    assert first["evidence"][0] == {"field": "name", "quote": "Zoë", "start": 0, "end": 3}
    assert first["confidence"] == dict.fromkeys(VALUES) | {"name": 0.9731, "guests": 0.5}
    assert first["warnings"][0]["kind"] == "contradiction"
    assert (first["position"], first["id"], first["status"]) == (1, "d-1", "valid")
    assert (first["calls"], first["cost_usd"], first["latency_ms"]) == (1, 0.002, 500)
    assert first["finished_at"] == "2026-11-22T09:30:00Z"
    assert second.keys() == first.keys()
    assert second["reason"] == {"code": "timeout", "detail": "No answer in time."}
    assert (second["fields"], second["calls"], second["evidence"]) == (None, None, [])
    assert (third["status"], third["fields"], third["confidence"]) == ("refused", None, None)


async def test_a_known_result_costs_nothing_again() -> None:
    [line] = (await written(NdjsonFormat(), [replace(read(1), reused=True)])).splitlines()
    record = json.loads(line)
    assert (record["reused"], record["calls"], record["cost_usd"]) == (True, 0, 0)
    assert record["usage"] == {"input_tokens": 0, "cached_tokens": 0, "output_tokens": 0}


async def test_a_csv_row_is_flat_and_runs_nothing_in_a_spreadsheet() -> None:
    text = (await written(CsvFormat(), [read(1), PENDING])).decode()
    first, second = csv.DictReader(io.StringIO(text, newline=""))
    assert list(first) == [column.name for column in columns_of(SCHEMA)]
    assert first["fields.name"] == f"'{VALUES['name']}"
    assert (first["fields.guests"], first["fields.huge"]) == ("3", str(10**30))
    assert (first["fields.price"], first["fields.paid"], first["fields.day"]) == (
        "9.5",
        "true",
        "2026-12-24",
    )
    assert json.loads(first["fields.dishes"]) == ["soup", "pie"]
    assert json.loads(first["quotes.dishes"]) == ["soup", "pie"]
    assert (first["quotes.name"], first["quotes.guests"]) == ("Zoë", "")
    assert (first["confidence.name"], first["confidence.dishes"]) == ("0.9731", "")
    assert second["confidence.name"] == ""
    assert first["finished_at"] == "2026-11-22T09:30:00Z"
    assert (second["status"], second["reason_code"], second["fields.name"]) == (
        "pending",
        "timeout",
        "",
    )


async def test_parquet_columns_have_their_types() -> None:
    table = pq.read_table(io.BytesIO(await written(ParquetFormat(), [read(1), PENDING, REFUSED])))
    first, second, third = table.to_pylist()
    assert first["fields.name"] == VALUES["name"]
    assert first["fields.guests"] == 3
    assert first["fields.huge"] == float(10**30)
    assert first["fields.day"] == date(2026, 12, 24)
    assert first["fields.dishes"] == ["soup", "pie"]
    assert first["finished_at"] == AT
    assert first["warnings"] == ["contradiction"]
    assert second["fields.dishes"] is None
    assert second["warnings"] == []
    assert third["status"] == "refused"
    assert [str(table.schema.field(f"fields.{name}").type) for name in VALUES] == [
        "string",
        "int64",
        "double",
        "double",
        "bool",
        "date32[day]",
        "list<element: string>",
    ]


@pytest.mark.parametrize("form", [NdjsonFormat(), CsvFormat(), ParquetFormat()])
async def test_many_rows_come_in_pieces_and_in_order(form: ResultFormat) -> None:
    pieces = 0

    async def stream() -> AsyncIterator[ItemResult]:
        result = read(1)
        for position in range(1, 6_001):
            yield replace(result, position=position)

    whole = bytearray()
    async for piece in form.encode(stream(), SCHEMA):
        pieces += bool(piece)
        whole += piece
    assert pieces >= 2
    if form.media_type == "text/csv":
        rows = list(csv.DictReader(io.StringIO(whole.decode(), newline="")))
        positions = [int(row["position"]) for row in rows]
    elif form.media_type == "application/x-ndjson":
        positions = [json.loads(line)["position"] for line in whole.splitlines()]
    else:
        positions = pq.read_table(io.BytesIO(whole)).column("position").to_pylist()
    assert positions == list(range(1, 6_001))


@pytest.mark.parametrize("form", [NdjsonFormat(), CsvFormat(), ParquetFormat()])
async def test_without_results_there_is_still_a_file(form: ResultFormat) -> None:
    form.check()
    content = await written(form, [])
    if form.media_type == "text/csv":
        assert content.startswith(b"position,id,status,")
    elif form.media_type == "application/x-ndjson":
        assert content == b""
    else:
        assert pq.read_table(io.BytesIO(content)).num_rows == 0


def test_only_bounded_integers_are_integers_in_tables() -> None:
    kinds = {column.name: column.kind for column in columns_of(SCHEMA)}
    assert kinds["fields.guests"] is CellType.INTEGER
    assert kinds["fields.huge"] is CellType.NUMBER
