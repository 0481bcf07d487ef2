"""What the API answers while its database is down, read-only, slow, busy or strange."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from adapters.embedded.installation import free_port
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.postgres.migrations import migrate
from tests.integration.answers import check_sound, created, refusal, sound_api
from tests.integration.api import serving, settings_for
from tests.integration.owners_database import execute
from tests.integration.service_role import service_url

ANN = {"name": "Ann", "email": "ann@example.com"}
ORDER = {"user_id": 1, "product_name": "oak chair", "quantity": 1}
READS = [("GET", "/users"), ("GET", "/users/1"), ("GET", "/orders"), ("GET", "/orders/1")]
WRITES = [
    ("POST", "/users"),
    ("PUT", "/users/1"),
    ("PATCH", "/users/1"),
    ("DELETE", "/users/1"),
    ("POST", "/orders"),
    ("PUT", "/orders/1"),
    ("PATCH", "/orders/1"),
    ("DELETE", "/orders/1"),
]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def send(
    api: httpx2.AsyncClient, method: str, path: str, key: str | None = None
) -> httpx2.Response:
    body = None
    if method in {"POST", "PUT", "PATCH"}:
        body = ANN if path.startswith("/users") else ORDER
    headers = {} if key is None else {"idempotency-key": key}
    return await api.request(method, path, json=body, headers=headers)


async def filled(url: str) -> None:
    """User 1 with order 1."""
    await execute(
        url,
        "INSERT INTO users (name, email) VALUES ('Bo', 'bo@example.com');"
        "INSERT INTO orders (user_id, product_name, quantity) VALUES (1, 'stool', 2)",
    )


async def test_without_a_database_every_request_for_rows_says_try_again(
    redis_url: str, tmp_path: Path
) -> None:
    dead = f"postgresql://shop:hunter2@127.0.0.1:{free_port()}/shop"
    async with sound_api(settings_for(dead, redis_url), tmp_path) as api:
        for method, path in READS + WRITES:
            response = await send(api, method, path)
            refusal(response, 503, "database_unavailable")
            assert response.headers["retry-after"] == "5"
        refusal(await send(api, "POST", "/users", key="k"), 503, "database_unavailable")
        ready = await api.get("/health/ready")
        assert (ready.status_code, ready.headers["retry-after"]) == (503, "5")
        assert ready.json() == {
            "status": "unavailable",
            "checks": {"database": "does not answer", "queue": "ok"},
            "insights": None,
        }
        refusal(await api.get("/metrics"), 503, "database_unavailable")
        assert (await api.get("/health/live")).status_code == 200
        # Nor can be known whether this machine may come in without a key.
        refusal(await api.get("/schema/openapi.json"), 503, "database_unavailable")


async def test_without_a_queue_the_service_is_not_ready_and_records_are_served(
    fresh_database_url: str, tmp_path: Path
) -> None:
    dead = f"redis://:hunter2@127.0.0.1:{free_port()}/0"
    async with sound_api(settings_for(fresh_database_url, dead), tmp_path) as api:
        ready = await api.get("/health/ready")
        assert ready.status_code == 503
        assert ready.json()["checks"]["database"] == "ok"
        assert ready.json()["checks"]["queue"] != "ok"
        assert "hunter2" not in ready.text
        await created(api, "/users", ANN)


async def test_the_service_outlives_a_restart_of_its_database(
    server_directory: Path, redis_url: str, tmp_path: Path
) -> None:
    place = server_directory / secrets.token_hex(4)
    place.mkdir(mode=0o755)
    server = EmbeddedPostgres(
        directory=place / "postgres",
        log=place / "postgres.log",
        port=free_port(),
        password=secrets.token_hex(16),
        admin_password=secrets.token_hex(16),
        settings={"fsync": "off"},
    )
    await server.start()
    try:
        await migrate(server.url)
        async with sound_api(settings_for(server.url, redis_url), tmp_path) as api:
            made = await created(api, "/users", ANN)
            await server.stop()
            refusal(await api.get("/users/1"), 503, "database_unavailable")
            assert (await api.get("/health/ready")).status_code == 503
            assert (await api.get("/health/live")).status_code == 200
            await server.start()
            assert (await api.get("/users/1")).json() == made
            assert (await api.get("/health/ready")).status_code == 200
    finally:
        await server.stop()


async def test_a_connection_that_the_server_ended_is_replaced(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with sound_api(settings_for(fresh_database_url, redis_url), tmp_path) as api:
        await asyncio.gather(*(api.get("/users") for _ in range(20)))
        async with connected(service_url(fresh_database_url, pooled=False)) as connection:
            ended = await connection.fetchval(
                "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            )
        assert ended >= 1
        for response in await asyncio.gather(*(api.get("/users") for _ in range(20))):
            assert response.status_code == 200


async def test_a_database_without_the_migrations_is_not_ready(
    empty_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with sound_api(settings_for(empty_database_url, redis_url), tmp_path) as api:
        refusal(await api.get("/users/1"), 503, "database_unfit")
        ready = await api.get("/health/ready")
        assert ready.status_code == 503
        assert ready.json()["checks"]["database"] == "is not as this version needs it"
        await migrate(empty_database_url)
        assert (await api.get("/users")).status_code == 200
        assert (await api.get("/health/ready")).status_code == 200


async def test_a_read_only_database_is_read(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    await filled(fresh_database_url)
    async with connected(fresh_database_url) as connection:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    async with sound_api(settings_for(fresh_database_url, redis_url), tmp_path) as api:
        for method, path in READS:
            assert (await send(api, method, path)).status_code == 200
        for key in (None, "k"):
            for method, path in WRITES:
                response = await send(api, method, path, key)
                refusal(response, 503, "database_read_only")
                assert response.headers["retry-after"] == "30"


async def test_a_statement_that_takes_too_long_is_given_up(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    await filled(fresh_database_url)
    settings = settings_for(fresh_database_url, redis_url, database_statement_timeout_s=0.1)
    async with sound_api(settings, tmp_path) as api, connected(fresh_database_url) as other:
        async with other.transaction():
            await other.execute("LOCK TABLE users, orders")
            for method, path in READS + WRITES:
                refusal(await send(api, method, path), 504, "database_timeout")
            refusal(await send(api, "POST", "/users", key="k"), 504, "database_timeout")
        assert (await send(api, "POST", "/users", key="k")).status_code == 201


async def test_when_no_connection_is_free_in_time_the_request_is_told_to_come_again(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = settings_for(
        fresh_database_url, redis_url, database_pool_size=1, database_acquire_timeout_s=0.2
    )
    its_own = service_url(fresh_database_url, pooled=False)  # who sees its connections
    async with sound_api(settings, tmp_path) as api, connected(its_own) as other:
        async with other.transaction():
            await other.execute("LOCK TABLE users")
            waiting = asyncio.create_task(api.get("/users"))
            await until(other, "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted")
            for path, key in (("/orders", None), ("/users", None), ("/users", "k")):
                response = await send(api, "POST" if key else "GET", path, key)
                refusal(response, 503, "database_busy")
                assert response.headers["retry-after"] == "1"
            assert (await api.get("/health/ready")).json()["checks"]["database"] == "is busy"
        assert (await waiting).status_code == 200
        assert (await api.get("/users")).status_code == 200


async def until(connection: asyncpg.Connection, condition: str) -> None:
    async with asyncio.timeout(180):
        while not await connection.fetchval(condition):
            await asyncio.sleep(0.01)


FAIL_FIRST = """
CREATE SEQUENCE tries;
CREATE FUNCTION fail_first() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('tries') <= {count} THEN
        RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '{sqlstate}';
    END IF;
    RETURN NEW;
END $$;
GRANT ALL ON SEQUENCE tries TO PUBLIC;
CREATE TRIGGER fail_first BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION fail_first();
"""


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
@pytest.mark.parametrize("key", [None, "k"])
async def test_a_collision_of_changes_is_tried_three_times(
    fresh_database_url: str, redis_url: str, tmp_path: Path, key: str | None, sqlstate: str
) -> None:
    await execute(fresh_database_url, FAIL_FIRST.format(count=5, sqlstate=sqlstate))
    async with sound_api(settings_for(fresh_database_url, redis_url), tmp_path) as api:
        response = await send(api, "POST", "/users", key)
        refusal(response, 503, "changes_collided")
        assert response.headers["retry-after"] == "1"
        assert (await send(api, "POST", "/users", key)).status_code == 201
        async with connected(fresh_database_url) as connection:
            assert await connection.fetchval("SELECT last_value FROM tries") == 6
            assert await connection.fetchval("SELECT count(*) FROM users") == 1


async def test_an_error_that_nobody_expected_is_told_to_the_log_alone(
    fresh_database_url: str,
    redis_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await execute(
        fresh_database_url, "ALTER TABLE users ADD CONSTRAINT no_ann CHECK (name <> 'Ann')"
    )
    async with serving(settings_for(fresh_database_url, redis_url), tmp_path) as api:
        for key in (None, "k"):
            response = await send(api, "POST", "/users", key)
            problem = refusal(response, 500, "internal")
            assert problem["instance"] == response.headers["x-request-id"]
            assert "no_ann" not in response.text
            assert "Ann" not in response.text
    assert caplog.text.count('violates check constraint "no_ann"') >= 2


async def test_clients_that_leave_take_no_connection_along(
    fresh_database_url: str, redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(fresh_database_url, redis_url, database_pool_size=4)
    its_own = service_url(fresh_database_url, pooled=False)  # who sees its connections
    async with sound_api(settings, tmp_path) as api, connected(its_own) as other:
        async with other.transaction():
            await other.execute("LOCK TABLE users")
            await asyncio.gather(*(leave_early(api.base_url, n) for n in range(200)))
        answers = await asyncio.gather(*(api.get("/users") for _ in range(40)))
        assert {answer.status_code for answer in answers} == {200}
        await until(
            other,
            "SELECT count(*) <= 4 AND bool_and(state = 'idle') FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'",
        )
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


ANYONE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ANYONE.check_hostname, ANYONE.verify_mode = False, ssl.CERT_NONE


async def leave_early(url: httpx2.URL, number: int) -> None:
    """Send a request, and hang up without reading the answer."""
    _, writer = await asyncio.open_connection(url.host, url.port, ssl=ANYONE)
    body = f'{{"name": "Ann", "email": "ann.{number}@example.com"}}'
    post = "POST /users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    requests = (
        "GET /users HTTP/1.1\r\nHost: x\r\n\r\n",
        f"{post}Idempotency-Key: k{number}\r\nContent-Length: {len(body)}\r\n\r\n{body}",
        f"{post}Content-Length: 1000\r\n\r\n{{",
    )
    writer.write(requests[number % 3].encode())
    await writer.drain()
    writer.transport.abort()


@pytest.fixture
async def strange(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> AsyncIterator[httpx2.AsyncClient]:
    """Rows as the columns allow them, and as another program may leave them."""
    await execute(
        fresh_database_url,
        """
        INSERT INTO users (name, email, created_at) VALUES
            ('', 'not an address', NULL), (' ', '', '-infinity'), ('Ann', 'a@b.c', 'infinity');
        INSERT INTO orders (user_id, product_name, quantity, order_date) VALUES
            (NULL, '', NULL, NULL), (1, ' ', 1, 'infinity');
        """,
    )
    async with sound_api(settings_for(fresh_database_url, redis_url), tmp_path) as api:
        yield api


async def test_rows_of_another_program_are_readable(strange: httpx2.AsyncClient) -> None:
    user = {"id": 1, "name": "", "email": "not an address", "created_at": None}
    order: dict[str, Any] = {
        "id": 1,
        "user_id": None,
        "product_name": "",
        "quantity": None,
        "order_date": None,
    }
    assert (await strange.get("/users/1")).json() == user
    assert (await strange.get("/orders/1")).json() == order
    assert (await strange.get("/users")).json()["items"][-1] == user
    assert (await strange.get("/orders")).json()["items"][-1] == order
    since = {"from": "0001-01-01T00:00:00Z"}
    assert len((await strange.get("/orders", params=since)).json()["items"]) == 1


async def test_rows_of_another_program_can_be_completed(strange: httpx2.AsyncClient) -> None:
    patched = await strange.patch("/orders/1", json={"user_id": 1, "quantity": 3})
    assert (patched.status_code, patched.headers["etag"]) == (200, '"2"')
    assert patched.json()["order_date"] is None
    dated = await strange.patch("/orders/1", json={"order_date": "2026-01-01T00:00:00Z"})
    refusal(dated, 422, "validation_failed", "/order_date")
    named = await strange.patch("/users/1", json={"name": "Ann"})
    assert named.json() == {
        "id": 1,
        "name": "Ann",
        "email": "not an address",
        "created_at": None,
    }


async def test_a_change_by_another_program_makes_an_etag_stale(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    await filled(fresh_database_url)
    async with sound_api(settings_for(fresh_database_url, redis_url), tmp_path) as api:
        tag = (await api.get("/users/1")).headers["etag"]
        await execute(fresh_database_url, "UPDATE users SET name = name")
        assert (await api.get("/users/1")).headers["etag"] == tag
        await execute(fresh_database_url, "UPDATE users SET name = 'Cy'")
        response = await api.patch("/users/1", json={"name": "Bo"}, headers={"if-match": tag})
        refusal(response, 412, "version_mismatch")
        await check_sound(response)
