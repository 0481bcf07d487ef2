"""Who is told of events, what was sent; and how a receiver checks what comes."""

from __future__ import annotations

import hmac
import json
import time
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

from storekeeper_client.calls import (
    JSON,
    MERGE_PATCH,
    Call,
    Page,
    encoded,
    given,
    members,
    nothing,
    page_reader,
    path_of,
    reads,
)
from storekeeper_client.errors import Moment, WebhookRefused
from storekeeper_client.resources import D, Listing, Operation, Resource

WebhookEvent: TypeAlias = Literal[
    "extraction_job.completed",
    "extraction_job.paused",
    "extraction_job.failed",
    "extraction_job.cancelled",
]
DeliveryStatus: TypeAlias = Literal["pending", "delivered", "failed"]

_SECRET_START: Final = "whsec_"  # noqa: S105 (what every secret begins with)
_VERSION: Final = "v1"


def verify_webhook(
    body: bytes | str,
    headers: Mapping[str, str],
    secrets: str | Iterable[str],
    *,
    tolerance_s: float = 300.0,
    now: float | None = None,
) -> dict[str, Any]:
    """What a webhook says, once it is certain who sent it and that it is not an old one.

    By the rules of Standard Webhooks. A message may come twice: its header `webhook-id` is the same
    then.

    Args:
        body: as it came, to the byte: not read as JSON and written again.
        headers: of the request; the case of their names makes no difference.
        secrets: of the endpoint (`whsec_...`), one or several, of which one has to fit.
        tolerance_s: how far the time of the sender may be from that of this machine, in seconds.
        now: seconds since 1970; those of this machine's clock if not given.

    Raises:
        WebhookRefused: it is not to be trusted; answer 400, and do nothing else.
        ValueError: no secret is given, or one that is none.
    """
    keys = [_key(secret) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
    if not keys:
        raise ValueError("No secret is given: take the one that the endpoint was made with.")
    raw = body.encode() if isinstance(body, str) else bytes(body)
    found = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp, signatures = (
        _header(found, f"webhook-{name}") for name in ("id", "timestamp", "signature")
    )
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15):
        raise WebhookRefused("webhook-timestamp is no whole number of seconds.")
    away_s = (time.time() if now is None else now) - int(timestamp)
    if abs(away_s) > tolerance_s:
        late = "old" if away_s > 0 else "ahead of this machine's clock"
        raise WebhookRefused(f"The message is {abs(away_s):.0f} s {late}, and may be a replay.")
    content = f"{message_id}.{timestamp}.".encode(errors="replace") + raw
    ours = [b64encode(hmac.digest(key, content, "sha256")) for key in keys]
    theirs = [
        value.encode(errors="replace")
        for version, _, value in (each.partition(",") for each in signatures.split(" "))
        if version == _VERSION
    ]
    if not any(hmac.compare_digest(one, other) for one in ours for other in theirs):
        raise WebhookRefused("No signature fits: another secret, or the body was changed.")
    try:
        message = json.loads(raw)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise WebhookRefused("The body is no JSON object.")
    return message


def _key(secret: str) -> bytes:
    """The bytes of a secret."""
    try:
        key = b64decode(secret.strip().removeprefix(_SECRET_START), validate=True)
    except ValueError:
        key = b""
    if not key:
        # Nothing of what was given: it may be a secret that was copied in part.
        raise ValueError("A secret is whsec_ and Base64; what was given is none.")
    return key


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value:
        raise WebhookRefused(f"The header {name} is missing.")
    return value


class WebhookEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint, without its secret; no `events` are all.

    `events` are of `extraction_job.completed`, `extraction_job.paused`, `extraction_job.failed` and
    `extraction_job.cancelled`; `disabled_reason` is `requested`, `gone` (it answered 410) or
    `failing`; until `old_secret_until` the secret before the last rotation signs too.
    """

    id: int
    url: str
    events: tuple[str, ...]
    description: str
    created_at: Moment
    enabled: bool
    disabled_at: Moment | None
    disabled_reason: str | None
    old_secret_until: Moment | None


class IssuedWebhookEndpoint(WebhookEndpoint, frozen=True, kw_only=True):
    """An endpoint with a new secret, which no other answer holds."""

    secret: str

    def __repr__(self) -> str:
        return f"IssuedWebhookEndpoint(id={self.id}, url={self.url!r}, secret=...)"


class WebhookDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one endpoint.

    `id` is the header `webhook-id`; `status` is `pending`, `delivered` or `failed`; `attempts` are
    those since it was last replayed; `body` is what is sent, to the letter.
    """

    id: str
    endpoint_id: int
    event: str
    status: str
    attempts: int
    created_at: Moment
    next_attempt_at: Moment | None
    last_attempt_at: Moment | None
    last_status: int | None
    last_error: str | None
    last_response: str | None
    delivered_at: Moment | None
    body: str


class WebhookEndpoints(Resource[D]):
    """`/webhook-endpoints`. Needs the scope `admin`. A lost answer is not asked for again."""

    @Listing
    def list(self, *, page_size: int | None = None) -> Call[Page[WebhookEndpoint]]:
        """Endpoints, newest first.

        Args:
            page_size: rows of one request, 1..200; 50 if not given.
        """
        query = given(limit=page_size)
        return Call(method="GET", path="/webhook-endpoints", query=query, read=_ENDPOINTS)

    @Operation
    def get(self, endpoint_id: int) -> Call[WebhookEndpoint]:
        """An endpoint, without its secret.

        Raises:
            NotFound: there is none.
        """
        return Call(method="GET", path=path_of("webhook-endpoints", endpoint_id), read=_ENDPOINT)

    @Operation
    def create(
        self, url: str, *, events: Iterable[WebhookEvent] = (), description: str | None = None
    ) -> Call[IssuedWebhookEndpoint]:
        """Have events sent to `url`; the secret that signs them is in this answer alone.

        Args:
            url: https://, and a public address.
            events: of which it is told; all if none is given, later ones too.
            description: for people.

        Raises:
            InvalidInput: `errors` names each bad member.
            Conflict: there are 50 already.
        """
        body = members(url=url, events=tuple(events), description=description)
        return Call(
            method="POST",
            path="/webhook-endpoints",
            headers={"Content-Type": JSON},
            body=encoded(body),
            read=_ISSUED,
        )

    @Operation
    def change(
        self,
        endpoint_id: int,
        *,
        url: str | None = None,
        events: Iterable[WebhookEvent] | None = None,
        description: str | None = None,
        enabled: bool | None = None,
    ) -> Call[WebhookEndpoint]:
        """Change an endpoint; what is not given stays.

        Args:
            endpoint_id: which.
            url: where events are sent.
            events: of which it is told; none for all.
            description: for people.
            enabled: whether anything is sent; what waited is sent then.

        Raises:
            NotFound: there is none.
            InvalidInput: `errors` names each bad member.
        """
        listed = None if events is None else tuple(events)
        body = members(url=url, events=listed, description=description, enabled=enabled)
        return Call(
            method="PATCH",
            path=path_of("webhook-endpoints", endpoint_id),
            headers={"Content-Type": MERGE_PATCH},
            body=encoded(body),
            read=_ENDPOINT,
        )

    @Operation
    def delete(self, endpoint_id: int) -> Call[None]:
        """Delete an endpoint, with its deliveries.

        Raises:
            NotFound: there is none.
        """
        return Call(method="DELETE", path=path_of("webhook-endpoints", endpoint_id), read=nothing)

    @Operation
    def rotate_secret(self, endpoint_id: int) -> Call[IssuedWebhookEndpoint]:
        """Another secret; the one before signs too for 24 hours.

        Raises:
            NotFound: there is none.
        """
        path = path_of("webhook-endpoints", endpoint_id, "rotate-secret")
        return Call(method="POST", path=path, read=_ISSUED)

    @Operation
    def test(self, endpoint_id: int) -> Call[WebhookDelivery]:
        """Have a `ping` sent.

        Raises:
            NotFound: there is none.
            Conflict: it is disabled.
        """
        path = path_of("webhook-endpoints", endpoint_id, "test")
        return Call(method="POST", path=path, read=_DELIVERY)


class WebhookDeliveries(Resource[D]):
    """`/webhook-deliveries`. Needs the scope `admin`."""

    @Listing
    def list(
        self,
        *,
        endpoint: int | None = None,
        status: DeliveryStatus | None = None,
        page_size: int | None = None,
    ) -> Call[Page[WebhookDelivery]]:
        """Deliveries, newest first.

        Args:
            endpoint: only to this endpoint.
            status: only those that stand so.
            page_size: rows of one request, 1..200; 50 if not given.
        """
        query = given(endpoint=endpoint, status=status, limit=page_size)
        return Call(method="GET", path="/webhook-deliveries", query=query, read=_DELIVERIES)

    @Operation
    def get(self, delivery_id: str) -> Call[WebhookDelivery]:
        """A delivery.

        Raises:
            NotFound: there is none.
        """
        return Call(method="GET", path=path_of("webhook-deliveries", delivery_id), read=_DELIVERY)

    @Operation
    def replay(self, delivery_id: str) -> Call[WebhookDelivery]:
        """Have it sent anew, under the same id.

        Raises:
            NotFound: there is none.
            Conflict: its endpoint is disabled.
        """
        path = path_of("webhook-deliveries", delivery_id, "replay")
        return Call(method="POST", path=path, read=_DELIVERY)


_ENDPOINTS: Final = page_reader(WebhookEndpoint)
_ENDPOINT: Final = reads(WebhookEndpoint)
_ISSUED: Final = reads(IssuedWebhookEndpoint)
_DELIVERIES: Final = page_reader(WebhookDelivery)
_DELIVERY: Final = reads(WebhookDelivery)
