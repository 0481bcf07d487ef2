"""What the commands on a stack do where none runs, or one that is not ours to stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.embedded.process import process_identity
from entrypoints.cli.logs import Tail
from entrypoints.cli.main import storekeeper
from entrypoints.up.state import StackRecord, StateDirectory


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(storekeeper, arguments, input=stdin)


def record(pid: int, identity: str) -> StackRecord:
    return StackRecord(
        pid=pid,
        identity=identity,
        since=datetime(2026, 11, 29, tzinfo=UTC),
        url="https://localhost:8443",
        ready=True,
        ca_file=None,
        needs_key=False,
        detached=True,
        processes=(),
    )


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with a stack."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        assert process.poll() is None, "it was ended"
        process.kill()


@pytest.fixture
def used(tmp_path: Path) -> StateDirectory:
    """A folder in which a stack was, with what it leaves and a file of somebody else's."""
    state = StateDirectory(tmp_path / "state")
    state.acquire()
    state.load_secrets()
    for name in ("postgres", "valkey", "tls", "log"):
        (state.path / name).mkdir()
        (state.path / name / "notes.txt").touch()
    state.log("web").write_text("one\ntwo\n")
    (state.path / "sample-data").write_text("loaded\n")
    state.release()
    return state


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("status",), 3, "Nothing runs here: start `storekeeper up --state-dir "),
        (("stop",), 0, "Nothing runs in "),
        (("reset", "--yes"), 0, "There is nothing to delete in "),
        (("logs",), 1, "There is no log of anything in "),
        (("logs", "web"), 1, "There is no log of web in "),
    ],
)
def test_a_folder_without_a_stack_is_said_to_be_one(
    tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    place = tmp_path / "state"
    result = run(*words, "--state-dir", str(place))
    assert (result.exit_code, said in result.output) == (code, True), result.output
    assert not place.exists()


def test_a_stack_that_was_killed_is_not_running_whoever_has_its_process_id_now(
    used: StateDirectory, bystander: subprocess.Popen[bytes]
) -> None:
    (used.path / "lock").write_text(f"{bystander.pid}\n")
    used.record(record(bystander.pid, process_identity(bystander.pid)))
    for words, code in ((("status",), 3), (("stop",), 0)):
        assert run(*words, "--state-dir", str(used.path)).exit_code == code


def test_a_stack_of_another_machine_is_not_stopped_here(
    used: StateDirectory, bystander: subprocess.Popen[bytes]
) -> None:
    used.acquire()
    used.record(record(bystander.pid, "started at another time"))
    for words in ("status", "stop"):
        refused = run(words, "--state-dir", str(used.path))
        assert refused.exit_code == 1
        assert "is no process of this machine" in refused.stderr
    refused = run("reset", "--yes", "--state-dir", str(used.path))
    assert (refused.exit_code, "stop it with `storekeeper stop" in refused.stderr) == (1, True)
    used.release()
    assert used.was_used()


def test_a_stack_that_only_begins_is_not_ready(used: StateDirectory) -> None:
    used.acquire()
    told = run("status", "--state-dir", str(used.path))
    assert (told.exit_code, told.stdout) == (1, f"The stack of {used.path} is starting.\n")
    document = json.loads(run("status", "--json", "--state-dir", str(used.path)).stdout)
    assert (document["running"], document["ready"], document["processes"]) == (True, False, [])
    assert "only starting" in run("stop", "--state-dir", str(used.path)).stderr
    used.record(record(os.getpid(), process_identity(os.getpid())))
    told = run("status", "--state-dir", str(used.path))
    assert told.exit_code == 0
    assert told.stdout.startswith(
        f"Storekeeper runs at https://localhost:8443, process {os.getpid()}"
    )
    used.release()


def test_a_record_that_cannot_be_read_is_named(used: StateDirectory) -> None:
    used.acquire()
    (used.path / "processes.json").write_text('{"pid": "one"}')
    refused = run("stop", "--state-dir", str(used.path))
    assert refused.exit_code == 1
    assert "processes.json cannot be read" in refused.stderr
    used.release()


def test_a_reset_deletes_the_data_and_nothing_else(used: StateDirectory) -> None:
    for name in ("bin", "src", "env"):
        (used.path / name).mkdir()
    (used.path / "notes.txt").touch()
    done = run("reset", "--yes", "--state-dir", str(used.path))
    assert done.exit_code == 0, done.output
    left = {str(file.relative_to(used.path)) for file in used.path.rglob("*")}
    assert left == {
        *("lock", "tls", "tls/notes.txt", "log", "log/notes.txt"),
        *("bin", "src", "env", "notes.txt"),
    }
    assert "nothing to delete" in run("reset", "--yes", "--state-dir", str(used.path)).stdout


def test_a_reset_that_was_cut_short_is_finished_by_the_next(used: StateDirectory) -> None:
    aside = used.path / ".storekeeper-deleted"
    aside.mkdir()
    for name in ("postgres", "secrets.json"):
        (used.path / name).rename(aside / name)
    assert run("reset", "--yes", "--state-dir", str(used.path)).exit_code == 0
    assert not aside.exists()
    assert not (used.path / "valkey").exists()


def test_nobody_who_was_not_asked_loses_data(used: StateDirectory) -> None:
    refused = run("reset", "--state-dir", str(used.path))
    assert (refused.exit_code, "say --yes" in refused.stderr) == (2, True)
    assert (used.path / "postgres").exists()


def test_data_behind_a_link_is_left_alone(used: StateDirectory, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (used.path / "valkey").rename(elsewhere)
    (used.path / "valkey").symlink_to(elsewhere)
    refused = run("reset", "--yes", "--state-dir", str(used.path))
    assert (refused.exit_code, "is a link, and nothing was deleted" in refused.stderr) == (1, True)
    assert (used.path / "postgres").exists()
    assert (elsewhere / "notes.txt").exists()


def test_the_data_of_a_server_that_outlived_its_supervisor_is_left_alone(
    used: StateDirectory, bystander: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoints.cli.stack._PATIENCE_S", 0.0)
    pid_file = used.log("postgres").with_suffix(".pid")
    pid_file.write_text(f"{bystander.pid} {process_identity(bystander.pid)}\n")
    refused = run("reset", "--yes", "--state-dir", str(used.path))
    assert refused.exit_code == 1
    assert f"postgres (process {bystander.pid}) of a stack that was killed" in refused.stderr
    assert (used.path / "postgres").exists()
    pid_file.write_text(f"{bystander.pid} started at another time\n")
    assert run("reset", "--yes", "--state-dir", str(used.path)).exit_code == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is open to root")
@pytest.mark.parametrize("command", ["status", "stop", "logs", "reset"])
def test_the_closed_folder_of_another_account_is_said_to_be_one(
    used: StateDirectory, command: str
) -> None:
    used.path.chmod(0o000)
    refused = run(command, "--state-dir", str(used.path))
    used.path.chmod(0o700)
    assert (refused.exit_code, "is another account's" in refused.stderr) == (1, True)


def test_the_last_lines_of_each_log_are_shown_with_its_name(used: StateDirectory) -> None:
    used.log("postgres").write_bytes(b"\xff\x1b[2Jred\tx\r\n\xc2\x9bno end")
    place = ("--state-dir", str(used.path))
    assert run("logs", "-n", "1", *place).stdout.splitlines() == [
        "postgres    | \\x9bno end",
        "web         | two",
    ]
    assert run("logs", "postgres", *place).stdout == "�\\x1b[2Jred\tx\n\\x9bno end\n"
    assert run("logs", "web", "web", "-n", "0", *place).stdout == ""
    wrong = run("logs", "wbe", *place)
    assert (wrong.exit_code, "'web'" in wrong.stderr) == (2, True)


@pytest.mark.parametrize("lines", [1, 2, 3000, 5000])
def test_the_last_lines_of_a_large_log_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: int
) -> None:
    written = [f"{number} {'x' * 50}" for number in range(4000)]
    (tmp_path / "web.log").write_text("\n".join(written) + "\n")
    tail = Tail(tmp_path / "web.log", "")
    tail.show_last(lines)
    tail.close()
    assert capsys.readouterr().out.splitlines() == written[-lines:]


def test_a_log_is_followed_over_whatever_becomes_of_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "web.log"
    tail = Tail(log, "")

    def shown() -> str:
        tail.show_new()
        return capsys.readouterr().out

    tail.show_last(10)
    assert shown() == ""
    with log.open("a") as file:
        file.write("one\ntw")
        file.flush()
        assert shown() == "one\n"
        file.write("o\nthree\n")
        file.flush()
        log.rename(tmp_path / "web.log.1")
        assert shown() == "two\nthree\n"
        file.write("late\nno end")
        file.flush()
        log.write_text("four\n")
        assert shown() == "late\nno end\nfour\n"
    log.write_text("5\n")
    assert shown() == "5\n"
    with log.open("a") as file:
        file.write("y" * 3_000_000)
    assert shown().count("y") >= 1_900_000
    tail.close()
