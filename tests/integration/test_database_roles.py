"""The second wall: who may do what in the database, on the newest and the oldest PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from adapters.embedded.postgres import EmbeddedPostgres, client_programs
from adapters.postgres.client_programs import ProgramDirectories
from adapters.postgres.contents import read_contents
from adapters.postgres.dumps import DumpError, dump, restore
from adapters.postgres.grants import GrantError, address_for, grant
from adapters.postgres.health import PostgresDiagnosticCheck
from adapters.postgres.migrations import MigrationError, faults, migrate, migration_files, status
from adapters.postgres.pool import PoolOptions
from adapters.postgres.queries import SQL_DIR
from tests.contracts.contract import Contract
from tests.integration.owners_database import OWNERS_TABLES, ask, drop_database, execute
from tests.integration.servers import debian_postgres
from tests.integration.stack import run_command
from tests.integration.supabase import Project, make_project, make_roles

ROLE = "shop_service"
OUTSIDERS = ("anon", "authenticated")
PROGRAMS = ProgramDirectories(folders=[client_programs()])
PARTITION = (SQL_DIR / "optional" / "partition_search_clicks.sql").read_text("utf-8")
PARTITION = "".join(line for line in PARTITION.splitlines(True) if not line.startswith("--"))

_RELATIONS = """
SELECT oid::regclass::text AS name, relkind::text AS kind FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S') ORDER BY 1
"""
_FUNCTIONS = """
SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1
"""
_REACHED = """
SELECT format('%s may %s on %s', rolname, word, name) FROM pg_roles, (
    SELECT oid, oid::regclass::text AS name, relkind FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
) AS relation,
    unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS word
WHERE rolname IN ('anon', 'authenticated')
  AND has_table_privilege(pg_roles.oid, relation.oid, word)
UNION ALL
SELECT format('%s may %s on %s', rolname, word, pg_class.oid::regclass) FROM pg_roles, pg_class,
    unnest('{SELECT,UPDATE,USAGE}'::text[]) AS word
WHERE rolname IN ('anon', 'authenticated')
  AND relkind = 'S' AND relnamespace = 'public'::regnamespace
  AND has_sequence_privilege(pg_roles.oid, pg_class.oid, word)
UNION ALL
SELECT format('%s may call %s', rolname, pg_proc.oid::regprocedure) FROM pg_roles, pg_proc
WHERE rolname IN ('anon', 'authenticated') AND pronamespace = 'public'::regnamespace
  AND has_function_privilege(pg_roles.oid, pg_proc.oid, 'EXECUTE')
"""
_OPEN = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relrowsecurity
"""
_ROWS = """
INSERT INTO users (name, email) VALUES ('Ann', 'ann@example.com');
INSERT INTO orders (user_id, product_name, quantity) VALUES (1, 'oak chair', 2);
INSERT INTO search_clicks (search_query, clicks, impressions, search_date)
VALUES ('lamp', 1, 2, '2026-11-20');
"""


async def fetch(url: str, query: str) -> list[str]:
    """The first column of every row."""
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def refused(connection: asyncpg.Connection, statement: str) -> bool:
    """Whether the server refuses it for want of a right; what else is undone too."""
    nested = connection.transaction()
    await nested.start()
    try:
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return True
    except asyncpg.PostgresError:
        return False
    finally:
        await nested.rollback()
    return False


async def looked_at(url: str) -> dict[str, tuple[str, ...]]:
    """What the doctor finds bad, or warns of, by its subject."""
    results = await PostgresDiagnosticCheck(url, PoolOptions()).results()
    found: dict[str, tuple[str, ...]] = {}
    for each in results:
        if each.warns or not each.good:
            found[each.subject] = (*found.get(each.subject, ()), each.detail)
    return found


async def let_in(project: Project, role: str = ROLE) -> str:
    """The service's address."""
    done = await grant(project.owner, role, anew=True)
    assert done.made_password is not None
    return address_for(project.owner, role, done.made_password)


class SecondWall(Contract):
    """A suite over `project`, a database without tables and with Supabase's roles."""

    async def test_roles_of_the_data_api_reach_nothing_whatever_they_try(
        self, project: Project
    ) -> None:
        await migrate(project.owner)
        await execute(project.owner, _ROWS)
        relations = await fetch(project.owner, _RELATIONS)
        assert {"users", "users_id_seq", "search_query_figures"} <= set(relations)
        assert await fetch(project.owner, _REACHED) == []
        for role in OUTSIDERS:
            async with project.as_role(role) as connection:
                assert await connection.fetchval("SELECT current_user") == role
                for name in relations:
                    for attempt in (
                        f"SELECT * FROM {name}",  # noqa: S608
                        f"TABLE {name}",
                        f"COPY {name} TO STDOUT",
                        f"DELETE FROM {name}",  # noqa: S608
                        f"TRUNCATE {name}",
                        f"INSERT INTO {name} DEFAULT VALUES",
                        f"LOCK TABLE {name}",
                        f"SELECT nextval('{name}')",
                        f"SELECT setval('{name}', 1)",
                        f"COMMENT ON TABLE {name} IS 'x'",
                    ):
                        if name.endswith("_figures") and not attempt.startswith("SELECT *"):
                            continue  # of a view, which nobody can write to
                        if ("val(" in attempt) == name.endswith("_seq"):
                            assert await refused(connection, attempt), (role, attempt)
                for attempt in (
                    "SELECT mailbox('a@b')",
                    "SELECT idn_label('xn--a')",
                    "SELECT * FROM searches_of_day('2026-11-20')",
                    "SELECT search_day_lock('2026-11-20')",
                    "CREATE TABLE mine (id INT)",
                    "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
                    "SET LOCAL ROLE shopkeeper",
                ):
                    assert await refused(connection, attempt), (role, attempt)

    async def test_the_files_alone_leave_no_table_open(self, project: Project) -> None:
        """Whoever adds a table says ENABLE ROW LEVEL SECURITY in its migration."""
        async with connected(project.owner) as connection:
            for each in migration_files():
                async with connection.transaction():
                    if each.name.startswith("0019"):
                        await connection.execute("CREATE TABLE schema_migrations (name TEXT)")
                    await connection.execute(each.sql)
        assert await fetch(project.owner, _OPEN) == []
        assert await fetch(project.owner, _REACHED) == []

    async def test_what_is_granted_again_shows_no_row_until_it_is_taken_back(
        self, project: Project
    ) -> None:
        await migrate(project.owner)
        await execute(
            project.owner,
            _ROWS,
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO anon, authenticated, PUBLIC",
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO anon",
            "GRANT ALL ON ALL FUNCTIONS IN SCHEMA public TO anon",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon",
        )
        async with project.as_role("anon") as connection:
            for name in ("users", "orders", "search_clicks", "search_query_figures"):
                assert await connection.fetch(f"SELECT * FROM {name}") == []  # noqa: S608
            assert await connection.execute("UPDATE users SET name = 'x'") == "UPDATE 0"
            assert await connection.execute("DELETE FROM orders") == "DELETE 0"
            assert await refused(connection, "INSERT INTO users (name, email) VALUES ('x', 'y')")
        assert "every role has rights on" in str(
            (await looked_at(project.owner))["database access"]
        )
        assert await migrate(project.owner) == []
        assert await fetch(project.owner, _REACHED) == []
        assert list(await looked_at(project.owner)) == ["database role"]
        defaults = await fetch(project.owner, "SELECT defaclacl::text FROM pg_default_acl")
        assert "anon" not in str(defaults)

    async def test_a_right_by_another_way_is_found(self, project: Project) -> None:
        await migrate(project.owner)
        await execute(
            project.owner,
            "CREATE VIEW shown AS SELECT name FROM users",
            "CREATE VIEW asked WITH (security_invoker = true) AS SELECT name FROM users",
            "CREATE MATERIALIZED VIEW copied AS SELECT product_name FROM orders",
            "GRANT SELECT ON shown, asked, copied TO anon",
            "CREATE TABLE theirs (id INT)",
        )
        found = (await looked_at(project.owner))["database access"]
        assert len(found) == 1
        assert "role anon sees our tables through copied, shown," in found[0]
        await execute(project.owner, "DROP VIEW shown, asked; DROP MATERIALIZED VIEW copied")
        await execute(
            project.superuser,
            "CREATE ROLE between NOLOGIN",
            "GRANT between TO anon",
        )
        try:
            await execute(project.owner, "GRANT SELECT (name) ON users TO between")
            # anon inherits nothing, and may take the other role on.
            found = (await looked_at(project.owner))["database access"]
            assert "role anon has rights on users:" in found[0]
        finally:
            await execute(
                project.superuser,
                "DROP OWNED BY between",
                "DROP ROLE between",
            )

    async def test_the_services_role_works_with_rows_and_does_nothing_else(
        self, project: Project
    ) -> None:
        await migrate(project.owner)
        service = await let_in(project)
        await execute(service, _ROWS, "UPDATE users SET name = 'Bo'", "DELETE FROM orders")
        assert await ask(service, "SELECT count(*) FROM search_changed_days") == 1
        assert await ask(service, "SELECT count(*) FROM search_query_figures") == 1
        assert await ask(service, "SELECT setval('users_id_seq', 7)") == 7
        audit = "INSERT INTO audit_log (at, actor, subject, action, resource) VALUES"
        await execute(service, f"{audit} (now() - interval '1 year', 'key', 'a', 'b', 'c')")
        assert await ask(service, "SELECT prune_audit_log(90, 1000)") == 1
        async with connected(service) as connection, connection.transaction():
            for attempt in (
                "ALTER TABLE users ADD COLUMN x INT",
                "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
                "ALTER TABLE search_clicks DISABLE TRIGGER ALL",
                "ALTER TABLE search_clicks DISABLE TRIGGER search_clicks_inserted",
                "SET LOCAL session_replication_role = replica",
                "CREATE POLICY x ON users USING (TRUE)",
                "CREATE TRIGGER x AFTER INSERT ON users EXECUTE FUNCTION mark_search_days()",
                "CREATE TABLE x (id INT)",
                "CREATE FUNCTION x() RETURNS INT LANGUAGE sql AS 'SELECT 1'",
                "CREATE INDEX ON users (name)",
                "CREATE SCHEMA x",
                "CREATE ROLE x",
                "DROP TABLE orders",
                "TRUNCATE search_clicks",
                "SELECT * FROM auth.users",
                "SET LOCAL ROLE shopkeeper",
                "SET LOCAL ROLE service_role",
                "GRANT SELECT ON users TO anon",
                "INSERT INTO schema_migrations VALUES ('x', 'y')",
                "DELETE FROM schema_migrations",
                "UPDATE schema_migrations SET checksum = 'x'",
                "DELETE FROM audit_log",
                "UPDATE audit_log SET actor = 'local'",
                "COPY users TO PROGRAM 'true'",
            ):
                # A right that is missing for a GRANT is a warning, and nothing is granted.
                if attempt.startswith("GRANT"):
                    await connection.execute(attempt)
                else:
                    assert await refused(connection, attempt), attempt
        assert await fetch(project.owner, _REACHED) == []
        assert await looked_at(service) == {}
        assert await migrate(service) == []
        assert [each.applied_at is None for each in await status(service)].count(True) == 0
        assert await faults(service) == []

    async def test_marks_of_days_are_not_led_astray_by_temporary_tables(
        self, project: Project
    ) -> None:
        await migrate(project.owner)
        service = await let_in(project)
        await execute(
            service,
            """
            CREATE TEMP TABLE search_changed_days (search_date DATE);
            INSERT INTO search_clicks (search_query, search_date) VALUES ('lamp', '2026-11-20');
            """,
        )
        assert await ask(service, "SELECT count(*) FROM search_changed_days") == 1

    async def test_functions_with_their_owners_rights_keep_their_path_and_are_called_by_few(
        self, project: Project
    ) -> None:
        await migrate(project.owner)
        await let_in(project)
        definers = await fetch(
            project.owner,
            """
            SELECT (oid::regprocedure::text, proconfig::text)::text FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace AND prosecdef
            """,
        )
        assert len(definers) == 4
        assert all("pg_temp" in each for each in definers)
        by_service = """
        SELECT oid::regprocedure::text FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND prosecdef
          AND has_function_privilege('shop_service', oid, 'EXECUTE')
        """
        # It says itself how much is kept.
        assert await fetch(project.owner, by_service) == ["prune_audit_log(integer,integer)"]

    async def test_it_is_granted_again_at_will_and_brought_back_to_what_it_should_be(
        self, project: Project
    ) -> None:
        await migrate(project.owner)
        first = await grant(project.owner, ROLE, anew=True)
        again = await grant(project.owner, ROLE)
        assert (again.is_new, again.made_password, again.statements) == (False, None, 0)
        assert first.statements > 20
        await execute(
            project.owner,
            f"GRANT TRUNCATE, TRIGGER ON users TO {ROLE}",
            f"GRANT INSERT, DELETE ON schema_migrations TO {ROLE}",
            f"REVOKE SELECT ON orders FROM {ROLE}",  # noqa: S608
            "DROP POLICY storekeeper_service ON search_clicks",
            f"REVOKE ALL ON SEQUENCE users_id_seq FROM {ROLE}",
            f"REVOKE ALL ON FUNCTION mailbox(TEXT) FROM {ROLE}",
        )
        service = address_for(project.owner, ROLE, str(first.made_password))
        told = " ".join(await faults(service))
        assert "lacks SELECT: GRANT SELECT ON orders" in told
        assert f"search_clicks: row level security lets role {ROLE} see no row" in told
        assert "TRUNCATE" in str((await looked_at(service))["database role"])
        mended = await grant(project.owner, ROLE)
        assert mended.statements == 8
        assert await looked_at(service) == {}

    async def test_what_a_role_sees_is_not_told_as_a_database_without_migrations(
        self, project: Project
    ) -> None:
        await migrate(project.owner)
        service = await let_in(project)
        await execute(project.owner, "DROP POLICY storekeeper_service ON schema_migrations")
        with pytest.raises(MigrationError, match=f"storekeeper db grant {ROLE}"):
            await status(service)
        # The next migration brings the policy back, since the other tables have it.
        await migrate(project.owner)
        assert len(await status(service)) == len(migration_files())

    async def test_roles_that_no_grant_would_limit_are_refused(self, project: Project) -> None:
        with pytest.raises(MigrationError, match="run `storekeeper db migrate` first"):
            await grant(project.owner, ROLE)
        await migrate(project.owner)
        service = await let_in(project)
        for url, role, why in (
            (project.owner, "anon", "give it a name of its own"),
            (project.owner, "pg_read_all_data", "give it a name of its own"),
            (project.owner, "", "give it a name of its own"),
            (project.owner, "shopkeeper", "BYPASSRLS and has CREATEROLE"),
            (service, "another", "shopkeeper owns and shop_service does not"),
        ):
            with pytest.raises(GrantError, match=why):
                await grant(url, role)
        with pytest.raises(GrantError, match="printable ASCII"):
            await grant(project.owner, ROLE, password="pässword")
        with pytest.raises(GrantError, match="there is no role nobody"):
            await grant(project.owner, "nobody", keep=True)

    async def test_other_programs_that_had_rights_before_go_on(self, project: Project) -> None:
        await execute(project.superuser, "CREATE ROLE till LOGIN PASSWORD 'till'")
        try:
            await execute(project.owner, OWNERS_TABLES)
            await execute(
                project.owner,
                "GRANT SELECT, INSERT ON users TO till",
                "GRANT UPDATE (clicks), SELECT (clicks) ON search_clicks TO till",
                "GRANT USAGE ON SEQUENCE users_id_seq TO till",
                "GRANT SELECT ON orders TO till",
                "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
                "CREATE POLICY few ON orders TO till USING (quantity < 3)",
                "INSERT INTO users (name, email) VALUES ('Ann', 'ann@example.com')",
                "INSERT INTO search_clicks (search_query, search_date) VALUES ('x', '2026-11-20')",
            )
            await migrate(project.owner)
            parts = project.owner.replace("shopkeeper:shop@", "till:till@")
            assert await ask(parts, "SELECT count(*) FROM users") == 1
            await execute(parts, "INSERT INTO users (name, email) VALUES ('Bo', 'bo@x.org')")
            await execute(parts, "UPDATE search_clicks SET clicks = 1")
            assert await ask(project.owner, "SELECT sum(clicks) FROM search_clicks") == 1
            # Policies of the shop's own say which rows, and none is added that shows more.
            shown = (
                "SELECT array_agg(polname::text) FROM pg_policy WHERE polrelid = 'orders'::regclass"
            )
            assert await ask(project.owner, shown) == ["few"]
            # One who is let in later is told of.
            await execute(project.owner, "DROP POLICY few ON orders")
            assert "role till has rights on orders and sees no row" in str(
                (await looked_at(project.owner))["database access"]
            )
        finally:
            await execute(project.superuser, "DROP OWNED BY till", "DROP ROLE till")

    async def test_partitions_are_closed_too_and_so_are_those_that_come(
        self, project: Project
    ) -> None:
        await migrate(project.owner)
        service = await let_in(project)
        await execute(project.owner, _ROWS, f"BEGIN; {PARTITION} COMMIT;")
        await execute(project.owner, "SELECT make_search_clicks_month('2031-05-01')")
        assert await fetch(project.owner, _OPEN) == []
        assert await fetch(project.owner, _REACHED) == []
        await execute(
            service,
            "INSERT INTO search_clicks (search_query, search_date) VALUES ('x', '2031-05-02')",
        )
        assert await ask(service, "SELECT count(*) FROM search_clicks") == 2
        async with connected(service) as connection, connection.transaction():
            assert await refused(connection, "SELECT * FROM search_clicks_2031_05")
            assert await refused(connection, "SELECT make_search_clicks_month('2031-06-01')")
        assert await looked_at(service) == {}

    async def test_a_dump_is_the_owners_and_comes_back_behind_the_wall(
        self, project: Project, other_project: Project, tmp_path: Path
    ) -> None:
        await migrate(project.owner)
        service = await let_in(project)
        await execute(service, _ROWS)
        with pytest.raises(DumpError, match=r"belongs to the role shopkeeper: dumps are made"):
            await dump(await read_contents(service), tmp_path / "no.dump", PROGRAMS)
        file = tmp_path / "shop.dump"
        await dump(await read_contents(project.owner), file, PROGRAMS)
        # Back into its own place, the service goes on without another word.
        await execute(service, "DELETE FROM orders")
        place = await read_contents(project.owner)
        assert place.service_roles == {ROLE}
        with pytest.raises(DumpError, match="belongs to the role shopkeeper"):
            await restore(await read_contents(service), file, PROGRAMS, replace=True)
        assert await restore(place, file, PROGRAMS, replace=True) == []
        assert await ask(service, "SELECT count(*) FROM orders") == 1
        assert await looked_at(service) == {}
        # Into another project, whose defaults let everybody in.
        await restore(await read_contents(other_project.owner), file, PROGRAMS, replace=False)
        for place_of in (project, other_project):
            assert await fetch(place_of.owner, _OPEN) == []
            assert await fetch(place_of.owner, _REACHED) == []
        await grant(other_project.owner, ROLE)
        there = service.rpartition("/")[0] + "/" + other_project.owner.rpartition("/")[2]
        assert await ask(there, "SELECT count(*) FROM orders") == 1

    async def test_the_command_tells_a_new_password_once_and_in_no_log(
        self, project: Project, server_log: Path, tmp_path: Path
    ) -> None:
        name = project.owner.rpartition("/")[2]
        await execute(project.superuser, f"ALTER DATABASE {name} SET log_statement = 'all'")

        def run(url: str, *arguments: str) -> tuple[int, str, str]:
            told = run_command("db", *arguments, cwd=tmp_path, DATABASE_URL=url)
            return told.returncode, told.stdout, told.stderr

        assert run(project.owner, "migrate")[0] == 0
        code, out, err = run(project.owner, "grant", "clerk")
        assert (code, err.startswith("Made role clerk: ")) == (0, True), err
        variable, _, service = out.strip().partition("=")
        assert variable == "DATABASE_URL"
        password = service.partition("clerk:")[2].partition("@")[0]
        assert len(password) == 32
        assert password not in err
        entered = "SELECT array_agg(action) FROM audit_log WHERE actor = 'command'"
        assert "database.grant" in await ask(service, entered)
        assert run(service, "status")[0] == 0
        code, out, err = run(project.owner, "grant", "clerk")
        assert (code, out) == (0, "")
        assert err == "Role clerk: 0 grants and policies were lacking.\n"
        (tmp_path / "secret").write_text("a word of my own\n")
        assert run(project.owner, "grant", "clerk", "--password-file", "secret")[:2] == (0, "")
        own = service.replace(password, "a%20word%20of%20my%20own")
        assert run(own, "status")[0] == 0
        code, out, err = run(project.owner, "grant", "clerk", "--new-password", "--no-password")
        assert (code, "take one of" in err) == (2, True)
        code, out, err = run(service.replace(password, "x"), "migrate")
        assert "Traceback" not in err
        logged = server_log.read_text(errors="replace")
        assert 'CREATE ROLE "clerk" LOGIN PASSWORD' in logged
        assert password not in logged
        assert "a word of my own" not in logged
        await execute(project.superuser, "DROP OWNED BY clerk", "DROP ROLE clerk")


@pytest.fixture
async def project(server: str) -> AsyncIterator[Project]:
    made = await make_project(server, f"project_{secrets.token_hex(4)}")
    yield made
    await _forget(server, made)


@pytest.fixture
async def other_project(server: str) -> AsyncIterator[Project]:
    made = await make_project(server, f"project_{secrets.token_hex(4)}")
    yield made
    await _forget(server, made)


async def _forget(server: str, project: Project) -> None:
    await drop_database(server, project.owner.rpartition("/")[2])


@pytest.fixture(scope="module")
async def newest(server_directory: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(
        directory=server_directory / secrets.token_hex(4),
        log=server_directory / "log" / f"{secrets.token_hex(4)}.log",
        password=secrets.token_hex(16),
        admin_password=secrets.token_hex(16),
        settings={"fsync": "off"},
    )
    await server.start()
    try:
        await make_roles(server.admin_url)
        yield server
    finally:
        await server.stop()


@pytest.fixture(scope="module")
async def oldest(server_directory: Path) -> AsyncIterator[tuple[str, Path]]:
    directory = server_directory / secrets.token_hex(4)
    directory.mkdir(mode=0o755)
    async with debian_postgres(15, directory) as url:
        await make_roles(url)
        yield url, directory / "postgres.log"


class TestOnTheNewest(SecondWall):
    @pytest.fixture
    def server(self, newest: EmbeddedPostgres) -> str:
        return newest.admin_url

    @pytest.fixture
    def server_log(self, newest: EmbeddedPostgres) -> Path:
        return newest.log


class TestOnPostgres15(SecondWall):
    @pytest.fixture
    def server(self, oldest: tuple[str, Path]) -> str:
        return oldest[0]

    @pytest.fixture
    def server_log(self, oldest: tuple[str, Path]) -> Path:
        return oldest[1]
