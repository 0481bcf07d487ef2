"""Webhooks: where they may go, how they are signed, when they are sent again."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Conflict, DatabaseUnavailable, InvalidInput, NotFound
from domain.webhooks.addresses import address_problem, read_webhook_url, url_problem
from domain.webhooks.model import (
    AttemptResult,
    DeliveryStatus,
    DisabledReason,
    EndpointChanges,
    EndpointDraft,
    EndpointId,
    WebhookDelivery,
    WebhookEvent,
    read_delivery_id,
)
from domain.webhooks.sending import RETRY_DELAYS_S, ping_body, settlement_of, signed_headers
from domain.webhooks.service import WebhookService
from domain.webhooks.worker import WebhookWorker, WebhookWorkerOptions
from entrypoints.http.metrics import exposition, webhook_metrics
from storekeeper_client import verify_webhook
from tests.contracts.webhooks import ALL, SECRET, UNKNOWN, WebhooksContract, WebhookStore
from tests.fakes.system import StandingClock
from tests.fakes.webhooks import (
    MemoryWebhookDeliveryQueue,
    MemoryWebhookDeliveryRepository,
    MemoryWebhookEndpointRepository,
    ScriptedWebhookSender,
    WebhookTables,
)

OWN = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))


class TestMemoryWebhooks(WebhooksContract):
    @pytest.fixture
    def store(self) -> WebhookStore:
        clock = StandingClock()
        tables = WebhookTables(clock)

        async def let_pass(time: timedelta) -> None:
            clock.advance(time)

        async def stop_job() -> int:
            tables.stop_job(7)
            return 7

        return WebhookStore(
            endpoints=MemoryWebhookEndpointRepository(tables),
            deliveries=MemoryWebhookDeliveryRepository(tables),
            queue=MemoryWebhookDeliveryQueue(tables),
            now=clock.now,
            let_pass=let_pass,
            stop_job=stop_job,
        )


# Where they may go.


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "authority"),
    [
        ("https://shop.example", "shop.example", 443, "/", "shop.example"),
        ("HTTPS://Shop.Example:443/A?b=%20", "shop.example", 443, "/A?b=%20", "shop.example"),
        ("https://shop.example:8443?q", "shop.example", 8443, "/?q", "shop.example:8443"),
        ("https://shop.example:80/", "shop.example", 80, "/", "shop.example:80"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/", None),
        ("https://8.8.8.8/", "8.8.8.8", 443, "/", "8.8.8.8"),
        ("https://[2606:4700:0::1111]:1024/", "2606:4700::1111", 1024, "/", None),
        ("https://shop.example/a@b", "shop.example", 443, "/a@b", "shop.example"),
    ],
)
def test_a_url_is_read_into_its_parts(
    url: str, host: str, port: int, target: str, authority: str | None
) -> None:
    parts = read_webhook_url(url)
    assert (parts.scheme, parts.host, parts.port, parts.target) == ("https", host, port, target)
    assert authority is None or parts.authority == authority
    assert url_problem(url, ()) is None


def test_an_ipv6_address_stands_in_brackets_in_the_header() -> None:
    assert read_webhook_url("https://[2606:4700::1111]/").authority == "[2606:4700::1111]"
    assert read_webhook_url("http://[fd00::1]:8080/").authority == "[fd00::1]:8080"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "must be a URL such as"),
        ("https://", "must be a URL such as"),
        ("https:///path", "must be a URL such as"),
        ("ftp://shop.example/", "must be a URL such as"),
        ("//shop.example/", "must be a URL such as"),
        ("https://shop.example/a b", "printable ASCII"),
        ("https://shop.example/\n", "printable ASCII"),
        ("https://shop.example\n", "printable ASCII"),
        ("https://shop.example/é", "printable ASCII"),
        ("https://shop.example\\@10.0.0.1/", "user or password"),
        ("https://shop.example/\\10.0.0.1", "printable ASCII"),
        ("https://ann:pw@shop.example/", "user or password"),
        ("https://shop.example@10.0.0.1/", "user or password"),
        ("https://shop.example#@10.0.0.1/", "fragment"),
        ("https://bücher.example/", "xn--"),
        ("https://shop。example/", "xn--"),
        ("https://①②⑦.0.0.1/", "xn--"),
        ("https://١٢٧.0.0.1/", "xn--"),
        ("https://shop.example./", "no dot at its end"),
        ("https://localhost./", "no dot at its end"),
        ("https://a..b/", "no dot at its end"),
        ("https://-a.example/", "letters, digits"),
        ("https://" + "a" * 64 + ".example/", "letters, digits"),
        ("https://" + "a." * 127 + "example/", "letters, digits"),
        ("https://a_b.example/", "must be a URL such as"),
        ("https://2130706433/", "four numbers"),
        ("https://0x7f.1/", "four numbers"),
        ("https://0x7f000001/", "four numbers"),
        ("https://127.1/", "four numbers"),
        ("https://0177.0.0.1/", "four numbers"),
        ("https://1.2.3.4.5/", "four numbers"),
        ("https://shop.0x/", "four numbers"),
        ("https://[::1/", "must be a URL such as"),
        ("https://[fe80::1%25eth0]/", "must be a URL such as"),
        ("https://[1:2]/", "between the brackets"),
        ("https://[10.0.0.1]/", "between the brackets"),
        ("https://shop.example:0/", "must have the port"),
        ("https://shop.example:22/", "must have the port"),
        ("https://shop.example:65536/", "must have the port"),
        ("https://shop.example:/", "must be a URL such as"),
        ("https://shop.example/" + "a" * 10_240, "at most 2048 characters, has 10261"),
        ("http://shop.example/", "must be an https:// URL"),
        ("https://localhost/", "not public"),
        ("https://LOCALHOST:8443/", "not public"),
        ("https://a.localhost/", "not public"),
        ("https://10.0.0.1/", "not public"),
    ],
)
def test_a_url_that_could_mislead_is_refused_with_the_remedy(url: str, why: str) -> None:
    problem = url_problem(url, ())
    assert problem is not None
    assert why in problem
    assert "10.0.0.1" not in problem


NOT_PUBLIC = [
    "0.0.0.0",  # noqa: S104 (an address to refuse)
    *("0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254"),
    *("169.254.169.254", "172.16.0.1", "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    *("255.255.255.255", "100.100.100.200", "168.63.129.16"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1"),
    *("2002:7f00:1::", "2002:a00:1::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1"),
    *("ff02::1", "ff0e::1"),
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_refused_in_every_spelling(address: str) -> None:
    parsed = ip_address(address)
    assert address_problem(parsed, "https", ()) is not None
    if parsed.version == 4:
        assert address_problem(ip_address(f"::ffff:{address}"), "https", ()) is not None
        number = f"{int(parsed) >> 16:x}:{int(parsed) & 0xFFFF:x}"
        assert address_problem(ip_address(f"64:ff9b::{number}"), "https", ()) is not None
        assert address_problem(ip_address(f"2002:{number}::1"), "https", ()) is not None


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700::1111"]
)
def test_a_public_address_is_allowed_by_https_alone(address: str) -> None:
    assert address_problem(ip_address(address), "https", ()) is None
    assert address_problem(ip_address(address), "https", OWN) is None
    assert "must be an https:// URL" in str(address_problem(ip_address(address), "http", OWN))


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd00::1"])
def test_a_network_of_ones_own_is_let_in_by_http_too(address: str) -> None:
    for scheme in ("https", "http"):
        assert address_problem(ip_address(address), scheme, OWN) is None
    assert address_problem(ip_address("10.2.0.1"), "https", OWN) is not None


def test_http_may_be_written_once_there_is_a_network_that_it_may_lead_to() -> None:
    assert url_problem("http://receiver:8080/", OWN) is None
    assert url_problem("http://10.1.0.9/", OWN) is None
    assert url_problem("http://10.2.0.9/", OWN) is not None
    assert url_problem("http://localhost/", OWN) is not None
    assert url_problem("http://localhost/", (ip_network("127.0.0.0/8"),)) is None


@given(st.text(max_size=80).map(lambda rest: f"https://{rest}"))
def test_whatever_is_let_through_has_one_reading(url: str) -> None:
    if url_problem(url, ()) is None:
        parts = read_webhook_url(url)
        again = read_webhook_url(f"https://{parts.authority}{parts.target}")
        assert again == parts
        assert re.fullmatch(r"[a-z0-9.:-]+", parts.host)


# How they are signed.


def test_the_published_example_is_signed_as_published() -> None:
    # Of the reference implementations of Standard Webhooks.
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        datetime.fromtimestamp(1614265330, UTC),
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_each_secret_signs_and_the_timestamp_is_in_whole_seconds() -> None:
    at = datetime(2026, 11, 22, 9, 30, 0, 999_999, tzinfo=UTC)
    headers = signed_headers("m", b"{}", [SECRET, "whsec_" + "B" * 32], at)
    assert headers["webhook-timestamp"] == str(int(at.timestamp()))
    signatures = headers["webhook-signature"].split(" ")
    assert len(set(signatures)) == 2
    for each in signatures:
        assert len(b64decode(each.removeprefix("v1,"), validate=True)) == 32


# When they are sent again.


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_answer_of_success_is_a_delivery(status: int) -> None:
    done = settlement_of(AttemptResult(status=status), 1, 0.5)
    assert (done.status, done.error) == (DeliveryStatus.DELIVERED, None)


def test_attempts_follow_the_schedule_of_standard_webhooks() -> None:
    hours = [5 / 3600, 5 / 60, 0.5, 2, 5, 10, 14, 20, 24]
    failed = AttemptResult(status=500)
    delays = [settlement_of(failed, attempts, 0.5).delay_s for attempts in range(1, 10)]
    assert delays == pytest.approx([each * 3600 for each in hours])
    last = settlement_of(failed, 10, 0.5)
    assert (last.status, last.delay_s) == (DeliveryStatus.FAILED, None)
    assert last.disables is DisabledReason.FAILING


def test_attempts_that_failed_together_are_spread_by_a_tenth_either_way() -> None:
    failed = AttemptResult(error="cannot be connected to")
    delays = [settlement_of(failed, 4, chance).delay_s for chance in (0, 1)]
    assert delays == pytest.approx([0.9 * 7200, 1.1 * 7200])


@pytest.mark.parametrize(
    ("asked_s", "attempts", "wait_s"), [(60, 1, 60), (60, 2, 300), (10**9, 1, 86_400), (0, 1, 5)]
)
def test_a_receiver_may_ask_for_a_longer_wait_up_to_a_day(
    asked_s: float, attempts: int, wait_s: float
) -> None:
    result = AttemptResult(status=429, retry_after_s=asked_s)
    assert settlement_of(result, attempts, 0.5).delay_s == pytest.approx(wait_s)


def test_an_endpoint_that_says_it_is_gone_is_believed_at_once() -> None:
    gone = settlement_of(AttemptResult(status=410), 1, 0.5)
    assert (gone.status, gone.disables) == (DeliveryStatus.FAILED, DisabledReason.GONE)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_that_says_why(status: int) -> None:
    found = settlement_of(AttemptResult(status=status), 1, 0.5)
    assert found.status is DeliveryStatus.PENDING
    assert found.error == f"answered {status}; redirects are not followed: name where it leads"


# What can be done with endpoints.


@dataclass(slots=True)
class World:
    """A service and a worker over a store in memory."""

    clock: StandingClock = field(default_factory=StandingClock)
    tables: WebhookTables = field(init=False)
    queue: MemoryWebhookDeliveryQueue = field(init=False)
    sender: ScriptedWebhookSender = field(default_factory=ScriptedWebhookSender)

    def __post_init__(self) -> None:
        self.tables = WebhookTables(self.clock)
        self.queue = MemoryWebhookDeliveryQueue(self.tables)

    @property
    def service(self) -> WebhookService:
        return WebhookService(
            endpoints=MemoryWebhookEndpointRepository(self.tables),
            deliveries=MemoryWebhookDeliveryRepository(self.tables),
            clock=self.clock,
            random_bytes=lambda size: bytes(range(size)),
            allowed_networks=OWN,
        )

    async def listening(self, url: str = ALL.url) -> EndpointId:
        return (await self.service.create(EndpointDraft(url=url))).endpoint.id

    @asynccontextmanager
    async def working(self) -> AsyncIterator[asyncio.Event]:
        stop = asyncio.Event()
        worker = WebhookWorker(
            queue=self.queue,
            sender=self.sender,
            clock=self.clock,
            chance=lambda: 0.5,
            options=WebhookWorkerOptions(poll_s=0.01, grace_s=0.05),
        )
        running = asyncio.create_task(worker.run(stop))
        try:
            async with asyncio.timeout(60):
                yield stop
        finally:
            stop.set()
            await running

    async def until(self, fits: Callable[[Sequence[WebhookDelivery]], bool]) -> None:
        while not fits(list(self.tables.deliveries.values())):
            await asyncio.sleep(0.001)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_secret_is_of_32_random_bytes_and_told_once(world: World) -> None:
    issued = await world.service.create(ALL)
    assert issued.secret.startswith("whsec_")
    assert b64decode(issued.secret.removeprefix("whsec_")) == bytes(range(32))
    assert world.tables.secrets[issued.endpoint.id] == (issued.secret,)


async def test_every_bad_member_is_named_at_once(world: World) -> None:
    bad = EndpointDraft(url="https://10.0.0.1/", description="a" * 201)
    with pytest.raises(InvalidInput) as refused:
        await world.service.create(bad)
    assert [each.pointer for each in refused.value.violations] == ["/url", "/description"]
    made = await world.listening()
    changes = EndpointChanges(url="https://10.0.0.1/", description="NUL \x00")
    with pytest.raises(InvalidInput) as refused:
        await world.service.change(made, changes)
    assert [each.pointer for each in refused.value.violations] == ["/url", "/description"]


async def test_an_event_named_twice_is_kept_once(world: World) -> None:
    paused = WebhookEvent.JOB_PAUSED
    issued = await world.service.create(EndpointDraft(url=ALL.url, events=(paused, paused)))
    assert issued.endpoint.events == (paused,)
    changes = EndpointChanges(events=(paused, paused, WebhookEvent.JOB_FAILED))
    changed = await world.service.change(issued.endpoint.id, changes)
    assert changed.events == (paused, WebhookEvent.JOB_FAILED)


async def test_no_change_is_none(world: World) -> None:
    made = await world.service.create(ALL)
    assert await world.service.change(made.endpoint.id, EndpointChanges()) == made.endpoint


async def test_a_rotated_secret_leaves_the_one_before_for_a_day(world: World) -> None:
    made = await world.listening()
    rotated = await world.service.rotate_secret(made)
    assert rotated.endpoint.old_secret_until == world.clock.now() + timedelta(hours=24)
    assert world.tables.secrets[made][0] == rotated.secret


async def test_a_test_sends_a_ping_and_none_to_what_is_disabled(world: World) -> None:
    made = await world.listening()
    ping = await world.service.test(made)
    assert ping.event == "ping"
    assert ping.body == ping_body(made, world.clock.now())
    assert json.loads(ping.body) == {
        "type": "ping",
        "timestamp": "2026-11-22T09:30:00.000000Z",
        "data": {"endpoint_id": made},
    }
    await world.service.change(made, EndpointChanges(enabled=False))
    with pytest.raises(Conflict):
        await world.service.test(made)


@pytest.mark.parametrize(
    "text",
    ["", "7", "msg_1", "msg_" + "0" * 36, "MSG_" + UNKNOWN[4:], UNKNOWN + "\n", "msg_\udcff"],
)
def test_what_has_not_the_form_of_an_id_of_a_delivery_is_not_found(text: str) -> None:
    assert read_delivery_id(UNKNOWN) == UNKNOWN
    with pytest.raises(NotFound):
        read_delivery_id(text)


# The worker.


def all_done(deliveries: Sequence[WebhookDelivery]) -> bool:
    return all(each.status is DeliveryStatus.DELIVERED for each in deliveries)


async def test_what_is_due_is_sent_signed_and_settled(world: World) -> None:
    made = await world.listening()
    pings = [await world.service.test(made) for _ in range(3)]
    async with world.working():
        await world.until(all_done)
    assert [headers["webhook-id"] for _, headers, _ in world.sender.sent] == [
        each.id for each in pings
    ]
    secret = world.tables.secrets[made][0]
    for _, headers, body in world.sender.sent:
        message = verify_webhook(body, headers, secret, now=world.clock.now().timestamp())
        assert message["data"] == {"endpoint_id": made}


async def test_an_endpoint_that_hangs_holds_up_no_other_one(world: World) -> None:
    slow, quick = await world.listening("https://slow.example/"), await world.listening()
    world.sender.held["https://slow.example/"] = release = asyncio.Event()
    for _ in range(3):
        await world.service.test(slow)
        await world.service.test(quick)

    def quick_ones(deliveries: Sequence[WebhookDelivery]) -> bool:
        return all_done([each for each in deliveries if each.endpoint_id == quick])

    async with world.working():
        await world.until(quick_ones)
        assert sum(url == "https://slow.example/" for url, *_ in world.sender.sent) == 1
        release.set()
        await world.until(all_done)


async def test_a_failure_is_stored_and_sent_again_when_its_time_has_come(world: World) -> None:
    made = await world.listening()
    ping = await world.service.test(made)
    world.sender.answers[ALL.url] = lambda: AttemptResult(status=503, response="busy")
    async with world.working():
        await world.until(lambda found: found[0].last_status == 503)
        failed = world.tables.deliveries[ping.id]
        assert (failed.last_error, failed.last_response) == ("answered 503", "busy")
        assert failed.next_attempt_at == world.clock.now() + timedelta(seconds=RETRY_DELAYS_S[0])
        del world.sender.answers[ALL.url]
        world.clock.advance(timedelta(seconds=6))
        await world.until(all_done)
    assert world.tables.deliveries[ping.id].attempts == 2


async def test_an_endpoint_that_is_gone_is_disabled_with_a_warning(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    made = await world.listening()
    await world.service.test(made)
    world.sender.answers[ALL.url] = lambda: AttemptResult(status=410)
    async with world.working():
        await world.until(lambda found: found[0].status is DeliveryStatus.FAILED)
        while "storekeeper webhooks list" not in caplog.text:
            await asyncio.sleep(0.001)
    assert world.tables.endpoints[made].disabled_reason is DisabledReason.GONE
    assert ALL.url not in caplog.text


async def test_an_outage_of_the_store_is_waited_out(world: World) -> None:
    made = await world.listening()
    await world.service.test(made)
    down = DatabaseUnavailable("The database cannot be reached.", retry_after_s=1)
    world.queue.failures = [down, down]
    async with world.working():
        await world.until(all_done)
    assert world.queue.failures == []


async def test_what_could_not_be_settled_is_sent_again_after_its_lease(world: World) -> None:
    made = await world.listening()
    await world.service.test(made)

    def send_and_lose_the_store() -> AttemptResult:
        if len(world.sender.sent) == 1:
            down = DatabaseUnavailable("The database cannot be reached.", retry_after_s=1)
            world.queue.failures.append(down)
        return AttemptResult(status=200)

    world.sender.answers[ALL.url] = send_and_lose_the_store
    async with world.working():
        await world.until(lambda _: len(world.sender.sent) == 1 and not world.queue.failures)
        world.clock.advance(timedelta(seconds=61))
        await world.until(all_done)
    assert len({headers["webhook-id"] for _, headers, _ in world.sender.sent}) == 1


async def test_a_defect_at_one_delivery_stops_nothing_else(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = await world.listening("https://broken.example/"), await world.listening()

    def fail() -> AttemptResult:
        raise ZeroDivisionError

    world.sender.answers["https://broken.example/"] = fail
    await world.service.test(broken)
    ping = await world.service.test(sound)
    async with world.working():
        await world.until(lambda _: all_done([world.tables.deliveries[ping.id]]))
        await world.until(lambda _: "ZeroDivisionError" in caplog.text)


async def test_what_is_under_way_at_the_stop_has_a_moment_to_end_and_is_else_due_again(
    world: World,
) -> None:
    made = await world.listening()
    ping = await world.service.test(made)
    world.sender.held[ALL.url] = release = asyncio.Event()
    async with world.working() as stop:
        await world.until(lambda _: bool(world.sender.sent))
        stop.set()
        release.set()
        await world.until(all_done)
    world.sender.held[ALL.url] = asyncio.Event()
    replayed = await MemoryWebhookDeliveryRepository(world.tables).replay(ping.id)
    async with world.working():
        await world.until(lambda _: len(world.sender.sent) == 2)
    left = world.tables.deliveries[replayed.id]
    assert left.status is DeliveryStatus.PENDING
    assert left.next_attempt_at == world.clock.now() + timedelta(seconds=60)


async def test_figures_are_told_to_prometheus(world: World) -> None:
    await world.service.test(await world.listening())
    figures = await MemoryWebhookDeliveryRepository(world.tables).figures()
    lines = exposition(webhook_metrics(figures)).splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'storekeeper_webhook_deliveries{status="pending"} 1',
        'storekeeper_webhook_deliveries{status="delivered"} 0',
        'storekeeper_webhook_deliveries{status="failed"} 0',
        "storekeeper_webhook_endpoints_disabled 0",
    ]
