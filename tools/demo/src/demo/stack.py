"""A stack of the demonstration's own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.walk import DemoFailed

_INHERITED: Final = frozenset({"HOME", "LANG", "LC_ALL", "PATH", "TMPDIR"})
_STOP_TIMEOUT_S: Final = 15.0
_MODEL_TIMEOUT_S: Final = 300  # the machine may be busy


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoStack:
    """Where it is.

    Attributes:
        url: of its API.
        ca_file: the authority of its certificate.
        env: the environment in which `storekeeper` commands find it.
    """

    url: str
    ca_file: Path
    env: Mapping[str, str]


@contextmanager
def demo_stack(say: Callable[[str], None]) -> Iterator[DemoStack]:
    """`storekeeper up` with the local model, on a free port, in a folder that goes afterwards.

    The settings of who calls it play no part: no database of theirs is touched.

    Raises:
        DemoFailed: it did not start.
    """
    # As root, another account must be able to enter it: TMPDIR may be closed.
    parent = "/var/tmp" if os.geteuid() == 0 else None  # noqa: S108
    with tempfile.TemporaryDirectory(prefix="storekeeper-demo-", dir=parent) as name:
        folder = Path(name)
        folder.chmod(0o755)
        state, port = folder / "state", _free_port()
        inherited = {k: v for k, v in os.environ.items() if k in _INHERITED}
        env = {**inherited, "PYTHONUNBUFFERED": "1", "STATE_DIR": str(state)}
        env["LLM_TIMEOUT_S"] = env["INTERACTIVE_DEADLINE_S"] = str(_MODEL_TIMEOUT_S)
        process = subprocess.Popen(  # noqa: S603 (our own command)
            [sys.executable, "-m", "entrypoints.cli.main", "up", "--port", str(port)],
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            _await_readiness(process, say)
            yield DemoStack(
                url=f"https://localhost:{port}", ca_file=state / "tls" / "ca.pem", env=env
            )
        finally:
            process.terminate()
            try:
                told, _ = process.communicate(timeout=_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                told, _ = process.communicate()
            say("\n".join(f"  | {line}" for line in told.splitlines()))


def _await_readiness(process: subprocess.Popen[str], say: Callable[[str], None]) -> None:
    """Pass on what it says until server and model are ready."""
    waiting_for = {"stops everything; the data stays", "model is ready", "worker is ready"}
    assert process.stdout is not None
    for line in process.stdout:
        say(f"  | {line.rstrip()}")
        waiting_for -= {words for words in waiting_for if words in line}
        if not waiting_for:
            return
    raise DemoFailed("storekeeper up ended before it was ready; see above.")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
