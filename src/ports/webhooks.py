"""Who is told of events, what is still to be sent, and how it is sent.

The row of a delivery is written with the change that it tells of, in the same transaction, for each
endpoint that is enabled and asks for the event.

Raises (each method that reads or writes rows):
    DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, DatabaseUnfit, StatementTimedOut: see
        `domain.errors`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from domain.webhooks.model import (
    AttemptResult,
    ClaimedDelivery,
    DeliveryId,
    DeliveryStatus,
    EndpointChanges,
    EndpointDraft,
    EndpointId,
    Settlement,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookFigures,
)


class WebhookEndpointRepository(Protocol):
    """Endpoints as they are managed; each method is atomic."""

    @abstractmethod
    async def add(self, draft: EndpointDraft, secret: str) -> WebhookEndpoint:
        """Store a new endpoint.

        Raises:
            Conflict: there are 50 already.
        """
        ...

    @abstractmethod
    async def get(self, endpoint_id: EndpointId) -> WebhookEndpoint:
        """Load one.

        Raises:
            NotFound: no such endpoint.
        """
        ...

    @abstractmethod
    async def page(
        self, *, limit: int, before: EndpointId | None = None
    ) -> Sequence[WebhookEndpoint]:
        """Up to `limit` endpoints, newest first, older than `before`."""
        ...

    @abstractmethod
    async def change(self, endpoint_id: EndpointId, changes: EndpointChanges) -> WebhookEndpoint:
        """Change some members (at least one); one that is disabled already keeps its time.

        Raises:
            NotFound: no such endpoint.
        """
        ...

    @abstractmethod
    async def rotate(
        self, endpoint_id: EndpointId, secret: str, *, overlap: timedelta
    ) -> WebhookEndpoint:
        """Sign with `secret`, and for `overlap` with the one before too.

        Raises:
            NotFound: no such endpoint.
        """
        ...

    @abstractmethod
    async def delete(self, endpoint_id: EndpointId) -> None:
        """Delete one, with its deliveries.

        Raises:
            NotFound: no such endpoint.
        """
        ...


class WebhookDeliveryRepository(Protocol):
    """What was and will be sent, for people."""

    @abstractmethod
    async def get(self, delivery_id: DeliveryId) -> WebhookDelivery:
        """Load one.

        Raises:
            NotFound: no such delivery.
        """
        ...

    @abstractmethod
    async def page(
        self,
        *,
        limit: int,
        before: int | None = None,
        endpoint_id: EndpointId | None = None,
        status: DeliveryStatus | None = None,
    ) -> Sequence[WebhookDelivery]:
        """Up to `limit` deliveries, newest first, with a number below `before`.

        Args:
            limit: how many, at most.
            before: the number of the last one of the page before.
            endpoint_id: of this endpoint alone.
            status: that stand so.
        """
        ...

    @abstractmethod
    async def add_ping(self, endpoint_id: EndpointId, body: str) -> WebhookDelivery:
        """Have a `ping` sent.

        Raises:
            NotFound: no such endpoint.
            Conflict: it is disabled.
        """
        ...

    @abstractmethod
    async def replay(self, delivery_id: DeliveryId) -> WebhookDelivery:
        """Send it anew under its id, with as many attempts as a new one.

        The outcome of an attempt that is under way is not heard any more.

        Raises:
            NotFound: no such delivery.
            Conflict: its endpoint is disabled.
        """
        ...

    @abstractmethod
    async def figures(self) -> WebhookFigures:
        """What is to be watched."""
        ...

    @abstractmethod
    async def prune(self, keep_days: int) -> int:
        """Delete deliveries that are older than `keep_days` (>= 7); returns how many."""
        ...


class WebhookDeliveryQueue(Protocol):
    """What is due, for the workers that share it."""

    @abstractmethod
    async def claim(
        self, *, busy: Collection[EndpointId], lease_s: float
    ) -> Sequence[ClaimedDelivery]:
        """Take what is due longest of each enabled endpoint, one delivery for each.

        No other worker gets it for `lease_s`; if it is not settled by then it is due again.

        Args:
            busy: endpoints of which nothing is taken.
            lease_s: seconds, longer than an attempt takes.
        """
        ...

    @abstractmethod
    async def settle(
        self, delivery: ClaimedDelivery, result: AttemptResult, settlement: Settlement
    ) -> bool:
        """Store what came of an attempt; False when others took it over, or it was replayed.

        An endpoint is disabled as FAILING only if it took nothing since the delivery was made.
        """
        ...


class WebhookSender(Protocol):
    """Makes one attempt."""

    @abstractmethod
    async def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> AttemptResult:
        """POST `body` to `url`, within a bounded time.

        Only to addresses that are public or allowed, and to no other place that an answer names.
        It never raises for what a receiver does.
        """
        ...
