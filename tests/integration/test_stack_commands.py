"""`storekeeper status`, `stop`, `logs`, `psql`, `reset` and `up --detach` on real stacks."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.embedded.installation import free_port
from tests.integration.stack import (
    COMMAND,
    PATIENCE_S,
    RunningStack,
    environment,
    processes,
    run_command,
    running_stack,
    wait_for,
)

WITHOUT_MODEL = {"LLM_PROVIDER": "openai_compatible"}


@pytest.fixture(scope="module")
def stack(server_directory: Path) -> Iterator[RunningStack]:
    with running_stack(
        server_directory / "seen", free_port(), "--no-sample-data", **WITHOUT_MODEL
    ) as running:
        running.wait_for_words("worker is ready")
        yield running


@pytest.fixture
def place(server_directory: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder for a stack, which is stopped at the end."""
    folder = server_directory / request.node.name
    yield folder
    if folder.exists():
        done = run_command("stop", "--state-dir", str(folder), cwd=server_directory)
        assert done.returncode == 0, done.stderr


def on(stack: RunningStack, *words: str) -> subprocess.CompletedProcess[str]:
    return run_command(words[0], "--state-dir", str(stack.state), *words[1:], cwd=stack.state)


def detached(place: Path, port: int) -> subprocess.CompletedProcess[str]:
    return run_command(
        *("up", "--detach", "--state-dir", str(place), "--port", str(port), "--no-sample-data"),
        cwd=place.parent,
        **WITHOUT_MODEL,
    )


def status(place: Path) -> tuple[int, dict[str, Any]]:
    told = run_command("status", "--json", "--state-dir", str(place), cwd=place.parent)
    document: dict[str, Any] = json.loads(told.stdout)
    return told.returncode, document


def test_each_server_is_listed_with_its_process_and_address(stack: RunningStack) -> None:
    code, document = status(stack.state)
    assert (code, document["running"], document["ready"]) == (0, True, True)
    assert document["pid"] == stack.process.pid
    listed = {each["name"]: each for each in document["processes"]}
    assert list(listed) == ["postgres", "valkey", "web", "worker"]
    alive = {each.pid for each in processes() if each.parent == stack.process.pid}
    assert {each["pid"] for each in listed.values()} == alive
    assert listed["web"]["address"] == f"https://localhost:{stack.port}"
    assert listed["postgres"]["address"] in stack.settings["DATABASE_URL"]
    assert "password" not in json.dumps(document)
    told = on(stack, "status")
    assert told.returncode == 0
    first, heading, *lines = told.stdout.splitlines()
    assert f"process {stack.process.pid}" in first
    assert heading.split() == ["NAME", "STATE", "PID", "SINCE", "ADDRESS"]
    assert {line.split()[1] for line in lines} == {"ready"}


def test_a_server_that_hangs_is_not_ready(stack: RunningStack) -> None:
    valkey = stack.child("valkey-server")
    os.kill(valkey.pid, signal.SIGSTOP)
    try:
        code, document = status(stack.state)
    finally:
        os.kill(valkey.pid, signal.SIGCONT)
    assert (code, document["running"], document["ready"]) == (1, True, False)
    assert [each["name"] for each in document["processes"] if not each["ready"]] == ["web"]
    wait_for(lambda: status(stack.state)[0] == 0, lambda: stack.said, PATIENCE_S)


def test_psql_opens_the_database_and_shows_its_password_to_nobody(stack: RunningStack) -> None:
    asked = on(stack, "psql", "-tAc", "SELECT current_user, count(*) FROM orders")
    assert (asked.returncode, asked.stdout) == (0, "storekeeper|0\n"), asked.stderr
    password = stack.settings["DATABASE_URL"].split(":")[2].split("@")[0]
    seen = on(stack, "psql", "-c", "\\! tr '\\0' ' ' </proc/$PPID/cmdline; env")
    assert seen.returncode == 0
    assert "PGSERVICE=storekeeper" in seen.stdout
    assert password not in seen.stdout
    wrong = on(stack, "psql", "-v", "ON_ERROR_STOP=1", "-c", "SELCT 1")
    assert (wrong.returncode, "syntax error" in wrong.stderr) == (1, True)


def test_psql_goes_to_database_url_where_that_is_set(
    stack: RunningStack, fresh_database_url: str, tmp_path: Path
) -> None:
    words = ("psql", "-tAc", "SELECT current_database()")
    asked = run_command(*words, cwd=tmp_path, DATABASE_URL=fresh_database_url)
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.strip() == fresh_database_url.rpartition("/")[2]


def test_the_logs_are_shown_and_followed_until_ctrl_c(stack: RunningStack) -> None:
    shown = on(stack, "logs", "web", "-n", "5")
    assert (shown.returncode, len(shown.stdout.splitlines())) == (0, 5), shown.stderr
    out = stack.state.parent / "followed.out"
    with out.open("wb") as file:
        follower = subprocess.Popen(
            [*COMMAND, "logs", "-f", "-n", "0", "--state-dir", str(stack.state)],
            stdout=file,
            cwd=stack.state,
            env=environment(),
        )
    try:
        with stack.client() as client:

            def asks_and_sees() -> bool:
                client.get("/users/4711")
                return "web         | " in out.read_text()

            wait_for(asks_and_sees, out.read_text, PATIENCE_S)
        assert "GET /users/4711 404" in out.read_text()
        follower.send_signal(signal.SIGINT)
        assert follower.wait(PATIENCE_S) == 0
    finally:
        follower.kill()
        follower.wait()


def test_a_running_stack_keeps_its_data(stack: RunningStack) -> None:
    refused = on(stack, "reset", "--yes")
    assert refused.returncode == 1
    assert f"stop it with `storekeeper stop --state-dir {stack.state}` first" in refused.stderr
    assert on(stack, "status").returncode == 0


def test_a_detached_stack_runs_on_until_it_is_stopped_and_the_other_is_not(
    stack: RunningStack, place: Path
) -> None:
    port = free_port()
    # That this returns at all shows that the stack holds none of the pipes of its caller.
    started = detached(place, port)
    assert started.returncode == 0, started.stderr
    assert f"Storekeeper is ready: https://localhost:{port}" in started.stdout
    assert f"storekeeper stop --state-dir {place} stops everything" in started.stdout
    assert "Database: applied 0001_shop" in started.stderr
    _, document = status(place)
    family = {document["pid"], *(each["pid"] for each in document["processes"] if each["pid"])}
    assert len(family) >= 4
    again = detached(place, free_port())
    assert again.returncode == 1
    assert f"in use by another `storekeeper up` (process {document['pid']})" in again.stderr
    logs = run_command("logs", "up", "--state-dir", str(place), cwd=place.parent)
    assert f"Ready: https://localhost:{port}" in logs.stdout
    assert "in use" not in logs.stdout
    stopped = run_command("stop", "--state-dir", str(place), cwd=place.parent)
    assert stopped.returncode == 0, stopped.stderr
    assert stopped.stdout == f"Stopped the stack of {place}; the data stays.\n"
    assert not family & {each.pid for each in processes()}
    assert status(place)[0] == 3
    assert on(stack, "status").returncode == 0


def test_a_detached_stack_that_cannot_start_says_why(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = detached(place, taken.getsockname()[1])
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "cannot be listened on (Address already in use)" in refused.stderr
    assert f"It ended before it was ready; its log: {place}/log/up.log" in refused.stderr
    assert status(place)[0] == 3


def test_after_a_reset_a_stack_begins_anew_and_keeps_its_authority(place: Path) -> None:
    assert detached(place, free_port()).returncode == 0
    authority = (place / "tls" / "ca.pem").read_text()
    passwords = (place / "secrets.json").read_text()
    _, document = status(place)
    # However it ended: killed, too.
    os.kill(document["pid"], signal.SIGKILL)
    wait_for(lambda: status(place)[0] == 3, lambda: str(document), PATIENCE_S)
    done = run_command("reset", "--yes", "--state-dir", str(place), cwd=place.parent)
    assert done.returncode == 0, done.stderr
    assert not (place / "postgres").exists()
    assert detached(place, free_port()).returncode == 0
    assert (place / "tls" / "ca.pem").read_text() == authority
    assert (place / "secrets.json").read_text() != passwords


def test_a_start_that_is_broken_off_leaves_nothing_running(place: Path) -> None:
    words = ("up", "--detach", "--state-dir", str(place), "--port", str(free_port()))
    starting = subprocess.Popen(
        [*COMMAND, *words, "--no-sample-data"],
        cwd=place.parent,
        env=environment(**WITHOUT_MODEL),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for((place / "processes.json").exists, lambda: "it did not start", PATIENCE_S)
    starting.send_signal(signal.SIGINT)
    assert starting.wait(PATIENCE_S) == 130
    assert status(place)[0] == 3
    assert str(place) not in "\n".join(each.args for each in processes())
