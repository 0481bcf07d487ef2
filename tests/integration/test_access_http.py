"""Who is let in, by which key, from where; over TLS and with real stores."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx2
import pytest
import trustme

from adapters.embedded.installation import free_port
from adapters.embedded.valkey import EmbeddedValkey
from domain.access.key_cache import KNOWN_S
from domain.access.model import Scope
from tests.integration.answers import refusal, sound_api
from tests.integration.api import settings_for
from tests.integration.keys import make_key
from tests.integration.stack import COMMAND, PATIENCE_S, environment, run_command, wait_for

UNKNOWN = "stk_live_" + "0" * 37 + "2L9kDE"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
async def api(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> AsyncIterator[httpx2.AsyncClient]:
    async with sound_api(settings_for(fresh_database_url, redis_url), tmp_path) as client:
        yield client


@pytest.fixture(scope="module")
async def proxied(
    module_database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    """The application behind proxies: this machine, from where the tests ask, and 10.0.0.0/8."""
    proxies = "127.0.0.1,10.0.0.0/8"
    settings = settings_for(module_database_url, redis_url, trusted_proxies=proxies)
    async with sound_api(settings, tmp_path_factory.mktemp("proxied")) as client:
        yield client


@pytest.fixture
async def admin(api: httpx2.AsyncClient, fresh_database_url: str) -> str:
    """The first key; without one nobody comes in from here on."""
    assert (await api.get("/users")).status_code == 200
    key = await make_key(fresh_database_url, Scope.ADMIN)
    # Nobody was told: the server is made to ask anew by being asked with a key.
    assert (await api.get("/users", headers=bearer(key))).status_code == 200
    return key


async def operations(api: httpx2.AsyncClient, key: str) -> list[tuple[str, str, list[str] | None]]:
    """Method, a path, and the scopes that it needs; None for public ones."""
    document = (await api.get("/schema/openapi.json", headers=bearer(key))).json()
    return [
        (method, re.sub(r"\{\w+\}", "1", path), each["security"] and each["security"][0]["bearer"])
        for path, item in document["paths"].items()
        for method, each in item.items()
    ]


async def test_before_the_first_key_this_machine_needs_none(api: httpx2.AsyncClient) -> None:
    assert (await api.get("/users")).status_code == 200
    host = api.base_url.netloc.decode().replace("127.0.0.1", "[::1]")
    assert (await api.get("/users", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"X-Forwarded-For": "203.0.113.7"},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_before_the_first_key_nobody_else_gets_in(
    api: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    body = {"name": "Eve", "email": "eve@example.com"}
    refused = await api.post("/users", json=body, headers=headers)
    refusal(refused, 401, "not_authenticated")
    assert refused.headers["www-authenticate"] == 'Bearer realm="storekeeper"'
    assert (await api.get("/users")).json()["items"] == []


async def test_without_a_key_no_route_but_the_public_ones_answers(
    api: httpx2.AsyncClient, admin: str
) -> None:
    tried = 0
    for method, path, scopes in await operations(api, admin):
        answer = await api.request(method.upper(), path)
        if scopes is None or scopes == []:
            assert answer.status_code in {200, 302, 303}, path
            continue
        refusal(answer, 401, "not_authenticated")
        assert answer.headers["www-authenticate"] == 'Bearer realm="storekeeper"'
        assert (await api.options(path)).status_code == 204
        if method == "get":
            head = await api.head(path)
            assert (head.status_code, head.content) == (401, b"")
        tried += 1
    assert tried > 40
    refusal(await api.get("/nowhere"), 404, "not_found")
    refusal(await api.request("TRACE", "/users"), 405, "method_not_allowed")


async def test_every_route_refuses_every_scope_that_is_not_its_own(
    api: httpx2.AsyncClient, admin: str, fresh_database_url: str
) -> None:
    implied = {
        Scope.RECORDS_READ: {Scope.RECORDS_WRITE},
        Scope.INSIGHTS_READ: {Scope.INSIGHTS_WRITE},
    }
    keys = {
        scope: await make_key(fresh_database_url, scope) for scope in Scope if scope != Scope.ADMIN
    }
    refused = 0
    for method, path, scopes in await operations(api, admin):
        if not scopes:
            continue
        needed = Scope(scopes[0])
        for scope, key in keys.items():
            if scope == needed or scope in implied.get(needed, ()):
                continue
            answer = await api.request(method.upper(), path, headers=bearer(key))
            told = refusal(answer, 403, "scope_missing")
            assert needed in told["detail"]
            assert answer.headers["www-authenticate"] == (
                f'Bearer realm="storekeeper", error="insufficient_scope", scope="{needed}"'
            )
            refused += 1
    assert refused > 150


async def test_a_key_does_what_its_scopes_say_and_what_they_imply(
    api: httpx2.AsyncClient, admin: str, fresh_database_url: str
) -> None:
    writer = bearer(await make_key(fresh_database_url, Scope.RECORDS_WRITE))
    reader = bearer(await make_key(fresh_database_url, Scope.RECORDS_READ))
    body = {"name": "Ann", "email": "ann@example.com"}
    assert (await api.post("/users", json=body, headers=writer)).status_code == 201
    for headers in (writer, reader, bearer(admin)):
        assert (await api.get("/users", headers=headers)).status_code == 200
    assert (await api.head("/users", headers=reader)).status_code == 200
    # The scope is held against the route before the body is.
    broken = {**reader, "Content-Type": "application/json"}
    refusal(await api.post("/users", content=b"{", headers=broken), 403, "scope_missing")


@pytest.mark.parametrize(
    "value",
    [
        "Basic c3RrOg==",
        "Bearer",
        "Bearer a, Bearer b",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        f"Bearer {UNKNOWN}",
        f"Bearer {UNKNOWN[:-1]}F",
        f"Bearer {UNKNOWN[:-1]}",
        f"Bearer {UNKNOWN.upper()}",
        f"Bearer {UNKNOWN.replace('live', 'prod')}",
        "Bearer " + "a" * 60_000,
        "Bearer stk_live_\u00e9".encode().decode("latin-1"),
        "Bearer " + "\u0661",
    ],
)
async def test_what_is_no_accepted_key_is_refused_and_stands_in_no_log(
    api: httpx2.AsyncClient, admin: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = await api.get("/users", headers=[(b"Authorization", value.encode())])
    refusal(answer, 401, "not_authenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="storekeeper", error="invalid_token"'
    secret = value.partition(" ")[2]
    assert len(secret) < 8 or secret not in of_the_service(caplog) + answer.text
    assert [each for each in caplog.records if hasattr(each, "unauthenticated")]


async def test_two_keys_at_once_are_refused(api: httpx2.AsyncClient, admin: str) -> None:
    both = [("Authorization", f"Bearer {admin}"), ("Authorization", f"Bearer {admin}")]
    refusal(await api.get("/users", headers=both), 401, "not_authenticated")


async def test_a_head_that_is_too_large_is_refused_before_it_is_read(
    api: httpx2.AsyncClient, admin: str
) -> None:
    refusal(await api.get("/users", headers=bearer("a" * 70_000)), 431, "headers_too_large")


def of_the_service(caplog: pytest.LogCaptureFixture) -> str:
    """What was logged, but for the lines of the client, which logs what it is told to ask."""
    clients = ("httpx2", "httpcore2")
    records = [each for each in caplog.records if not each.name.startswith(clients)]
    return "\n".join(map(caplog.handler.format, records))


async def test_a_key_in_the_address_is_not_read_and_not_logged(
    api: httpx2.AsyncClient, admin: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "storekeeper.access")
    for name in ("access_token", "api_key", "apikey"):
        told = refusal(await api.get(f"/users?{name}={admin}"), 401, "not_authenticated")
        assert "no place for a key" in told["detail"]
    assert admin not in of_the_service(caplog)


async def test_the_log_names_the_caller_and_never_its_key(
    api: httpx2.AsyncClient, admin: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await api.get("/users", headers=bearer(admin))
    line = next(each for each in caplog.records if each.name == "storekeeper.access")
    assert vars(line)["caller"] == "key:1"
    assert admin not in of_the_service(caplog)
    assert admin[9:] not in of_the_service(caplog)


async def test_a_key_is_refused_when_it_has_expired_though_it_is_remembered(
    api: httpx2.AsyncClient, admin: str, fresh_database_url: str
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2)
    key = await make_key(fresh_database_url, Scope.RECORDS_READ, expires_at=soon)
    assert (await api.get("/users", headers=bearer(key))).status_code == 200
    while (answer := await api.get("/users", headers=bearer(key))).status_code == 200:
        await asyncio.sleep(0.05)
    assert "has expired" in refusal(answer, 401, "not_authenticated")["detail"]
    assert datetime.now(UTC) >= soon


async def test_a_key_is_accepted_from_its_networks_alone(
    api: httpx2.AsyncClient, admin: str, fresh_database_url: str
) -> None:
    there = await make_key(fresh_database_url, Scope.ADMIN, networks=["203.0.113.0/24", "::1/128"])
    here = await make_key(fresh_database_url, Scope.ADMIN, networks=["127.0.0.0/8"])
    told = refusal(await api.get("/users", headers=bearer(there)), 401, "not_authenticated")
    assert "not accepted from this address" in told["detail"]
    assert (await api.get("/users", headers=bearer(here))).status_code == 200
    # Nobody but a trusted proxy says where a request comes from.
    forged = {**bearer(there), "X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7"}
    refusal(await api.get("/users", headers=forged), 401, "not_authenticated")


@pytest.mark.parametrize(
    ("said", "allowed", "stored"),
    [
        ("203.0.113.7", True, "203.0.113.7"),
        ("203.0.113.7:4711", True, "203.0.113.7"),
        ("::ffff:203.0.113.7", True, "203.0.113.7"),
        ("[2001:db8::1]:443", True, "2001:db8::1"),
        ("203.0.113.7, 10.1.2.3", True, "203.0.113.7"),  # through two of our proxies
        ("203.0.113.7, ::ffff:10.1.2.3", True, "203.0.113.7"),
        ("203.0.113.7, 198.51.100.1", False, "198.51.100.1"),  # what a stranger says is not heard
        ("fe80::1%eth0", False, "fe80::1"),
        ("unknown", False, None),
        ("_hidden", False, None),
        ("203.0.113.7/24", False, None),
    ],
)
async def test_a_caller_behind_trusted_proxies_is_where_they_say_or_nowhere(
    proxied: httpx2.AsyncClient,
    module_database_url: str,
    said: str,
    allowed: bool,
    stored: str | None,
) -> None:
    there = await make_key(
        module_database_url, Scope.ADMIN, networks=["203.0.113.0/24", "2001:db8::/32"]
    )
    key = bearer(await make_key(module_database_url, Scope.ADMIN))
    by = {"X-Forwarded-For": said}
    answer = await proxied.get("/users", headers={**bearer(there), **by})
    assert answer.status_code == (200 if allowed else 401)
    body = {"name": "Ann", "email": f"{secrets.token_hex(8)}@example.com"}
    assert (await proxied.post("/users", json=body, headers={**key, **by})).status_code == 201
    log = await proxied.get("/audit-log?action=user.create&limit=1", headers=key)
    assert [each["address"] for each in log.json()["items"]] == [stored]


async def test_what_two_callers_ask_for_under_one_idempotency_key_is_done_for_each(
    api: httpx2.AsyncClient, admin: str, fresh_database_url: str
) -> None:
    one, two = [await make_key(fresh_database_url, Scope.RECORDS_WRITE) for _ in range(2)]
    made = []
    for key, email in ((one, "a@example.com"), (two, "b@example.com"), (one, "a@example.com")):
        body = {"name": "Ann", "email": email}
        headers = {**bearer(key), "Idempotency-Key": "order-1"}
        made.append(await api.post("/users", json=body, headers=headers))
    assert [each.status_code for each in made] == [201, 201, 201]
    assert [each.json()["email"][0] for each in made] == ["a", "b", "a"]
    assert [each.headers.get("idempotency-replayed") for each in made] == [None, None, "true"]
    body = {"name": "Ann", "email": "a@example.com"}
    headers = {**bearer(two), "Idempotency-Key": "order-2"}
    refusal(await api.post("/users", json=body, headers=headers), 409, "email_taken")


async def test_a_known_key_costs_no_query_and_an_unknown_one_that_cannot_be_looked_up_is_no_401(
    api: httpx2.AsyncClient, admin: str, fresh_database_url: str
) -> None:
    other = await make_key(fresh_database_url, Scope.ADMIN)
    connection = await asyncpg.connect(fresh_database_url)
    await connection.execute("ALTER TABLE api_keys RENAME TO api_keys_elsewhere")
    try:
        answer = await api.get("/schema/openapi.json", headers=bearer(admin))
        assert answer.status_code == 200
        refused = await api.get("/schema/openapi.json", headers=bearer(other))
        refusal(refused, 503, "database_unfit")
    finally:
        await connection.execute("ALTER TABLE api_keys_elsewhere RENAME TO api_keys")
        await connection.close()


async def test_the_use_of_a_key_is_written_down_when_the_server_ends_at_the_latest(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    key = await make_key(fresh_database_url, Scope.ADMIN)
    began = datetime.now(UTC)
    async with sound_api(settings_for(fresh_database_url, redis_url), tmp_path) as client:
        for _ in range(3):
            assert (await client.get("/users", headers=bearer(key))).status_code == 200
    connection = await asyncpg.connect(fresh_database_url)
    used = await connection.fetchval("SELECT last_used_at FROM api_keys")
    await connection.close()
    assert began <= used <= datetime.now(UTC)


async def test_a_server_that_is_not_of_this_machine_alone_never_opens(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    for more in ({"plain_http": True}, {"trusted_proxies": "127.0.0.1"}, {"host": "0.0.0.0"}):  # noqa: S104
        directory = tmp_path / next(iter(more))
        directory.mkdir()
        settings = settings_for(fresh_database_url, redis_url, **more)
        async with sound_api(settings, directory) as client:
            refusal(await client.get("/users"), 401, "not_authenticated")


@contextmanager
def serving_process(directory: Path, **variables: str) -> Iterator[httpx2.Client]:
    """`storekeeper serve` as a process of its own with one worker, and a client of it."""
    directory.mkdir(exist_ok=True)
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    key_file, chain_file = directory / "server.key", directory / "server.pem"
    certificate.private_key_pem.write_to_path(str(key_file))
    chain_file.write_bytes(b"".join(each.bytes() for each in certificate.cert_chain_pems))
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    port = free_port()
    settings = {
        "PORT": str(port),
        "WORKERS": "1",
        "SECRET_KEY": "s" * 40,
        "TLS_CERT_FILE": str(chain_file),
        "TLS_KEY_FILE": str(key_file),
        **variables,
    }
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [*COMMAND, "serve"],
            stdout=log,
            stderr=log,
            cwd=directory,
            env=environment(**settings),
        )
    try:
        with httpx2.Client(
            base_url=f"https://127.0.0.1:{port}",
            verify=ssl.create_default_context(cafile=directory / "ca.pem"),
            timeout=60,
        ) as client:
            wait_for(
                lambda: _lives(client) or process.poll() is not None,
                (directory / "log").read_text,
                PATIENCE_S,
            )
            assert process.poll() is None, (directory / "log").read_text()
            yield client
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _lives(client: httpx2.Client) -> bool:
    try:
        return client.get("/health/live").status_code == 200
    except httpx2.TransportError:
        return False


def refused_after_s(workers: Sequence[httpx2.Client], key: str, patience_s: float) -> list[float]:
    """Seconds until each worker, asked all the time, refuses a key."""
    began = time.monotonic()
    took: dict[int, float] = {}
    while len(took) < len(workers):
        for number, worker in enumerate(workers):
            if number not in took and worker.get("/users", headers=bearer(key)).status_code == 401:
                took[number] = time.monotonic() - began
        assert time.monotonic() < began + patience_s, took
    return [took[number] for number in range(len(workers))]


async def test_what_is_announced_holds_in_every_worker_at_once_and_else_within_thirty_seconds(
    fresh_database_url: str,
    server_directory: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = server_directory / secrets.token_hex(4)
    place.mkdir(mode=0o755)
    valkey = EmbeddedValkey(
        directory=place / "valkey",
        log=place / "valkey.log",
        password=secrets.token_hex(16),
        settings={"appendonly": "no"},
    )
    await valkey.start()
    stores = {"DATABASE_URL": fresh_database_url, "REDIS_URL": valkey.url}

    def storekeeper(*words: str) -> str:
        done = run_command("keys", *words, cwd=tmp_path, **stores)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def work() -> tuple[list[float], list[float], list[float]]:
        with (
            serving_process(tmp_path / "one", **stores) as one,
            serving_process(tmp_path / "two", **stores) as two,
        ):
            workers = (one, two)
            for worker in workers:
                assert worker.get("/users").status_code == 200  # open to this machine
            first = json.loads(
                storekeeper("create", "--name", "a", "--scopes", "records:read", "--json")
            )
            shut = refused_after_s(workers, "none", 20)
            key = first["key"]
            for worker in workers:
                assert worker.get("/users", headers=bearer(key)).status_code == 200
            storekeeper("revoke", str(first["id"]))
            told = refused_after_s(workers, key, 20)
            second = json.loads(
                storekeeper("create", "--name", "b", "--scopes", "records:read", "--json")
            )
            key = second["key"]
            for worker in workers:
                assert worker.get("/users", headers=bearer(key)).status_code == 200
            asyncio.run_coroutine_threadsafe(valkey.stop(), loop).result(60)
            storekeeper("revoke", str(second["id"]))
            untold = refused_after_s(workers, key, 60)
            return shut, told, untold

    loop = asyncio.get_running_loop()
    try:
        shut, told, untold = await asyncio.to_thread(work)
    finally:
        await valkey.stop()
    with capsys.disabled():
        print(  # noqa: T201
            f"\nEach worker is shut {shut} s after the first key, refuses a revoked one after"
            f" {told} s, and without Valkey after {untold} s"
        )
    assert max(untold) <= KNOWN_S + 5


@pytest.mark.parametrize(
    "more",
    [{"HOST": "0.0.0.0"}, {"PLAIN_HTTP": "true"}, {"TRUSTED_PROXIES": "127.0.0.1"}],  # noqa: S104
)
def test_where_nobody_could_come_in_the_server_does_not_start(
    fresh_database_url: str, redis_url: str, tmp_path: Path, more: dict[str, str]
) -> None:
    settings = {"DATABASE_URL": fresh_database_url, "REDIS_URL": redis_url, "SECRET_KEY": "s" * 40}
    files = {"TLS_CERT_FILE": __file__, "TLS_KEY_FILE": __file__}
    told = run_command("serve", cwd=tmp_path, PORT=str(free_port()), **settings, **files, **more)
    assert told.returncode == 2
    assert "storekeeper keys create --name first --scopes admin" in told.stderr


async def test_with_a_key_the_server_starts_on_any_address(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    key = await make_key(fresh_database_url, Scope.ADMIN)
    stores = {"DATABASE_URL": fresh_database_url, "REDIS_URL": redis_url}

    def work() -> None:
        with serving_process(tmp_path / "all", HOST="0.0.0.0", **stores) as client:  # noqa: S104
            refusal(client.get("/users"), 401, "not_authenticated")
            assert client.get("/users", headers=bearer(key)).status_code == 200

    await asyncio.to_thread(work)
