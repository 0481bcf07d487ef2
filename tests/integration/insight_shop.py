"""A shop whose stores can be killed, and workers over it whose clock can be set."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from redis.asyncio import Redis

from adapters.embedded.installation import free_port
from adapters.embedded.postgres import ROLE as OWNER
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from adapters.postgres.insights.scheduled_runs import PostgresScheduledRunRepository
from adapters.postgres.insights.search_insights import PostgresSearchInsightRepository
from adapters.postgres.migrations import migrate
from adapters.postgres.pool import Database, PoolOptions, open_database
from domain.errors import DependencyError
from domain.insights.model import RankingRules, SearchClickRow, StoredInsight
from domain.insights.refresher import NIGHTLY
from domain.insights.run_history import FinishedRun, RunHistory, RunOutcome
from ports.server_process import ServerProcess
from tests.contracts.insights import row
from tests.fakes.insights import MemorySearchInsightRepository
from tests.integration.insights import write_rows
from tests.integration.owners_database import execute
from tests.integration.service_role import ROLE, let_in, serve, service_url

PATIENCE_S: Final = 180
_FAKETIME: Final = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
_WORDS: Final = ("oak chair", "Lamp", "lamp ", "wool blanket", "stool", "vase", "rug")

# Each write of an insight, whoever does it: a day is inserted once, and updated when it changes.
_AUDIT: Final = """
CREATE TABLE writes (insight_date DATE NOT NULL, operation TEXT NOT NULL);
CREATE FUNCTION note_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO writes VALUES (coalesce(NEW.insight_date, OLD.insight_date), TG_OP);
    RETURN NULL;
END
$$;
CREATE TRIGGER writes AFTER INSERT OR UPDATE OR DELETE ON search_insights
    FOR EACH ROW EXECUTE FUNCTION note_write();
"""


def today() -> date:
    return datetime.now(UTC).date()


def ago(days: int) -> date:
    return today() - timedelta(days=days)


def searches_of(day: date, count: int = 12) -> list[SearchClickRow]:
    """Rows of a day: always the same for the same day."""
    chance = random.Random(day.toordinal())
    found = []
    for _ in range(count):
        shown = chance.randrange(0, 400)
        found.append(row(chance.choice(_WORDS), chance.randint(0, shown), shown, day))
    return found


@dataclass(kw_only=True)
class Shop:
    """One database with rows, what they should become, and the processes at it.

    Attributes:
        rows: what the log holds, for the arithmetic.
        log: where the workers write.
    """

    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    url: str
    database: Database
    directory: Path
    exits: AsyncExitStack
    rows: list[SearchClickRow] = field(default_factory=list)
    workers: list[Process] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.directory / "workers.log"

    @property
    def clock_file(self) -> Path:
        return self.directory / "clock"

    async def search(self, *days: date, count: int = 12) -> None:
        """Searches of these days arrive."""
        rows = [each for day in days for each in searches_of(day, count)]
        await write_rows(self.database, rows)
        self.rows += rows

    async def forget(self, day: date) -> None:
        """The searches of a day are deleted."""
        await self.database.execute("DELETE FROM search_clicks WHERE search_date = $1", day)
        self.rows = [each for each in self.rows if each.search_date != day]

    async def worker(self, *, with_clock: bool = False, **settings: str) -> Process:
        """One more `storekeeper worker`; ended with the test.

        Args:
            with_clock: its clock is that of `set_clock`, which is to be called before.
        """
        clock = {}
        if with_clock:
            clock = {
                "LD_PRELOAD": str(_FAKETIME),
                "FAKETIME_TIMESTAMP_FILE": str(self.clock_file),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "entrypoints.cli.main", "worker"),
                env={
                    **os.environ,
                    "DATABASE_URL": service_url(self.url),
                    "REDIS_URL": self.valkey.url,
                    "SECRET_KEY": "a secret of forty characters, for the tests",
                    **clock,
                    **settings,
                },
                stdout=log,
                stderr=log,
            )
        self.exits.push_async_callback(_ended, process)
        self.workers.append(process)
        return process

    def set_clock(self, to: datetime) -> None:
        """From now on, workers with a clock read `to` (aware), and go on from there."""
        if not _FAKETIME.exists():
            pytest.skip(f"{_FAKETIME} is not there (Debian: libfaketime)")
        offset_s = (to - datetime.now(UTC)).total_seconds()
        fresh = self.clock_file.with_suffix(".new")
        fresh.write_text(f"{offset_s:+.3f}\n")
        fresh.replace(self.clock_file)

    @asynccontextmanager
    async def held_at(self, day: date) -> AsyncIterator[None]:
        """Who comes to store `day` waits in the middle of it until the block ends."""
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute("BEGIN")
            await connection.execute("INSERT INTO search_insights (insight_date) VALUES ($1)", day)
            yield
        finally:
            connection.terminate()  # undoes it, and works on a server that is gone too

    async def until_serving(self, count: int = 1) -> None:
        """Until so many workers have begun to look at the queue's clock."""
        async with asyncio.timeout(PATIENCE_S):
            while self.log.read_text().count("redis_version=") < count:
                await asyncio.sleep(0.02)

    async def until_waiting(self, count: int = 1) -> None:
        """Until so many workers wait for a day that is held, or for one another."""
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        async with asyncio.timeout(PATIENCE_S):
            while await self.database.fetchval(waiting) < count:
                await asyncio.sleep(0.02)

    async def nightly_runs(self) -> int:
        """How many nightly runs have succeeded."""
        histories = await PostgresScheduledRunRepository(self.database).histories()
        return histories.get(NIGHTLY, RunHistory()).counts.get(RunOutcome.DONE, 0)

    async def nightly_done(self, at: datetime) -> None:
        """A nightly run of that instant has succeeded, as far as anybody knows."""
        run = FinishedRun(task=NIGHTLY, started_at=at, finished_at=at, outcome=RunOutcome.DONE)
        await PostgresScheduledRunRepository(self.database).record(run)

    async def until_right(self, days: Sequence[date]) -> None:
        """Until each of `days` is stored as the arithmetic says, and no other day is wrong.

        A database that is away is waited for too.
        """
        right = {day: await self._computed(day) for day in days}
        found: dict[date, object] = {}
        store = PostgresSearchInsightRepository(self.database)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not right.items() <= found.items():
                    await asyncio.sleep(0.05)
                    with suppress(DependencyError):
                        stored = await store.page(limit=1000)
                        found = {each.insight_date: _figures(each) for each in stored}
                        assert len(found) == len(stored)
        except TimeoutError:
            wrong = {day: (found.get(day), figures) for day, figures in right.items()}
            wrong = {day: pair for day, pair in wrong.items() if pair[0] != pair[1]}
            pytest.fail(f"stored, and right: {wrong}\n{self.log.read_text()}")
        for day, figures in found.items():
            assert figures == await self._computed(day)

    async def writes(self) -> dict[date, list[str]]:
        """What was written of each day."""
        written: dict[date, list[str]] = {}
        for insight_date, operation in await self.database.fetch("TABLE writes"):
            written.setdefault(insight_date, []).append(operation)
        return written

    async def kill(self, server: ServerProcess) -> None:
        """As by `kill -9`."""
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await server.wait()

    async def _computed(self, day: date) -> object:
        now = datetime(2000, 1, 1, tzinfo=UTC)
        of_day = [each for each in self.rows if each.search_date == day]
        return _figures(
            await MemorySearchInsightRepository(of_day).compute(day, RankingRules(), now=now)
        )


def _figures(insight: StoredInsight) -> object:
    """All but the time; fractions to 9 decimals, because sums of them depend on their order."""
    return _rounded(asdict(replace(insight, computed_at=None)))


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return round(value, 9) if isinstance(value, float) else value


async def _ended(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


@asynccontextmanager
async def killable_servers(
    parent: Path,
) -> AsyncIterator[tuple[EmbeddedPostgres, EmbeddedValkey]]:
    """A PostgreSQL and a Valkey that lose nothing when they are killed; the former is migrated."""
    directory = parent / secrets.token_hex(4)
    directory.mkdir(mode=0o755)
    postgres = EmbeddedPostgres(
        directory=directory / "postgres",
        log=directory / "postgres.log",
        port=free_port(),
        password=secrets.token_hex(16),
        admin_password=secrets.token_hex(16),
        settings={"fsync": "off"},  # the machine goes on, so what was written stays
    )
    valkey = EmbeddedValkey(
        directory=directory / "valkey",
        log=directory / "valkey.log",
        port=free_port(),
        password=secrets.token_hex(16),
    )
    async with AsyncExitStack() as exits:
        for server in (postgres, valkey):
            exits.push_async_callback(server.stop)
            await server.start()
        await execute(postgres.admin_url, f"ALTER ROLE {OWNER} CREATEROLE")
        await migrate(postgres.url)
        await let_in(postgres.url)
        await execute(postgres.url, _AUDIT, f"GRANT INSERT ON writes TO {ROLE}")
        yield postgres, valkey


@asynccontextmanager
async def shop_over(
    postgres: EmbeddedPostgres, valkey: EmbeddedValkey, directory: Path
) -> AsyncIterator[Shop]:
    """A shop of its own, on servers that serve others later."""
    async with Redis.from_url(valkey.url) as queue:
        await queue.flushdb()
    name = f"shop_{secrets.token_hex(4)}"
    parts = urlsplit(postgres.url)
    template = parts.path.lstrip("/")
    await _execute(postgres.url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    url = urlunsplit(parts._replace(path=f"/{name}"))
    serve(url)
    async with open_database(url, PoolOptions()) as database, AsyncExitStack() as exits:
        yield Shop(
            postgres=postgres,
            valkey=valkey,
            url=url,
            database=database,
            directory=directory,
            exits=exits,
        )


async def _execute(url: str, statement: str) -> None:
    # From another database: none is copied while somebody is connected to it.
    connection = await asyncpg.connect(urlunsplit(urlsplit(url)._replace(path="/postgres")))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
