"""A document of a job as one record, nested for JSON or flat for tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from domain.extraction.calls import TokenUsage
from domain.extraction.jobs.items import ItemResult
from domain.extraction.schema import Field, FieldType, RecordSchema

_LARGEST_INTEGER: Final = 2**63


class CellType(StrEnum):
    """What the cells of a column are; each may be empty."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    INSTANT = "instant"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultColumn:
    """One column of the table.

    Attributes:
        name: its heading.
        kind: what its cells are, or the items of its cells when `many`.
        many: the cells are lists.
    """

    name: str
    kind: CellType
    many: bool = False


_ABOUT: Final = (
    ResultColumn(name="position", kind=CellType.INTEGER),
    ResultColumn(name="id", kind=CellType.TEXT),
    ResultColumn(name="status", kind=CellType.TEXT),
    ResultColumn(name="reason_code", kind=CellType.TEXT),
    ResultColumn(name="reason", kind=CellType.TEXT),
    ResultColumn(name="reused", kind=CellType.BOOLEAN),
    ResultColumn(name="provider", kind=CellType.TEXT),
    ResultColumn(name="model", kind=CellType.TEXT),
    ResultColumn(name="calls", kind=CellType.INTEGER),
    ResultColumn(name="input_tokens", kind=CellType.INTEGER),
    ResultColumn(name="output_tokens", kind=CellType.INTEGER),
    ResultColumn(name="cost_usd", kind=CellType.NUMBER),
    ResultColumn(name="latency_ms", kind=CellType.INTEGER),
    ResultColumn(name="extraction_id", kind=CellType.TEXT),
    ResultColumn(name="finished_at", kind=CellType.INSTANT),
    ResultColumn(name="warnings", kind=CellType.TEXT, many=True),
)


def columns_of(schema: RecordSchema) -> tuple[ResultColumn, ...]:
    """The columns of a table of results: what they are about, values, quotes and confidences."""
    values = (
        ResultColumn(name=f"fields.{field.name}", kind=_kind(field), many=field.many)
        for field in schema.fields
    )
    quotes = (
        ResultColumn(name=f"quotes.{field.name}", kind=CellType.TEXT, many=field.many)
        for field in schema.fields
    )
    confidences = (
        ResultColumn(name=f"confidence.{field.name}", kind=CellType.NUMBER)
        for field in schema.fields
    )
    return (*_ABOUT, *values, *quotes, *confidences)


def cells_of(result: ItemResult, schema: RecordSchema) -> list[Any]:
    """The row of one document, as long as `columns_of(schema)`."""
    record = record_of(result)
    reason: Mapping[str, Any] = record["reason"] or {}
    usage: Mapping[str, Any] = record["usage"] or {}
    cells = [
        record["position"],
        record["id"],
        record["status"],
        reason.get("code"),
        reason.get("detail"),
        record["reused"],
        record["provider"],
        record["model"],
        record["calls"],
        usage.get("input_tokens"),
        usage.get("output_tokens"),
        record["cost_usd"],
        record["latency_ms"],
        record["extraction_id"],
        record["finished_at"],
        sorted({warning.kind.value for warning in record["warnings"]}),
    ]
    values: Mapping[str, Any] = record["fields"] or {}
    cells += [values.get(field.name) for field in schema.fields]
    quotes: dict[str, list[str]] = {}
    for evidence in record["evidence"]:
        quotes.setdefault(evidence.field, []).append(evidence.quote)
    for field in schema.fields:
        found = quotes.get(field.name)
        cells.append(found if field.many or found is None else found[0])
    confidence: Mapping[str, float | None] = record["confidence"] or {}
    cells += [confidence.get(field.name) for field in schema.fields]
    return cells


def record_of(result: ItemResult) -> dict[str, Any]:
    """One document with what became of it; what a known result cost is not counted again."""
    about: dict[str, Any] = {
        "position": result.position,
        "id": result.document_id,
        "status": result.state.value,
        "reason": None
        if result.reason is None
        else {"code": result.reason.code, "detail": result.reason.detail},
        "failed_attempts": result.attempts,
        "reused": result.reused,
        "finished_at": result.finished_at,
    }
    if result.extraction is None:
        nothing = dict.fromkeys(
            (
                *("extraction_id", "schema", "schema_version", "fields", "confidence", "provider"),
                *("model", "prompt_hash", "calls", "usage", "cost_usd", "latency_ms"),
            )
        )
        return {**about, **nothing, "evidence": (), "warnings": ()}
    found = result.extraction.result
    usage = TokenUsage() if result.reused else found.usage
    cost = 0 if result.reused else found.cost_usd
    return {
        **about,
        "extraction_id": str(result.extraction.id),
        "schema": found.schema,
        "schema_version": found.schema_version,
        "fields": None if found.failure is not None else dict(found.fields),
        "confidence": None if found.failure is not None else found.confidences,
        "evidence": found.evidence,
        "warnings": found.warnings,
        "provider": found.provider,
        "model": found.model,
        "prompt_hash": found.prompt_hash,
        "calls": 0 if result.reused else len(found.attempts),
        "usage": {
            "input_tokens": usage.input_tokens,
            "cached_tokens": usage.cached_tokens,
            "output_tokens": usage.output_tokens,
        },
        "cost_usd": None if cost is None else float(cost),
        "latency_ms": round(found.latency_s * 1000),
    }


def _kind(field: Field) -> CellType:
    match field.type:
        case FieldType.STRING | FieldType.ENUM:
            return CellType.TEXT
        case FieldType.NUMBER:
            return CellType.NUMBER
        case FieldType.BOOLEAN:
            return CellType.BOOLEAN
        case FieldType.DATE:
            return CellType.DATE
        case _:  # an integer
            bounds = (field.minimum, field.maximum)
            small = all(each is not None and abs(each) < _LARGEST_INTEGER for each in bounds)
            # Without bounds a text may state a number that no 64 bits hold.
            return CellType.INTEGER if small else CellType.NUMBER
