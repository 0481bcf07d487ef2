"""Start a program that ends when its parent ends, in another account if asked.

`python -I -S launcher.py PARENT_PID SIGNAL UID GID PROGRAM [ARG...]`

A program of its own, because the alternative (code between fork and exec in the supervisor) is
unsafe in a process with threads, and a change of account clears the parent-death signal.
UID or GID -1 keeps the account.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent_pid: int, signum: int = signal.SIGTERM) -> None:
    """Have the kernel send `signum` to this process when its parent ends.

    Linux alone can; elsewhere nothing happens. Exits at once where `parent_pid` is gone already.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(0)


def main(argv: list[str]) -> None:
    """Become the program of `argv`."""
    parent_pid, signum, uid, gid = (int(word) for word in argv[:4])
    program = argv[4:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    end_with_parent(parent_pid, signum)
    os.umask(0o077)  # what it writes is nobody else's, whatever our own umask
    try:
        os.execv(program[0], program)  # noqa: S606 (no shell is what we want)
    except OSError as error:
        sys.exit(f"{program[0]} cannot be started: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
