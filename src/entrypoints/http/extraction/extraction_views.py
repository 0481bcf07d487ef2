"""Extraction results as JSON shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from msgspec import Meta, Struct

from domain.extraction.model import Evidence, Extraction, ExtractionWarning

Identity = Annotated[UUID, Meta(examples=["7f0c1d52-6f0e-4f43-9a4b-2f3f2a1f9c11"])]


class UsageView(Struct):
    """Tokens of all calls, failed ones included."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int


class EvidenceView(Struct):
    """Where a value stands: offsets into `text` in code points, `end` behind the last."""

    field: str
    quote: str
    start: int
    end: int


class WarningView(Struct):
    """What a reader should know: embedded_instruction, contradiction, ungrounded, invalid_value."""

    kind: str
    field: str | None
    detail: str
    start: int | None
    end: int | None


class AttemptView(Struct):
    """One call to a provider; `outcome` is null when an answer came."""

    provider: str
    model: str
    outcome: str | None
    input_tokens: int
    output_tokens: int
    wait_ms: int
    latency_ms: int


class FallbackView(Struct):
    """A provider that was given up, and why."""

    provider: str
    reason: str


class FailureView(Struct):
    """Why there is no record."""

    kind: str
    detail: str


class ExtractionView(Struct):
    """What became of a text."""

    id: Identity
    status: str
    schema: str
    schema_version: int
    fields: dict[str, Any]
    evidence: list[EvidenceView]
    warnings: list[WarningView]
    failure: FailureView | None
    provider: str
    model: str
    attempts: int
    attempt_log: list[AttemptView]
    fallbacks: list[FallbackView]
    usage: UsageView
    cost_usd: float | None
    latency_ms: int
    prompt_hash: str
    text: str
    created_at: datetime


EXAMPLE: Final = {
    "id": "7f0c1d52-6f0e-4f43-9a4b-2f3f2a1f9c11",
    "status": "valid",
    "schema": "default",
    "schema_version": 1,
    "fields": {"field_1": "Maria Lopez", "field_2": "oat milk cartons", "field_3": 24},
    "evidence": [
        {"field": "field_1", "quote": "Maria Lopez", "start": 4, "end": 15},
        {"field": "field_2", "quote": "oat milk cartons", "start": 40, "end": 56},
        {"field": "field_3", "quote": "24", "start": 37, "end": 39},
    ],
    "warnings": [],
    "failure": None,
    "provider": "local",
    "model": "smollm2-135m",
    "attempts": 1,
    "attempt_log": [
        {
            "provider": "local",
            "model": "smollm2-135m",
            "outcome": None,
            "input_tokens": 268,
            "output_tokens": 27,
            "wait_ms": 0,
            "latency_ms": 612,
        }
    ],
    "fallbacks": [],
    "usage": {"input_tokens": 268, "cached_tokens": 0, "output_tokens": 27},
    "cost_usd": 0.0,
    "latency_ms": 613,
    "prompt_hash": "5f2a5c3e8d1b7a90",
    "text": "Hi, Maria Lopez here. Could we get   24 oat milk cartons by friday?",
    "created_at": "2026-11-22T09:30:00Z",
}


def extraction_view(extraction: Extraction) -> ExtractionView:
    """A result as JSON shows it."""
    result = extraction.result
    usage = result.usage
    return ExtractionView(
        id=extraction.id,
        status=result.status.value,
        schema=result.schema,
        schema_version=result.schema_version,
        fields=dict(result.fields),
        evidence=[_evidence(each) for each in result.evidence],
        warnings=[_warning(each) for each in result.warnings],
        failure=None
        if result.failure is None
        else FailureView(kind=result.failure.kind.value, detail=result.failure.detail),
        provider=result.provider,
        model=result.model,
        attempts=len(result.attempts),
        attempt_log=[
            AttemptView(
                provider=each.provider,
                model=each.model,
                outcome=None if each.outcome is None else each.outcome.value,
                input_tokens=each.usage.input_tokens,
                output_tokens=each.usage.output_tokens,
                wait_ms=round(each.wait_s * 1000),
                latency_ms=round(each.latency_s * 1000),
            )
            for each in result.attempts
        ],
        fallbacks=[
            FallbackView(provider=name, reason=kind.value) for name, kind in result.fallbacks
        ],
        usage=UsageView(
            input_tokens=usage.input_tokens,
            cached_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
        ),
        cost_usd=None if result.cost_usd is None else float(result.cost_usd),
        latency_ms=round(result.latency_s * 1000),
        prompt_hash=result.prompt_hash,
        text=extraction.text,
        created_at=extraction.created_at,
    )


def _evidence(evidence: Evidence) -> EvidenceView:
    return EvidenceView(
        field=evidence.field, quote=evidence.quote, start=evidence.start, end=evidence.end
    )


def _warning(flag: ExtractionWarning) -> WarningView:
    return WarningView(
        kind=flag.kind.value, field=flag.field, detail=flag.detail, start=flag.start, end=flag.end
    )
