"""Commands that write leave who ran them; those that read leave nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from entrypoints.cli.main import storekeeper

Run = Callable[..., Result]
_DEFINITION = {
    "name": "complaint",
    "fields": [{"name": "order_number", "type": "string", "description": "Number of the order"}],
}


@pytest.fixture
def run(redis_url: str) -> Run:
    def invoke(url: str, *arguments: str) -> Result:
        environment = {
            "DATABASE_URL": url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": "a secret of forty characters, for the tests",
        }
        result = CliRunner().invoke(storekeeper, arguments, env=environment)
        assert result.exit_code == 0, (arguments, result.output, result.exception)
        return result

    return invoke


def entered(run: Run, url: str) -> list[tuple[str, str, str]]:
    """Action, resource and outcome of each entry, oldest first."""
    lines = run(url, "audit", "--json", "--limit", "1000").stdout.splitlines()
    entries = [json.loads(line) for line in reversed(lines)]
    assert {entry["actor"] for entry in entries} <= {"command"}
    assert all(entry["subject"].startswith("command:") for entry in entries)
    return [(entry["action"], entry["resource"], entry["outcome"]) for entry in entries]


def test_migrations_are_entered_as_soon_as_there_is_a_log(
    run: Run, empty_database_url: str
) -> None:
    run(empty_database_url, "db", "migrate")
    found = entered(run, empty_database_url)
    assert found[0] == ("database.migrate", "/migrations/0018_access", "done")
    assert {action for action, _, _ in found} == {"database.migrate"}
    run(empty_database_url, "db", "migrate")
    assert entered(run, empty_database_url) == found


def test_a_log_without_a_fitting_entry_says_so(run: Run, fresh_database_url: str) -> None:
    found = run(fresh_database_url, "audit", "--action", "user.delete")
    assert (found.stdout, found.stderr) == ("", "No entry fits.\n")


def test_what_commands_write_is_entered(run: Run, fresh_database_url: str, tmp_path: Path) -> None:
    url = fresh_database_url
    log = tmp_path / "clicks.csv"
    log.write_text("search_query,clicks,impressions,search_date\nchair,1,2,2026-01-05\n")
    schema = tmp_path / "complaint.json"
    schema.write_text(json.dumps(_DEFINITION))
    run(url, "clicks", "import", str(log))
    run(url, "insights", "run", "--date", "2026-01-05")
    run(url, "clicks", "prune", "--keep-days", "30")
    run(url, "extraction-schemas", "put", str(schema))
    run(url, "extraction-schemas", "put", str(schema))
    run(url, "extraction-schemas", "delete", "complaint")
    assert entered(run, url) == [
        ("search_clicks.import", "/click-imports/1", "begun"),
        ("search_clicks.import", "/click-imports/1", "done"),
        ("search_insight.compute", "/search-insights/2026-01-05", "done"),
        ("search_clicks.prune", "/search-clicks/2026-01-05", "done"),
        ("search_insight.compute", "/search-insights/2026-01-05", "done"),
        ("extraction_schema.define", "/extraction-schemas/complaint", "done"),
        ("extraction_schema.delete", "/extraction-schemas/complaint", "done"),
    ]
    before = entered(run, url)
    for reading in (
        ("clicks", "export", "--out", str(tmp_path / "out.csv")),
        ("insights", "show"),
        ("extraction-schemas", "list"),
        ("keys", "list"),
        ("db", "dump", str(tmp_path / "shop.dump")),
    ):
        run(url, *reading)
    assert entered(run, url) == before


def test_a_made_up_shop_is_entered_once_and_then_its_insights(
    run: Run, fresh_database_url: str
) -> None:
    sizes = ("--users", "2", "--orders", "3", "--clicks", "4")
    run(fresh_database_url, "sample-data", *sizes)
    found = entered(run, fresh_database_url)
    assert found[0] == ("sample_data.fill", "/", "done")
    assert {action for action, _, _ in found[1:]} <= {"search_insight.compute"}


def test_a_restore_is_entered_after_the_log_that_it_brings_back(
    run: Run, fresh_database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    run(fresh_database_url, "keys", "create", "--name", "till", "--scopes", "extract")
    before = entered(run, fresh_database_url)
    file = str(tmp_path / "shop.dump")
    run(fresh_database_url, "db", "dump", file)
    run(empty_database_url, "db", "migrate")  # which leaves entries, and no data of anybody's
    run(empty_database_url, "db", "restore", file)
    after = entered(run, empty_database_url)
    assert after == [*before, ("database.restore", "/", "done")]
    assert "till" in run(empty_database_url, "keys", "list").stdout
