"""No day is lost: a table of faults, each done to real workers over real stores.

Whatever happens, each day ends up stored once, with the figures of the arithmetic. To be caught in
the middle of a day, a worker is held there by a lock, not by the luck of a sleep.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Final

import pytest
from redis.asyncio import Redis

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from adapters.postgres.insights.scheduled_runs import PostgresScheduledRunRepository
from domain.insights.refresher import NIGHTLY
from domain.insights.run_history import RunOutcome
from tests.integration.insight_shop import (
    PATIENCE_S,
    Shop,
    ago,
    killable_servers,
    shop_over,
    today,
)

DAYS: Final = tuple(ago(back) for back in (7, 6, 5, 3, 2, 1))
MIDDLE: Final = DAYS[2]
MIDNIGHT: Final = datetime.combine(today(), time(0), UTC)
NIGHTLY_AT: Final = MIDNIGHT + timedelta(minutes=20)
SOON: Final = "1"


@pytest.fixture(scope="module")
async def servers(
    server_directory: Path,
) -> AsyncIterator[tuple[EmbeddedPostgres, EmbeddedValkey]]:
    if os.environ.get("TEST_DATABASE_URL"):
        pytest.skip("a database of somebody else's is not killed")
    async with killable_servers(server_directory) as started:
        yield started


@pytest.fixture
async def shop(
    servers: tuple[EmbeddedPostgres, EmbeddedValkey], tmp_path: Path
) -> AsyncIterator[Shop]:
    async with shop_over(*servers, tmp_path) as opened:
        await opened.search(*DAYS)
        yield opened


async def two_workers_at_the_same_day(shop: Shop) -> None:
    async with shop.held_at(MIDDLE):
        await shop.worker()
        await shop.worker()
        await shop.until_waiting(2)


async def two_workers_at_the_same_second(shop: Shop) -> None:
    """Both see the queue's own clock strike; one of them runs."""
    await before_the_nightly_run(shop, workers=2)
    shop.set_clock(NIGHTLY_AT - timedelta(seconds=1))
    async with asyncio.timeout(PATIENCE_S):
        while await shop.nightly_runs() < 2:
            await asyncio.sleep(0.05)
    await asyncio.sleep(1.5)  # three more looks of either at its clock
    assert await shop.nightly_runs() == 2


async def kill_9_of_the_queues_own_run(shop: Shop) -> None:
    """The queue gives that run to nobody else for the next ten minutes."""
    await before_the_nightly_run(shop, workers=1)
    async with shop.held_at(ago(1)), Redis.from_url(shop.valkey.url) as queue:
        shop.set_clock(NIGHTLY_AT - timedelta(seconds=1))
        await shop.until_waiting()
        assert await queue.keys("arq:in-progress:cron:refresh_insights:*")
        shop.workers[0].kill()
        await shop.workers[0].wait()
    await shop.worker(with_clock=True)


async def before_the_nightly_run(shop: Shop, *, workers: int) -> None:
    """It is the evening; the last nightly run was well, and the workers wait for the next."""
    await shop.nightly_done(NIGHTLY_AT - timedelta(days=1))
    shop.set_clock(MIDNIGHT - timedelta(hours=1))
    for _ in range(workers):
        await shop.worker(with_clock=True)
    await shop.until_serving(workers)
    await shop.until_right([day for day in DAYS if day != ago(1)])


async def sigterm_in_the_middle(shop: Shop) -> None:
    async with shop.held_at(MIDDLE):
        worker = await shop.worker()
        await shop.until_waiting()
        worker.terminate()
        assert await asyncio.wait_for(worker.wait(), PATIENCE_S) == 0
    await shop.worker()


async def kill_9_in_the_middle(shop: Shop) -> None:
    async with shop.held_at(MIDDLE):
        worker = await shop.worker()
        await shop.until_waiting()
        worker.kill()
        await worker.wait()
    await shop.worker()


async def the_queue_is_killed_and_comes_back(shop: Shop) -> None:
    async with shop.held_at(MIDDLE):
        await shop.worker()
        await shop.until_waiting()
        await shop.kill(shop.valkey)
        await shop.valkey.start()


async def the_queue_is_emptied(shop: Shop) -> None:
    async with shop.held_at(MIDDLE), Redis.from_url(shop.valkey.url) as queue:
        await shop.worker()
        await shop.until_waiting()
        await queue.flushall()


async def there_is_never_a_queue(shop: Shop) -> None:
    await shop.worker(REDIS_URL="redis://127.0.0.1:1/0")


async def the_database_is_killed_and_comes_back(shop: Shop) -> None:
    async with shop.held_at(MIDDLE):
        await shop.worker()
        await shop.until_waiting()
        await shop.kill(shop.postgres)
    await shop.postgres.start()


async def there_is_no_database_at_first(shop: Shop) -> None:
    await shop.kill(shop.postgres)
    await shop.worker()
    await shop.worker()
    await asyncio.sleep(2)  # so that they have met it; nothing depends on it
    await shop.postgres.start()
    await shop.until_serving(2)


async def the_clock_jumps_ahead(shop: Shop) -> None:
    shop.set_clock(MIDNIGHT - timedelta(days=3, hours=1))
    await shop.worker(with_clock=True)
    await shop.until_right(DAYS[:3])
    shop.set_clock(MIDNIGHT + timedelta(hours=12))


async def the_clock_is_set_back(shop: Shop) -> None:
    shop.set_clock(MIDNIGHT + timedelta(days=9, hours=12))
    await shop.worker(with_clock=True, INSIGHTS_SCAN_S=SOON)
    await shop.until_right(DAYS)
    shop.set_clock(MIDNIGHT + timedelta(hours=12))
    await shop.search(ago(4), MIDDLE)


async def nobody_works_for_thirty_days(shop: Shop) -> None:
    await shop.nightly_done(MIDNIGHT - timedelta(days=30))
    await shop.search(*(ago(back) for back in range(9, 31) if back % 5))
    await shop.worker()
    await shop.until_right([ago(back) for back in range(1, 31)])


async def rows_come_late_and_are_taken_away(shop: Shop) -> None:
    await shop.worker(INSIGHTS_SCAN_S=SOON)
    await shop.until_right(DAYS)
    await shop.search(ago(20), MIDDLE)
    await shop.forget(DAYS[0])
    await shop.until_right([DAYS[0], MIDDLE])


async def a_day_takes_too_long(shop: Shop) -> None:
    async with shop.held_at(MIDDLE):
        await shop.worker(INSIGHTS_SCAN_S=SOON, DATABASE_STATEMENT_TIMEOUT_S="1")
        await shop.until_right([day for day in DAYS if day != MIDDLE])
        histories = await PostgresScheduledRunRepository(shop.database).histories()
        while not histories:
            await asyncio.sleep(0.05)
            histories = await PostgresScheduledRunRepository(shop.database).histories()
        (run,) = histories[NIGHTLY].newest.values()
        assert run.outcome is RunOutcome.PARTLY_FAILED
        assert str(MIDDLE) in (run.error or "")


Fault = Callable[[Shop], Awaitable[None]]
FAULTS: Final[tuple[Fault, ...]] = (
    two_workers_at_the_same_day,
    two_workers_at_the_same_second,
    sigterm_in_the_middle,
    kill_9_in_the_middle,
    kill_9_of_the_queues_own_run,
    the_queue_is_killed_and_comes_back,
    the_queue_is_emptied,
    there_is_never_a_queue,
    the_database_is_killed_and_comes_back,
    there_is_no_database_at_first,
    the_clock_jumps_ahead,
    the_clock_is_set_back,
    nobody_works_for_thirty_days,
    rows_come_late_and_are_taken_away,
    a_day_takes_too_long,
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_no_day_is_lost_or_stored_twice(shop: Shop, fault: Fault) -> None:
    await fault(shop)
    await shop.until_right(sorted({row.search_date for row in shop.rows if row.search_date}))
    for day, operations in (await shop.writes()).items():
        assert operations[0] == "INSERT", (day, operations)
        assert set(operations[1:]) <= {"UPDATE"}, (day, operations)
    for worker in shop.workers:
        if worker.returncode is None:
            worker.terminate()
            assert await asyncio.wait_for(worker.wait(), PATIENCE_S) == 0, shop.log.read_text()
