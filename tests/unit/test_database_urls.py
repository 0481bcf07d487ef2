from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from adapters.postgres.pool import PoolOptions, connect_arguments
from adapters.postgres.urls import DatabaseUrlError, read_database_url

HEAD = "postgresql://shop:p%40ss%2F%3A@db:5432/shop"


@pytest.fixture(autouse=True)
def no_authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)


@pytest.mark.parametrize(
    "query",
    [
        "sslmode=require&channel_binding=require",  # Neon
        "sslmode=require&pgbouncer=true&connection_limit=1&connect_timeout=15",  # Prisma
        "schema=public&pool_timeout=0&socket_timeout=5",
        "sslmode=require&supa=base-pooler.x",  # Supabase by way of Vercel
        "keepalives=1&keepalives_idle=30&keepalives_interval=10&keepalives_count=3",
        "gssencmode=disable&tcp_user_timeout=5000&sslsni=1&client_encoding=UTF8",
        "target_session_attrs=read-write&application_name=shop&options=-c%20search_path%3Dshop",
        "ssl=true&statement_cache_size=0&prepareThreshold=0&sslnegotiation=postgres",
        "ssl=no-verify&sslmode=no-verify",
        "sslmode=verify-full&sslrootcert=system&sslnegotiation=direct",
        "",
    ],
)
def test_the_driver_is_given_nothing_that_it_would_send_to_the_server_unread(query: str) -> None:
    arguments = connect_arguments(f"{HEAD}?{query}", PoolOptions())
    left = parse_qs(urlsplit(arguments["dsn"]).query)
    assert left.keys() <= {"sslmode", "sslnegotiation", "target_session_attrs"}
    assert arguments["server_settings"].keys() <= {
        "timezone", "application_name", "statement_timeout", "options",
    }  # fmt: skip
    assert (arguments["host"], arguments["port"], arguments["database"]) == (["db"], [5432], "shop")
    assert (arguments["user"], arguments["password"]) == ("shop", "p@ss/:")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("sslmodus=require", "sslmodus"),
        ("search_path=shop", "search_path"),
        ("sslmode=requir", "sslmode must be disable or allow"),
        ("gssencmode=require", "gssencmode"),
        ("require_auth=scram-sha-256", "require_auth"),
        ("hostaddr=10.0.0.1", "hostaddr"),
        ("sslmode=verify-full", "sslmode=verify-full needs sslrootcert=FILE"),
        ("sslmode=require&sslrootcert=system", "sslrootcert=system"),
        ("sslmode=require&sslcert=/nowhere/hunter2.crt", "sslcert does not name a file"),
        ("sslnegotiation=direct", "sslnegotiation=direct needs sslmode=require"),
        ("connect_timeout=soon", "connect_timeout"),
        ("target_session_attrs=master", "target_session_attrs"),
        ("port=http", "port"),
        ("port=65536", "port must be 1 to 65535"),
        ("port=0", "port must be 1 to 65535"),
        ("port=1,2", "port must be one number, or one for each host"),
        ("host=one:5433", "host holds names alone"),
        ("application_name=a%0Ahost=elsewhere", "application_name holds a control character"),
        ("sslaccept=strict", "sslaccept"),
        ("pooler=session", "pooler"),
        ("client_encoding=latin1", "client_encoding"),
        ("schema=shop&pgbouncer=true", "schema"),
        ("hunter2%20hunter2=1", "one that is not a name"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_by_its_name(query: str, named: str) -> None:
    with pytest.raises(DatabaseUrlError) as refused:
        read_database_url(f"postgresql://shop:hunter2@db/shop?{query}")
    assert f"parameter {named}" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_what_has_no_effect_is_told() -> None:
    query = "keepalives=1&sslmode=require&channel_binding=require&connection_limit=5"
    dropped = ("channel_binding", "connection_limit", "keepalives")
    assert read_database_url(f"{HEAD}?{query}").dropped == dropped


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("", 200),
        ("pgbouncer=true", 0),
        ("pooler=transaction", 0),
        ("prepareThreshold=0", 0),
        ("statement_cache_size=0", 0),
        ("statement_cache_size=50", 200),
    ],
)
def test_prepared_statements_are_kept_unless_the_url_speaks_against_it(
    query: str, kept: int
) -> None:
    arguments = connect_arguments(f"{HEAD}?{query}", PoolOptions())
    assert arguments["statement_cache_size"] == kept
    pooled = "statement_timeout" not in arguments["server_settings"]
    assert pooled is (query in {"pgbouncer=true", "pooler=transaction"})


@pytest.mark.parametrize(
    ("said", "waits_s"), [("15", 15.0), ("1", 2.0), ("0", 5.0), ("-1", 5.0), ("", 5.0)]
)
def test_the_wait_for_a_connection_is_that_of_the_url_or_ours(said: str, waits_s: float) -> None:
    arguments = connect_arguments(f"{HEAD}?connect_timeout={said}", PoolOptions())
    assert arguments["timeout"] == waits_s


def test_a_schema_is_the_search_path_and_a_plus_is_itself() -> None:
    settings = connect_arguments(
        f"{HEAD}?schema=my%22shop&application_name=a+b%26c", PoolOptions()
    )["server_settings"]
    assert settings["search_path"] == '"my""shop"'
    assert settings["application_name"] == "a+b&c"


def test_the_authorities_of_the_machine_check_name_and_certificate() -> None:
    url = f"{HEAD}?sslmode=verify-full&sslrootcert=system"
    context = connect_arguments(url, PoolOptions())["ssl"]
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_psql_is_given_what_libpq_knows() -> None:
    query = "pgbouncer=true&sslmode=require&connect_timeout=9&keepalives=1&supa=x&options=-cx%3D1"
    assert read_database_url(f"{HEAD}?{query}").parameters == {
        "host": "db", "port": "5432", "dbname": "shop", "user": "shop", "password": "p@ss/:",
        "sslmode": "require", "connect_timeout": "9", "keepalives": "1", "options": "-cx=1",
    }  # fmt: skip


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://shop@[::1]:5432/shop",
        "postgresql://one:1,[::1]:2,three/shop?target_session_attrs=primary",
        "postgresql://%2Fvar%2Frun%2Fpostgresql/shop",
        "postgresql:///shop?host=/cloudsql/project:region:shop&user=shop",
        "postgresql://:5433/shop",
        "postgres://shop:p%25w%23d@db/shop?sslmode=prefer&passfile=/nowhere",
        "postgresql://db?service=shop",
        "postgresql://shop:p\u2100d@db/shop",
        "postgresql://shop:p[w]d[@[::1],[fe80::1]:2/shop",
        "postgresql:///shop?host=::1,two&port=5433,5434",
        "POSTGRESQL://shop@db",
    ],
)
async def test_every_form_of_an_address_reaches_the_driver(url: str) -> None:
    # The driver reads the whole address before it waits for anything.
    arguments = connect_arguments(url, PoolOptions(acquire_timeout_s=1e-9))
    with pytest.raises((TimeoutError, OSError)):
        await asyncpg.connect(**arguments)


@pytest.mark.parametrize(
    ("url", "servers", "hosts", "ports"),
    [
        ("one:1,[::1]:2,three", "one:1,[::1]:2,three:5432", ["one", "::1", "three"], [1, 2, 5432]),
        ("[::1],two", "[::1],two", ["::1", "two"], None),
        ("u:p[w@[::1]:2", "[::1]:2", ["::1"], [2]),
        ("one:1/shop?host=two&port=2", "two:2", ["two"], [2]),
        ("one:1,two:1/shop?port=3", "one:3,two:3", ["one", "two"], [3]),
        ("%2Frun%2Fpostgresql", "/run/postgresql", ["/run/postgresql"], None),
        ("", "the local server", None, None),
        (":5433", "the local server:5433", None, [5433]),
    ],
)
def test_hosts_and_ports_are_read_as_libpq_does(
    url: str, servers: str, hosts: list[str] | None, ports: list[int] | None
) -> None:
    address = read_database_url(f"postgresql://{url}")
    arguments = address.connect_arguments()
    assert (address.servers, arguments["host"], arguments["port"]) == (servers, hosts, ports)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://one,,two/shop",
        "postgresql://db/shop#x",
        "postgresql://[::1/shop",
        "postgresql://[::1]x/shop",
        "postgresql://a@b@db/shop",
        "postgresql://db:port/shop",
        "postgresql://db:123456/shop",
        " postgresql://db/shop",
        "postgresql+asyncpg://db/shop",
    ],
)
def test_an_address_that_the_driver_would_stumble_over_is_refused(url: str) -> None:
    with pytest.raises(DatabaseUrlError):
        read_database_url(url)
