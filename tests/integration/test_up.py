from __future__ import annotations

import os
import pty
import re
import secrets
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.embedded.installation import free_port
from tests.integration.stack import (
    PATIENCE_S,
    RunningStack,
    descendants,
    run_command,
    running_stack,
    wait_for,
)

# Without the local model, which takes memory and seconds; one test runs it.
WITHOUT_MODEL = {"LLM_PROVIDER": "openai_compatible"}

on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="the kernel ends children with their parent on Linux alone"
)


@pytest.fixture(scope="module")
def stack(server_directory: Path) -> Iterator[RunningStack]:
    with running_stack(
        server_directory / "up", free_port(), "--no-sample-data", **WITHOUT_MODEL
    ) as running:
        yield running


@pytest.fixture
def place(server_directory: Path) -> Path:
    return server_directory / secrets.token_hex(4)


def free_user() -> dict[str, str]:
    return {"name": "Ada Lovelace", "email": f"{secrets.token_hex(6)}@example.com"}


def test_it_answers_over_tls_that_its_own_authority_vouches_for(stack: RunningStack) -> None:
    with stack.client() as client:
        ready = client.get("/health/ready")
        assert ready.status_code == 200, ready.text
        assert client.get(f"https://127.0.0.1:{stack.port}/health/live").status_code == 200


def test_the_banner_names_what_is_needed(stack: RunningStack) -> None:
    for words in (
        f"1. See the dashboard           https://localhost:{stack.port}/dashboard\n",
        f"3. Read and try the API        https://localhost:{stack.port}/docs\n",
        f"sign in    https://localhost:{stack.port}/sign-in",
        f"https://localhost:{stack.port}/docs",
        f"curl --cacert '{stack.state}/tls/ca.pem' https://localhost:{stack.port}/health/ready",
        f"{stack.state}/log/",
    ):
        assert words in stack.said
    assert "\x1b" not in stack.said  # a pipe is no terminal


def test_the_command_alone_prints_the_same_page_as_up(stack: RunningStack) -> None:
    told = run_command(cwd=stack.state, STATE_DIR=str(stack.state))
    assert told.returncode == 0, told.stderr
    lines = [line for line in told.stdout.splitlines() if not line.startswith("  runs ")]
    assert len(lines) > 15
    assert "  runs       postgres, valkey, web, worker" in told.stdout
    assert [line for line in lines if line not in stack.said.splitlines()] == []


@pytest.mark.parametrize(
    ("told", "coloured"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),  # no-color.org: empty is not set
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_the_banner_has_colours_where_a_terminal_has_them(
    told: dict[str, str], coloured: bool
) -> None:
    code = "from entrypoints.up.overview import styled; print(styled('ready', bold=True))"
    others = {name: v for name, v in os.environ.items() if name not in {"TERM", "NO_COLOR"}}
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-c", code], stdout=theirs, env={**others, **told}, check=True
        )
        said = os.read(ours, 100)
    finally:
        os.close(ours)
        os.close(theirs)
    assert said == (b"\x1b[1mready\x1b[0m\r\n" if coloured else b"ready\r\n")


def test_secrets_are_readable_by_their_owner_alone(stack: RunningStack) -> None:
    for name in ("secrets.json", "env", "tls/ca.key", "tls/server.key"):
        mode = (stack.state / name).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600, name


def test_the_env_file_lets_other_commands_reach_the_running_stack(stack: RunningStack) -> None:
    status = run_command("db", "status", cwd=stack.state, **stack.settings)
    assert status.returncode == 0, status.stderr
    assert "0001_shop" in status.stdout
    assert not re.search(r"\bpending\b", status.stdout)


def test_a_second_up_on_the_same_folder_refuses_and_names_the_first(stack: RunningStack) -> None:
    second = run_command(
        *("up", "--state-dir", str(stack.state), "--port", str(free_port())), cwd=stack.state
    )
    assert second.returncode == 1
    assert f"in use by another `storekeeper up` (process {stack.process.pid})" in second.stderr
    assert "--state-dir" in second.stderr


def test_a_busy_port_is_refused_in_one_line(place: Path, server_directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run_command(
            "up", "--state-dir", str(place), "--port", str(port), cwd=server_directory
        )
    assert refused.returncode == 1
    assert refused.stderr == (
        f"storekeeper up: 127.0.0.1:{port} cannot be listened on (Address already in use): "
        "choose another --port (or --host).\n"
    )


def test_bad_settings_are_named_all_at_once(place: Path, server_directory: Path) -> None:
    bad = {"LOG_LEVEL": "loud", "LLM_PROVIDER": "openai"}
    refused = run_command("up", "--state-dir", str(place), cwd=server_directory, **bad)
    assert refused.returncode == 2
    assert "LOG_LEVEL" in refused.stderr
    assert "loud" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_folder_that_cannot_be_made_is_named(server_directory: Path) -> None:
    blocker = server_directory / "a-file"
    blocker.write_text("")
    refused = run_command("up", "--state-dir", str(blocker / "state"), cwd=server_directory)
    assert refused.returncode == 1
    assert str(blocker / "state") in refused.stderr
    assert "--state-dir" in refused.stderr


@pytest.mark.parametrize("words", ["valkey-server", "postgres -D", "main serve", "main worker"])
def test_a_child_that_dies_is_started_again_and_that_is_said(
    stack: RunningStack, words: str
) -> None:
    name = {"valkey-server": "valkey", "postgres -D": "postgres"}.get(words)
    name = name or {"main serve": "web", "main worker": "worker"}[words]
    before = stack.child(words)
    times = stack.said.count(f"{name} is running again")
    os.kill(before.pid, signal.SIGKILL)
    wait_for(
        lambda: stack.said.count(f"{name} is running again") > times,
        lambda: stack.said,
        PATIENCE_S,
    )
    assert f"{name} ended (SIGKILL)" in stack.said
    assert stack.child(words).pid != before.pid
    with stack.client() as client:
        wait_for(
            lambda: client.get("/health/ready").status_code == 200, lambda: stack.said, PATIENCE_S
        )


@on_linux
def test_the_web_processes_end_with_their_parent(stack: RunningStack) -> None:
    master = stack.child("main serve")
    workers = {p.pid for p in descendants(master.pid)}
    assert len(workers) == 2
    times = stack.said.count("web is running again")
    os.kill(master.pid, signal.SIGKILL)
    wait_for(
        lambda: stack.said.count("web is running again") > times, lambda: stack.said, PATIENCE_S
    )
    assert not workers & {p.pid for p in descendants(stack.process.pid)}


@on_linux
def test_data_survives_every_way_of_stopping_and_no_process_does(place: Path) -> None:
    users: list[str] = []
    for way in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        with running_stack(place, free_port(), "--no-sample-data", **WITHOUT_MODEL) as running:
            with running.client() as client:
                for earlier in users:
                    assert client.get(earlier).status_code == 200
                made = client.post("/users", json=free_user())
                assert made.status_code == 201, made.text
                users.append(made.headers["Location"])
            assert running.end(way) == (-signal.SIGKILL if way is signal.SIGKILL else 0)
    with (
        running_stack(place, free_port(), "--no-sample-data", **WITHOUT_MODEL) as running,
        running.client() as client,
    ):
        assert [client.get(user).status_code for user in users] == [200, 200, 200]


def test_the_first_start_fills_the_database_and_runs_the_local_model(place: Path) -> None:
    with running_stack(place, free_port()) as running:
        assert "Loading sample data" in running.said
        assert (place / "sample-data").read_text() == "loaded\n"
        with running.client() as client:
            assert len(client.get("/users?limit=3").json()["items"]) == 3
        running.wait_for_words("model is ready")
        running.wait_for_words("worker is ready")
        told = run_command("doctor", "--state-dir", str(place), cwd=place)
        assert told.returncode == 0, told.stdout + told.stderr
        assert "ok    provider local: smollm2-135m answered" in told.stdout
        running.end(signal.SIGTERM)
