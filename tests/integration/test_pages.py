"""Every page of the documentation, followed by a reader who types what it says.

Each page has a shell, a home and, where it takes a service as given, one of its own with a worker,
over a copy of a database with the sample data of `make up`. Pages that begin with `make up` start
that. What a page says for things of the reader (a port, a host, an address of
a database, a folder of root) is replaced by what stands for it here, as a reader does.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from adapters.embedded.installation import free_port
from entrypoints.container.services import open_container
from entrypoints.settings import Settings
from fake_provider.testing import FakeInThread, running_fake
from tests.integration.api import serving, settings_for
from tests.integration.page_session import PageSession
from tests.integration.stack import run_command
from tests.snippets import ROOT, Snippet, pages, snippets_of, treatment


@dataclass(frozen=True)
class Given:
    """What a page takes as given.

    Attributes:
        service: whether the reader has one that runs; else the page starts what it needs.
        settings: of the service and of the shell.
        before: a script of the shell, before the first block.
        between: scripts before the first block that holds a text.
        after: a script that looks at what the page has made.
    """

    service: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    before: str = ""
    between: Mapping[str, str] = field(default_factory=dict)
    after: str = ""


FIRST_STEPS: Final = """
CA=~/.local/state/storekeeper/tls/ca.pem
URL=https://localhost:8443
"""
TRUSTED: Final = """
echo "cacert = $CA" >> ~/.curlrc
"""
KEY_12: Final = """
psql "$DATABASE_URL" -qc "SELECT setval('api_keys_id_seq', 10)"
"""
WORKER: Final = """
storekeeper worker > ~/worker.log 2>&1 &
trap 'kill %1; wait' EXIT
until storekeeper doctor > ~/doctor.log || ! grep -q '^FAIL  worker' ~/doctor.log; do sleep 1; done
"""  # the doctor asks for one that has reported
GIVEN: Final = {
    "docs/how-to/backup.md": Given(
        service=True, after="""psql "$OWNER_URL" -qc 'DROP DATABASE restored'"""
    ),
    "docs/how-to/compare-providers.md": Given(
        service=True,
        before="""
printf 'text\\nOrder 4711: the mug came broken. Money back please\\n' > tickets.csv
storekeeper extraction-schemas show order_message > complaint.yaml
""",
        between={
            "-o report.html": """
until curl --cacert $CA $URL/comparisons/1 | grep -q '"status":"completed"'; do sleep 1; done
"""
        },
        after="grep -q Maria report.html; test -s two.html; test -s again/report.html",
    ),
    "docs/how-to/database-roles.md": Given(
        service=True,
        before="""
mkdir -p /etc/storekeeper
echo a-password-that-nobody-guesses > /run/secrets/shop_web
psql "$OWNER_URL" -qc 'CREATE ROLE till'
""",
        between={
            "may read and write rows": """
DATABASE_URL=$OWNER_URL storekeeper db grant > service.env
. ./service.env; export DATABASE_URL
""",
        },
        after="""
for role in storekeeper_service shop_web till; do
    psql "$OWNER_URL" -qc "GRANT $role TO CURRENT_USER" -c "DROP OWNED BY $role" \\
        -c "DROP ROLE $role"
done
""",
    ),
    "docs/how-to/deploy-compose.md": Given(),
    "docs/how-to/deploy-proxy.md": Given(service=True, before=TRUSTED),
    "docs/how-to/deploy-systemd.md": Given(after="test -s /etc/storekeeper/storekeeper.env"),
    "docs/how-to/existing-database.md": Given(
        service=True,
        before="""
old_database() {
    psql "$SERVER_URL" -qc 'DROP DATABASE shop' -c 'CREATE DATABASE shop'
    export DATABASE_URL=$OWNER_URL
    psql "$DATABASE_URL" -qf sql/migrations/0001_shop.sql
}
SERVER_URL=$OWNER_URL
OWNER_URL=${SERVER_URL%/*}/shop
psql "$SERVER_URL" -qc 'CREATE DATABASE shop'
""",
        after="""psql "$SERVER_URL" -qc 'DROP DATABASE shop'""",
        between={
            "users_email_lower_key": """old_database
psql "$DATABASE_URL" -qc "INSERT INTO users (name, email) VALUES
    ('Ben', 'ben@example.com'), ('Ben O', 'Ben@example.com')"
""",
            "0014_mailboxes failed": """old_database
psql "$DATABASE_URL" -qc "INSERT INTO users (name, email) VALUES ('A', 'kunde@bücher.example'),
    ('B', 'b@example.com'), ('C', 'c@example.com'), ('D', 'kunde@xn--bcher-kva.example')"
""",
            "0005_search_insights failed": """old_database
psql "$DATABASE_URL" -qc "INSERT INTO search_insights (insight_date) VALUES
    ('2026-11-20'), ('2026-11-20')"
""",
            "users.phone": """old_database
psql "$DATABASE_URL" -qc 'ALTER TABLE orders DROP COLUMN product_name' \\
    -c 'ALTER TABLE users ADD COLUMN phone TEXT NOT NULL'
""",
            "so new rows collide": """old_database
storekeeper db migrate
psql "$DATABASE_URL" -qc "INSERT INTO users (id, name, email) VALUES (50, 'E', 'e@example.com')"
""",
            "insights run": """
psql "$DATABASE_URL" -qc "INSERT INTO search_clicks (search_query, clicks, impressions, search_date)
    VALUES ('rug', 1, 2, '2026-11-20')"
""",
        },
    ),
    "docs/how-to/import-clicks.md": Given(
        service=True,
        before="""
psql "$DATABASE_URL" -qc 'DELETE FROM search_clicks'
cat > november.csv <<'END'
day;term;hits;shown
2026-11-20;wool blanket;12;40
2026-11-20;gift card;9;7
20.11.2026;lamp;1;3
END
echo '{"search_query": "rug", "clicks": 1, "impressions": 2, "search_date": "2026-10-01"}' \\
    | gzip > searches-1.ndjson.gz
""",
    ),
    "docs/how-to/insights-by-hand.md": Given(service=True),
    "docs/how-to/keys-and-access.md": Given(
        service=True,
        before=f"{TRUSTED}{KEY_12}",
        between={"--token-from leaked.txt": "cp till3.key leaked.txt"},
    ),
    "docs/how-to/openai-gemini-vllm.md": Given(
        before=f"""{FIRST_STEPS}
echo '{{"text": "Nine lamps for Omar."}}' > messages.ndjson
""",
        between={
            "--max-cost 5": """
curl http://127.0.0.1:8900/_control/dead --json '{"for_s": 0}'
"""
        },
    ),
    "docs/how-to/operate.md": Given(
        service=True,
        before=f"""{TRUSTED}{KEY_12}{WORKER}
AUTH="Authorization: Bearer $(storekeeper keys create --name admin --scopes admin)"
storekeeper keys create --name "till 3" --scopes records:write > leaked.txt
""",
    ),
    "docs/how-to/own-model-file.md": Given(
        before="""
mkdir ~/models
find_weights="from adapters.embedded import model_server; print(model_server.weights_file())"
weights=$(python -c "$find_weights")
cp "$weights" ~/models/tiny.gguf
""",
    ),
    "docs/how-to/retention.md": Given(
        service=True,
        before="""
psql "$DATABASE_URL" -qc "
    INSERT INTO search_clicks (search_query, clicks, impressions, search_date)
    SELECT 'rug', 1, 2, day FROM generate_series('2026-08-01', '2026-08-03', INTERVAL '1 day') day"
""",
        between={
            "partition_search_clicks": """
psql "$DATABASE_URL" -qc "INSERT INTO search_clicks (search_query, clicks, impressions, search_date)
    VALUES ('rug', 1, 2, '2026-08-15')"
"""
        },
    ),
    "docs/how-to/schedule-insights.md": Given(service=True),
    "docs/how-to/supabase.md": Given(service=True, before=WORKER),
    "docs/how-to/webhooks.md": Given(service=True),
    "docs/reference/extraction-schemas.md": Given(service=True),
    "docs/reference/http-api.md": Given(
        service=True,
        settings={
            "RATE_LIMITS": "records=6000/min burst 1000, records=500000/day",
            "RATE_LIMIT_HEADERS": "true",
        },
        before="""
curl --cacert $CA $URL/users --json '{"name": "Maria Lopez", "email": "maria@example.com"}'
""",
        between={"Bearer $KEY": "KEY=$(storekeeper keys create --name shop --scopes records:read)"},
    ),
    "docs/samples/README.md": Given(
        before="rm docs/samples/*.csv docs/samples/texts.ndjson",
        after=f"""
for name in users.csv orders.csv search_clicks.csv texts.ndjson; do
    cmp docs/samples/$name {ROOT}/docs/samples/$name
done
""",
    ),
}
"""Pages that take nothing as given are not named."""


def followed(page: str) -> list[Snippet]:
    """The blocks of a page that are run here."""
    ways = {"run", "written as a file and used"}
    return [each for each in snippets_of(page) if treatment(each) in ways]


PAGES = [page for page in pages() if followed(page)]


def test_what_is_given_is_given_to_pages_that_are_there() -> None:
    assert set(GIVEN) <= set(PAGES)


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeInThread]:
    with running_fake() as provider:
        yield provider


@pytest.fixture(scope="module")
def sample_database_url(module_database_url: str, server_directory: Path) -> str:
    """URL of a database that is filled as `make up` fills its own."""
    filled = run_command("sample-data", cwd=server_directory, DATABASE_URL=module_database_url)
    assert filled.returncode == 0, filled.stderr
    return module_database_url


@asynccontextmanager
async def service(settings: Settings, state: Path, port: int) -> AsyncIterator[None]:
    """What `make up` would run, for as long as the block does, as far as pages tell."""
    (state / "tls").mkdir(parents=True)
    async with (
        open_container(settings) as container,
        serving(settings, state / "tls", port=port),
    ):
        stop = asyncio.Event()
        working = asyncio.create_task(container.extraction_worker().run(stop))
        try:
            yield
        finally:
            stop.set()
            await working


@dataclass(frozen=True)
class Reader:
    """Where a page is followed.

    Attributes:
        home: of the reader.
        port: what the page calls 8443.
        stands_for: what else the page calls otherwise.
    """

    home: Path
    port: int
    stands_for: dict[str, str]

    @property
    def state(self) -> Path:
        return self.home / ".local" / "state" / "storekeeper"


@pytest.fixture
def reader(page: str, server_directory: Path) -> Reader:
    if missing := [each for each in ("bash", "curl", "make") if shutil.which(each) is None]:
        pytest.skip(f"{' and '.join(missing)} is not on this machine")
    home = server_directory / "pages" / re.sub(r"\W+", "-", page) / "ada"
    home.mkdir(parents=True)
    port = free_port()
    stands_for = {
        r"\b8443\b": str(port),
        r"\b8900\b": str(free_port()),
        r"https://shop\.example(:\d+)?": f"https://localhost:{port}",
        r"'?postgresql://[^\s']*…[^\s']*'?": "$OWNER_URL",
        r"\b(\w+_API_KEY)=(sk-)?…": r"\1=sk-made-up",
        r"(/etc/storekeeper|/run/secrets)\b": str(home / "etc"),
        r"/opt/storekeeper/bin/": "",
    }
    return Reader(home, port, stands_for)


@pytest.mark.parametrize("page", [each for each in PAGES if not GIVEN.get(each, Given()).service])
def test_a_page_that_starts_what_it_needs_can_be_followed(page: str, reader: Reader) -> None:
    follow(page, reader, {})


@pytest.mark.parametrize("page", [each for each in PAGES if GIVEN.get(each, Given()).service])
async def test_a_page_that_takes_a_service_as_given_can_be_followed(
    page: str,
    reader: Reader,
    copy_of: Callable[[str], AbstractAsyncContextManager[str]],
    sample_database_url: str,
    redis_url: str,
    fake: FakeInThread,
) -> None:
    reader.stands_for["http://gpu-host:8000/v1"] = fake.vllm_base_url
    variables = {
        "LLM_PROVIDER": "openai",
        "OPENAI_API_KEY": "sk-made-up",
        "OPENAI_BASE_URL": fake.openai_base_url,
        "GEMINI_API_KEY": "made-up",
        "GEMINI_BASE_URL": fake.gemini_base_url,
        "OPENAI_COMPATIBLE_BASE_URL": fake.vllm_base_url,
        "LOCAL_LLM_BASE_URL": fake.vllm_base_url,
        "LOCAL_LLM_ADAPTER": "none",
        **GIVEN[page].settings,
    }
    named = {name.lower(): value for name, value in variables.items()}
    async with copy_of(sample_database_url) as database_url:
        settings = settings_for(database_url, redis_url, **named)
        async with service(settings, reader.state, reader.port):
            servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
            (reader.state / "env").write_text(
                "".join(f"{name}='{value}'\n" for name, value in servers.items())
            )
            variables |= servers
            variables["SECRET_KEY"] = settings.secret_key.get_secret_value()
            variables["OWNER_URL"] = database_url
            await asyncio.to_thread(follow, page, reader, variables, FIRST_STEPS)


def follow(page: str, reader: Reader, variables: Mapping[str, str], known: str = "") -> None:
    """Do all that a page says, in a shell with these variables that has run what is known."""
    given = GIVEN.get(page, Given())
    session = PageSession(
        home=reader.home,
        stands_for=reader.stands_for,
        # Root has another folder, and the pages say so.
        variables={"STATE_DIR": str(reader.state), **variables},
    )
    try:
        session.given(known)
        session.given(given.before)
        waiting = dict(given.between)
        for snippet in followed(page):
            for text in [each for each in waiting if each in snippet.text]:
                session.given(waiting.pop(text))
            session.follow(snippet)
        assert not waiting, f"no block of {page} holds {list(waiting)}"
        session.given(given.after)
    finally:
        session.close()
