"""`storekeeper webhooks` over PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from entrypoints.cli.main import storekeeper
from tests.integration.service_role import service_url

Run = Callable[..., Result]
ROOT = Path(__file__).parents[2]
URL = "https://shop.example/hooks"


@pytest.fixture
def run(fresh_database_url: str) -> Run:
    def invoke(*arguments: str) -> Result:
        environment = {"DATABASE_URL": service_url(fresh_database_url)}
        return CliRunner().invoke(storekeeper, ("webhooks", *arguments), env=environment)

    return invoke


def done(result: Result) -> Result:
    assert result.exit_code == 0, result.output
    return result


def test_an_endpoint_is_made_tested_rotated_switched_and_deleted(run: Run) -> None:
    assert "`storekeeper webhooks create` makes one" in done(run("list")).stderr
    made = done(run("create", URL, "--event", "extraction_job.failed", "--description", "till"))
    assert made.stdout.startswith("whsec_")
    assert made.stdout.count("\n") == 1
    assert "Endpoint 1 is made. Keep its secret now" in made.stderr
    heading, line = done(run("list")).stdout.splitlines()
    assert heading.split() == ["ID", "STATE", "EVENTS", "URL", "DESCRIPTION"]
    assert line.split() == ["1", "enabled", "extraction_job.failed", URL, "till"]
    assert made.stdout.strip() not in run("list", "--json").stdout

    sent = done(run("test", "1")).stdout
    assert sent.endswith("will be sent to endpoint 1 by a worker.\n")
    delivery = sent.split()[0]
    page = (ROOT / "docs/how-to/webhooks.md").read_text("utf-8")
    shown = page.partition("$ storekeeper webhooks deliveries\n")[2]
    heading, row = done(
        run("deliveries", "--endpoint", "1", "--status", "pending")
    ).stdout.splitlines()
    assert heading.split() == shown.splitlines()[0].split()
    assert row.split()[:5] == [delivery, "1", "ping", "pending", "0"]
    assert json.loads(done(run("replay", delivery, "--json")).stdout)["id"] == delivery
    listed = json.loads(done(run("deliveries", "--json")).stdout)["deliveries"]
    assert [each["id"] for each in listed] == [delivery]

    rotated = json.loads(done(run("rotate", "1", "--json")).stdout)
    assert rotated["secret"] != made.stdout.strip()
    assert done(run("disable", "1")).stdout == "Endpoint 1 is disabled (requested).\n"
    refused = run("test", "1")
    assert (refused.exit_code, "enable it first" in refused.stderr) == (1, True)
    assert done(run("enable", "1")).stdout == "Endpoint 1 is enabled.\n"
    assert done(run("delete", "1")).stdout == "Endpoint 1 is deleted.\n"
    assert json.loads(done(run("list", "--json")).stdout) == {"endpoints": []}


def test_more_deliveries_than_asked_for_are_mentioned(run: Run) -> None:
    assert "There is no such delivery." in done(run("deliveries")).stderr
    done(run("create", URL))
    for _ in range(3):
        done(run("test", "1"))
    found = done(run("deliveries", "--limit", "2"))
    assert len(found.stdout.splitlines()) == 3
    assert "There are more than 2" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "https://10.0.0.1/"), "url leads to an address that is not public"),
        (("create", "http://shop.example/"), "url must be an https:// URL"),
        (("create", URL, "--description", "a" * 201), "description must have at most 200"),
        (("test", "9"), "There is no webhook endpoint 9."),
        (("delete", "9"), "There is no webhook endpoint 9."),
        (("replay", "msg_1"), "There is no webhook delivery with this id."),
        (("replay", "\udcff"), "There is no webhook delivery with this id."),
    ],
)
def test_what_cannot_be_done_is_told(run: Run, arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert words in result.stderr


def test_a_network_of_ones_own_is_let_in_by_a_setting(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_ALLOWED_NETWORKS", "10.0.0.0/8")
    assert done(run("create", "http://10.0.0.1/")).stdout.startswith("whsec_")
    monkeypatch.setenv("WEBHOOK_ALLOWED_NETWORKS", "10.0.0.1/8")
    refused = run("create", URL)
    assert refused.exit_code != 0
    assert "WEBHOOK_ALLOWED_NETWORKS" in refused.stderr
