"""Forked processes that share one listening socket.

The application is imported and built once, before the fork: N processes are ready in the time of
one, and share its memory.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from typing import Final, NoReturn

_HANDLED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_CANNOT_START: Final = 3  # uvicorn's exit status when start-up fails
_RESTART_PAUSE_S: Final = 0.5
_LAST_WORDS_S: Final = 1.0  # from the end of requests to the end of the process

_log = logging.getLogger("storekeeper.workers")


class PreforkServer:
    """Keeps forked processes running, each in a call of `serve` with a number of its own.

    SIGTERM and SIGINT stop all of them, SIGHUP replaces each by a new one (which reads files such
    as certificates anew), and one that dies is replaced.

    Args:
        serve: serves until SIGTERM; runs in each forked process, with the smallest number from 0 on
            that no other process has that lives.
        processes: how many, >= 1.
        end_with_parent: called in each forked process with the process id of this one.
        grace_s: how long requests under way may take that a worker stops with, in s.
    """

    def __init__(
        self,
        serve: Callable[[int], None],
        processes: int,
        end_with_parent: Callable[[int], None],
        *,
        grace_s: float,
    ) -> None:
        self._serve = serve
        self._processes = processes
        self._end_with_parent = end_with_parent
        self._grace_s = grace_s
        self._wanted: set[int] = set()
        self._retired: set[int] = set()
        self._numbers: dict[int, int] = {}

    def run(self) -> int:
        """Run until stopped; returns the exit status, 3 where the workers cannot start."""
        for signum in _HANDLED:  # a signal that is ignored would not be waited for either
            signal.signal(signum, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        gc.freeze()  # what exists now is shared with the workers: leave its pages untouched
        self._fork_missing()
        while True:
            received = signal.sigwait(_HANDLED)
            if received == signal.SIGCHLD:
                if not self._reap():
                    self._stop()
                    return _CANNOT_START
                self._fork_missing()
            elif received == signal.SIGHUP:
                replaced, self._wanted = self._wanted, set()
                self._fork_missing()
                self._retired |= replaced
                _signal_all(replaced, signal.SIGTERM)
            else:
                self._stop()
                return 0

    def _fork_missing(self) -> None:
        while len(self._wanted) < self._processes:
            parent = os.getpid()
            number = next(n for n in count() if n not in self._numbers.values())
            sys.stdout.flush()
            pid = os.fork()
            if pid == 0:
                self._become_worker(parent, number)
            self._wanted.add(pid)
            self._numbers[pid] = number

    def _become_worker(self, parent: int, number: int) -> NoReturn:
        status = 1
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            # Also when uvicorn, done with its shutdown, raises the signal once more.
            for signum in (signal.SIGTERM, signal.SIGINT):
                signal.signal(signum, lambda *_: sys.exit(0))
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
            self._end_with_parent(parent)
            self._serve(number)
            status = 0
        except SystemExit as exit_:
            status = exit_.code if isinstance(exit_.code, int) else 1
        except BaseException:  # noqa: BLE001 (the process ends here; nobody else will tell)
            _log.exception("worker process failed")
        finally:
            logging.shutdown()
            os._exit(status)

    def _reap(self) -> bool:
        """Take note of the processes that ended; False where a worker says it cannot start."""
        while True:
            try:
                pid, wait_status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return True
            self._retired.discard(pid)
            self._numbers.pop(pid, None)
            if pid not in self._wanted:
                continue
            self._wanted.remove(pid)
            code = os.waitstatus_to_exitcode(wait_status)
            if code == _CANNOT_START:
                _log.error("worker process %d cannot start", pid)
                return False
            how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
            _log.error("worker process %d ended (%s); starting another", pid, how)
            time.sleep(_RESTART_PAUSE_S)

    def _stop(self) -> None:
        """End all workers: politely, then after a while for good."""
        workers = self._wanted | self._retired
        _signal_all(workers, signal.SIGTERM)
        deadline = time.monotonic() + self._grace_s + _LAST_WORDS_S
        while workers:
            if time.monotonic() > deadline:
                _signal_all(workers, signal.SIGKILL)
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            workers.discard(pid)
            if pid == 0:
                time.sleep(0.02)


def _signal_all(pids: set[int], signum: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, signum)  # ours and not yet reaped, so it exists
