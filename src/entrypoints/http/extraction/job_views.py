"""Extraction jobs and their results as JSON shows them."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct

from domain.extraction.jobs.items import ItemResult, ItemState
from domain.extraction.jobs.model import (
    MAX_COST_USD,
    MAX_TOKENS,
    ExtractionJob,
    JobCaps,
    JobPriority,
    JobStatus,
    ProviderMode,
)
from domain.extraction.jobs.result_rows import record_of
from entrypoints.http.extraction.extractions import (
    Confidence,
    EvidenceView,
    UsageView,
    WarningView,
)
from entrypoints.http.protocol.answers import Id, Instant, shown
from entrypoints.http.protocol.pages import ListQuery, Page

Seconds = Annotated[float, Meta(ge=0)]


class ReasonView(Struct):
    """Why something is as it is: a code to act on, and a sentence with the remedy."""

    code: str
    detail: str


class CountsView(Struct):
    """Documents by state; they add up to `total`."""

    total: int
    pending: int
    running: int
    valid: int
    partial: int
    refused: int
    failed: int
    cancelled: int


class JobView(Struct):
    """A job as it stands.

    `reused` documents were answered by stored results; `rate_per_s` is that of the last minute;
    until `waits_until` a provider asked for a pause. `key_id` is the key with which it was made.
    """

    EXAMPLE: ClassVar = {
        "id": 7,
        "status": "running",
        "reason": None,
        "schema": "default",
        "schema_version": 1,
        "providers": ["openai"],
        "reuse": True,
        "mode": "direct",
        "priority": "normal",
        "key_id": 12,
        "max_cost_usd": 5.0,
        "max_tokens": None,
        "counts": {
            "total": 1000,
            "pending": 574,
            "running": 16,
            "valid": 402,
            "partial": 5,
            "refused": 1,
            "failed": 2,
            "cancelled": 0,
        },
        "reused": 12,
        "calls": 405,
        "usage": {"input_tokens": 214_650, "cached_tokens": 0, "output_tokens": 28_755},
        "cost_usd": 0.0942,
        "unpriced_calls": 0,
        "rate_per_s": 8.2,
        "eta_s": 72.0,
        "waits_until": None,
        "created_at": "2026-11-22T09:30:00Z",
        "finished_at": None,
        "results": "/extraction-jobs/7/results",
    }

    id: Id
    status: JobStatus
    reason: ReasonView | None
    schema: str
    schema_version: int
    providers: list[str]
    reuse: bool
    mode: ProviderMode
    priority: JobPriority
    key_id: Id | None
    max_cost_usd: float | None
    max_tokens: int | None
    counts: CountsView
    reused: int
    calls: int
    usage: UsageView
    cost_usd: float
    unpriced_calls: int
    rate_per_s: float | None
    eta_s: Seconds | None
    waits_until: Instant | None
    created_at: Instant
    finished_at: Instant | None
    results: str


class JobPage(Page[JobView]):
    """One page, newest first."""


class CapsBody(Struct, forbid_unknown_fields=True):
    """New caps for a job that goes on."""

    EXAMPLE: ClassVar = {"max_cost_usd": 10}

    max_cost_usd: Annotated[float, Meta(gt=0, le=MAX_COST_USD)] | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=MAX_TOKENS)] | None = None

    def caps(self) -> JobCaps:
        """What the job may use."""
        cost = self.max_cost_usd
        return JobCaps(
            max_cost_usd=None if cost is None else round(Decimal(str(cost)), 9),
            max_tokens=self.max_tokens,
        )


class ItemView(Struct):
    """One document with what became of it; what `reused` answered costs nothing again."""

    EXAMPLE: ClassVar = {
        "position": 1,
        "id": "mail-1",
        "status": "valid",
        "reason": None,
        "failed_attempts": 0,
        "reused": False,
        "finished_at": "2026-11-22T09:30:04Z",
        "extraction_id": "7f0c1d52-6f0e-4f43-9a4b-2f3f2a1f9c11",
        "schema": "default",
        "schema_version": 1,
        "fields": {"field_1": "Maria Lopez", "field_2": "oat milk cartons", "field_3": 24},
        "confidence": {"field_1": None, "field_2": None, "field_3": None},
        "evidence": [{"field": "field_1", "quote": "Maria Lopez", "start": 4, "end": 15}],
        "warnings": [],
        "provider": "openai",
        "model": "gpt-5.4-mini",
        "prompt_hash": "5f2a5c3e8d1b7a90",
        "calls": 1,
        "usage": {"input_tokens": 530, "cached_tokens": 0, "output_tokens": 71},
        "cost_usd": 0.000233,
        "latency_ms": 813,
    }

    position: Annotated[int, Meta(ge=1, description="Place in the job")]
    id: Annotated[str | None, Meta(description="Your own name for it")]
    status: ItemState
    reason: ReasonView | None
    failed_attempts: int
    reused: bool
    finished_at: Instant | None
    extraction_id: str | None
    schema: str | None
    schema_version: int | None
    fields: dict[str, Any] | None
    confidence: dict[str, Confidence] | None
    evidence: list[EvidenceView]
    warnings: list[WarningView]
    provider: str | None
    model: str | None
    prompt_hash: str | None
    calls: int | None
    usage: UsageView | None
    cost_usd: float | None
    latency_ms: int | None


class ItemPage(Page[ItemView]):
    """One page, in the order of the documents."""


class ItemListQuery(ListQuery, forbid_unknown_fields=True):
    """Filter and position of the list."""

    status: Annotated[ItemState, Meta(description="Only documents that stand so")] | None = None


def job_view(job: ExtractionJob) -> JobView:
    """A job as JSON shows it."""
    return shown(
        JobView,
        job,
        job.spec,
        job.caps,
        job.spending,
        rate_per_s=None if job.rate_per_s is None else round(job.rate_per_s, 3),
        eta_s=None if job.eta_s is None else round(job.eta_s, 1),
        results=f"/extraction-jobs/{job.id}/results",
    )


def item_view(result: ItemResult) -> ItemView:
    """A document with what became of it as JSON shows it."""
    return shown(ItemView, record_of(result))
