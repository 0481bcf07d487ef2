"""What stores of webhooks promise."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

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
    WebhookEndpoint,
    WebhookEvent,
)
from ports.webhooks import (
    WebhookDeliveryQueue,
    WebhookDeliveryRepository,
    WebhookEndpointRepository,
)
from tests.contracts.contract import Contract

MISSING = EndpointId(2_000_000_000)
UNKNOWN = DeliveryId("msg_00000000-0000-4000-8000-000000000000")
DRAFT = EndpointDraft(
    url="https://shop.example/hooks?a=1",
    events=(WebhookEvent.JOB_PAUSED, WebhookEvent.JOB_FAILED),
    description="Kasse Süd",
)
ALL = EndpointDraft(url="https://all.example/")
SECRET = "whsec_" + "A" * 32
TAKEN = Settlement(status=DeliveryStatus.DELIVERED)
REFUSED = AttemptResult(status=500, response="sorry")
AGAIN = Settlement(status=DeliveryStatus.PENDING, delay_s=300, error="answered 500")
LEASE_S = 60.0


def given_up(why: DisabledReason) -> Settlement:
    return Settlement(status=DeliveryStatus.FAILED, error="answered 500", disables=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookStore:
    """An empty store.

    Attributes:
        now: the store's clock.
        let_pass: moves what is stored into the past.
        stop_job: pauses a new job, which is an event; returns the job's id.
    """

    endpoints: WebhookEndpointRepository
    deliveries: WebhookDeliveryRepository
    queue: WebhookDeliveryQueue
    now: Callable[[], datetime]
    let_pass: Callable[[timedelta], Awaitable[None]]
    stop_job: Callable[[], Awaitable[int]]

    async def claimed(self) -> ClaimedDelivery:
        (claimed,) = await self.queue.claim(busy=(), lease_s=LEASE_S)
        return claimed

    async def listening(self) -> WebhookEndpoint:
        return await self.endpoints.add(ALL, SECRET)


class WebhooksContract(Contract):
    """Subclasses give `store`."""

    async def test_an_endpoint_is_kept_with_all_that_it_was_given(
        self, store: WebhookStore
    ) -> None:
        made = await store.endpoints.add(DRAFT, SECRET)
        assert await store.endpoints.get(made.id) == made
        assert (made.url, made.events, made.description) == (
            DRAFT.url,
            DRAFT.events,
            DRAFT.description,
        )
        assert made.enabled
        assert (made.disabled_reason, made.old_secret_until) == (None, None)
        assert made.created_at.tzinfo is not None
        assert SECRET not in repr(made)

    async def test_pages_hold_each_endpoint_once_newest_first(self, store: WebhookStore) -> None:
        ids = [(await store.listening()).id for _ in range(3)]
        assert [each.id for each in await store.endpoints.page(limit=2)] == [ids[2], ids[1]]
        assert [each.id for each in await store.endpoints.page(limit=2, before=ids[1])] == [ids[0]]

    async def test_there_are_no_more_endpoints_than_allowed(self, store: WebhookStore) -> None:
        for _ in range(MAX_ENDPOINTS):
            await store.listening()
        with pytest.raises(Conflict, match="delete one"):
            await store.listening()

    async def test_what_is_changed_changes_and_the_rest_stays(self, store: WebhookStore) -> None:
        made = await store.endpoints.add(DRAFT, SECRET)
        changed = await store.endpoints.change(made.id, EndpointChanges(events=()))
        assert (changed.events, changed.url) == ((), DRAFT.url)
        changed = await store.endpoints.change(
            made.id, EndpointChanges(url="https://b.example/", description="")
        )
        assert (changed.events, changed.url, changed.description) == ((), "https://b.example/", "")

    async def test_an_endpoint_is_switched_off_and_on_and_off_stays_off(
        self, store: WebhookStore
    ) -> None:
        made = await store.listening()
        off = await store.endpoints.change(made.id, EndpointChanges(enabled=False))
        assert (off.enabled, off.disabled_reason) == (False, DisabledReason.REQUESTED)
        still = await store.endpoints.change(made.id, EndpointChanges(enabled=False))
        assert still == off
        on = await store.endpoints.change(made.id, EndpointChanges(enabled=True))
        assert on == made

    async def test_a_deleted_endpoint_is_gone_with_its_deliveries(
        self, store: WebhookStore
    ) -> None:
        made = await store.listening()
        await store.stop_job()
        await store.endpoints.delete(made.id)
        assert await store.endpoints.page(limit=9) == []
        assert await store.deliveries.page(limit=9) == []
        with pytest.raises(NotFound):
            await store.endpoints.get(made.id)

    async def test_what_is_not_there_is_not_found(self, store: WebhookStore) -> None:
        for call in (
            store.endpoints.get(MISSING),
            store.endpoints.delete(MISSING),
            store.endpoints.change(MISSING, EndpointChanges(enabled=True)),
            store.endpoints.rotate(MISSING, SECRET, overlap=timedelta(hours=1)),
            store.deliveries.add_ping(MISSING, "{}"),
            store.deliveries.get(UNKNOWN),
            store.deliveries.replay(UNKNOWN),
        ):
            with pytest.raises(NotFound):
                await call

    async def test_a_stopped_job_makes_a_delivery_for_each_endpoint_that_asks_for_it(
        self, store: WebhookStore
    ) -> None:
        of_all = await store.listening()
        of_paused = await store.endpoints.add(DRAFT, SECRET)
        other = EndpointDraft(url="https://c.example/", events=(WebhookEvent.JOB_COMPLETED,))
        await store.endpoints.add(other, SECRET)
        off = await store.listening()
        await store.endpoints.change(off.id, EndpointChanges(enabled=False))
        job_id = await store.stop_job()
        found = await store.deliveries.page(limit=9)
        assert {each.endpoint_id for each in found} == {of_all.id, of_paused.id}
        assert len({each.id for each in found}) == 2
        for each in found:
            assert (each.event, each.status, each.attempts) == (
                WebhookEvent.JOB_PAUSED,
                DeliveryStatus.PENDING,
                0,
            )
            body = json.loads(each.body)
            assert list(body) == ["type", "timestamp", "data"]
            assert body["type"] == WebhookEvent.JOB_PAUSED
            assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
            assert body["data"] == {
                "id": job_id,
                "status": "paused",
                "reason": "requested",
                "counts": {"total": 1, "valid": 0, "partial": 0, "refused": 0, "failed": 0},
            }
            assert await store.deliveries.get(each.id) == each

    async def test_deliveries_are_listed_by_page_endpoint_and_status(
        self, store: WebhookStore
    ) -> None:
        one = await store.listening()
        first = await store.deliveries.add_ping(one.id, "1")
        await store.queue.settle(await store.claimed(), AttemptResult(status=200), TAKEN)
        other = await store.listening()
        second = await store.deliveries.add_ping(other.id, "2")
        third = await store.deliveries.add_ping(one.id, "3")
        page = store.deliveries.page
        assert [each.id for each in await page(limit=2)] == [third.id, second.id]
        assert [each.id for each in await page(limit=2, before=second.number)] == [first.id]
        assert [each.id for each in await page(limit=9, endpoint_id=one.id)] == [third.id, first.id]
        taken = await page(limit=9, status=DeliveryStatus.DELIVERED)
        assert [each.id for each in taken] == [first.id]
        assert await page(limit=9, endpoint_id=other.id, status=DeliveryStatus.FAILED) == []

    async def test_what_is_due_is_claimed_once_one_of_each_endpoint_the_oldest_first(
        self, store: WebhookStore
    ) -> None:
        one, other = await store.listening(), await store.listening()
        for body in "12":
            await store.deliveries.add_ping(one.id, body)
        await store.deliveries.add_ping(other.id, "3")
        assert await store.queue.claim(busy=(one.id, other.id), lease_s=LEASE_S) == []
        claimed = await store.queue.claim(busy=(), lease_s=LEASE_S)
        assert {(each.endpoint_id, each.body) for each in claimed} == {
            (one.id, "1"),
            (other.id, "3"),
        }
        assert [each.attempts for each in claimed] == [1, 1]
        assert {each.secrets for each in claimed} == {(SECRET,)}
        assert SECRET not in repr(claimed)
        (second,) = await store.queue.claim(busy=(), lease_s=LEASE_S)
        assert second.body == "2"
        assert await store.queue.claim(busy=(), lease_s=LEASE_S) == []

    async def test_what_nobody_settles_is_due_again_after_its_lease_and_then_fenced(
        self, store: WebhookStore
    ) -> None:
        made = await store.listening()
        ping = await store.deliveries.add_ping(made.id, "{}")
        first = await store.claimed()
        await store.let_pass(timedelta(seconds=LEASE_S + 1))
        second = await store.claimed()
        assert (second.id, second.attempts) == (first.id, 2)
        assert not await store.queue.settle(first, AttemptResult(status=200), TAKEN)
        assert (await store.deliveries.get(ping.id)).status is DeliveryStatus.PENDING
        assert await store.queue.settle(second, AttemptResult(status=204), TAKEN)
        done = await store.deliveries.get(ping.id)
        assert (done.status, done.last_status) == (DeliveryStatus.DELIVERED, 204)
        assert done.delivered_at is not None
        assert done.next_attempt_at is None
        assert not await store.queue.settle(second, AttemptResult(status=204), TAKEN)

    async def test_what_failed_is_due_again_after_its_delay_with_what_was_answered(
        self, store: WebhookStore
    ) -> None:
        made = await store.listening()
        ping = await store.deliveries.add_ping(made.id, "{}")
        assert await store.queue.settle(await store.claimed(), REFUSED, AGAIN)
        waits = await store.deliveries.get(ping.id)
        assert (waits.status, waits.last_status) == (DeliveryStatus.PENDING, 500)
        assert (waits.last_error, waits.last_response) == ("answered 500", "sorry")
        await store.let_pass(timedelta(seconds=299))
        assert await store.queue.claim(busy=(), lease_s=LEASE_S) == []
        await store.let_pass(timedelta(seconds=2))
        assert (await store.claimed()).attempts == 2

    async def test_an_endpoint_that_is_gone_is_disabled_and_what_waits_for_it_stays(
        self, store: WebhookStore
    ) -> None:
        made = await store.listening()
        await store.deliveries.add_ping(made.id, "1")
        waiting = await store.deliveries.add_ping(made.id, "2")
        gone = given_up(DisabledReason.GONE)
        await store.queue.settle(await store.claimed(), AttemptResult(status=410), gone)
        endpoint = await store.endpoints.get(made.id)
        assert (endpoint.enabled, endpoint.disabled_reason) == (False, DisabledReason.GONE)
        assert await store.queue.claim(busy=(), lease_s=LEASE_S) == []
        for call in (
            store.deliveries.add_ping(made.id, "{}"),
            store.deliveries.replay(waiting.id),
        ):
            with pytest.raises(Conflict, match="is disabled: enable it first"):
                await call
        await store.endpoints.change(made.id, EndpointChanges(enabled=True))
        assert (await store.claimed()).id == waiting.id

    @pytest.mark.parametrize("taken_meanwhile", [True, False])
    async def test_an_endpoint_that_fails_is_disabled_unless_it_took_something_meanwhile(
        self, store: WebhookStore, taken_meanwhile: bool
    ) -> None:
        made = await store.listening()
        await store.deliveries.add_ping(made.id, "1")
        failing = await store.claimed()
        if taken_meanwhile:
            await store.deliveries.add_ping(made.id, "2")
            await store.queue.settle(await store.claimed(), AttemptResult(status=200), TAKEN)
        await store.queue.settle(failing, REFUSED, given_up(DisabledReason.FAILING))
        assert (await store.deliveries.get(failing.id)).status is DeliveryStatus.FAILED
        assert (await store.endpoints.get(made.id)).enabled is taken_meanwhile

    async def test_a_delivery_is_replayed_under_its_id_however_it_stands(
        self, store: WebhookStore
    ) -> None:
        made = await store.listening()
        ping = await store.deliveries.add_ping(made.id, "{}")
        taken = await store.claimed()
        under_way = await store.deliveries.replay(ping.id)
        assert (under_way.id, under_way.attempts) == (ping.id, 0)
        assert not await store.queue.settle(taken, AttemptResult(status=200), TAKEN)
        again = await store.claimed()
        assert (again.id, again.body, again.attempts) == (ping.id, ping.body, 1)
        assert await store.queue.settle(again, AttemptResult(status=200), TAKEN)
        replayed = await store.deliveries.replay(ping.id)
        assert (replayed.status, replayed.delivered_at) == (DeliveryStatus.PENDING, None)
        assert (await store.claimed()).id == ping.id

    async def test_the_secret_before_a_rotation_signs_too_until_the_overlap_ends(
        self, store: WebhookStore
    ) -> None:
        made = await store.listening()
        newer, newest = "whsec_" + "B" * 32, "whsec_" + "C" * 32
        await store.endpoints.rotate(made.id, newer, overlap=timedelta(hours=24))
        rotated = await store.endpoints.rotate(made.id, newest, overlap=timedelta(hours=24))
        assert rotated.old_secret_until is not None
        assert rotated.old_secret_until > store.now() + timedelta(hours=23)
        for body in "12":
            await store.deliveries.add_ping(made.id, body)
        assert (await store.claimed()).secrets == (newest, newer)
        await store.let_pass(timedelta(hours=25))
        assert (await store.claimed()).secrets == (newest,)

    async def test_figures_count_deliveries_by_status_and_endpoints_that_failed(
        self, store: WebhookStore
    ) -> None:
        made = await store.listening()
        off = await store.listening()
        await store.endpoints.change(off.id, EndpointChanges(enabled=False))
        for body in "123":
            await store.deliveries.add_ping(made.id, body)
        await store.queue.settle(await store.claimed(), AttemptResult(status=200), TAKEN)
        gone = given_up(DisabledReason.GONE)
        await store.queue.settle(await store.claimed(), AttemptResult(status=410), gone)
        figures = await store.deliveries.figures()
        assert dict(figures.deliveries) == dict.fromkeys(DeliveryStatus, 1)
        assert figures.disabled == 1

    async def test_what_is_older_than_it_is_kept_is_deleted(self, store: WebhookStore) -> None:
        made = await store.listening()
        await store.deliveries.add_ping(made.id, "old")
        await store.let_pass(timedelta(days=31))
        young = await store.deliveries.add_ping(made.id, "young")
        assert await store.deliveries.prune(30) == 1
        assert [each.id for each in await store.deliveries.page(limit=9)] == [young.id]
        assert await store.deliveries.prune(30) == 0
