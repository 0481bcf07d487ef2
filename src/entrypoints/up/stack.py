"""`storekeeper up`: everything on one machine, from the first start to the stop."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from domain.errors import Unavailable
from entrypoints.addresses import NOBODY, opens_locally, reachable, refuse_busy_port
from entrypoints.container.access import knows_nobody
from entrypoints.container.embedded import (
    EmbeddedContainer,
    EmbeddedStore,
    migrate,
    process_identity,
)
from entrypoints.container.model_files import (
    LocalModel,
    ServedModel,
    gigabytes,
    local_model,
    plan_here,
    served_model,
)
from entrypoints.container.model_rows import check_tables
from entrypoints.private_files import exposure
from entrypoints.settings import (
    DatabaseSettings,
    Environment,
    LocalModelAdapter,
    Provider,
    Settings,
    WorkerSettings,
    load_settings,
)
from entrypoints.up.overview import overview
from entrypoints.up.state import (
    ProcessRecord,
    StackRecord,
    StateDirectory,
    write_private,
)
from entrypoints.up.supervisor import Supervisor
from ports.server_process import ServerProcess

_CERTIFICATE_CHECK_S: Final = 6 * 3600.0
_PATIENCE_S: Final = 15.0
_CONNECTIONS_TO_SPARE: Final = 20


class StackError(Exception):
    """The stack cannot start; the message names the cause and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOptions:
    """What the command line says.

    Attributes:
        environment: variables by their names in capitals, those of `.env` included.
        host: address to listen on; None takes the setting.
        port: TCP port to listen on; None takes the setting.
        workers: processes that serve HTTP; None takes the setting.
        model: file of the model to serve; None takes the setting.
        adapter: file of its adapter; None takes the setting.
        sample_data: fill an embedded database at its first start.
        detached: nobody looks at what it says, and Ctrl-C does not reach it.
    """

    environment: Mapping[str, str]
    host: str | None = None
    port: int | None = None
    workers: int | None = None
    model: Path | None = None
    adapter: Path | None = None
    sample_data: bool = True
    detached: bool = False


class Stack:
    """The parts, in the order in which they start.

    Args:
        state: the folder, held already.
        options: what the command line says.
        say: told in a line what happens.

    Raises:
        SettingsError: a setting is bad.
        StackError: a model is named, and no model is to be served.
        StateDirectoryError: the secrets cannot be read.
    """

    def __init__(
        self, state: StateDirectory, options: StackOptions, say: Callable[[str], None]
    ) -> None:
        self._state = state
        self._say = say
        self._supervisor = Supervisor(say, note=self._note)
        self._secrets = state.load_secrets()
        self._container = EmbeddedContainer(state, self._secrets)
        self._given = options.environment
        self._sample_data = options.sample_data
        self._detached = options.detached
        self._settings = self._read_settings(options)
        self._model: tuple[LocalModel, ServedModel] | None = None
        self._stores: dict[str, EmbeddedStore] = {}
        self._record = StackRecord(
            pid=os.getpid(),
            identity=process_identity(os.getpid()),
            since=self._container.now(),
            url=self._url,
            ready=False,
            ca_file=None,
            needs_key=True,
            detached=options.detached,
            processes=(),
        )

    def _read_settings(self, options: StackOptions) -> Settings:
        """The settings as the services will see them; what is embedded has its address later."""
        chosen = {"host": options.host, "port": options.port, "workers": options.workers}
        overrides: dict[str, object] = {k: v for k, v in chosen.items() if v is not None}
        if "DATABASE_URL" not in self._given:
            overrides["database_url"] = "postgresql://embedded"
        if "REDIS_URL" not in self._given:
            overrides["redis_url"] = "redis://embedded"
        if "SECRET_KEY" not in self._given:
            overrides["secret_key"] = self._secrets.secret_key
        files = {"local_llm_file": options.model, "local_llm_adapter": options.adapter}
        overrides |= {name: file for name, file in files.items() if file is not None}
        settings = load_settings(**overrides)
        check_tables(settings)
        if self._serves_model(settings):
            # The one that comes with the embedded model, unless the settings say otherwise.
            if settings.local_llm_file is None and (
                "local_llm_adapter" not in settings.model_fields_set
            ):
                adapter = {"local_llm_adapter": LocalModelAdapter.FIELDS}
                settings = settings.model_copy(update=adapter)
        elif options.model is not None or options.adapter is not None:
            chain = ",".join(settings.llm_provider)
            other = settings.local_llm_base_url
            raise StackError(
                f"LOCAL_LLM_BASE_URL is set, so {other} is asked and no file served: unset it, or"
                " leave --model and --adapter out."
                if Provider.LOCAL in settings.llm_provider
                else f"LLM_PROVIDER is {chain}, so no local model is asked: add local to it, or"
                " leave --model and --adapter out."
            )
        return settings

    def _serves_model(self, settings: Settings) -> bool:
        return Provider.LOCAL in settings.llm_provider and "LOCAL_LLM_BASE_URL" not in self._given

    async def run(self) -> None:
        """Start, say where everything is, and keep it running until SIGTERM or SIGINT.

        Raises:
            StackError, Unavailable, MigrationError: it cannot start; what had started was stopped.
        """
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(signum, stopping.set)
        self._tell()
        waiting = asyncio.create_task(stopping.wait())
        working = asyncio.create_task(self._start_and_renew())
        try:
            await asyncio.wait({waiting, working}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working  # it never returns: this raises why it could not start
        finally:
            self._say("Stopping ...")
            self._tell(ready=False)
            waiting.cancel()
            working.cancel()
            await asyncio.gather(waiting, working, return_exceptions=True)
            await self._supervisor.stop(last=list(self._stores.values()))
            self._state.env_file.unlink(missing_ok=True)
            self._say("Stopped.")

    async def _start_and_renew(self) -> None:
        refuse_busy_port(self._settings.host, self._settings.port)
        self._choose_model()
        env = await self._start_stores()
        model = None
        if self._model is not None:
            model = self._supervisor.start_later(self._container.model(*self._model))
        env |= self._certificate()
        applied = await migrate(env["DATABASE_URL"])
        if applied:
            self._say(f"Database: applied {', '.join(applied)}")
        self._write_env_file(env)
        server = self._settings.model_copy(update={"database_url": SecretStr(env["DATABASE_URL"])})
        nobody = await knows_nobody(server)
        if nobody and not opens_locally(server):
            raise StackError(
                f"{NOBODY}\nwhile `storekeeper up` runs without --host and PLAIN_HTTP, and start it"
                " as you wish then."
            )
        web = self._container.web(
            env,
            host=reachable(self._settings.host),
            port=self._settings.port,
            trusted=env.get("TLS_CERT_FILE"),
        )
        await asyncio.gather(self._supervisor.start(web), self._load_sample_data(env))
        worker = self._supervisor.start_later(self._container.worker(_needed(env, WorkerSettings)))
        local = "TLS_CERT_FILE" in env and not self._settings.tls_cert_file
        ca_file = str(self._container.certificates.ca_file) if local else None
        # Whoever sends a text or a job at once is then served. A large model is not waited for.
        tried = [worker.wait(), *([model.wait()] if model is not None else [])]
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*tried), _PATIENCE_S)
        self._tell(ready=True, ca_file=ca_file, needs_key=not nobody)
        self._say(f"Ready: {self._url}" if self._detached else overview(self._state, self._record))
        await self._renew_certificate(web)

    def _tell(self, **changes: Any) -> None:
        """Let other commands know what is otherwise now."""
        self._record = replace(self._record, **changes)
        try:
            self._state.record(self._record)
        except OSError as error:  # a full disk; the servers go on
            self._say(f"`storekeeper status` does not learn how it stands: {error}")

    def _note(self, server: ServerProcess, ready: bool) -> None:
        now = ProcessRecord(
            name=server.name,
            pid=server.pid if ready else None,
            ready=ready,
            since=self._container.now(),
            address=self._address(server) if ready else None,
        )
        known = {each.name: each for each in self._record.processes}
        self._tell(processes=tuple({**known, server.name: now}.values()))

    def _address(self, server: ServerProcess) -> str | None:
        if (store := self._stores.get(server.name)) is not None:
            return urlsplit(store.url).netloc.rpartition("@")[2]
        return {"web": self._url, "model": self._container.model_url}.get(server.name)

    def _choose_model(self) -> None:
        """See what the server of the local model is to hold, before anything starts.

        Raises:
            Unavailable: files of somebody's own are named, and cannot be served here.
        """
        settings = self._settings
        if not self._serves_model(settings):
            return
        own = settings.local_llm_file or isinstance(settings.local_llm_adapter, Path)
        try:
            local = local_model(settings)
            plan = None if local.file is None else plan_here(local.file, settings)
            self._model = local, served_model(local, plan, settings)
        except Unavailable as error:
            if own:
                raise
            # The rest runs without it too.
            self._say(f"No model runs here, and texts cannot be extracted: {error}")
            return
        if plan is not None:
            self._say(
                f"Model: {local.name}, {plan.slots} at once with {plan.context_tokens:,} tokens"
                f" each, about {gigabytes(plan.needed_bytes)} of the"
                f" {gigabytes(plan.free_bytes)} of memory that are free"
            )

    async def _start_stores(self) -> dict[str, str]:
        """Start what is embedded; returns the environment of the services."""
        settings = self._settings
        env = {**os.environ, "SECRET_KEY": settings.secret_key.get_secret_value()}
        env |= {"HOST": settings.host, "PORT": str(settings.port)}
        env |= {"WORKERS": str(settings.workers)}
        if self._serves_model(settings):
            env["LOCAL_LLM_BASE_URL"] = self._container.model_url
            env["LOCAL_LLM_API_KEY"] = self._secrets.model_key
            env["LOCAL_LLM_ADAPTER"] = str(settings.local_llm_adapter)
        if self._model is not None and (weights := self._model[1].weights) is not None:
            env["LOCAL_LLM_FILE"] = str(weights)
            env["LOCAL_LLM_CONTEXT_TOKENS"] = str(self._model[1].context_tokens)
        starting = []
        if "DATABASE_URL" in self._given:
            env["DATABASE_URL"] = self._given["DATABASE_URL"]
        else:
            processes = settings.workers + 1
            connections = processes * settings.database_pool_size + _CONNECTIONS_TO_SPARE
            postgres = self._container.postgres(connections=max(100, connections))
            self._stores["postgres"] = postgres
            starting.append(self._supervisor.start(postgres))
        if "REDIS_URL" in self._given:
            env["REDIS_URL"] = self._given["REDIS_URL"]
        else:
            valkey = self._container.valkey()
            self._stores["valkey"] = valkey
            starting.append(self._supervisor.start(valkey))
        await asyncio.gather(*starting)
        # Their ports are known once they have them.
        embedded = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL"}
        return env | {embedded[name]: store.url for name, store in self._stores.items()}

    def _certificate(self) -> dict[str, str]:
        """The settings of the certificate: the user's own, or the local authority's."""
        settings = self._settings
        if settings.plain_http:
            return {}
        if settings.tls_cert_file and settings.tls_key_file:
            files = settings.tls_cert_file, settings.tls_key_file
            if (why := exposure(settings.tls_key_file.absolute())) is not None:
                self._say(f"Warning: {why}")
        else:
            certificates = self._container.certificates
            if certificates.renew(certified_names(settings.host), now=self._container.now()):
                self._say(
                    f"Made a certificate, signed by the local authority of {self._state.path}"
                )
            files = certificates.cert_file, certificates.key_file
        return {"TLS_CERT_FILE": str(files[0]), "TLS_KEY_FILE": str(files[1])}

    async def _renew_certificate(self, web: ServerProcess) -> None:
        """Look after the certificate for as long as the stack runs."""
        while True:
            await asyncio.sleep(_CERTIFICATE_CHECK_S)
            if self._settings.plain_http or self._settings.tls_cert_file:
                continue
            names = certified_names(self._settings.host)
            renewed = self._container.certificates.renew(names, now=self._container.now())
            if renewed and web.pid is not None:
                os.kill(web.pid, signal.SIGHUP)  # replaces its workers one by one
                self._say("Renewed the certificate")

    async def _load_sample_data(self, env: Mapping[str, str]) -> None:
        """Fill the embedded database once; a user's own database is never filled."""
        mark = self._state.sample_data_mark
        if "postgres" not in self._stores or mark.exists():
            return
        if not self._sample_data:
            write_private(mark, "declined\n")
            return
        self._say("Loading sample data ...")
        task = self._container.task("sample-data", ["sample-data"], _needed(env, DatabaseSettings))
        try:
            await task.start()
            how = await task.wait()
        finally:
            await task.stop()
        if how == "exit status 0":
            write_private(mark, "loaded\n")
        else:
            self._say(f"Loading sample data failed ({how}), see {task.log}; goes on without")

    def _write_env_file(self, env: Mapping[str, str]) -> None:
        names = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "HOST", "PORT", "WORKERS")
        more = ("TLS_CERT_FILE", "TLS_KEY_FILE")
        model = (
            *("LOCAL_LLM_BASE_URL", "LOCAL_LLM_API_KEY", "LOCAL_LLM_ADAPTER"),
            *("LOCAL_LLM_FILE", "LOCAL_LLM_CONTEXT_TOKENS"),
        )
        lines = [f"{name}='{env[name]}'" for name in (*names, *more, *model) if name in env]
        write_private(self._state.env_file, "\n".join(lines) + "\n")

    @property
    def _url(self) -> str:
        """Where a person on this machine finds the API."""
        scheme = "http" if self._settings.plain_http else "https"
        return f"{scheme}://{_public(self._settings.host)}:{self._settings.port}"


def _needed(env: Mapping[str, str], kind: type[Environment]) -> dict[str, str]:
    """An environment without the settings that a command does not read, secrets among them."""
    others = Settings.model_fields.keys() - kind.model_fields.keys()
    return {name: value for name, value in env.items() if name.lower() not in others}


def certified_names(host: str) -> tuple[str, ...]:
    """The names and addresses that a certificate for a server on `host` carries."""
    own = socket.gethostname() if _is_wildcard(host) else host
    return tuple(dict.fromkeys(("localhost", "127.0.0.1", "::1", own)))


def _is_wildcard(host: str) -> bool:
    return host in {"0.0.0.0", "::"}  # noqa: S104 (compared with, not bound to)


def _public(host: str) -> str:
    """How `host` stands in a URL for a person on this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_loopback or address.is_unspecified:
        return "localhost"
    return f"[{host}]" if address.version == 6 else host
