"""The adapters of `storekeeper up`, wired apart from those of the services.

The supervisor starts faster without what the services import, and a service runs where the
embedded servers are not installed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from adapters.arq.queue import worker_reports
from adapters.embedded.certificates import LocalCertificateAuthority
from adapters.embedded.installation import free_port
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.process import (
    open_log,
    plain_environment,
    process_identity,
    remembered_process,
)
from adapters.embedded.program import RunningProgram, answers_http
from adapters.embedded.trust_stores import (
    AuthorityCertificate,
    TrustStore,
    TrustStoreError,
    read_authority,
    trust_stores,
)
from adapters.embedded.valkey import EmbeddedValkey
from adapters.postgres.migrations import MigrationError, migrate
from adapters.system.clock import SystemClock
from entrypoints.container.model_files import LocalModel, ServedModel
from entrypoints.up.state import Secrets, StateDirectory

__all__ = [
    "COMMAND",
    "AuthorityCertificate",
    "EmbeddedContainer",
    "EmbeddedStore",
    "MigrationError",
    "TrustStore",
    "TrustStoreError",
    "answers_http",
    "migrate",
    "open_log",
    "process_identity",
    "read_authority",
    "remembered_process",
    "trust_stores",
]

EmbeddedStore: TypeAlias = EmbeddedPostgres | EmbeddedValkey

COMMAND: Final = (sys.executable, "-m", "entrypoints.cli.main")
"""What starts the `storekeeper` command, as this process was."""


_MODEL_READY_S: Final = 60.0
_SLOW_DISK_BYTES_PER_S: Final = 30_000_000


class EmbeddedContainer:
    """Makes the parts of one stack.

    Args:
        state: the folder that everything lies in.
        secrets: the passwords of the parts.
    """

    def __init__(self, state: StateDirectory, secrets: Secrets) -> None:
        self._state = state
        self._secrets = secrets
        self._model_port = free_port()
        self._clock = SystemClock()
        self.certificates: Final = LocalCertificateAuthority(state.path / "tls")

    @property
    def model_url(self) -> str:
        """Base URL of the embedded language model."""
        return f"http://127.0.0.1:{self._model_port}/v1"

    def now(self) -> datetime:
        """The present time, in UTC."""
        return self._clock.now()

    def postgres(self, *, connections: int) -> EmbeddedPostgres:
        """The embedded PostgreSQL, open to so many connections."""
        return EmbeddedPostgres(
            directory=self._state.path / "postgres",
            log=self._state.log("postgres"),
            password=self._secrets.database_password,
            admin_password=self._secrets.database_admin_password,
            settings={"max_connections": str(connections)},
        )

    def valkey(self) -> EmbeddedValkey:
        """The embedded Valkey."""
        return EmbeddedValkey(
            directory=self._state.path / "valkey",
            log=self._state.log("valkey"),
            password=self._secrets.queue_password,
        )

    def model(self, local: LocalModel, served: ServedModel) -> RunningProgram:
        """The server of the local model.

        Args:
            local: the model, by whose name it answers.
            served: what it holds.
        """
        words = [
            *("--slots", str(served.slots), "--context-tokens", str(served.context_tokens)),
            *(("--weights", str(served.weights)) if served.weights else ()),
            *(("--adapter", str(served.adapter)) if served.adapter else ()),
            *(() if served.on_request else ("--adapter-always",)),
        ]
        weights_bytes = 0 if local.file is None else local.file.weights_bytes
        return RunningProgram(
            name="model",
            argv=(
                *(sys.executable, "-m", "adapters.embedded.model_server"),
                *(str(self._model_port), local.name, *words),
            ),
            log=self._state.log("model"),
            env={**plain_environment(), "MODEL_API_KEY": self._secrets.model_key},
            is_ready=answers_http("127.0.0.1", self._model_port, "/health"),
            ready_timeout_s=_MODEL_READY_S + weights_bytes / _SLOW_DISK_BYTES_PER_S,
        )

    def web(
        self, env: Mapping[str, str], *, host: str, port: int, trusted: str | None
    ) -> RunningProgram:
        """The HTTPS server, reached at `host` for the question whether it is ready.

        Args:
            env: its environment, with all settings.
            host: an address that it listens on.
            port: its port.
            trusted: PEM file of the authority or certificate to expect; None for plain HTTP.
        """
        return RunningProgram(
            name="web",
            argv=(*COMMAND, "serve"),
            log=self._state.log("web"),
            env=env,
            is_ready=answers_http(host, port, "/health/live", trusted=trusted),
        )

    def worker(self, env: Mapping[str, str]) -> RunningProgram:
        """The worker of the job queue."""
        return RunningProgram(
            name="worker",
            argv=(*COMMAND, "worker"),
            log=self._state.log("worker"),
            env=env,
            is_ready=worker_reports(env["REDIS_URL"]),
        )

    def task(self, name: str, arguments: Sequence[str], env: Mapping[str, str]) -> RunningProgram:
        """A `storekeeper` command that ends by itself."""
        return RunningProgram(
            name=name, argv=(*COMMAND, *arguments), log=self._state.log(name), env=env
        )
