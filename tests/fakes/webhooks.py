"""Webhooks in memory, held to the same contract as PostgreSQL; and senders that send nowhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from uuid import uuid4

from domain.errors import Conflict, NotFound
from domain.webhooks.model import (
    MAX_ENDPOINTS,
    PING,
    AttemptResult,
    ClaimedDelivery,
    DeliveryId,
    DeliveryStatus,
    DisabledReason,
    EndpointChanges,
    EndpointDraft,
    EndpointId,
    Settlement,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    WebhookFigures,
)
from ports.clock import Clock
from ports.webhooks import (
    WebhookDeliveryQueue,
    WebhookDeliveryRepository,
    WebhookEndpointRepository,
    WebhookSender,
)


@dataclass(slots=True)
class WebhookTables:
    """Endpoints with their secrets (the newest first), deliveries and the numbers of claims."""

    clock: Clock
    endpoints: dict[EndpointId, WebhookEndpoint] = field(default_factory=dict)
    secrets: dict[EndpointId, tuple[str, ...]] = field(default_factory=dict)
    deliveries: dict[DeliveryId, WebhookDelivery] = field(default_factory=dict)
    claims: dict[DeliveryId, int] = field(default_factory=dict)
    endpoint_ids: count[int] = field(default_factory=lambda: count(1))
    numbers: count[int] = field(default_factory=lambda: count(1))

    def add(self, endpoint_id: EndpointId, event: str, body: str) -> WebhookDelivery:
        """One more delivery, due now."""
        now = self.clock.now()
        made = WebhookDelivery(
            id=DeliveryId(f"msg_{uuid4()}"),
            number=next(self.numbers),
            endpoint_id=endpoint_id,
            event=event,
            body=body,
            status=DeliveryStatus.PENDING,
            attempts=0,
            created_at=now,
            next_attempt_at=now,
        )
        self.deliveries[made.id] = made
        self.claims[made.id] = 0
        return made

    def stop_job(self, job_id: int) -> None:
        """Tell of a job of one document that somebody paused."""
        told = WebhookEvent.JOB_PAUSED
        counts = {"total": 1, "valid": 0, "partial": 0, "refused": 0, "failed": 0}
        data = {"id": job_id, "status": "paused", "reason": "requested", "counts": counts}
        timestamp = self.clock.now().isoformat()
        body = json.dumps({"type": told, "timestamp": timestamp, "data": data})
        for endpoint in list(self.endpoints.values()):
            if endpoint.enabled and (not endpoint.events or told in endpoint.events):
                self.add(endpoint.id, told, body)


class MemoryWebhookEndpointRepository(WebhookEndpointRepository):
    """Endpoints in a dict."""

    def __init__(self, tables: WebhookTables) -> None:
        self._tables = tables

    async def add(self, draft: EndpointDraft, secret: str) -> WebhookEndpoint:
        """See the port."""
        tables = self._tables
        if len(tables.endpoints) >= MAX_ENDPOINTS:
            raise Conflict(f"There are {MAX_ENDPOINTS} endpoints: delete one.")
        made = WebhookEndpoint(
            id=EndpointId(next(tables.endpoint_ids)),
            url=draft.url,
            events=draft.events,
            description=draft.description,
            created_at=tables.clock.now(),
        )
        tables.endpoints[made.id] = made
        tables.secrets[made.id] = (secret,)
        return made

    async def get(self, endpoint_id: EndpointId) -> WebhookEndpoint:
        """See the port."""
        if endpoint_id not in self._tables.endpoints:
            raise NotFound(f"There is no webhook endpoint {endpoint_id}.")
        return self._tables.endpoints[endpoint_id]

    async def page(
        self, *, limit: int, before: EndpointId | None = None
    ) -> Sequence[WebhookEndpoint]:
        """See the port."""
        found = sorted(self._tables.endpoints.values(), key=lambda each: -each.id)
        return [each for each in found if before is None or each.id < before][:limit]

    async def change(self, endpoint_id: EndpointId, changes: EndpointChanges) -> WebhookEndpoint:
        """See the port."""
        made = await self.get(endpoint_id)
        given = {name: getattr(changes, name) for name in changes.members if name != "enabled"}
        made = replace(made, **given)
        if changes.enabled:
            made = replace(made, disabled_at=None, disabled_reason=None)
        elif changes.enabled is False and made.enabled:
            made = disabled(made, DisabledReason.REQUESTED, self._tables.clock)
        self._tables.endpoints[endpoint_id] = made
        return made

    async def rotate(
        self, endpoint_id: EndpointId, secret: str, *, overlap: timedelta
    ) -> WebhookEndpoint:
        """See the port."""
        until = self._tables.clock.now() + overlap
        made = replace(await self.get(endpoint_id), old_secret_until=until)
        self._tables.endpoints[endpoint_id] = made
        self._tables.secrets[endpoint_id] = (secret, self._tables.secrets[endpoint_id][0])
        return made

    async def delete(self, endpoint_id: EndpointId) -> None:
        """See the port."""
        await self.get(endpoint_id)
        del self._tables.endpoints[endpoint_id]
        for each in list(self._tables.deliveries.values()):
            if each.endpoint_id == endpoint_id:
                del self._tables.deliveries[each.id]


def disabled(made: WebhookEndpoint, why: DisabledReason, clock: Clock) -> WebhookEndpoint:
    """An endpoint to which nothing is sent from now on."""
    return replace(made, disabled_at=clock.now(), disabled_reason=why)


class MemoryWebhookDeliveryRepository(WebhookDeliveryRepository):
    """Deliveries in a dict."""

    def __init__(self, tables: WebhookTables) -> None:
        self._tables = tables
        self._endpoints = MemoryWebhookEndpointRepository(tables)

    async def get(self, delivery_id: DeliveryId) -> WebhookDelivery:
        """See the port."""
        if delivery_id not in self._tables.deliveries:
            raise NotFound("There is no webhook delivery with this id.")
        return self._tables.deliveries[delivery_id]

    async def page(
        self,
        *,
        limit: int,
        before: int | None = None,
        endpoint_id: EndpointId | None = None,
        status: DeliveryStatus | None = None,
    ) -> Sequence[WebhookDelivery]:
        """See the port."""
        found = [
            each
            for each in sorted(self._tables.deliveries.values(), key=lambda each: -each.number)
            if (before is None or each.number < before)
            and endpoint_id in {None, each.endpoint_id}
            and status in {None, each.status}
        ]
        return found[:limit]

    async def add_ping(self, endpoint_id: EndpointId, body: str) -> WebhookDelivery:
        """See the port."""
        await self._check(endpoint_id)
        return self._tables.add(endpoint_id, PING, body)

    async def replay(self, delivery_id: DeliveryId) -> WebhookDelivery:
        """See the port."""
        found = await self.get(delivery_id)
        await self._check(found.endpoint_id)
        self._tables.claims[delivery_id] += 1
        found = self._tables.deliveries[delivery_id] = replace(
            found,
            status=DeliveryStatus.PENDING,
            attempts=0,
            next_attempt_at=self._tables.clock.now(),
            delivered_at=None,
        )
        return found

    async def _check(self, endpoint_id: EndpointId) -> None:
        if not (await self._endpoints.get(endpoint_id)).enabled:
            raise Conflict(f"Webhook endpoint {endpoint_id} is disabled: enable it first.")

    async def figures(self) -> WebhookFigures:
        """See the port."""
        statuses = [each.status for each in self._tables.deliveries.values()]
        reasons = [each.disabled_reason for each in self._tables.endpoints.values()]
        return WebhookFigures(
            deliveries={status: statuses.count(status) for status in DeliveryStatus},
            disabled=sum(why not in {None, DisabledReason.REQUESTED} for why in reasons),
        )

    async def prune(self, keep_days: int) -> int:
        """See the port."""
        first = self._tables.clock.now() - timedelta(days=keep_days)
        old = [each.id for each in self._tables.deliveries.values() if each.created_at < first]
        for each in old:
            del self._tables.deliveries[each]
        return len(old)


class MemoryWebhookDeliveryQueue(WebhookDeliveryQueue):
    """What is due of a dict.

    Attributes:
        failures: raised by the next calls, in order.
    """

    def __init__(self, tables: WebhookTables) -> None:
        self._tables = tables
        self.failures: list[Exception] = []

    async def claim(
        self, *, busy: Collection[EndpointId], lease_s: float
    ) -> Sequence[ClaimedDelivery]:
        """See the port."""
        if self.failures:
            raise self.failures.pop(0)
        tables, now = self._tables, self._tables.clock.now()
        claimed = []
        for endpoint in tables.endpoints.values():
            due = [
                (each.next_attempt_at, each.number, each)
                for each in tables.deliveries.values()
                if each.endpoint_id == endpoint.id
                and each.next_attempt_at is not None
                and each.next_attempt_at <= now
            ]
            if not due or not endpoint.enabled or endpoint.id in busy:
                continue
            found = min(due)[2]
            tables.claims[found.id] += 1
            until = now + timedelta(seconds=lease_s)
            attempts = found.attempts + 1
            tables.deliveries[found.id] = replace(
                found, attempts=attempts, next_attempt_at=until, last_attempt_at=now
            )
            overlaps = endpoint.old_secret_until is not None and endpoint.old_secret_until > now
            claimed.append(
                ClaimedDelivery(
                    id=found.id,
                    claim=tables.claims[found.id],
                    attempts=attempts,
                    endpoint_id=endpoint.id,
                    url=endpoint.url,
                    body=found.body,
                    secrets=tables.secrets[endpoint.id][: 2 if overlaps else 1],
                )
            )
        return claimed

    async def settle(
        self, delivery: ClaimedDelivery, result: AttemptResult, settlement: Settlement
    ) -> bool:
        """See the port."""
        if self.failures:
            raise self.failures.pop(0)
        tables, now = self._tables, self._tables.clock.now()
        found = tables.deliveries[delivery.id]
        is_pending = found.status is DeliveryStatus.PENDING
        if not is_pending or tables.claims[delivery.id] != delivery.claim:
            return False
        delay_s, is_taken = settlement.delay_s, settlement.status is DeliveryStatus.DELIVERED
        tables.deliveries[found.id] = replace(
            found,
            status=settlement.status,
            next_attempt_at=None if delay_s is None else now + timedelta(seconds=delay_s),
            last_status=result.status,
            last_error=settlement.error,
            last_response=result.response,
            delivered_at=now if is_taken else None,
        )
        endpoint = tables.endpoints[found.endpoint_id]
        took_something = any(
            each.endpoint_id == endpoint.id
            and each.delivered_at is not None
            and each.delivered_at >= found.created_at
            for each in tables.deliveries.values()
        )
        is_gone = settlement.disables is DisabledReason.GONE
        if settlement.disables is not None and (is_gone or not took_something):
            tables.endpoints[endpoint.id] = disabled(endpoint, settlement.disables, tables.clock)
        return True


class ScriptedWebhookSender(WebhookSender):
    """Sends nowhere: each URL answers as it is told, or with 200.

    Attributes:
        sent: what was sent, in order: URL, headers and body.
        answers: by URL, makes the result.
        held: URLs that answer only once their event is set.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[str, Mapping[str, str], bytes]] = []
        self.answers: dict[str, Callable[[], AttemptResult]] = {}
        self.held: dict[str, asyncio.Event] = {}

    async def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> AttemptResult:
        """See the port."""
        self.sent.append((url, headers, body))
        if url in self.held:
            await self.held[url].wait()
        return self.answers.get(url, lambda: AttemptResult(status=200))()
