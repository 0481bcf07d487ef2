"""The fake provider as a process: its command line, its control API, its ledger over HTTP."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest
from click.testing import CliRunner

from fake_provider.calls import text_hash
from fake_provider.command import command
from fake_provider.ledger import Entry
from fake_provider.testing import FakeProcess, spawned_fake


@pytest.fixture(scope="module")
def shared() -> Iterator[FakeProcess]:
    with spawned_fake() as fake:
        yield fake


@pytest.fixture
def fake(shared: FakeProcess) -> FakeProcess:
    shared.control("PUT", "scenario", {})
    return shared


def ask(fake: FakeProcess, text: str = "hello") -> httpx2.Response:
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return httpx2.post(f"{fake.openai_base_url}/chat/completions", json=body, timeout=10)


def test_the_scenario_can_be_changed_under_way(fake: FakeProcess) -> None:
    fake.control("POST", "script", [{"kind": "rate_limited", "retry_after_s": 60}])
    assert ask(fake).status_code == 429
    assert ask(fake).status_code == 200
    changed = fake.control("PATCH", "scenario", {"limits": [{"rpm": 60, "burst_s": 1}]})
    assert changed["limits"][0]["rpm"] == 60
    assert [ask(fake).status_code for _ in range(2)] == [200, 429]
    fake.control("PATCH", "scenario", {"limits": [], "bad_keys": [""]})
    assert ask(fake).status_code == 401
    summary = fake.summary()
    assert summary["total"] == 5
    assert summary["statuses"] == {"429": 2, "200": 2, "401": 1}
    assert summary["faults"] == {"rate_limited": 2, "bad_key": 1}
    assert summary["early_calls"] == 4
    assert summary["most_calls_for_a_text"] == 5
    assert fake.control("PUT", "scenario", {"seed": 1})["limits"] == []
    assert fake.summary()["total"] == 0


def test_a_change_leaves_the_rest_of_the_scenario_as_it_stands(fake: FakeProcess) -> None:
    fake.control("PUT", "scenario", {"script": [{"kind": "server_error"}, {"kind": "overloaded"}]})
    fake.control("POST", "answers", {"hello": "exactly this"})
    assert ask(fake).status_code == 500
    fake.control("PATCH", "scenario", {"limits": [{"rpm": 6000}]})
    assert [ask(fake).status_code for _ in range(2)] == [503, 200]
    assert ask(fake).json()["choices"][0]["message"]["content"] == "exactly this"


def test_answers_can_be_added(fake: FakeProcess) -> None:
    fake.control("POST", "answers", {"hello": "exactly this"})
    assert ask(fake).json()["choices"][0]["message"]["content"] == "exactly this"


def test_the_ledger_is_read_over_http(fake: FakeProcess) -> None:
    for text in ("a", "b", "a"):
        ask(fake, text)
    entries = fake.entries
    assert [entry.text for entry in entries] == [text_hash(text) for text in "aba"]
    assert len(fake.control("GET", "ledger?since=2")) == 1


def test_control_works_in_a_dead_period(fake: FakeProcess) -> None:
    fake.control("POST", "dead", {"for_s": 60})
    with pytest.raises(httpx2.TransportError):
        ask(fake)
    fake.control("POST", "dead", {"for_s": 0})
    assert ask(fake).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "detail"),
    [
        ("PATCH", "scenario", {"latency": 3}, 400, "latency"),
        ("POST", "script", [{"kind": "explode"}], 400, "kind"),
        ("POST", "dead", {}, 400, "for_s"),
        ("GET", "nothing", None, 404, "/_control/nothing"),
    ],
)
def test_a_bad_control_request_says_what_is_wrong(
    fake: FakeProcess, method: str, path: str, body: object, status: int, detail: str
) -> None:
    answer = httpx2.request(method, f"{fake.url}/_control/{path}", json=body)
    assert answer.status_code == status
    assert detail in answer.json()["detail"]


def test_options_make_the_scenario_and_calls_go_to_a_file(tmp_path: Path) -> None:
    scenario, ledger = tmp_path / "s.yaml", tmp_path / "ledger.ndjson"
    scenario.write_text("script: [{kind: server_error}]\n")
    options = ["--scenario", str(scenario), "--ledger", str(ledger), "--rpm", "60", "--burst", "2"]
    with spawned_fake(*options, "--latency", "0.01,0.5", "--rate", "html=0.0") as fake:
        assert [ask(fake).status_code for _ in range(3)] == [500, 200, 429]
        known = fake.control("GET", "scenario")
        assert known["latency"] == {"kind": "lognormal", "mean_s": 0.01, "sigma": 0.5}
    rows = [msgspec.json.decode(line, type=Entry) for line in ledger.read_bytes().splitlines()]
    assert [row.status for row in rows] == [500, 200, 429]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--latency", "soon"], "--latency 'soon'"),
        (["--rate", "explode=1"], "--rate 'explode=1'"),
        (["--rate", "reset"], "KIND=P"),
        (["--rpm", "0"], "greater than 0"),
        (["--rate", "reset=0.7", "--rate", "html=0.7"], "add up to 1"),
    ],
)
def test_bad_options_are_refused_by_name(options: list[str], message: str) -> None:
    result = CliRunner().invoke(command, options)
    assert result.exit_code != 0
    assert message in result.output


def test_a_busy_port_is_one_clear_line(fake: FakeProcess) -> None:
    port = fake.url.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "fake_provider", "--port", port],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=Path(__file__).parents[1] / "src",
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
