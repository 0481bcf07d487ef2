"""The folder that `storekeeper up` keeps everything in."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shlex
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Final

import msgspec

from entrypoints.private_files import exposure

_SYSTEM_DIRECTORY: Final = Path("/var/lib/storekeeper")
# Whoever asks whether the folder is held has the lock for a moment.
_LOCK_TRIES: Final = 20
_LOCK_PAUSE_S: Final = 0.02


class StateDirectoryError(Exception):
    """The folder cannot be used; the message names the cause and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What is drawn at random once, 32 hexadecimal digits each (64 in `secret_key`)."""

    database_password: str
    database_admin_password: str
    queue_password: str
    model_key: str
    secret_key: str


def default_state_directory(environment: Mapping[str, str]) -> Path:
    """`STATE_DIR`, else a system folder for root, else the user's XDG state folder.

    Root gets no folder in its home: PostgreSQL refuses to run as root, and no other account can
    enter there.

    Raises:
        StateDirectoryError: the account has no home, as some in containers.
    """
    if chosen := environment.get("STATE_DIR"):
        return Path(chosen)
    if os.geteuid() == 0:
        return _SYSTEM_DIRECTORY
    if base := environment.get("XDG_STATE_HOME"):
        return Path(base) / "storekeeper"
    try:
        return Path.home() / ".local" / "state" / "storekeeper"
    except RuntimeError:
        raise StateDirectoryError(
            "This account has no home folder: set STATE_DIR to a folder of its own, or HOME."
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRecord:
    """One server of a stack.

    Attributes:
        name: such as `postgres`; its log has the same name.
        pid: its process id; None while it does not run, or is being started.
        ready: whether it answered that it is ready, and has not ended since.
        since: since when it is so, aware UTC.
        address: host and port, or a URL; None of one that does not listen.
    """

    name: str
    pid: int | None
    ready: bool
    since: datetime
    address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRecord:
    """What a running stack tells of itself.

    Attributes:
        pid: of its supervisor.
        identity: tells that process from a later one with the same id.
        since: when it began to start, aware UTC.
        url: where its API is.
        ready: whether it has started, and does not stop yet.
        ca_file: certificate of the local authority that signed that of the API; None where there
            is another, or plain HTTP.
        needs_key: whether a key was made before it started; this machine needs none till then.
        detached: whether no terminal's Ctrl-C ends it.
        processes: its servers, in the order in which they were started.
    """

    pid: int
    identity: str
    since: datetime
    url: str
    ready: bool
    ca_file: str | None
    needs_key: bool
    detached: bool
    processes: tuple[ProcessRecord, ...]


class StateDirectory:
    """The folder, made if missing and held by one process at a time.

    | path | holds |
    | --- | --- |
    | `env` | the settings of the running stack, in a form that a shell and `.env` readers take |
    | `processes.json` | see `StackRecord`, of the running stack |
    | `secrets.json` | see `Secrets` |
    | `tls/` | the local authority (`ca.pem`) and the server's certificate |
    | `postgres/`, `valkey/` | data |
    | `models/` | model files that were pulled |
    | `log/` | a file a process |
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path.expanduser().absolute()
        self._lock: IO[str] | None = None

    @property
    def option(self) -> str:
        """What names the folder in a command that somebody is told to type; "" where no need is."""
        with suppress(StateDirectoryError):
            if self.path == default_state_directory({}).absolute():
                return ""
        return f" --state-dir {shlex.quote(str(self.path))}"

    @property
    def env_file(self) -> Path:
        """The settings of the running stack."""
        return self.path / "env"

    @property
    def sample_data_mark(self) -> Path:
        """Exists once sample data was loaded or declined."""
        return self.path / "sample-data"

    @property
    def models(self) -> Path:
        """Where pulled model files lie."""
        return self.path / "models"

    def models_folder(self) -> Path:
        """The same, made if missing; nobody need hold the folder of the stack for it.

        Raises:
            OSError: it cannot be made.
        """
        _make_folders(self.path, mode=0o755 if os.geteuid() == 0 else 0o700)
        self.models.mkdir(mode=0o755, exist_ok=True)
        return self.models

    def log(self, name: str) -> Path:
        """The log file of one process."""
        return self.path / "log" / f"{name}.log"

    def acquire(self) -> None:
        """Make the folder and hold it until `release`, or until this process ends in any way.

        Raises:
            StateDirectoryError: another process holds it, or it cannot be written.
        """
        try:
            # Its secrets are files of mode 0600; the embedded servers' account must pass through.
            _make_folders(self.path, mode=0o755 if os.geteuid() == 0 else 0o700)
            self._refuse_if_open()
            lock = os.fdopen(
                os.open(self.path / "lock", os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644), "a+"
            )
        except OSError as error:
            raise StateDirectoryError(
                f"{self.path} cannot be used ({error.strerror}): choose another with --state-dir "
                "or STATE_DIR."
            ) from error
        if not _locked(lock):
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise StateDirectoryError(
                f"{self.path} is in use by another `storekeeper up` (process {holder}): "
                "stop that one, or give this one its own --state-dir."
            )
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock
        self._record_file.unlink(missing_ok=True)  # of a stack that was killed

    def _refuse_if_open(self) -> None:
        """See that nobody else can put files of theirs in the place of ours.

        Raises:
            StateDirectoryError: another account owns the folder or may write in it.
        """
        found = self.path.stat()
        if found.st_uid not in {0, os.geteuid()} or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise StateDirectoryError(
                f"{self.path} may be changed by other accounts, who could put passwords of theirs"
                f" in it: `chown {os.geteuid()} {self.path}` and `chmod go-w {self.path}`, or"
                " choose another with --state-dir or STATE_DIR."
            )

    @property
    def _record_file(self) -> Path:
        return self.path / "processes.json"

    def record(self, record: StackRecord) -> None:
        """Let other commands know how the stack that holds the folder stands."""
        write_private(self._record_file, msgspec.json.encode(record).decode())

    def recorded(self) -> StackRecord | None:
        """What the stack that holds the folder tells; None where it has only begun to start.

        Raises:
            StateDirectoryError: it cannot be read.
        """
        try:
            return msgspec.json.decode(self._record_file.read_bytes(), type=StackRecord)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise StateDirectoryError(
                f"{self._record_file} cannot be read ({error}): run this as the account, and with"
                " the version, of the `storekeeper up` that runs there."
            ) from error

    def is_held(self) -> bool:
        """Whether a `storekeeper up` has the folder now."""
        try:
            with (self.path / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # nothing there, or nothing that we may look at
            return False
        return False

    def was_used(self) -> bool:
        """Whether there was ever a stack in it."""
        return os.access(self.path / "secrets.json", os.F_OK)

    def release(self) -> None:
        """Let others have the folder."""
        if self._lock is not None:
            self._record_file.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def load_secrets(self) -> Secrets:
        """The secrets of this folder, drawn at the first call.

        Raises:
            StateDirectoryError: the file of secrets cannot be read.
        """
        path = self.path / "secrets.json"
        if (why := exposure(path)) is not None:
            raise StateDirectoryError(f"{why} It holds the passwords of the stack.")
        try:
            return Secrets(**json.loads(path.read_text()))
        except FileNotFoundError:
            drawn = {name: secrets.token_hex(16) for name in Secrets.__dataclass_fields__}
            made = Secrets(**{**drawn, "secret_key": secrets.token_hex(32)})
            write_private(path, json.dumps(asdict(made), indent=2) + "\n")
            return made
        except (OSError, ValueError, TypeError) as error:
            raise StateDirectoryError(
                f"{path} cannot be read ({error}): restore it, or start with another --state-dir "
                "(the databases open with these passwords alone)."
            ) from error


def _make_folders(path: Path, *, mode: int) -> None:
    """Make a folder and what is missing above it, none of them for others to write in."""
    for folder in [*reversed(path.parents), path]:
        if not folder.exists():
            folder.mkdir(mode=mode, exist_ok=True)


def _locked(lock: IO[str]) -> bool:
    """Whether the lock is ours now; a moment is waited for it."""
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(_LOCK_PAUSE_S)
        else:
            return True
    return False


def write_private(path: Path, text: str) -> None:
    """Replace a file as a whole; its owner alone may read it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)  # what a killed process left may have another mode
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    unfinished.replace(path)
