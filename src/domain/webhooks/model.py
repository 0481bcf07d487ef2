"""Webhooks: who is told of events, and what was sent to whom."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

from domain.errors import NotFound

EndpointId = NewType("EndpointId", int)
DeliveryId = NewType("DeliveryId", str)

_DELIVERY_ID: Final = re.compile(r"msg_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)

MAX_ENDPOINTS: Final = 50
MAX_DESCRIPTION: Final = 200
PING: Final = "ping"
"""The event that a test sends; nobody subscribes to it."""


def read_delivery_id(text: str) -> DeliveryId:
    """The id that `text` is.

    Raises:
        NotFound: it has not the form of one, so nothing has it.
    """
    if not _DELIVERY_ID.fullmatch(text):
        raise NotFound("There is no webhook delivery with this id.")
    return DeliveryId(text)


class WebhookEvent(StrEnum):
    """What an endpoint may be told of: the states in which a job does not run."""

    JOB_COMPLETED = "extraction_job.completed"
    JOB_PAUSED = "extraction_job.paused"
    JOB_FAILED = "extraction_job.failed"
    JOB_CANCELLED = "extraction_job.cancelled"


class DisabledReason(StrEnum):
    """Why nothing is sent to an endpoint.

    REQUESTED: somebody switched it off. GONE: it answered 410. FAILING: a delivery used up all its
    attempts, and none was taken meanwhile.
    """

    REQUESTED = "requested"
    GONE = "gone"
    FAILING = "failing"


class DeliveryStatus(StrEnum):
    """How a delivery stands: PENDING until it was taken, or given up (FAILED)."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDraft:
    """An endpoint to make.

    Attributes:
        url: where events are sent.
        events: which; empty for all, later ones too.
        description: for people, up to 200 characters.
    """

    url: str
    events: tuple[WebhookEvent, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointChanges:
    """What to change of an endpoint; None leaves it as it is.

    Attributes:
        url, events, description: see `EndpointDraft`.
        enabled: whether anything is sent.
    """

    url: str | None = None
    events: tuple[WebhookEvent, ...] | None = None
    description: str | None = None
    enabled: bool | None = None

    @property
    def members(self) -> Sequence[str]:
        """The names of what is changed."""
        names = ("url", "events", "description", "enabled")
        return tuple(name for name in names if getattr(self, name) is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """An endpoint as stored, without its secrets.

    Attributes:
        id: 1 and up.
        url, events, description: see `EndpointDraft`.
        created_at: aware UTC.
        old_secret_until: until then the secret before the last rotation signs too; None without.
        disabled_at: since when nothing is sent; None while it is enabled.
        disabled_reason: why.
    """

    id: EndpointId
    url: str
    events: tuple[WebhookEvent, ...]
    description: str
    created_at: datetime
    old_secret_until: datetime | None = None
    disabled_at: datetime | None = None
    disabled_reason: DisabledReason | None = None

    @property
    def enabled(self) -> bool:
        """Whether anything is sent."""
        return self.disabled_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDelivery:
    """One event for one endpoint.

    Attributes:
        id: the `webhook-id`, the same in every attempt.
        number: its place in the list; later ones have higher numbers.
        endpoint_id: to whom.
        event: a `WebhookEvent`, or `ping`.
        body: what is sent, to the letter.
        status: how it stands.
        attempts: how many were begun, since it was last replayed.
        created_at: when the event happened, aware UTC.
        next_attempt_at: when it is due; while an attempt is under way, when others would take over.
        last_attempt_at: when the last attempt began.
        last_status: the HTTP status of the last answer; None when there was none.
        last_error: why the last attempt failed, a sentence.
        last_response: the beginning of the last answer that was no success.
        delivered_at: when it was taken.
    """

    id: DeliveryId
    number: int
    endpoint_id: EndpointId
    event: str
    body: str
    status: DeliveryStatus
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    last_attempt_at: datetime | None = None
    last_status: int | None = None
    last_error: str | None = None
    last_response: str | None = None
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedDelivery:
    """A delivery in the hands of a worker, for one attempt.

    Attributes:
        id: its `webhook-id`.
        claim: a number of this attempt; only the last claim settles it.
        attempts: how many were begun, this one included (>= 1).
        endpoint_id: to whom.
        url: where to.
        body: what is sent.
        secrets: those that sign, the newest first (at least one).
    """

    id: DeliveryId
    claim: int
    attempts: int
    endpoint_id: EndpointId
    url: str
    body: str
    secrets: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """What came of one attempt.

    Attributes:
        status: of the answer; None when there was none.
        error: why it was not taken, a sentence without a final stop; None for an answer.
        response: the beginning of the answer, in printable characters.
        retry_after_s: the wait that the answer asks for, in seconds; None for none.
    """

    status: int | None = None
    error: str | None = None
    response: str | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What becomes of a delivery after an attempt.

    Attributes:
        status: how it stands.
        delay_s: until the next attempt, in seconds; None when there is none.
        error: what is stored of a failure; None of a success.
        disables: why its endpoint is disabled; None when it is not.
    """

    status: DeliveryStatus
    delay_s: float | None = None
    error: str | None = None
    disables: DisabledReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFigures:
    """What is to be watched of webhooks.

    Attributes:
        deliveries: those that are kept, by status; each status is named.
        disabled: endpoints that were disabled because they failed or were gone.
    """

    deliveries: Mapping[DeliveryStatus, int]
    disabled: int
