"""Valkey and PostgreSQL for the benchmarks: embedded servers of their own, thrown away after."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.embedded.installation import free_port
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from adapters.postgres.migrations import migrate


@contextmanager
def _folder() -> Iterator[Path]:
    parent = "/var/tmp" if os.geteuid() == 0 else None  # noqa: S108 (as root, others must enter it)
    with tempfile.TemporaryDirectory(prefix="storekeeper-bench-", dir=parent) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def valkey() -> Iterator[str]:
    """URL of an empty Valkey."""
    with _folder() as folder, asyncio.Runner() as runner:
        server = EmbeddedValkey(
            directory=folder / "valkey",
            log=folder / "valkey.log",
            port=free_port(),
            password=secrets.token_hex(16),
        )
        runner.run(server.start())
        try:
            yield server.url
        finally:
            runner.run(server.stop())


@contextmanager
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """A running, empty PostgreSQL that writes to disk as in production."""
    with _folder() as folder, asyncio.Runner() as runner:
        server = EmbeddedPostgres(
            directory=folder / "postgres",
            log=folder / "postgres.log",
            port=free_port(),
            password=secrets.token_hex(16),
            admin_password=secrets.token_hex(16),
        )
        runner.run(server.start())
        try:
            yield server
        finally:
            runner.run(server.stop())


@contextmanager
def postgres() -> Iterator[str]:
    """URL of a migrated, empty PostgreSQL that writes to disk as in production."""
    with postgres_server() as server:
        asyncio.run(migrate(server.url))
        yield server.url
