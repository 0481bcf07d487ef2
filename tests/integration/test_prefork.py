from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from tests.integration.stack import PATIENCE_S, environment, wait_for

PROGRAM = """
    import os, signal, sys, time
    from pathlib import Path
    from adapters.embedded.launcher import end_with_parent
    from entrypoints.http.protocol.prefork import PreforkServer

    place = Path(sys.argv[1])

    def serve(number):
        {first}
        (place / str(os.getpid())).touch()
        time.sleep(600)

    sys.exit(PreforkServer(serve, 2, end_with_parent, grace_s=3).run())
"""


@contextmanager
def running(place: Path, first: str = "pass") -> Iterator[subprocess.Popen[str]]:
    program = textwrap.dedent(PROGRAM).format(first=first)
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(place)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def alive(place: Path) -> set[int]:
    """The worker processes that run, of all that were ever started."""
    found = set()
    for file in place.iterdir():
        ps = subprocess.run(
            ["ps", "-o", "stat=", "-p", file.name], check=False, capture_output=True, text=True
        )
        if ps.stdout and not ps.stdout.startswith("Z"):
            found.add(int(file.name))
    return found


def wait_for_workers(place: Path, *, without: Set[int] = frozenset()) -> set[int]:
    wait_for(
        lambda: len(alive(place) - without) == 2 and not alive(place) & without,
        lambda: f"{alive(place)} run, none of {without} should",
        PATIENCE_S,
    )
    return alive(place)


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with running(tmp_path):
        one, other = wait_for_workers(tmp_path)
        os.kill(one, signal.SIGKILL)
        assert other in wait_for_workers(tmp_path, without={one})


def test_sighup_replaces_every_worker(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        before = wait_for_workers(tmp_path)
        process.send_signal(signal.SIGHUP)
        assert not before & wait_for_workers(tmp_path, without=before)


def test_sigterm_ends_all_with_status_0(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        wait_for_workers(tmp_path)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
        assert alive(tmp_path) == set()


def test_a_worker_that_ignores_sigterm_is_killed_in_the_end(tmp_path: Path) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    with running(tmp_path, deaf) as process:
        wait_for_workers(tmp_path)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
        assert alive(tmp_path) == set()


def test_workers_that_cannot_start_end_it_with_their_status(tmp_path: Path) -> None:
    with running(tmp_path, "sys.exit(3)") as process:
        assert process.wait(PATIENCE_S) == 3


def test_a_worker_that_fails_is_logged_and_replaced(tmp_path: Path) -> None:
    place = tmp_path / "workers"
    place.mkdir()
    fails_once = "place.with_name('failed').exists() or (place.with_name('failed').touch(), 1 / 0)"
    with running(place, fails_once) as process:
        wait_for_workers(place)
        process.terminate()
        output, _ = process.communicate(timeout=PATIENCE_S)
        assert "ZeroDivisionError" in output
        assert "ended (exit status 1); starting another" in output
