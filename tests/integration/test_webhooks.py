"""Webhooks over PostgreSQL, real workers and a receiver over TLS."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from adapters.postgres.pool import Database, PoolOptions, open_database
from adapters.postgres.webhooks import (
    PostgresWebhookDeliveryQueue,
    PostgresWebhookDeliveryRepository,
    PostgresWebhookEndpointRepository,
)
from domain.access.model import Scope
from domain.extraction.jobs.model import JobCommand
from domain.webhooks.model import DeliveryStatus, EndpointDraft
from fake_provider.testing import FakeInThread, running_fake
from storekeeper_client import verify_webhook
from tests.contracts.extraction_jobs import ASSIGNMENT
from tests.contracts.webhooks import ALL, SECRET, WebhooksContract, WebhookStore
from tests.integration.answers import refusal, sound_api
from tests.integration.api import settings_for
from tests.integration.extraction_jobs import jobs_in
from tests.integration.keys import make_key
from tests.integration.owners_database import execute
from tests.integration.service_role import service_url
from tests.integration.webhook_receiver import Receiver, answer, receiving

ROOT = Path(__file__).parents[2]
TEXTS = ["Ann Lee here, please send 2 oak chairs.", "Bo Ray here, please send 3 oak chairs."]
_AGE = (
    """
    UPDATE webhook_deliveries SET created_at = created_at - $1::interval,
        next_attempt_at = next_attempt_at - $1::interval,
        delivered_at = delivered_at - $1::interval
    """,
    "UPDATE webhook_endpoints SET old_secret_until = old_secret_until - $1::interval",
)


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Database]:
    await execute(
        module_database_url,
        "TRUNCATE webhook_endpoints, webhook_deliveries, extraction_jobs CASCADE",
    )
    async with open_database(service_url(module_database_url), PoolOptions()) as database:
        yield database


@pytest.fixture
def store(database: Database) -> WebhookStore:
    jobs = jobs_in(database)

    async def let_pass(time: timedelta) -> None:
        for statement in _AGE:
            await database.execute(statement, time)

    async def stop_job() -> int:
        job = await jobs.job(["a text"], ASSIGNMENT)
        await jobs.jobs.apply(job.id, JobCommand.PAUSE)
        return job.id

    return WebhookStore(
        endpoints=PostgresWebhookEndpointRepository(database),
        deliveries=PostgresWebhookDeliveryRepository(database),
        queue=PostgresWebhookDeliveryQueue(database),
        now=lambda: datetime.now(UTC),
        let_pass=let_pass,
        stop_job=stop_job,
    )


class TestPostgresWebhooks(WebhooksContract):
    @pytest.fixture
    def store(self, store: WebhookStore) -> WebhookStore:
        return store


async def test_each_stop_of_a_job_is_one_event_and_going_on_is_none(
    store: WebhookStore, database: Database
) -> None:
    await store.listening()
    jobs = jobs_in(database).jobs
    job_id = (await jobs_in(database).job(["a text"], ASSIGNMENT)).id
    for command in (
        *(JobCommand.PAUSE, JobCommand.PAUSE, JobCommand.RESUME, JobCommand.PAUSE),
        JobCommand.CANCEL,
    ):
        await jobs.apply(job_id, command)
    found = await store.deliveries.page(limit=9)
    assert [each.event.partition(".")[2] for each in reversed(found)] == [
        *("paused", "paused", "cancelled")
    ]


async def test_an_endpoint_that_is_deleted_at_that_moment_does_not_undo_the_change_of_a_job(
    store: WebhookStore, database: Database, module_database_url: str
) -> None:
    made = await store.listening()
    connection = await asyncpg.connect(module_database_url)
    try:
        deleting = connection.transaction()
        await deleting.start()
        await connection.execute("DELETE FROM webhook_endpoints WHERE id = $1", made.id)
        stopping = asyncio.ensure_future(store.stop_job())
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        async with asyncio.timeout(60):
            while not await connection.fetchval(waits):
                await asyncio.sleep(0.05)
        await deleting.commit()
        await stopping
    finally:
        await connection.close()
    assert await store.deliveries.page(limit=9) == []


async def test_several_workers_claim_each_delivery_once(store: WebhookStore) -> None:
    made = await store.listening()
    pings = {(await store.deliveries.add_ping(made.id, "{}")).id for _ in range(30)}
    claimed: list[str] = []

    async def work() -> None:
        while found := await store.queue.claim(busy=(), lease_s=60):
            claimed.extend(each.id for each in found)

    await asyncio.gather(*(work() for _ in range(4)))
    rest = [each.id for each in await store.queue.claim(busy=(), lease_s=60)]
    assert not rest
    assert sorted(claimed) == sorted(pings)


# Over HTTP.


@pytest.fixture
async def api(
    module_database_url: str, redis_url: str, database: Database, tmp_path: Path
) -> AsyncIterator[httpx2.AsyncClient]:
    secret = await make_key(module_database_url, Scope.ADMIN)
    settings = settings_for(module_database_url, redis_url)
    async with sound_api(settings, tmp_path) as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        yield client


async def test_an_endpoint_is_made_shown_changed_and_deleted(api: httpx2.AsyncClient) -> None:
    body = {"url": ALL.url, "events": ["extraction_job.failed"], "description": "till"}
    made = await api.post("/webhook-endpoints", json=body)
    assert made.status_code == 201
    path = made.headers["location"]
    secret = made.json()["secret"]
    assert secret.startswith("whsec_")
    shown = (await api.get(path)).json()
    assert shown == {name: value for name, value in made.json().items() if name != "secret"}
    assert (shown["url"], shown["events"], shown["enabled"]) == (ALL.url, body["events"], True)
    assert (await api.get("/webhook-endpoints")).json() == {"items": [shown], "next": None}
    off = (await api.patch(path, json={"enabled": False, "events": []})).json()
    assert (off["enabled"], off["disabled_reason"], off["events"]) == (False, "requested", [])
    rotated = (await api.post(f"{path}/rotate-secret")).json()
    assert rotated["secret"] != secret
    assert rotated["old_secret_until"] > rotated["created_at"]
    refusal(await api.post(f"{path}/test"), 409, "conflict")
    assert (await api.delete(path)).status_code == 204
    refusal(await api.get(path), 404, "not_found")


async def test_bad_endpoints_are_refused_with_every_place(api: httpx2.AsyncClient) -> None:
    for body, pointers in (
        ({}, ["/url"]),
        ({"url": "https://10.0.0.1/", "description": "a" * 201}, ["/url", "/description"]),
        ({"url": "http://shop.example/"}, ["/url"]),
        ({"url": "https://localhost:8443/"}, ["/url"]),
        ({"url": ALL.url, "events": ["order.created"]}, ["/events/0"]),
        ({"url": ALL.url, "secret": "whsec_"}, ["/secret"]),
        ({"url": "https://shop.example/" + "a" * 10_240}, ["/url"]),
        ({"url": 7}, ["/url"]),
    ):
        answered = await api.post("/webhook-endpoints", json=body)
        refusal(answered, 422, "validation_failed", *pointers)
    key = {"Idempotency-Key": "once-and-no-more"}
    answered = await api.post("/webhook-endpoints", json={"url": ALL.url}, headers=key)
    refusal(answered, 422, "validation_failed", "Idempotency-Key")
    assert (await api.get("/webhook-endpoints")).json()["items"] == []


async def test_deliveries_are_listed_by_pages_fetched_and_replayed(
    api: httpx2.AsyncClient,
) -> None:
    made = (await api.post("/webhook-endpoints", json={"url": ALL.url})).json()
    pings = [await api.post(f"/webhook-endpoints/{made['id']}/test") for _ in range(3)]
    ids = [each.json()["id"] for each in pings]
    assert [each.status_code for each in pings] == [202] * 3
    assert (await api.get(pings[0].headers["location"])).json() == pings[0].json()
    page = (await api.get("/webhook-deliveries?limit=2&status=pending")).json()
    assert [each["id"] for each in page["items"]] == [ids[2], ids[1]]
    rest = (await api.get(page["next"])).json()
    assert ([each["id"] for each in rest["items"]], rest["next"]) == ([ids[0]], None)
    other = (await api.get(f"/webhook-deliveries?endpoint={made['id'] + 1}")).json()
    assert other["items"] == []
    replayed = await api.post(f"/webhook-deliveries/{ids[0]}/replay")
    assert (replayed.status_code, replayed.json()["attempts"]) == (202, 0)
    for wrong in ("msg_1", "7", "%00", "msg_00000000-0000-4000-8000-000000000000", ids[0].upper()):
        refusal(await api.get(f"/webhook-deliveries/{wrong}"), 404, "not_found")
        refusal(await api.post(f"/webhook-deliveries/{wrong}/replay"), 404, "not_found")
    for query in ("status=gone", "endpoint=0", "endpoint=a", "event=ping"):
        refused = await api.get(f"/webhook-deliveries?{query}")
        refusal(refused, 422, "validation_failed", query.partition("=")[0])


async def test_only_an_admin_sees_or_changes_webhooks(
    api: httpx2.AsyncClient, module_database_url: str
) -> None:
    every = [scope for scope in Scope if scope is not Scope.ADMIN]
    headers = {"Authorization": f"Bearer {await make_key(module_database_url, *every)}"}
    for method, path in (
        *(("GET", "/webhook-endpoints"), ("POST", "/webhook-endpoints")),
        *(("GET", "/webhook-endpoints/1"), ("PATCH", "/webhook-endpoints/1")),
        *(("DELETE", "/webhook-endpoints/1"), ("POST", "/webhook-endpoints/1/test")),
        *(("POST", "/webhook-endpoints/1/rotate-secret"), ("GET", "/webhook-deliveries")),
        *(("GET", "/webhook-deliveries/msg_1"), ("POST", "/webhook-deliveries/msg_1/replay")),
    ):
        refusal(await api.request(method, path, headers=headers), 403, "scope_missing")


async def test_webhooks_are_watched_by_prometheus(
    api: httpx2.AsyncClient, store: WebhookStore
) -> None:
    await store.deliveries.add_ping((await store.listening()).id, "{}")
    text = (await api.get("/metrics")).text
    assert 'storekeeper_webhook_deliveries{status="pending"} 1\n' in text


# With real workers.


@pytest.fixture
def fake() -> Iterator[FakeInThread]:
    with running_fake() as provider:
        yield provider


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[Receiver]:
    async with receiving(tmp_path, "localhost") as receiver:
        yield receiver


@asynccontextmanager
async def worker(
    database_url: str, redis_url: str, receiver: Receiver, fake: FakeInThread, log: Path
) -> AsyncIterator[Process]:
    """`storekeeper worker` as its own process; killed at the end if it still runs."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "entrypoints.cli.main", "worker"),
            env={
                **os.environ,
                "DATABASE_URL": service_url(database_url),
                "REDIS_URL": redis_url,
                "LLM_PROVIDER": "openai",
                "OPENAI_API_KEY": "a-key",
                "OPENAI_BASE_URL": fake.openai_base_url,
                "SSL_CERT_FILE": str(receiver.ca),
                "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8,::1",
                "LOG_LEVEL": "info",
            },
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until_status(store: WebhookStore, wanted: DeliveryStatus) -> Any:
    async with asyncio.timeout(180):
        while True:
            (found,) = await store.deliveries.page(limit=9)
            if found.status is wanted:
                return found
            await asyncio.sleep(0.1)


async def test_a_job_that_completes_is_told_signed_over_tls(
    module_database_url: str,
    redis_url: str,
    store: WebhookStore,
    database: Database,
    receiver: Receiver,
    fake: FakeInThread,
    tmp_path: Path,
) -> None:
    url = f"https://localhost:{receiver.port}/hooks?token=planted-token"
    await store.endpoints.add(EndpointDraft(url=url), SECRET)
    log = tmp_path / "worker.log"
    async with worker(module_database_url, redis_url, receiver, fake, log):
        job = await jobs_in(database).job(TEXTS, ASSIGNMENT)
        (received,) = await receiver.until(1)
        done = await until_status(store, DeliveryStatus.DELIVERED)
    message = verify_webhook(received.body, received.headers, SECRET)
    assert message == received.message
    assert message["type"] == "extraction_job.completed"
    counts = message["data"]["counts"]
    assert (message["data"]["id"], counts["total"]) == (job.id, 2)
    assert counts["valid"] + counts["partial"] + counts["refused"] + counts["failed"] == 2
    assert (done.id, done.attempts, done.last_status) == (received.headers["webhook-id"], 1, 204)
    assert "Ann" not in received.body.decode()
    assert "planted-token" not in log.read_text()
    page = (ROOT / "docs/how-to/webhooks.md").read_text("utf-8")
    _, _, shown = page.partition("```http\n")
    head, _, body = shown.partition("\n```")[0].partition("\n\n")
    assert set(members(json.loads(body))) == set(members(message))
    headers = {line.partition(":")[0] for line in head.splitlines()[1:]}
    assert headers <= received.headers.keys()


def members(value: Any, place: str = "") -> Iterator[str]:
    """The places of all members of a JSON value."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield f"{place}/{name}"
            yield from members(each, f"{place}/{name}")


async def test_a_worker_that_is_killed_in_the_middle_loses_nothing(
    module_database_url: str,
    redis_url: str,
    store: WebhookStore,
    receiver: Receiver,
    fake: FakeInThread,
    tmp_path: Path,
) -> None:
    url = f"https://localhost:{receiver.port}/"
    await store.endpoints.add(EndpointDraft(url=url), SECRET)
    receiver.answers = lambda _: None if len(receiver.received) == 1 else answer(200)
    log = tmp_path / "worker.log"
    async with worker(module_database_url, redis_url, receiver, fake, log) as first:
        job_id = await store.stop_job()
        await receiver.until(1)
        first.send_signal(signal.SIGKILL)
        await first.wait()
    (left,) = await store.deliveries.page(limit=9)
    assert (left.status, left.attempts) == (DeliveryStatus.PENDING, 1)
    await store.let_pass(timedelta(seconds=61))  # the lease of the dead one
    async with worker(module_database_url, redis_url, receiver, fake, log):
        one, other = await receiver.until(2)
        done = await until_status(store, DeliveryStatus.DELIVERED)
    assert one.headers["webhook-id"] == other.headers["webhook-id"] == done.id
    assert one.body == other.body
    assert verify_webhook(other.body, other.headers, SECRET)["data"]["id"] == job_id
    assert done.attempts == 2


async def test_a_receiver_that_is_gone_is_sent_nothing_more(
    module_database_url: str,
    redis_url: str,
    store: WebhookStore,
    receiver: Receiver,
    fake: FakeInThread,
    tmp_path: Path,
) -> None:
    url = f"https://localhost:{receiver.port}/"
    made = await store.endpoints.add(EndpointDraft(url=url), SECRET)
    receiver.answers = lambda _: answer(410, b"gone away")
    await store.stop_job()
    async with worker(
        module_database_url, redis_url, receiver, fake, tmp_path / "worker.log"
    ) as process:
        failed = await until_status(store, DeliveryStatus.FAILED)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert (failed.last_status, failed.last_response) == (410, "gone away")
    assert not (await store.endpoints.get(made.id)).enabled
    await store.stop_job()
    assert len(await store.deliveries.page(limit=9)) == 1
