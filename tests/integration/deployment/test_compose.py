"""infra/compose, as Compose reads it; its services as plain processes in the same environment."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx2
import pytest

from adapters.embedded.installation import free_port
from tests.integration.deployment.programs import INFRA, program, running
from tests.integration.stack import COMMAND, PATIENCE_S, environment, wait_for

COMPOSE = INFRA / "compose"
PASSWORD = "thepasswordoftheservice"
OURS = {"migrate", "grant", "api", "worker"}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Compose makes of the file, with the examples filled in as the how-to says."""
    directory = tmp_path_factory.mktemp("compose")
    shutil.copytree(COMPOSE, directory, dirs_exist_ok=True)
    example = (directory / "storekeeper.env.example").read_text()
    (directory / "storekeeper.env").write_text(
        example.replace("SECRET_KEY=", f"SECRET_KEY={'s' * 40}").replace("_KEY=\n", "_KEY=k\n")
    )
    (directory / ".env").write_text(f"POSTGRES_PASSWORD=owners\nSERVICE_PASSWORD={PASSWORD}\n")
    (directory / "metrics.key").touch()
    argv = (program("docker-compose"), "--profile", "*", "config", "--format", "json")
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=directory)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_image_is_named_by_an_exact_version(config: dict[str, Any]) -> None:
    for name, service in config["services"].items():
        assert re.search(r":v?\d+\.\d+(\.\d+)?$", service["image"]), name


def test_every_service_has_a_limit_of_memory_and_restarts_or_ends(config: dict[str, Any]) -> None:
    for name, service in config["services"].items():
        assert int(service["mem_limit"]) >= 256 * 2**20, name
        assert service["restart"] == ("no" if name in {"migrate", "grant"} else "unless-stopped")


def test_ours_may_write_to_tmp_alone_and_have_no_right_of_root(config: dict[str, Any]) -> None:
    for name in OURS:
        service = config["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["tmpfs"] == ["/tmp"]  # noqa: S108


def test_ports_are_open_to_this_machine_alone(config: dict[str, Any]) -> None:
    for service in config["services"].values():
        assert {port["host_ip"] for port in service.get("ports", [])} <= {"127.0.0.1"}


def test_the_proxy_that_is_trusted_is_the_gateway_of_the_network(config: dict[str, Any]) -> None:
    (network,) = config["networks"]["shop"]["ipam"]["config"]
    assert config["services"]["api"]["environment"]["TRUSTED_PROXIES"] == network["gateway"]


@pytest.fixture
async def no_role_left(postgres_server: str) -> AsyncIterator[None]:
    """What `db grant` makes is the whole server's, and outlives the test's database."""
    yield
    connection = await asyncpg.connect(postgres_server)
    await connection.execute("DROP ROLE IF EXISTS storekeeper_service")
    await connection.close()


@pytest.mark.usefixtures("no_role_left")
def test_the_services_run_as_plain_processes_in_the_same_environment(
    config: dict[str, Any], empty_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    secret = tmp_path / "service_password"
    secret.write_text(PASSWORD)
    server = urlsplit(empty_database_url)
    port = free_port()

    def variables(name: str) -> dict[str, str]:
        """Of a service, with the servers and the port of this test in place of the containers'."""
        given = dict(config["services"][name]["environment"])
        url = urlsplit(given["DATABASE_URL"])
        user = (
            f"{server.username}:{server.password}"
            if url.username == "storekeeper"
            else f"{url.username}:{url.password}"
        )
        given["DATABASE_URL"] = f"postgresql://{user}@{server.hostname}:{server.port}{server.path}"
        given |= {"REDIS_URL": redis_url} if "REDIS_URL" in given else {}
        given |= {"HOST": "127.0.0.1", "PORT": str(port)} if "PORT" in given else {}
        return environment(**given)

    def words(name: str) -> tuple[str, ...]:
        command: list[str] = config["services"][name]["command"]
        return tuple(word.replace("/run/secrets/service_password", str(secret)) for word in command)

    first_key = ("keys", "create", "--name", "first", "--scopes", "admin")
    steps = [
        (name, words(name)) for name in ("migrate", "grant", "grant")
    ]  # once more: all is there
    for name, command in [*steps, ("api", first_key)]:
        done = subprocess.run(
            (*COMMAND, *command),
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=variables(name),
        )
        assert done.returncode == 0, done.stderr
        assert PASSWORD not in done.stdout + done.stderr

    def ready() -> bool:
        try:
            answer = httpx2.get(f"http://127.0.0.1:{port}/health/ready", timeout=5)
        except httpx2.HTTPError:
            return False
        return answer.status_code == 200

    api, worker = tmp_path / "api.log", tmp_path / "worker.log"
    with (
        running((*COMMAND, *words("api")), api, variables("api")),
        running((*COMMAND, *words("worker")), worker, variables("worker")),
    ):
        wait_for(ready, api.read_text, PATIENCE_S)
        wait_for(lambda: "Starting worker" in worker.read_text(), worker.read_text, PATIENCE_S)
        asked = subprocess.run(
            (sys.executable, "-m", "entrypoints.cli.main", "health", "--ready"),
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=variables("api"),
        )
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["status"] == "ok"
