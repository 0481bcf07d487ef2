"""One PostgreSQL server for all benchmarks of the insights, with a long and a short log in it."""

from __future__ import annotations

import asyncio
import atexit
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.postgres.migrations import migrate
from adapters.postgres.pool import Database, PoolOptions, open_database
from tests.benchmarks.harness import Options
from tests.benchmarks.insights.rows import COLUMNS, Log, csv_blocks
from tests.benchmarks.stores import postgres_server

T = TypeVar("T")
_SHORTER: Final = 10
_OPTIONS: Final = PoolOptions(size=8, statement_timeout_s=3600)
_cleanup = ExitStack()
atexit.register(_cleanup.close)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A database whose log is loaded, and analysed by the planner.

    Attributes:
        load_s: how long COPY took.
    """

    url: str
    log: Log
    load_s: float


@cache
def server() -> EmbeddedPostgres:
    """The server, with the settings of `storekeeper up`; it ends with this process."""
    return _cleanup.enter_context(postgres_server())


@cache
def long_history(options: Options) -> History:
    """All days."""
    return _loaded("long", Log(days=options.days, rows_a_day=options.rows // options.days))


@cache
def short_history(options: Options) -> History:
    """A tenth of the days, each as full as in the long one."""
    days = options.days // _SHORTER
    return _loaded("short", Log(days=days, rows_a_day=options.rows // options.days))


def new_database(name: str, *, like: str | None = None) -> str:
    """URL of a database of that name, migrated and empty, or a copy of the one behind `like`.

    One that is there already is dropped first.
    """
    url = urlunsplit(urlsplit(server().url)._replace(path=f"/{name}"))

    async def make() -> None:
        connection = await asyncpg.connect(server().url)
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        template = f" TEMPLATE {urlsplit(like).path.lstrip('/')}" if like else ""
        await connection.execute(f"CREATE DATABASE {name}{template}")
        await connection.close()
        if like is None:
            await migrate(url)

    asyncio.run(make())
    return url


def over(url: str, work: Callable[[Database], Awaitable[T]]) -> T:
    """Run `work` over a pool without a limit to a statement's run."""

    async def run() -> T:
        async with open_database(url, _OPTIONS) as database:
            return await work(database)

    return asyncio.run(run())


def settle() -> None:
    """Write a checkpoint, so that none falls into what is measured next."""

    async def checkpoint() -> None:
        connection = await asyncpg.connect(server().admin_url)
        await connection.execute("CHECKPOINT")
        await connection.close()

    asyncio.run(checkpoint())


async def seconds(work: Awaitable[object]) -> float:
    """How long `work` takes, in seconds."""
    began_s = time.perf_counter()
    await work
    return time.perf_counter() - began_s


async def settings_of(database: Database) -> Mapping[str, str]:
    """The settings that decide the figures."""
    names = (
        *("shared_buffers", "work_mem", "max_wal_size", "fsync", "synchronous_commit"),
        *("max_parallel_workers_per_gather", "jit"),
    )
    return {name: str(await database.fetchval(f"SHOW {name}")) for name in names}


def _loaded(name: str, log: Log) -> History:
    url = new_database(name)

    async def load(database: Database) -> float:
        async def blocks() -> AsyncIterator[bytes]:
            for block in csv_blocks(log):
                yield block

        began_s = time.monotonic()
        async with database.connection() as connection:
            await connection.copy_to_table(
                "search_clicks", source=blocks(), columns=COLUMNS, format="csv"
            )
        took_s = time.monotonic() - began_s
        await database.execute("VACUUM ANALYZE search_clicks")
        return took_s

    load_s = over(url, load)
    settle()
    return History(url=url, log=log, load_s=load_s)
