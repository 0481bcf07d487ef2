"""Databases that other programs fill, make and lock, as a shop brings them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from adapters.embedded.installation import free_port
from adapters.postgres.health import PostgresDiagnosticCheck
from adapters.postgres.migrations import MigrationError, faults, migrate
from adapters.postgres.pool import PoolOptions
from tests.integration.answers import created, refusal, sound_api
from tests.integration.api import settings_for
from tests.integration.owners_database import OWNERS_TABLES, ask, execute
from tests.integration.service_role import service_url
from tests.integration.stack import run_command

ANN = {"name": "Ann", "email": "ann@example.com"}
ORDER = {"user_id": 1, "product_name": "oak chair", "quantity": 1}
CLICK = {"search_query": "lamp", "clicks": 1, "impressions": 2, "search_date": "2026-11-20"}
# NULL, infinity, and what Python's calendar or JSON's numbers cannot hold.
ROWS = r"""
INSERT INTO users (id, name, email, created_at) VALUES
    (-7, '', 'a@example.com', 'infinity'), (0, E'a\tb\x1b', 'b@example.com', '-infinity'),
    (1, repeat('x', 255), 'c@example.com', '275760-09-13'), (2, 'Bo', '', '0044-03-15 BC'),
    (3, 'Cy', 'd@example.com', NULL), (4, 'Di', 'e@example.com', '9999-12-31 23:59:59.999999'),
    (5, 'Ed', 'f@example.com', '0001-01-01');
INSERT INTO orders (id, user_id, product_name, quantity, order_date) VALUES
    (-2147483648, 1, 'x', 1, 'infinity'), (-1, -7, 'x', NULL, '294276-12-31 23:59:59.999999'),
    (0, NULL, '', NULL, NULL), (1, 2, E'\x01', 1, '4713-01-01 BC'),
    (2, 2, 'x', 2147483647, '2026-01-01');
INSERT INTO search_clicks
    (search_query, clicks, impressions, click_through_rate, search_date) VALUES
    (NULL, NULL, NULL, NULL, NULL), ('', -1, -5, 'NaN', 'infinity'),
    ('lamp', 1, 0, 'Infinity', '-infinity'), ('lamp', 2, 4, '-Infinity', '2026-11-20'),
    ('lamp', 3, 4, 'NaN', '5874897-12-31'), (E'\x02', 3, 4, 1e308, '4713-01-01 BC'),
    (repeat('q', 255), 3, 4, 0.75, '9999-12-31'), ('lamp', 3, 4, -1, '0001-01-01');
INSERT INTO search_insights
    (insight_date, average_ctr, top_queries, low_performance_queries) VALUES
    ('infinity', 1, '[]', '[]'), ('-infinity', 1, NULL, NULL), (NULL, NULL, NULL, NULL),
    ('275760-09-13', 1, '[]', '[]'), ('0044-03-15 BC', 1, '[]', '[]'),
    ('9999-12-31', 'Infinity', '{"a": 1}', '"b"'), ('0001-01-01', '-Infinity', 'null', '7'),
    ('2026-11-20', 'NaN', '[null, 1, {"rank": 1e400}]', '[{"clicks": -1}]'),
    ('2026-11-19', -5, '[[]]', 'true'),
    ('2026-11-18', 1e308, ('[' || repeat('9', 400) || ']')::jsonb, '[]');
"""


@pytest.fixture
async def filled(fresh_database_url: str) -> str:
    await execute(fresh_database_url, ROWS)
    return fresh_database_url


@pytest.fixture
async def api(filled: str, redis_url: str, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with sound_api(settings_for(filled, redis_url), tmp_path) as opened:
        yield opened


async def walked(api: httpx2.AsyncClient, path: str) -> list[dict[str, Any]]:
    """The rows of a list, page by page."""
    found = []
    following: str | None = path
    while following:
        page = (await api.get(following)).json()
        found += page["items"]
        following = page["next"]
    return found


async def test_lists_visit_each_row_once_and_tell_no_invented_date(
    api: httpx2.AsyncClient,
) -> None:
    users = await walked(api, "/users?limit=2")
    assert [(each["id"], each["created_at"]) for each in users] == [
        (5, "0001-01-01T00:00:00Z"),
        (4, "9999-12-31T23:59:59.999999Z"),
        (3, None), (2, None), (1, None), (0, None), (-7, None),
    ]  # fmt: skip
    orders = await walked(api, "/orders?limit=1")
    assert [(each["id"], each["order_date"]) for each in orders] == [
        (2, "2026-01-01T00:00:00Z"), (1, None), (0, None), (-1, None), (-2147483648, None),
    ]  # fmt: skip
    later = await walked(api, "/orders?from=9999-12-31T23:59:59Z&limit=1")
    assert [each["id"] for each in later] == [-1, -2147483648]
    assert [each["id"] for each in await walked(api, "/orders?to=0001-01-01T00:00:00Z")] == [1]
    insights = await walked(api, "/search-insights?limit=1")
    days = ["9999-12-31", "2026-11-20", "2026-11-19", "2026-11-18", "0001-01-01"]
    assert [each["insight_date"] for each in insights] == days
    assert all(each["problems"] for each in insights if each["insight_date"] != "2026-11-21")


async def test_a_row_is_read_changed_and_put_back_whatever_its_date_and_id(
    api: httpx2.AsyncClient,
) -> None:
    for path in ("/users/-7", "/users/0", "/users/1", "/users/2"):
        assert (await api.get(path)).json()["created_at"] is None
        changed = await api.patch(path, json={"name": "Ann Lee"})
        assert (changed.status_code, changed.json()["created_at"]) == (200, None)
    for path in ("/orders/-2147483648", "/orders/1", "/orders/2"):
        changed = await api.patch(path, json={"quantity": 3})
        assert (changed.status_code, changed.json()["quantity"]) == (200, 3)
        back = await api.put(path, json=(await api.get(path)).json() | {"product_name": "y"})
        assert back.status_code == 200, back.text
    assert (await api.delete("/orders/-1")).status_code == 204
    refusal(await api.get("/users/-8"), 404, "not_found")


async def test_every_page_and_analysis_is_told_over_such_rows(api: httpx2.AsyncClient) -> None:
    for path in (
        "/search-insights/9999-12-31",
        "/search-insights/0001-01-01",
        "/search-insights/2026-11-18",
        "/search-insights/live?from=2026-11-01&to=2026-11-30",
        "/search-insights/live?from=2026-11-01&to=2026-11-30&compare=previous",
        "/search-insights/history?query=lamp&from=2026-11-01&to=2026-11-30",
        "/dashboard?from=2026-11-01&to=2026-11-30",
        "/dashboard",
        "/health/ready",
        "/metrics",
    ):
        response = await api.get(path)
        assert response.status_code == 200, (path, response.text)
    live = (await api.get("/search-insights/live?from=2026-11-20&to=2026-11-20")).json()
    assert (live["clicks"], live["undated_rows"]) == (2, 1)
    refused = await api.get("/search-insights/live?from=0001-01-01&to=0001-01-01")
    refusal(refused, 422, "validation_failed", "from", "to")


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_an_export_holds_every_row_and_a_blank_for_what_is_no_day(
    filled: str, tmp_path: Path, form: str
) -> None:
    out = tmp_path / f"clicks.{form}"
    told = run_command("clicks", "export", "--out", str(out), cwd=tmp_path, DATABASE_URL=filled)
    assert (told.returncode, told.stderr[:15]) == (0, "Exported 8 rows"), told.stderr
    if form == "ndjson":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        days = [each["search_date"] for each in rows]
        assert days == [
            None, None, None, "2026-11-20", None, None, "9999-12-31", "0001-01-01",
        ]  # fmt: skip


def test_commands_over_insights_tell_them(filled: str, redis_url: str, tmp_path: Path) -> None:
    given = {"DATABASE_URL": filled, "REDIS_URL": redis_url, "SECRET_KEY": "x" * 32}
    for arguments in (
        ("show",), ("show", "--json"), ("show", "--date", "2026-11-20"),
        ("show", "--date", "0001-01-01", "--days", "9"), ("catch-up",),
        ("analyse", "--from", "2026-11-01", "--to", "2026-11-30"),
    ):  # fmt: skip
        told = run_command("insights", *arguments, cwd=tmp_path, **given)
        assert told.returncode == 0, (arguments, told.stderr)
        assert "Traceback" not in told.stderr


BEHIND = """
INSERT INTO users (id, name, email)
    SELECT n, 'u', n || '@example.com' FROM generate_series(1, 50) AS n;
INSERT INTO orders (id, user_id, product_name, quantity)
    SELECT n, 1, 'x', 1 FROM generate_series(1, 50) AS n;
INSERT INTO search_clicks (search_id, search_query) SELECT n, 'q' FROM generate_series(1, 50) AS n;
INSERT INTO search_insights (id, insight_date)
    SELECT n, DATE '2020-01-01' + n FROM generate_series(1, 50) AS n;
"""


@pytest.mark.parametrize("key", [None, "k"])
async def test_ids_go_on_behind_rows_that_came_with_their_own(
    fresh_database_url: str, redis_url: str, tmp_path: Path, key: str | None
) -> None:
    await execute(fresh_database_url, BEHIND)
    named = await faults(fresh_database_url)
    assert [each.split()[0] for each in named] == [
        "users.id", "orders.id", "search_clicks.search_id", "search_insights.id",
    ] or len(named) == 4  # fmt: skip
    assert all("SELECT setval('" in each and "', 50)" in each for each in named)
    headers = {} if key is None else {"idempotency-key": key}
    async with sound_api(settings_for(fresh_database_url, redis_url), tmp_path) as api:
        user = await api.post("/users", json=ANN, headers=headers)
        assert (user.status_code, user.json()["id"]) == (201, 51)
        order = await api.post(
            "/orders", json=ORDER, headers={k: v + "2" for k, v in headers.items()}
        )
        assert (order.status_code, order.json()["id"]) == (201, 51)
        clicks = await api.post(
            "/search-clicks", json=[CLICK], headers={k: v + "3" for k, v in headers.items()}
        )
        assert clicks.status_code in {200, 201, 202}
        assert (await api.post("/search-insights/2026-11-20")).status_code == 200
    assert await faults(fresh_database_url) == []


def test_an_import_goes_on_behind_rows_that_came_with_ids(
    fresh_database_url: str, tmp_path: Path
) -> None:
    asyncio.run(execute(fresh_database_url, BEHIND))
    (tmp_path / "a.ndjson").write_text(json.dumps(CLICK) + "\n")
    told = run_command(
        "clicks", "import", "a.ndjson", cwd=tmp_path, DATABASE_URL=fresh_database_url
    )
    assert told.returncode == 0, told.stderr
    assert asyncio.run(ask(fresh_database_url, "SELECT max(search_id) FROM search_clicks")) == 51


async def test_a_taken_address_does_not_move_the_ids(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with sound_api(settings_for(fresh_database_url, redis_url), tmp_path) as api:
        await created(api, "/users", ANN)
        refusal(await api.post("/users", json=ANN), 409, "email_taken")
        assert (await created(api, "/users", ANN | {"email": "b@example.com"}))["id"] == 3


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey", "orders_user_id_fkey"),
        ("ALTER TABLE search_insights DROP CONSTRAINT search_insights_pkey", "insights_pkey"),
        ("ALTER TABLE orders DROP product_name", "product_name VARCHAR(255) NOT NULL DEFAULT"),
        ("ALTER TABLE users DROP created_at", "users.created_at is missing"),
        ("ALTER TABLE orders ALTER quantity TYPE numeric", "orders.quantity is numeric, not int"),
        ("ALTER TABLE users ALTER name TYPE varchar(50)", "users.name is character varying(50)"),
        ("ALTER TABLE orders ALTER order_date TYPE timestamptz", "orders.order_date is timestamp"),
        ("ALTER TABLE users ALTER id DROP DEFAULT", "users.id has no default: ALTER TABLE users"),
        ("ALTER TABLE users ADD phone text NOT NULL", "users.phone is NOT NULL without a default"),
        ("ALTER TABLE users ALTER created_at DROP DEFAULT", "users.created_at has no default"),
        ("ALTER TABLE orders ALTER product_name DROP NOT NULL", "orders.product_name may be NULL"),
        ("ALTER TABLE search_insights ALTER average_ctr SET NOT NULL", "average_ctr is NOT NULL"),
        ("ALTER TABLE search_insights DROP top_queries", "search_insights.top_queries is missing"),
        ("ALTER TABLE orders DROP quantity, ADD quantity INT GENERATED ALWAYS AS (1) STORED",
            "orders.quantity is generated"),
    ],
)  # fmt: skip
async def test_what_a_table_lacks_is_named_with_the_remedy(
    empty_database_url: str, change: str, named: str, tmp_path: Path
) -> None:
    await execute(empty_database_url, OWNERS_TABLES, change)
    told = run_command("db", "migrate", cwd=tmp_path, DATABASE_URL=empty_database_url)
    assert told.returncode == 1
    assert named in told.stderr
    results = await PostgresDiagnosticCheck(empty_database_url, PoolOptions()).results()
    bad = [each.detail for each in results if not each.good and each.subject == "tables"]
    assert len(bad) == 1
    assert named in bad[0]
    remedy = bad[0].partition(": ")[2].partition(", or")[0].rpartition("then ")[2]
    await execute(empty_database_url, remedy)
    await migrate(empty_database_url)
    assert await faults(empty_database_url) == []


async def test_a_column_that_a_migration_wants_is_named_with_its_table(
    empty_database_url: str,
) -> None:
    await execute(empty_database_url, OWNERS_TABLES, "ALTER TABLE search_clicks DROP search_date")
    with pytest.raises(MigrationError, match=r"(?s)undone.*search_clicks\.search_date is missing"):
        await migrate(empty_database_url)


async def test_a_view_in_the_place_of_a_table_is_named(empty_database_url: str) -> None:
    await execute(empty_database_url, "CREATE VIEW users AS SELECT 1 AS id")
    with pytest.raises(MigrationError, match="users is no table"):
        await migrate(empty_database_url)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE users RENAME name TO full_name",
        "ALTER TABLE users ADD phone text NOT NULL",
        "ALTER TABLE users ALTER id DROP DEFAULT",
        "ALTER SEQUENCE users_id_seq MAXVALUE 5 RESTART 5; SELECT nextval('users_id_seq')",
        "ALTER TABLE users ALTER name TYPE int USING 1",
        "DROP TABLE users CASCADE",
    ],
)
async def test_a_table_that_is_otherwise_at_run_time_is_the_operators_to_mend(
    fresh_database_url: str,
    redis_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    change: str,
) -> None:
    await execute(fresh_database_url, change)
    caplog.set_level(logging.WARNING)
    async with sound_api(settings_for(fresh_database_url, redis_url), tmp_path) as api:
        problem = refusal(await api.post("/users", json=ANN), 503, "database_unfit")
    assert "try again" not in json.dumps(problem).lower()
    assert "storekeeper doctor" in problem["detail"]
    (line,) = [
        each.getMessage() for each in caplog.records if "database_unfit" in each.getMessage()
    ]
    assert "\n" not in line.strip()


async def test_a_right_that_the_role_lacks_is_named(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    service = service_url(fresh_database_url)
    await execute(
        fresh_database_url,
        f"REVOKE INSERT, UPDATE ON users FROM {urlsplit(service).username}",
        f"REVOKE UPDATE ON SEQUENCE orders_id_seq FROM {urlsplit(service).username}",
    )
    users, sequence = await faults(service)
    assert users.startswith("users: the role of DATABASE_URL lacks INSERT, UPDATE: GRANT INSERT")
    assert sequence.startswith("SEQUENCE orders_id_seq: the role of DATABASE_URL lacks UPDATE")
    async with sound_api(settings_for(fresh_database_url, redis_url), tmp_path) as api:
        assert (await api.get("/users")).status_code == 200
        refusal(await api.post("/users", json=ANN), 503, "database_unfit")


@pytest.mark.parametrize(
    "query",
    [
        "channel_binding=require&sslmode=prefer&application_name=neon",
        "connect_timeout=10&keepalives=1&keepalives_idle=30&gssencmode=disable",
        "connection_limit=1&pool_timeout=0&schema=public&supa=base-pooler.x&statement_cache_size=0",
        "target_session_attrs=read-write&options=-c%20statement_timeout%3D9000",
        "pgbouncer=true",
    ],
)
async def test_an_address_as_hosts_hand_it_out_serves(
    database_url: str, redis_url: str, tmp_path: Path, query: str
) -> None:
    if "options=" in query and "pooler=transaction" in service_url(database_url):
        pytest.skip("PgBouncer takes no options")
    async with sound_api(settings_for(f"{database_url}?{query}", redis_url), tmp_path) as api:
        assert (await api.get("/users")).status_code == 200
        assert (await api.get("/health/ready")).status_code == 200


def unreachable(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    yield parts._replace(netloc=f"shop:hunter2@{parts.hostname}:{parts.port}").geturl()
    yield parts._replace(path="/nowhere").geturl()
    yield f"{url}?sslmode=require"
    yield f"{url}?options=-c%20no_such_setting%3D1"
    yield f"{url}?target_session_attrs=standby"
    yield f"postgresql://shop:hunter2@127.0.0.1:{free_port()}/shop"
    yield "postgresql://shop:hunter2@no-such-host.invalid/shop"
    yield f"postgresql://shop:hunter2@{'x' * 64}.invalid/shop"


@pytest.mark.parametrize("which", range(8))
async def test_a_database_that_lets_nobody_in_is_unavailable_and_costs_a_line(
    database_url: str,
    redis_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    which: int,
) -> None:
    url = list(unreachable(database_url))[which]
    async with sound_api(settings_for(url, redis_url), tmp_path) as api:
        refusal(await api.get("/users"), 503, "database_unavailable")
        caplog.clear()
        assert (await api.get("/health/ready")).status_code == 503
    assert "hunter2" not in caplog.text
    assert "Traceback" not in caplog.text
    # The look at the start may still be under way.
    assert 1 <= caplog.text.count("database is not ready") <= 2


async def test_tables_of_another_schema_are_found_by_the_search_path_of_the_address(
    empty_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    await execute(empty_database_url, "CREATE SCHEMA shop")
    url = f"{empty_database_url}?options=-c%20search_path%3Dshop"
    await migrate(url)
    assert await ask(empty_database_url, "SELECT to_regclass('public.users')") is None
    assert await faults(url) == []
    async with sound_api(settings_for(url, redis_url), tmp_path) as api:
        await created(api, "/users", ANN)
        assert (await api.post("/search-clicks", json=[CLICK])).status_code < 300
        assert (await api.post("/search-insights/2026-11-20")).json()["clicks"] == 1
