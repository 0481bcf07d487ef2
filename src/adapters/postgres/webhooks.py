"""Webhooks in PostgreSQL: endpoints, deliveries, and the queue of what is due."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final

import asyncpg

from adapters.postgres.audit import with_entry
from adapters.postgres.pool import SqlExecutor
from adapters.postgres.queries import load_queries
from domain.errors import Conflict, NotFound
from domain.webhooks.model import (
    MAX_ENDPOINTS,
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
from ports.webhooks import (
    WebhookDeliveryQueue,
    WebhookDeliveryRepository,
    WebhookEndpointRepository,
)

_QUERIES: Final = load_queries("webhooks")
_LAST_ID: Final = 2**31 - 1
_LAST_NUMBER: Final = 2**63 - 1
_PRUNED_AT_ONCE: Final = 10_000
_ENDPOINT_PATH: Final = "'/webhook-endpoints/' || id"
_DELIVERY_PATH: Final = "'/webhook-deliveries/' || id"


class PostgresWebhookEndpointRepository(WebhookEndpointRepository):
    """One statement a call."""

    def __init__(self, executor: SqlExecutor) -> None:
        self._executor = executor

    async def add(self, draft: EndpointDraft, secret: str) -> WebhookEndpoint:
        """See the port."""
        query = _QUERIES["add_endpoint"]
        arguments = query.args(
            url=draft.url,
            events=list(draft.events),
            description=draft.description,
            secret=secret,
            most=MAX_ENDPOINTS,
        )
        members = ("url", "events", "description")
        sql, args = with_entry(
            query.sql, arguments, "webhook_endpoint.create", _ENDPOINT_PATH, members
        )
        row = await self._executor.fetchrow(sql, *args)
        if row is None:
            raise _too_many_endpoints()
        return _endpoint(row)

    async def get(self, endpoint_id: EndpointId) -> WebhookEndpoint:
        """See the port."""
        query = _QUERIES["get_endpoint"]
        row = await self._executor.fetchrow(query.sql, *query.args(endpoint_id=endpoint_id))
        if row is None:
            raise _no_endpoint(endpoint_id)
        return _endpoint(row)

    async def page(
        self, *, limit: int, before: EndpointId | None = None
    ) -> Sequence[WebhookEndpoint]:
        """See the port."""
        query = _QUERIES["page_of_endpoints"]
        arguments = query.args(limit=limit, before=_LAST_ID if before is None else before)
        return [_endpoint(row) for row in await self._executor.fetch(query.sql, *arguments)]

    async def change(self, endpoint_id: EndpointId, changes: EndpointChanges) -> WebhookEndpoint:
        """See the port."""
        query = _QUERIES["change_endpoint"]
        arguments = query.args(
            endpoint_id=endpoint_id,
            url=changes.url,
            events=None if changes.events is None else list(changes.events),
            description=changes.description,
            enabled=changes.enabled,
        )
        sql, args = with_entry(
            query.sql, arguments, "webhook_endpoint.change", _ENDPOINT_PATH, changes.members
        )
        row = await self._executor.fetchrow(sql, *args)
        if row is None:
            raise _no_endpoint(endpoint_id)
        return _endpoint(row)

    async def rotate(
        self, endpoint_id: EndpointId, secret: str, *, overlap: timedelta
    ) -> WebhookEndpoint:
        """See the port."""
        query = _QUERIES["rotate_secret"]
        arguments = query.args(
            endpoint_id=endpoint_id, secret=secret, overlap_s=overlap.total_seconds()
        )
        sql, args = with_entry(
            query.sql, arguments, "webhook_endpoint.rotate_secret", _ENDPOINT_PATH, ("secret",)
        )
        row = await self._executor.fetchrow(sql, *args)
        if row is None:
            raise _no_endpoint(endpoint_id)
        return _endpoint(row)

    async def delete(self, endpoint_id: EndpointId) -> None:
        """See the port."""
        query = _QUERIES["delete_endpoint"]
        sql, args = with_entry(
            query.sql,
            query.args(endpoint_id=endpoint_id),
            "webhook_endpoint.delete",
            _ENDPOINT_PATH,
        )
        if not await self._executor.fetch(sql, *args):
            raise _no_endpoint(endpoint_id)


class PostgresWebhookDeliveryRepository(WebhookDeliveryRepository):
    """One statement a call."""

    def __init__(self, executor: SqlExecutor) -> None:
        self._executor = executor
        self._endpoints = PostgresWebhookEndpointRepository(executor)

    async def get(self, delivery_id: DeliveryId) -> WebhookDelivery:
        """See the port."""
        query = _QUERIES["get_delivery"]
        row = await self._executor.fetchrow(query.sql, *query.args(delivery_id=delivery_id))
        if row is None:
            raise _no_delivery()
        return _delivery(row)

    async def page(
        self,
        *,
        limit: int,
        before: int | None = None,
        endpoint_id: EndpointId | None = None,
        status: DeliveryStatus | None = None,
    ) -> Sequence[WebhookDelivery]:
        """See the port."""
        query = _QUERIES["page_of_deliveries"]
        arguments = query.args(
            limit=limit,
            before=_LAST_NUMBER if before is None else before,
            endpoint_id=endpoint_id,
            status=status,
        )
        return [_delivery(row) for row in await self._executor.fetch(query.sql, *arguments)]

    async def add_ping(self, endpoint_id: EndpointId, body: str) -> WebhookDelivery:
        """See the port."""
        query = _QUERIES["add_ping"]
        sql, args = with_entry(
            query.sql,
            query.args(endpoint_id=endpoint_id, body=body),
            "webhook_endpoint.test",
            "'/webhook-endpoints/' || endpoint_id",
        )
        row = await self._executor.fetchrow(sql, *args)
        if row is None:
            await self._endpoints.get(endpoint_id)
            raise _endpoint_disabled(endpoint_id)
        return _delivery(row)

    async def replay(self, delivery_id: DeliveryId) -> WebhookDelivery:
        """See the port."""
        query = _QUERIES["replay"]
        sql, args = with_entry(
            query.sql,
            query.args(delivery_id=delivery_id),
            "webhook_delivery.replay",
            _DELIVERY_PATH,
        )
        row = await self._executor.fetchrow(sql, *args)
        if row is None:
            raise _endpoint_disabled((await self.get(delivery_id)).endpoint_id)
        return _delivery(row)

    async def figures(self) -> WebhookFigures:
        """See the port."""
        row = await self._executor.fetchrow(_QUERIES["figures"].sql)
        assert row is not None  # an aggregate has a row
        return WebhookFigures(
            deliveries={status: row[status.value] for status in DeliveryStatus},
            disabled=row["disabled"],
        )

    async def prune(self, keep_days: int) -> int:
        """See the port."""
        query, pruned = _QUERIES["prune"], 0
        arguments = query.args(keep_days=keep_days, most=_PRUNED_AT_ONCE)
        while found := int(await self._executor.fetchval(query.sql, *arguments)):
            pruned += found
        return pruned


class PostgresWebhookDeliveryQueue(WebhookDeliveryQueue):
    """Claims skip what others have locked."""

    def __init__(self, executor: SqlExecutor) -> None:
        self._executor = executor

    async def claim(
        self, *, busy: Collection[EndpointId], lease_s: float
    ) -> Sequence[ClaimedDelivery]:
        """See the port."""
        query = _QUERIES["claim"]
        arguments = query.args(busy=list(busy), lease_s=lease_s)
        return [_claimed(row) for row in await self._executor.fetch(query.sql, *arguments)]

    async def settle(
        self, delivery: ClaimedDelivery, result: AttemptResult, settlement: Settlement
    ) -> bool:
        """See the port."""
        query = _QUERIES["settle"]
        arguments = query.args(
            delivery_id=delivery.id,
            claim=delivery.claim,
            status=settlement.status,
            delay_s=settlement.delay_s,
            http_status=result.status,
            error=settlement.error,
            response=result.response,
            disables=settlement.disables,
        )
        return bool(await self._executor.fetchval(query.sql, *arguments))


def _too_many_endpoints() -> Conflict:
    return Conflict(f"There are {MAX_ENDPOINTS} endpoints, as many as there may be: delete one.")


def _no_endpoint(endpoint_id: EndpointId) -> NotFound:
    return NotFound(f"There is no webhook endpoint {endpoint_id}.")


def _no_delivery() -> NotFound:
    return NotFound("There is no webhook delivery with this id.")


def _endpoint_disabled(endpoint_id: EndpointId) -> Conflict:
    return Conflict(f"Webhook endpoint {endpoint_id} is disabled: enable it first.")


def _endpoint(row: asyncpg.Record) -> WebhookEndpoint:
    reason = row["disabled_reason"]
    return WebhookEndpoint(
        id=row["id"],
        url=row["url"],
        events=tuple(map(WebhookEvent, row["events"])),
        description=row["description"],
        created_at=row["created_at"],
        old_secret_until=row["old_secret_until"],
        disabled_at=row["disabled_at"],
        disabled_reason=None if reason is None else DisabledReason(reason),
    )


def _delivery(row: asyncpg.Record) -> WebhookDelivery:
    return WebhookDelivery(
        id=row["id"],
        number=row["number"],
        endpoint_id=row["endpoint_id"],
        event=row["event"],
        body=row["body"],
        status=DeliveryStatus(row["status"]),
        attempts=row["attempts"],
        created_at=row["created_at"],
        next_attempt_at=row["next_attempt_at"],
        last_attempt_at=row["last_attempt_at"],
        last_status=row["last_status"],
        last_error=row["last_error"],
        last_response=row["last_response"],
        delivered_at=row["delivered_at"],
    )


def _claimed(row: asyncpg.Record) -> ClaimedDelivery:
    secrets = (row["secret"], row["old_secret"])
    return ClaimedDelivery(
        id=row["id"],
        claim=row["claim"],
        attempts=row["attempts"],
        endpoint_id=row["endpoint_id"],
        url=row["url"],
        body=row["body"],
        secrets=tuple(secret for secret in secrets if secret is not None),
    )
