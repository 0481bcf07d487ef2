"""Programs that read what is in infra/: those of .venv-infra, else those of the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
INFRA = ROOT / "infra"
_PLACES = os.pathsep.join(
    (str(ROOT / ".venv-infra" / "bin"), os.environ.get("PATH", os.defpath), "/usr/sbin")
)


def program(name: str, package: str = "scripts/install-infra.sh") -> str:
    """Where a program is; without it the test skips, and says what would bring it."""
    found = shutil.which(name, path=_PLACES)
    if found is None:
        pytest.skip(f"there is no {name} on this machine ({package})")
    return found


@contextmanager
def running(
    argv: tuple[str, ...], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose output goes to a file; it is ended politely."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=log.parent
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
