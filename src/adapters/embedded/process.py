"""Child processes under our own supervision: none outlives us, and a stale one is ended first."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from adapters.embedded import launcher
from adapters.embedded.installation import ServerAccount
from domain.errors import Unavailable

_PLAIN: Final = {
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH"),
    *("PYTHONPATH", "PYTHONUNBUFFERED", "VIRTUAL_ENV", "OMP_NUM_THREADS"),
}
_LOG_LIMIT_BYTES: Final = 10_000_000


def launched(
    argv: tuple[str, ...],
    account: ServerAccount | None,
    *,
    death_signal: signal.Signals = signal.SIGKILL,
) -> tuple[str, ...]:
    """The command line that runs `argv` in `account` and ends it with this process."""
    uid, gid = (account.uid, account.gid) if account else (-1, -1)
    numbers = (os.getpid(), int(death_signal), uid, gid)
    return (sys.executable, "-I", "-S", launcher.__file__, *map(str, numbers), *argv)


def plain_environment() -> dict[str, str]:
    """What a program may know of our environment that needs none of our settings and secrets."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _PLAIN or name.startswith(("LC_", "COV"))
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessCommand:
    """A program and the circumstances in which it runs.

    Attributes:
        name: what messages call it.
        argv: absolute path of the program and its arguments; secrets do not belong here.
        log: the file that its output is appended to; kept from growing over about 10 MB by
            moving it aside at a start. Beside it, a `.pid` file remembers the process, so that
            one left behind is ended before the next start.
        env: its whole environment; None means what `plain_environment` gives.
        cwd: its working directory.
        account: who runs it; None means us.
        stop_signals: sent one after the other, each with the seconds that it is given.
        death_signal: what the kernel sends it when we die (Linux).
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] | None = None
    cwd: Path = Path("/")
    account: ServerAccount | None = None
    stop_signals: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 6.0),)
    death_signal: signal.Signals = signal.SIGTERM


class ChildProcess:
    """At most one running process of a command, in a session of its own.

    Its own session, so that Ctrl-C in a terminal reaches the supervisor alone, which then stops
    the children in order.
    """

    def __init__(self, command: ProcessCommand) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """The process id, None while it does not run."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else None

    async def spawn(self) -> None:
        """Start the process, after ending one that an earlier supervisor left behind."""
        command = self._command
        await self._end_stale()
        with open_log(command.log) as log:
            self._log_start = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *launched(
                    command.argv,
                    command.account,
                    death_signal=command.death_signal,
                ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=plain_environment() if command.env is None else command.env,
                cwd=command.cwd,
                start_new_session=True,
            )
        identity = process_identity(self._process.pid)
        with os.fdopen(_private(self._pid_file, os.O_TRUNC), "w") as file:
            file.write(f"{self._process.pid} {identity}\n")

    async def wait_ready(self, probe: Callable[[], Awaitable[bool]], *, timeout_s: float) -> None:
        """Wait until `probe` says yes.

        Raises:
            Unavailable: the process ended, or `timeout_s` passed and it was ended; the message
                quotes its log.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while self.pid is not None and loop.time() < deadline:
            if await probe():
                return
            await asyncio.sleep(0.02)
        name = self._command.name
        reason = f"was not ready within {timeout_s:.0f} s" if self.pid else await self.wait()
        await self.stop()
        raise Unavailable(f"{name}: {reason}; {self._command.log} says:\n{self.log_tail()}")

    async def wait(self) -> str:
        """Wait until the process ends; say how."""
        if self._process is None:
            return "not started"
        code = await self._process.wait()
        self._end_group()
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"

    async def stop(self) -> None:
        """End the process, politely first, then with its whole process group."""
        process = self._process
        if process is None:
            return
        for signum, patience_s in self._command.stop_signals:
            if process.returncode is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signum)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), patience_s)
        self._end_group()
        await process.wait()

    def send(self, signum: signal.Signals) -> None:
        """Send a signal to the process if it runs."""
        if self.pid is not None:
            os.kill(self.pid, signum)

    def log_tail(self, lines: int = 8) -> str:
        """The last lines that the process wrote since its start."""
        with self._command.log.open("rb") as log:
            log.seek(self._log_start)
            text = log.read().decode(errors="replace")
        return "\n".join(f"  {line}" for line in text.splitlines()[-lines:])

    @property
    def _pid_file(self) -> Path:
        return self._command.log.with_suffix(".pid")

    def _end_group(self) -> None:
        """End what the process started and left behind, such as workers that hold its port."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._pid_file.unlink(missing_ok=True)

    async def _end_stale(self) -> None:
        """End the process of an earlier supervisor, if it still runs.

        On Linux the kernel has told it to end, and it may need a moment; elsewhere it runs on.
        """
        pid = remembered_process(self._pid_file)
        if pid is None:
            return
        identity = process_identity(pid)
        for signum, polls in ((self._command.death_signal, 50), (signal.SIGKILL, 50)):
            for poll in range(polls):
                if process_identity(pid) != identity:
                    return
                if poll == 0:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signum)
                await asyncio.sleep(0.1)


def _private(path: Path, how: int) -> int:
    """A file open for writing; where it is made here, nobody else may read it."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)


def open_log(path: Path) -> BinaryIO:
    """A log file to append to, for its owner alone; one that is large is moved aside first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LOG_LIMIT_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return os.fdopen(_private(path, os.O_APPEND), "ab")


def remembered_process(pid_file: Path) -> int | None:
    """The process that a `.pid` file tells of; None where it has ended, whoever has its id now."""
    try:
        number, identity = pid_file.read_text().strip().split(" ", 1)
    except (FileNotFoundError, ValueError):
        return None
    pid = int(number)
    return pid if process_identity(pid) == identity else None


def process_identity(pid: int) -> str:
    """When a process was started, which tells it from a later one of the same id; "" when gone."""
    if sys.platform == "linux":
        return _start_ticks(pid)
    words = ("/bin/ps", "-o", "lstart=", "-p", str(pid))
    ps = subprocess.run(words, check=False, stdout=subprocess.PIPE)  # noqa: S603 (a number)
    return ps.stdout.decode(errors="replace").strip()


def _start_ticks(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    state, *fields = stat.rpartition(") ")[2].split()
    return "" if state == "Z" else fields[18]
