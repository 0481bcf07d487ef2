"""Webhooks as the API shows them; commands show the same with `--json`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.webhooks.addresses import MAX_URL
from domain.webhooks.model import (
    MAX_DESCRIPTION,
    DeliveryStatus,
    DisabledReason,
    EndpointChanges,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from domain.webhooks.service import IssuedEndpoint
from entrypoints.http.protocol.answers import Id, Instant, shown
from entrypoints.http.protocol.pages import ListQuery, Page

_EVENTS_SAY = "None for all, those of later versions too"

Url = Annotated[
    str,
    Meta(
        max_length=MAX_URL,
        description="Where events are sent: https://, a public address",
        # For the document alone: the domain says more clearly what is wrong.
        extra_json_schema={"pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[!-~]+$"},
    ),
]
Events = Annotated[list[WebhookEvent], Meta(max_length=20, description=_EVENTS_SAY)]
Description = Annotated[str, Meta(max_length=MAX_DESCRIPTION, pattern=r"^[^\x00]*$")]


class NewWebhookEndpoint(Struct, forbid_unknown_fields=True):
    """An endpoint to make."""

    EXAMPLE: ClassVar = {
        "url": "https://shop.example/hooks/storekeeper",
        "events": ["extraction_job.completed", "extraction_job.failed"],
        "description": "till",
    }

    url: Url
    events: Events = []
    description: Description = ""


class WebhookEndpointPatch(Struct, forbid_unknown_fields=True):
    """The fields to change."""

    EXAMPLE: ClassVar = {"enabled": True}

    url: Url | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    enabled: Annotated[bool, Meta(description="Whether anything is sent")] | UnsetType = UNSET

    def changes(self) -> EndpointChanges:
        """As the domain has them."""
        return EndpointChanges(
            url=None if self.url is UNSET else self.url,
            events=None if self.events is UNSET else tuple(self.events),
            description=None if self.description is UNSET else self.description,
            enabled=None if self.enabled is UNSET else self.enabled,
        )


class WebhookEndpointView(Struct):
    """An endpoint, without its secret."""

    EXAMPLE: ClassVar = {
        "id": 3,
        "url": "https://shop.example/hooks/storekeeper",
        "events": ["extraction_job.completed", "extraction_job.failed"],
        "description": "till",
        "created_at": "2026-11-22T09:30:00Z",
        "enabled": True,
        "disabled_at": None,
        "disabled_reason": None,
        "old_secret_until": None,
    }

    id: Id
    url: str
    events: Annotated[list[WebhookEvent], Meta(description=_EVENTS_SAY)]
    description: str
    created_at: Instant
    enabled: bool
    disabled_at: Instant | None
    disabled_reason: (
        Annotated[
            DisabledReason,
            Meta(
                description="It answered 410 (`gone`), or took nothing for three days (`failing`)"
            ),
        ]
        | None
    )
    old_secret_until: Annotated[
        Instant | None,
        Meta(description="Until then the secret before the last rotation signs too"),
    ]


class IssuedWebhookEndpointView(WebhookEndpointView, kw_only=True):
    """An endpoint with a new secret, which no other answer holds."""

    EXAMPLE: ClassVar = {
        **WebhookEndpointView.EXAMPLE,
        "secret": "whsec_RXhhbXBsZUV4YW1wbGVFeGFtcGxlRXhhbXBsZUV4YW0=",
    }

    secret: Annotated[str, Meta(description="Keep it: it is not shown again")]


class WebhookDeliveryView(Struct):
    """One event for one endpoint."""

    EXAMPLE: ClassVar = {
        "id": "msg_0b4e2a5e-6f0e-4f43-9a4b-2f3f2a1f9c11",
        "endpoint_id": 3,
        "event": "extraction_job.completed",
        "status": "pending",
        "attempts": 2,
        "created_at": "2026-11-22T09:30:00Z",
        "next_attempt_at": "2026-11-22T09:35:07Z",
        "last_attempt_at": "2026-11-22T09:30:06Z",
        "last_status": 503,
        "last_error": "answered 503",
        "last_response": "try later",
        "delivered_at": None,
        "body": '{"type" : "extraction_job.completed", "timestamp" : "2026-11-22T09:30:00.120000Z",'
        ' "data" : {"id" : 7, "status" : "completed", "reason" : null, "counts" :'
        ' {"total" : 240, "valid" : 238, "partial" : 0, "refused" : 0, "failed" : 2}}}',
    }

    id: Annotated[str, Meta(description="`webhook-id`, the same in every attempt")]
    endpoint_id: Id
    event: str
    status: DeliveryStatus
    attempts: Annotated[int, Meta(description="Begun, since it was last replayed")]
    created_at: Instant
    next_attempt_at: Instant | None
    last_attempt_at: Instant | None
    last_status: Annotated[int | None, Meta(description="Of the last answer")]
    last_error: str | None
    last_response: Annotated[
        str | None, Meta(description="The beginning of the last answer that was no success")
    ]
    delivered_at: Instant | None
    body: Annotated[str, Meta(description="What is sent, to the letter")]


class WebhookEndpointPage(Page[WebhookEndpointView]):
    """One page, newest first."""


class WebhookDeliveryPage(Page[WebhookDeliveryView]):
    """One page, newest first."""


class WebhookDeliveryQuery(ListQuery, forbid_unknown_fields=True):
    """Filters and position of the list."""

    endpoint: Annotated[Id, Meta(description="Only to this endpoint")] | None = None
    status: Annotated[DeliveryStatus, Meta(description="Only those that stand so")] | None = None


def endpoint_view(endpoint: WebhookEndpoint) -> WebhookEndpointView:
    """An endpoint."""
    return shown(WebhookEndpointView, endpoint, events=list(endpoint.events))


def issued_view(issued: IssuedEndpoint) -> IssuedWebhookEndpointView:
    """An endpoint with its new secret."""
    return shown(
        IssuedWebhookEndpointView,
        issued.endpoint,
        events=list(issued.endpoint.events),
        secret=issued.secret,
    )


def delivery_view(delivery: WebhookDelivery) -> WebhookDeliveryView:
    """A delivery."""
    return shown(WebhookDeliveryView, delivery)
