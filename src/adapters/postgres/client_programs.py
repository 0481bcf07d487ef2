"""PostgreSQL's own programs beside the service: where they are, and how they reach a database."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.postgres.urls import read_database_url

_TOLD: Final = {"PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH"}
_TOLD_FAMILIES: Final = ("PG", "LC_", "KRB5", "SSL_")


class ProgramMissing(Exception):
    """A program is not there; the message names the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramDirectories:
    """Where PostgreSQL's client programs may be.

    Attributes:
        folders: looked into in this order.
        without_tls: those of them whose programs speak no TLS: for servers of this machine.
    """

    folders: Sequence[Path]
    without_tls: Collection[Path] = ()


def run_psql(url: str, programs: ProgramDirectories, arguments: Sequence[str]) -> int:
    """Give the terminal to psql, at the database of `url`, until it ends.

    Ctrl-C is psql's: it breaks off a query.

    Returns:
        Its exit status.

    Raises:
        ProgramMissing: there is no psql that can reach the server.
    """
    local = is_local(url)
    found = [folder for folder in programs.folders if os.access(folder / "psql", os.X_OK)]
    able = [folder for folder in found if local or folder not in programs.without_tls]
    if not able:
        why = f"that of {found[0]} speaks no TLS" if found else "none was found"
        raise ProgramMissing(
            f"psql is needed, and {why}. Install it (Debian: postgresql-client; macOS: brew install"
            " libpq) and put its folder into PATH."
        )
    with program_access(url) as access:
        told = {name: access[name] for name in ("PGSERVICEFILE", "PGSERVICE")}
        own = dict(os.environ)  # with PAGER, EDITOR, TERM: it is the same person's
        if "PGPASSWORD" not in access:
            own.pop("PGPASSWORD", None)
        words = [str(able[0] / "psql"), *arguments]
        process = subprocess.Popen(words, env={**own, **told})  # noqa: S603 (the caller's own)
        before = signal.signal(signal.SIGINT, lambda _, __: None)
        try:
            return process.wait()
        finally:
            signal.signal(signal.SIGINT, before)
            process.terminate()
            process.wait()


def is_local(url: str) -> bool:
    """Whether nothing of what is said to the server leaves this machine, or TLS is declined."""
    said = read_database_url(url).parameters
    local = all(
        host in {"", "localhost", "::1"} or host.startswith(("127.", "/"))
        for host in said.get("host", "").split(",")
    )
    return said.get("sslmode") == "disable" or ("sslmode" not in said and local)


@contextmanager
def program_access(url: str) -> Iterator[Mapping[str, str]]:
    """An environment in which PostgreSQL's programs reach the database of `url`.

    The address and the password are in files that we alone can read: a command line, and on some
    systems an environment, can be read by everyone.
    """
    known = dict(read_database_url(url).parameters)
    secret = known.pop("password", "")
    env = plain_environment()
    with tempfile.TemporaryDirectory(prefix="storekeeper-") as folder:
        service, passwords = Path(folder, "service"), Path(folder, "passwords")
        if secret:
            passwords.touch(mode=0o600)
            escaped = secret.replace("\\", "\\\\").replace(":", "\\:")
            passwords.write_text(f"*:*:*:*:{escaped}\n")
            known["passfile"] = str(passwords)
            env.pop("PGPASSWORD", None)
        known["application_name"] = "storekeeper"
        service.touch(mode=0o600)
        lines = [f"{name}={value}" for name, value in known.items() if value]
        service.write_text("\n".join(["[storekeeper]", *lines, ""]))
        yield {**env, "PGSERVICEFILE": str(service), "PGSERVICE": "storekeeper"}


def plain_environment() -> dict[str, str]:
    """What these programs may know of our environment, which holds the keys of other services."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _TOLD or name.startswith(_TOLD_FAMILIES)
        if name != "PGOPTIONS"
    }
