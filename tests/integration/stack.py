"""`storekeeper up` as a real process, and a look at what processes it leaves."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.integration.service_role import for_command

COMMAND = (sys.executable, "-m", "entrypoints.cli.main")
# Generous, for a machine that is busy elsewhere; what is bounded by promise has its own number.
PATIENCE_S = 180.0
COMMAND_PATIENCE_S = 900.0


def wait_for(what: Callable[[], bool], describe: Callable[[], str], patience_s: float) -> None:
    """Wait until `what` is true."""
    deadline = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < deadline, describe()
        time.sleep(0.05)


def environment(**more: str) -> dict[str, str]:
    """Ours without settings, but with `more`: nothing of the developer's own reaches the stack."""
    kept = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG"} or "COV" in k}
    return {**kept, "PYTHONUNBUFFERED": "1", **more}


@dataclass(frozen=True)
class Proc:
    """One process, told from a later one with the same id by its start."""

    pid: int
    parent: int
    started: str
    args: str


def processes() -> list[Proc]:
    """Every process that still runs."""
    columns = ("-o", "pid=,ppid=,stat=,lstart=,args=")
    output = subprocess.run(
        ["ps", "-A", "-ww", *columns], check=True, capture_output=True, text=True
    ).stdout
    found = []
    for line in output.splitlines():
        pid, parent, state, *rest = line.split(maxsplit=8)
        if not state.startswith("Z"):  # ended; waits for init to take note
            found.append(Proc(int(pid), int(parent), " ".join(rest[:5]), "".join(rest[5:])))
    return found


def descendants(pid: int) -> list[Proc]:
    """What runs below a process, at any depth."""
    everything = processes()
    family = {pid}
    while grown := {p.pid for p in everything if p.parent in family} - family:
        family |= grown
    return [p for p in everything if p.pid in family - {pid}]


class RunningStack:
    """One `storekeeper up` that has said that it is ready."""

    def __init__(self, process: subprocess.Popen[bytes], state: Path, port: int, out: Path) -> None:
        self.process = process
        self.state = state
        self.port = port
        self._out = out

    @property
    def said(self) -> str:
        """Everything that it printed."""
        return self._out.read_text()

    @property
    def settings(self) -> dict[str, str]:
        """What its env file says."""
        pairs = re.findall(r"^(\w+)='(.*)'$", (self.state / "env").read_text(), re.MULTILINE)
        return dict(pairs)

    def wait_for_words(self, words: str) -> None:
        """Wait until it has printed `words`."""
        wait_for(
            lambda: words in self.said or self.process.poll() is not None,
            lambda: f"never said {words!r}: {self.said}",
            PATIENCE_S,
        )
        assert words in self.said, self.said

    def client(self) -> httpx2.Client:
        """A client that trusts the stack's own authority alone."""
        trusted = ssl.create_default_context(cafile=str(self.state / "tls" / "ca.pem"))
        return httpx2.Client(
            base_url=f"https://localhost:{self.port}", verify=trusted, timeout=PATIENCE_S
        )

    def child(self, words: str) -> Proc:
        """The one child whose command line holds `words`, once there is one.

        A process has no command line for a moment while it is being started: Linux closes the
        pipe by which its parent learns that it runs before it writes the arguments.
        """
        found: list[Proc] = []

        def is_there() -> bool:
            found[:] = [
                p for p in descendants(self.process.pid)
                if words in p.args and p.parent == self.process.pid
            ]  # fmt: skip
            return len(found) == 1

        wait_for(is_there, lambda: f"{words!r}: {found}; {self.said}", PATIENCE_S)
        return found[0]

    def end(self, signum: signal.Signals, *, within_s: float = 10.0) -> int:
        """Send a signal, and see everything end within a time; returns the exit status."""
        family = descendants(self.process.pid)
        assert len(family) >= 5, family
        began = time.monotonic()
        self.process.send_signal(signum)
        status = self.process.wait(within_s)
        gone = self._is_gone(family)
        wait_for(gone, lambda: f"left behind: {family}", within_s - (time.monotonic() - began))
        return status

    @staticmethod
    def _is_gone(family: list[Proc]) -> Callable[[], bool]:
        wanted = {(p.pid, p.started) for p in family}
        return lambda: not wanted & {(p.pid, p.started) for p in processes()}


@contextmanager
def running_stack(
    state: Path, port: int, *arguments: str, **variables: str
) -> Iterator[RunningStack]:
    """Start one, wait until it is ready, and end it if the test has not."""
    state.mkdir(mode=0o755, parents=True, exist_ok=True)
    out = state.parent / f"{state.name}.out"
    with out.open("wb") as file:
        process = subprocess.Popen(
            [*COMMAND, "up", "--state-dir", str(state), "--port", str(port), *arguments],
            stdout=file,
            stderr=file,
            cwd=state,
            env=environment(**variables),
        )
    stack = RunningStack(process, state, port, out)
    try:
        stack.wait_for_words("stops everything; the data stays")
        yield stack
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(PATIENCE_S)


def run_command(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a `storekeeper` command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(**for_command(arguments, variables)),
        timeout=COMMAND_PATIENCE_S,
    )
