"""The documents of extraction jobs: claimed, settled, read again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from domain.access.model import ApiKeyId
from domain.extraction.jobs.model import JobId, JobSpec, JobSpending, JobStatus, StatusReason
from domain.extraction.model import Extraction, ExtractionId

MAX_DOCUMENT_ID: Final = 255


class ItemState(StrEnum):
    """How a document stands.

    PENDING and RUNNING (a worker has it) pass; the others are its end. CANCELLED is what a pending
    document of a cancelled job is; it is never stored.
    """

    PENDING = "pending"
    RUNNING = "running"
    VALID = "valid"
    PARTIAL = "partial"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED: Final = (ItemState.VALID, ItemState.PARTIAL, ItemState.REFUSED, ItemState.FAILED)
"""States in which a worker leaves a document that is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One text of a job.

    Attributes:
        text: what is read; `check_text` says what is wrong with it.
        id: the caller's own name for it, 1..255 characters; None without one.
    """

    text: str
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedItem:
    """A document in the hands of a worker.

    Attributes:
        job_id: whose it is.
        position: its place in the job, from 1.
        claim: how often it was claimed: only the last claim may settle it.
        text: what is read.
        attempts: failed attempts that were charged so far.
        spec: what is done with it.
        key_id: the key with which its job was made; None if without one.
    """

    job_id: JobId
    position: int
    claim: int
    text: str
    attempts: int
    spec: JobSpec
    key_id: ApiKeyId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobConsequence:
    """What one document's failure means for the whole job.

    Attributes:
        status: PAUSED or FAILED; None when the job only waits.
        reason: why.
        wait_s: for so long no document is taken.
    """

    reason: StatusReason
    status: JobStatus | None = None
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSettlement:
    """What becomes of a claimed document.

    Attributes:
        item: which.
        state: one of `ENDED`, or PENDING to give it back.
        extraction: a result to store with it.
        cached: a stored result that answers it instead.
        charged: whether this counts as a failed attempt.
        delay_s: how long nobody may claim it again.
        reason: why it failed, or failed last; None for a success.
        spending: what was used on it now.
        consequence: what it means for the job.
        cache_key: the reservation to end with it.
    """

    item: ClaimedItem
    state: ItemState
    extraction: Extraction | None = None
    cached: ExtractionId | None = None
    charged: bool = False
    delay_s: float = 0.0
    reason: StatusReason | None = None
    spending: JobSpending = field(default_factory=JobSpending)
    consequence: JobConsequence | None = None
    cache_key: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """A document of a job with what became of it.

    Attributes:
        position: its place in the job, from 1.
        document_id: the caller's own name for it.
        state: how it stands.
        attempts: failed attempts that were charged.
        reused: whether a known result answered it.
        reason: why it failed, failed last or was cancelled.
        extraction: the result; None while there is none.
        finished_at: when it was done.
    """

    position: int
    document_id: str | None
    state: ItemState
    attempts: int
    reused: bool
    reason: StatusReason | None
    extraction: Extraction | None
    finished_at: datetime | None
