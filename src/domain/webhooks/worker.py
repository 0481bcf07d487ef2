"""Sends what is due, beside any number of other workers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from domain.errors import StatementTimedOut, Unavailable
from domain.webhooks.model import ClaimedDelivery, EndpointId
from domain.webhooks.sending import settlement_of, signed_headers
from ports.clock import Clock
from ports.webhooks import WebhookDeliveryQueue, WebhookSender

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookWorkerOptions:
    """How a worker sends.

    Attributes:
        lease_s: after so long others take over an attempt; longer than any takes.
        poll_s: how often it looks for what is due.
        grace_s: how long attempts under way may go on when it stops.
    """

    lease_s: float = 60.0
    poll_s: float = 2.0
    grace_s: float = 4.0


_DEFAULTS: Final = WebhookWorkerOptions()


class WebhookWorker:
    """Has one attempt under way for each endpoint that something is due for, and no more.

    So one that answers slowly holds nobody up but itself.

    Args:
        queue: what is due.
        sender: makes an attempt.
        clock: says when it is signed.
        chance: 0..1, spreads attempts that failed at once.
        options: how it sends.
    """

    def __init__(
        self,
        *,
        queue: WebhookDeliveryQueue,
        sender: WebhookSender,
        clock: Clock,
        chance: Callable[[], float],
        options: WebhookWorkerOptions = _DEFAULTS,
    ) -> None:
        self._queue = queue
        self._sender = sender
        self._clock = clock
        self._chance = chance
        self._options = options

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set; what is not settled then is due again after its lease.

        An outage of the store is waited out.
        """
        under_way: dict[EndpointId, asyncio.Task[None]] = {}
        stopping = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                under_way = {each: task for each, task in under_way.items() if not task.done()}
                for delivery in await self._claimed(under_way):
                    task = asyncio.create_task(self._attempt(delivery))
                    under_way[delivery.endpoint_id] = task
                await asyncio.wait(
                    {stopping, *under_way.values()},
                    timeout=self._options.poll_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            if under_way:
                await asyncio.wait(set(under_way.values()), timeout=self._options.grace_s)
        finally:
            stopping.cancel()
            for left in under_way.values():
                left.cancel()
            await asyncio.gather(stopping, *under_way.values(), return_exceptions=True)

    async def _claimed(self, busy: dict[EndpointId, asyncio.Task[None]]) -> list[ClaimedDelivery]:
        try:
            return list(await self._queue.claim(busy=busy.keys(), lease_s=self._options.lease_s))
        except (Unavailable, StatementTimedOut) as error:
            _log.warning("%s Looking for webhooks that are due again later.", error)
            return []

    async def _attempt(self, delivery: ClaimedDelivery) -> None:
        """Make one attempt and store what came of it."""
        body = delivery.body.encode()
        try:
            headers = signed_headers(delivery.id, body, delivery.secrets, self._clock.now())
            result = await self._sender.send(delivery.url, headers=headers, body=body)
            settlement = settlement_of(result, delivery.attempts, self._chance())
            stored = await self._queue.settle(delivery, result, settlement)
        except (Unavailable, StatementTimedOut) as error:
            _log.warning("%s The webhook %s will be sent again.", error, delivery.id)
        except Exception:  # noqa: BLE001 (a defect must not stop the rest; the lease brings it back)
            _log.exception("sending the webhook %s failed", delivery.id)
        else:
            if stored and settlement.error is not None:
                # Nothing of the URL, which may hold a token.
                _log.info(
                    "webhook %s to endpoint %s, attempt %s: %s",
                    *(delivery.id, delivery.endpoint_id, delivery.attempts, settlement.error),
                )
            if stored and settlement.disables is not None:
                _log.warning(
                    "webhook endpoint %s may be disabled now (%s): see `storekeeper webhooks list`",
                    *(delivery.endpoint_id, settlement.disables.value),
                )
