"""What is tried on the machines, and what came of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import uuid4

from several_machines.network import PREFIX, TrialFailed, wait_until
from several_machines.shop import (
    APIS,
    CLIENT,
    CONCURRENCY,
    NAME,
    PATIENCE_S,
    Shop,
)
from storekeeper_client import Client, Job, ProblemError, StorekeeperError

_TEXTS: Final = 120
_LOAD_S: Final = 3.0
_CONNECTIONS: Final = 16
_READS: Final = 20
"""Asked for while no commit can end: in the time of one of them an order is placed otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFromElsewhere:
    """How callers at two machines fare, with a key that one of them alone may use."""

    from_the_client: str
    from_another_machine: str
    by_a_name_that_is_not_in_the_certificate: str
    without_a_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What one machine does, and what two do.

    Attributes:
        reads_per_s: answers to `GET /orders/{id}` from one API host, from two.
        cpu_s_per_1000_reads: processor time of the API hosts for these, from one, from two.
        reads_ratio: how many times as many two hosts answered.
        texts_per_s: texts that one worker read, that two did.
        texts_ratio: how many times as many two workers read.
        calls_at_once: to the provider at most, with one worker, with two.
        concurrency: calls that one worker may have under way (`LLM_CONCURRENCY`).
    """

    reads_per_s: tuple[float, float]
    cpu_s_per_1000_reads: tuple[float, float]
    reads_ratio: float
    texts_per_s: tuple[float, float]
    texts_ratio: float
    calls_at_once: tuple[int, int]
    concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What became of orders that somebody placed while something happened.

    Attributes:
        acknowledged: orders that the client was told are placed.
        lost: of these, those that are not in the database.
        twice: orders that are there more than once.
        longest_wait_s: for one order, its retries included.
    """

    acknowledged: int
    lost: int
    twice: int
    longest_wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashes:
    """A job during which an API host, a worker and Valkey are killed, one after the other.

    Attributes:
        status: of the job at its end.
        texts: that it was given.
        read: those with a record at the end.
        calls: that the provider had.
        paid_twice: calls beyond one for each text.
        held: texts that the killed worker had claimed, at most: those under way at the provider,
            and half as many that were answered and not yet stored.
        orders: placed meanwhile.
    """

    status: str
    texts: int
    read: int
    calls: int
    paid_twice: int
    held: int
    orders: Orders


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover:
    """The primary's machine is gone, and the replica takes over.

    Attributes:
        while_the_replica_was_away: orders that were acknowledged then.
        write_again_after_s: from `pg_promote` to the next acknowledged order.
        orders: placed before and after.
    """

    while_the_replica_was_away: int
    write_again_after_s: float
    orders: Orders


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything."""

    started_in_s: float
    key: KeyFromElsewhere
    throughput: Throughput
    crashes: Crashes
    unplugged_api: Orders
    unplugged_queue: Orders
    synchronous: Failover
    asynchronous: Failover

    def as_json(self) -> dict[str, Any]:
        """As the file of results has it."""
        return asdict(self)


def run_trial(shop: Shop, say: Callable[[str], None]) -> Report:
    """Try all of it, on a shop that was not started yet.

    Raises:
        TrialFailed, StorekeeperError: something did not happen, or an answer was a refusal.
    """
    say("Starting two API hosts, two workers, a primary with a replica, Valkey, nginx ...")
    started = time.monotonic()
    shop.start()
    started_in_s = time.monotonic() - started
    say(f"Started after {started_in_s:.0f} s. Asking with a key from other machines ...")
    key = key_from_elsewhere(shop)
    say("Measuring one machine against two ...")
    throughput = measure(shop)
    say("Killing an API host, a worker and Valkey during a job ...")
    crashes = crash_during_a_job(shop)
    say("Unplugging an API host ...")
    unplugged_api = unplugged(shop, "api2")
    say("Unplugging Valkey ...")
    unplugged_queue = unplugged(shop, "queue")
    say("Unplugging the primary, whose commits wait for the replica ...")
    synchronous = fail_over(shop, old="db1", new="db2", waits=True)
    say("Making the old primary a replica of the new one, and unplugging that one ...")
    shop.machines["db1"].plug_in()
    shop.make_replica("db1", primary="db2")
    asynchronous = fail_over(shop, old="db2", new="db1", waits=False)
    return Report(
        started_in_s=started_in_s,
        key=key,
        throughput=throughput,
        crashes=crashes,
        unplugged_api=unplugged_api,
        unplugged_queue=unplugged_queue,
        synchronous=synchronous,
        asynchronous=asynchronous,
    )


def key_from_elsewhere(shop: Shop) -> KeyFromElsewhere:
    """Ask with a key that is accepted from the client's address alone."""
    key = shop.make_key("records:read", "--networks", f"{PREFIX}{CLIENT}/32")
    path = "/users?limit=1"
    with shop.client(key) as client:
        list(client.users.list(page_size=1))
    proxy = shop.machines["proxy"].address
    return KeyFromElsewhere(
        from_the_client="200",
        from_another_machine=shop.asked_from("worker1", key, f"https://{NAME}{path}"),
        by_a_name_that_is_not_in_the_certificate=shop.asked_from(
            "worker1", key, f"https://{proxy}{path}"
        ),
        without_a_key=shop.asked_from("worker1", "nothing", f"https://{NAME}{path}"),
    )


# --- throughput


def measure(shop: Shop) -> Throughput:
    """One API host against two, one worker against two."""
    with shop.client() as client:
        user = client.users.create(name="Ada", email="ada@example.com")
        order = client.orders.create(user_id=user.id, product_name="lamp", quantity=1)
        path = f"/orders/{order.id}"
        reads, costs = [], []
        for hosts in (APIS[:1], APIS):
            programs = [shop.machines[name].programs[-1] for name in hosts]
            asyncio.run(load(shop, hosts, path, 0.5))  # connections and caches are there then
            before = sum(program.cpu_s() for program in programs)
            answers = asyncio.run(load(shop, hosts, path, _LOAD_S))
            reads.append(answers / _LOAD_S)
            costs.append((sum(each.cpu_s() for each in programs) - before) / answers * 1000)
        shop.machines["worker2"].crash()
        alone, alone_at_once = read_texts(shop, client, "one worker")
        shop.start_worker("worker2")
        both, both_at_once = read_texts(shop, client, "two workers")
    return Throughput(
        reads_per_s=(reads[0], reads[1]),
        cpu_s_per_1000_reads=(costs[0], costs[1]),
        reads_ratio=reads[1] / reads[0],
        texts_per_s=(alone, both),
        texts_ratio=both / alone,
        calls_at_once=(alone_at_once, both_at_once),
        concurrency=CONCURRENCY,
    )


async def load(shop: Shop, hosts: Sequence[str], path: str, seconds: float) -> int:
    """Answers with 200 to one request, sent again and again over kept connections."""
    ends_at = time.monotonic() + seconds
    asked = (
        f"GET {path} HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer {shop.key}\r\n\r\n"
    ).encode()

    async def ask(host: str) -> int:
        reader, writer = await asyncio.open_connection(host, 8080)
        answers = 0
        while time.monotonic() < ends_at:
            writer.write(asked)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 503 ")):
                raise TrialFailed(f"{host} answered {head.decode(errors='replace')}")
            (length,) = (
                int(line.partition(b":")[2])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            )
            await reader.readexactly(length)
            answers += head.startswith(b"HTTP/1.1 200 ")
        writer.close()
        return answers

    counts = await asyncio.gather(*(ask(hosts[nth % len(hosts)]) for nth in range(_CONNECTIONS)))
    return sum(counts)


def read_texts(shop: Shop, client: Client, name: str) -> tuple[float, int]:
    """Texts read a second in one job, and the most calls to the provider at a time."""
    since = len(shop.ledger(0))
    job = client.extraction_jobs.create(texts(name, _TEXTS // 2))
    job = client.extraction_jobs.wait(job.id, timeout_s=PATIENCE_S)
    _refuse_unless_completed(job)
    calls = shop.ledger(since)
    began, ended = (min(c["arrived_s"] for c in calls), max(c["done_s"] for c in calls))
    moments = sorted(
        [(call["arrived_s"], 1) for call in calls] + [(call["done_s"], -1) for call in calls]
    )
    at_once = most = 0
    for _, change in moments:
        at_once += change
        most = max(most, at_once)
    return len(calls) / (ended - began), most


def texts(name: str, count: int) -> list[str]:
    """Texts that no other job has."""
    return [f"Ann Lee here ({name}, {n}), please send {n + 2} oak chairs." for n in range(count)]


def _refuse_unless_completed(job: Job) -> None:
    if job.status != "completed":
        raise TrialFailed(f"job {job.id} is {job.status}: {job.reason}")


# --- orders that somebody places meanwhile


class Till:
    """Places one order after the other, through the proxy, until it is stopped."""

    def __init__(self, shop: Shop, name: str) -> None:
        self._shop = shop
        self._name = name
        self._stop = threading.Event()
        self._wrong: list[StorekeeperError] = []
        self.acknowledged: list[str] = []
        self.longest_wait_s = 0.0
        self._thread = threading.Thread(target=self._place, name=name, daemon=True)

    def _place(self) -> None:
        with self._shop.client() as client:
            user = client.users.create(name="Till", email=f"{self._name}@example.com")
            while not self._stop.is_set():
                product = f"{self._name} {len(self.acknowledged)}"
                began = time.monotonic()
                try:
                    self._place_one(client, user.id, product)
                except StorekeeperError as error:
                    self._wrong.append(error)
                    return
                self.longest_wait_s = max(self.longest_wait_s, time.monotonic() - began)
                self.acknowledged.append(product)
                self._stop.wait(0.02)

    @staticmethod
    def _place_one(client: Client, user_id: int, product: str) -> None:
        """Place an order; one that may have been placed is sent again under the same name."""
        name = str(uuid4())
        while True:
            try:
                client.orders.create(
                    user_id=user_id, product_name=product, quantity=1, idempotency_key=name
                )
            except ProblemError as error:
                # The client sends nothing again that the service has tried for long.
                if error.code != "database_timeout":
                    raise
            else:
                return

    def start(self) -> None:
        """Begin, and wait for the first orders."""
        self._thread.start()
        self.place_more(3)

    def place_more(self, count: int) -> float:
        """Wait until so many more orders are acknowledged; the seconds that it took."""
        wanted = len(self.acknowledged) + count
        return wait_until(
            lambda: len(self.acknowledged) >= wanted or bool(self._wrong),
            lambda: f"{self._name}: {len(self.acknowledged)} orders of {wanted}",
            PATIENCE_S,
        )

    def stop(self) -> None:
        """Place no more.

        Raises:
            TrialFailed: an order was refused, or not placed in time.
        """
        self._stop.set()
        self._thread.join(PATIENCE_S)
        if self._wrong:
            raise TrialFailed(f"{self._name}: {self._wrong[0]!r}") from self._wrong[0]

    def orders(self, database: str) -> Orders:
        """What became of them, as the database of a machine has it."""
        rows = self._shop.sql(database, "SELECT product_name FROM orders")
        stored = Counter(row for row in rows if row.startswith(f"{self._name} "))
        return Orders(
            acknowledged=len(self.acknowledged),
            lost=sum(product not in stored for product in self.acknowledged),
            twice=sum(count > 1 for count in stored.values()),
            longest_wait_s=self.longest_wait_s,
        )


@contextmanager
def placing_orders(shop: Shop, name: str) -> Iterator[Till]:
    """Somebody places orders, for as long as the block runs."""
    till = Till(shop, name)
    till.start()
    try:
        yield till
    finally:
        till.stop()


# --- parts that die


def crash_during_a_job(shop: Shop) -> Crashes:
    """Kill three parts during a job, and start them again after it."""
    since = len(shop.ledger(0))
    with shop.client() as client:
        job = client.extraction_jobs.create(texts("crashes", _TEXTS))

        def until_done(share: float) -> None:
            def done() -> bool:
                counts = client.extraction_jobs.get(job.id).counts
                return counts.valid + counts.partial >= share * _TEXTS

            wait_until(done, lambda: f"job {job.id} stands still", PATIENCE_S)

        with placing_orders(shop, "crashes") as till:
            until_done(0.15)
            shop.machines["api1"].crash()
            till.place_more(5)
            until_done(0.3)
            shop.machines["worker1"].crash()
            until_done(0.45)
            shop.machines["queue"].crash()
            till.place_more(5)
            ended = client.extraction_jobs.wait(job.id, timeout_s=PATIENCE_S)
            shop.start_queue()
            shop.start_api("api1")
            shop.start_worker("worker1")
            shop.wait_served()
            till.place_more(5)
    calls = shop.ledger(since)
    return Crashes(
        status=ended.status,
        texts=_TEXTS,
        read=ended.counts.valid + ended.counts.partial,
        calls=len(calls),
        paid_twice=sum(n - 1 for n in Counter(call["text"] for call in calls).values()),
        held=CONCURRENCY + CONCURRENCY // 2,
        orders=till.orders("db1"),
    )


def unplugged(shop: Shop, name: str) -> Orders:
    """Place orders while a machine is silent, and after it came back."""
    machine = shop.machines[name]
    with placing_orders(shop, f"unplugged-{name}") as till:
        machine.unplug()
        try:
            till.place_more(20)
        finally:
            machine.plug_in()
        shop.wait_served()
        till.place_more(5)
    return till.orders("db1")


def fail_over(shop: Shop, *, old: str, new: str, waits: bool) -> Failover:
    """Lose the replica for a while, then the primary's machine for good.

    Args:
        shop: where.
        old: the machine of the primary.
        new: the machine of the replica, which is promoted.
        waits: whether commits wait for the replica.
    """
    shop.set_synchronous(old, new if waits else "")
    with placing_orders(shop, f"from-{old}") as till:
        till.place_more(5)
        shop.machines[new].unplug()
        before = len(till.acknowledged)
        if waits:
            # Of a commit that waits the till hears nothing, and no later one is begun.
            writing = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            wait_until(
                lambda: shop.sql(old, writing) != ["0"], lambda: "no commit waits", PATIENCE_S
            )
            # An order may have been on its way when the cable was pulled; from here on none is.
            before = len(till.acknowledged)
            with shop.client() as client:
                for _ in range(_READS):
                    list(client.users.list(page_size=200))
        else:
            till.place_more(20)
        while_away = len(till.acknowledged) - before
        shop.machines[old].unplug()
        shop.machines[new].plug_in()
        shop.promote(new)
        shop.machines[old].crash()  # it must not come back as it was
        promoted = time.monotonic()
        till.place_more(1)
        again_s = time.monotonic() - promoted
        till.place_more(5)
    return Failover(
        while_the_replica_was_away=while_away,
        write_again_after_s=again_s,
        orders=till.orders(new),
    )
