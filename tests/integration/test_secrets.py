"""Secrets are planted in every setting that holds one, and nothing that comes out shows them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx2
import pytest
from click.testing import CliRunner

from adapters.embedded.installation import free_port
from entrypoints.cli.main import storekeeper
from tests.integration.planted_secrets import FORMER_NAMES, SECRET_SETTINGS, Plants
from tests.integration.stack import (
    COMMAND,
    PATIENCE_S,
    descendants,
    environment,
    running_stack,
)
from tests.integration.walk import PAGES, Walk
from tests.reference_pages import commands

ENDLESS = {"storekeeper up", "storekeeper serve", "storekeeper worker"}
ARGUMENTS = {
    "storekeeper extract": ["texts.ndjson", "--out", "out.ndjson", "--detach"],
    "storekeeper compare": [
        "--providers",
        "openai,gemini",
        "--dataset",
        "texts.ndjson",
        "--out",
        "a",
    ],
    "storekeeper clicks import": ["clicks.csv"],
    "storekeeper psql": ["-c", "SELECT current_user"],
    "storekeeper db dump": ["a.dump"],
    "storekeeper db restore": ["a.dump"],
}
"""What a command needs to do something."""


@pytest.fixture
def plants() -> Plants:
    return Plants()


@dataclass
class EchoingProvider:
    """Refuses every call in one of several ways, and repeats the key that it was sent."""

    asked: int = 0
    keys: set[str] = field(default_factory=set)

    def answer(self, headers: dict[str, str], path: str) -> tuple[int, bytes]:
        """Status and body."""
        credential = headers.get("authorization") or headers.get("x-goog-api-key") or ""
        self.keys.add(credential)
        words = f"Incorrect API key provided: {credential} for {path} with {headers}"
        body = repr(words).replace('"', "").replace("'", "")
        self.asked += 1
        status = (401, 403, 400, 429, 500, 200)[self.asked % 6]
        return status, (
            f'{{"error": {{"message": "{body}", "code": "{body}", "status": "{body}"}}}}'
        ).encode()


@pytest.fixture(scope="module")
def provider() -> Iterator[tuple[EchoingProvider, str]]:
    echoing = EchoingProvider()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            given = {name.lower(): value for name, value in self.headers.items()}
            status, body = echoing.answer(given, self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Echo", given.get("authorization", ""))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 (the names are the library's)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield echoing, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


_BASE_URLS = tuple(name for name in SECRET_SETTINGS if name.endswith("_base_url"))


def provider_addresses(address: str) -> dict[str, str]:
    """Without a password, which would be sent in place of the key."""
    return {name.upper(): f"{address}/v1" for name in _BASE_URLS}


def run_here(words: list[str], env: dict[str, str]) -> str:
    """Run a command in this process; all that it said."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        given = {**dict.fromkeys(os.environ), **environment(), **env}
        result = CliRunner().invoke(storekeeper, words, env=given, catch_exceptions=True)
        error = "" if result.exception is None else repr(result.exception)
        return f"{result.output}\n{result.stdout}\n{error}"
    finally:
        root.handlers[:], root.level = handlers, level


@contextmanager
def inside(folder: Path) -> Iterator[Path]:
    """The working directory, with a file for each command that reads one."""
    (folder / "texts.ndjson").write_text('{"id": "a", "text": "Ann Lee wants 2 oak chairs"}\n')
    (folder / "clicks.csv").write_text("search_query,clicks,impressions\nrug,1,2\n")
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)


@pytest.mark.parametrize("name", [*SECRET_SETTINGS, *FORMER_NAMES])
def test_a_setting_that_is_refused_is_not_quoted(plants: Plants, name: str, tmp_path: Path) -> None:
    secret = plants.planted[name]
    drawn = secret.split("/")[1]
    shown: list[str] = []
    wrong = [
        secret,
        drawn[:20],
        f"nothing://shop:{drawn}@host/name",
        f"http://shop:{drawn}@host:port/",
        f"http://shop:{drawn}@[host/",
        f"https://{drawn}@/",
        f"postgresql://shop:{drawn}@host/name?sslmode={drawn}",
        f"postgresql://shop:{drawn}@host/name?unknown={drawn}",
        f"postgresql://shop:{drawn}/{drawn}@host:1/name",
        f"redis://:{drawn}#{drawn}@host/x",
        f"{drawn}\n{drawn}",
    ]
    with inside(tmp_path):
        for value in wrong:
            env = {**plants.environment(), name.upper(): value, "LLM_PROVIDER": "openai,gemini"}
            env.pop(FORMER_NAMES.get(name, "").upper(), None)
            for words in (["serve"], ["doctor"], ["worker"], ["db", "status"], ["extract"]):
                if words in (["serve"], ["worker"]):
                    env = {**env, "PORT": "none", "JOB_LEASE_S": "none"}  # never to start
                shown += plants.found(run_here(words, env), where=f"{words} {name}={value!r}")
        for line in (f'{name.upper()}="{secret}', f"{name.upper()} {secret}", f"{secret}=1"):
            Path(".env").write_text(f"{line}\n")
            for words in (["doctor"], ["db", "status"]):
                shown += plants.found(run_here(words, {}), where=f"{words} .env {line!r}")
    assert shown == []


@pytest.mark.parametrize("path", [path for path, _, _ in commands() if path not in ENDLESS])
def test_no_command_shows_a_secret_whatever_fails(
    plants: Plants,
    path: str,
    tmp_path: Path,
    module_database_url: str,
    redis_url: str,
    provider: tuple[EchoingProvider, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = path.split()[1:]
    _, address = provider
    providers = provider_addresses(address)
    stores = {"database_url": module_database_url, "redis_url": redis_url}
    real = {name.upper(): url for name, url in stores.items()}
    # No header takes such a key, and what refuses it may quote it.
    unsendable = {
        name.upper(): f"{plants.planted[name]}{letter}"
        for name, letter in zip(SECRET_SETTINGS, cycle(("\n", "\r\nx: y", "ä", "\u2028")))
        if name.endswith("_api_key")
    }
    plans: dict[str, tuple[dict[str, str], dict[str, str]]] = {
        "unreachable": ({}, {}),
        "wrong passwords": (stores, {}),
        "keys that cannot be sent": ({}, {**real, **providers, **unsendable}),
        "wrong keys": ({}, {**real, **providers}),
        "passwords in place of keys": (dict.fromkeys(_BASE_URLS, f"{address}/v1"), {}),
    }
    shown: list[str] = []
    with inside(tmp_path):
        for plan, (addresses, more_env) in plans.items():
            env = {
                **plants.environment(**addresses),
                **more_env,
                "LOG_LEVEL": "debug",
                "LLM_PROVIDER": "openai,gemini,openai_compatible",
                "INTERACTIVE_DEADLINE_S": "3",
                "LLM_TIMEOUT_S": "2",
            }
            if "DATABASE_URL" in more_env:
                plants.adopt({name: _password(url) for name, url in stores.items()})
            for more in (ARGUMENTS.get(path, []), ["--nonsense"], ["nothing"], ["--help"]):
                said = run_here([*words, *more], env)
                said += "".join(capfd.readouterr())  # of programs that it started, such as psql
                assert said.strip()
                shown += plants.found(said, where=f"{path} {more}, {plan}")
        shown += plants.found_below(tmp_path)
    assert shown == []


async def test_a_running_service_shows_no_secret_to_callers_logs_processes_or_tables(
    plants: Plants,
    provider: tuple[EchoingProvider, str],
    fresh_database_url: str,
    redis_url: str,
    tmp_path: Path,
) -> None:
    echoing, address = provider
    plants.adopt({"database_url": _password(fresh_database_url), "redis_url": _password(redis_url)})
    providers = provider_addresses(address)
    port = free_port()
    env = environment(
        **{
            **plants.environment(),
            **providers,
            "DATABASE_URL": fresh_database_url,
            "REDIS_URL": redis_url,
            "PORT": str(port),
            "PLAIN_HTTP": "true",
            "WORKERS": "1",
            "LOG_LEVEL": "debug",
            "LLM_PROVIDER": "openai,gemini,openai_compatible",
            "INTERACTIVE_DEADLINE_S": "3",
            "LLM_BATCH_POLL_S": "0.2",
            "RATE_LIMITS": "off",  # all routes in a second are more than one caller may ask for
        }
    )
    shown: list[str] = []
    key = await _new_key(env, tmp_path)
    plants.adopt({"api_key": key})
    with _started("serve", env, tmp_path), _started("worker", env, tmp_path):
        base_url = f"http://127.0.0.1:{port}"
        async with httpx2.AsyncClient(
            base_url=base_url, timeout=PATIENCE_S, headers={"authorization": f"Bearer {key}"}
        ) as client:
            await _until_ready(client)

            async def look(response: httpx2.Response) -> None:
                where = f"{response.request.method} {response.request.url}"
                shown.extend(plants.found(repr(response.headers), where=f"headers of {where}"))
                shown.extend(plants.found(await response.aread(), where=where))

            client.event_hooks["response"].append(look)
            walk = await Walk.prepared(client)
            await walk.every_operation()
            for drawn in plants.planted.values():  # a secret that is sent is not sent back
                await client.get("/users", headers={"authorization": f"Bearer {drawn}"})
            for path in PAGES:
                await client.get(path, headers={"accept": "text/html"})
            asked = echoing.asked
            texts = ["Ann Lee here, 24 oat milk cartons please"]
            for more in ({}, {"mode": "batch", "provider": "openai"}):
                made = await client.post("/extraction-jobs", json={"texts": texts, **more})
                assert made.status_code == 202, made.text
            async with asyncio.timeout(PATIENCE_S):
                while echoing.asked == asked:
                    await asyncio.sleep(0.05)
            for each in (await client.get("/extraction-jobs")).json()["items"]:
                await client.get(f"/extraction-jobs/{each['id']}/results")
        for each in descendants(os.getpid()):
            shown += plants.found(each.args, where=f"the command line of {each.pid}")
            if not any(command in each.args for command in ("serve", "worker")):
                shown += plants.found(_environ(each.pid), where=f"the environment of {each.args}")
    assert f"Bearer {plants.planted['openai_api_key']}" in echoing.keys
    shown += plants.found_below(tmp_path)
    shown += await _found_in_tables(plants, fresh_database_url)
    assert shown == []


def _password(url: str) -> str:
    password = urlsplit(url).password
    assert password
    return password


@contextmanager
def _started(command: str, env: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command as a process, whose words go to a file of `folder`."""
    with (folder / f"{command}.out").open("wb") as out:
        process = subprocess.Popen([*COMMAND, command], stdout=out, stderr=out, cwd=folder, env=env)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)


async def _new_key(env: dict[str, str], folder: Path) -> str:
    """An API key that may do everything; what shows it this once is not looked at."""
    words = ["keys", "create", "--name", "walk", "--scopes", "admin", "--json"]
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *words, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    said, complaints = await process.communicate()
    assert process.returncode == 0, complaints
    key: str = json.loads(said)["key"]
    return key


async def _until_ready(client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                if (await client.get("/health/ready")).is_success:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.1)


async def _found_in_tables(plants: Plants, url: str) -> list[str]:
    """Secrets in any row of any table."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        found: list[str] = []
        for (name,) in tables:
            for (row,) in await connection.fetch(f"SELECT each::text FROM {name} AS each"):  # noqa: S608
                found += plants.found(row, where=f"table {name}")
        return found
    finally:
        await connection.close()


def _environ(pid: int) -> bytes:
    """What a process was told at its start; nothing of one that has ended."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


@contextmanager
def open_umask() -> Iterator[None]:
    """The umask that takes nothing away, for what is started meanwhile."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def test_what_up_starts_is_told_what_it_needs(plants: Plants, server_directory: Path) -> None:
    keys = {
        name.upper(): plants.planted[name] for name in SECRET_SETTINGS if name.endswith("_api_key")
    }
    state = server_directory / "told"
    with (
        open_umask(),
        running_stack(state, free_port(), "--no-sample-data", **keys) as stack,
    ):
        for each in state.rglob("*"):
            try:
                found = each.lstat()
            except FileNotFoundError:  # servers are at work in there, and replace their files
                continue
            assert each.is_symlink() or not found.st_mode & 0o022, f"{each} {found.st_mode:o}"
        private = [
            state / "env",
            state / "secrets.json",
            *state.rglob("*.key"),
            *state.rglob("*.log"),
        ]
        private += state.rglob("valkey.conf")
        assert len(private) >= 8
        assert {f"{each} {each.stat().st_mode & 0o777:o}" for each in private} == {
            f"{each} 600" for each in private
        }
        for folder in (state / "log", state / "postgres" / "data", state / "valkey" / "data"):
            assert folder.stat().st_mode & 0o077 == 0, folder
        shown = list(plants.found(stack.said, where="what `up` says"))
        settings = stack.settings
        plants.adopt(
            {
                "database_url": _password(settings["DATABASE_URL"]),
                "redis_url": _password(settings["REDIS_URL"]),
                "secret_key": settings["SECRET_KEY"],
            }
        )
        told: dict[str, bytes] = {}
        for child in descendants(stack.process.pid):
            shown += plants.found(child.args, where=f"the command line of {child.args}")
            told[child.args] = _environ(child.pid)
        for args, environ in told.items():
            if "entrypoints.cli.main" in args:
                assert b"OPENAI_API_KEY" in environ
            else:
                shown += plants.found(environ, where=f"the environment of {args}")
            if args.endswith(" worker"):
                shown += [
                    found
                    for found in plants.found(environ, where="the worker")
                    if found.startswith("SECRET_KEY")
                ]
        assert shown == []
