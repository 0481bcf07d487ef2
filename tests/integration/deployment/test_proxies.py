"""nginx, Caddy and Traefik by the files of infra/, before a real `storekeeper serve`.

Only names, ports and paths of the files are replaced by those of the test.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
import trustme

from adapters.embedded.installation import free_port
from domain.access.model import Scope
from tests.integration.deployment.programs import INFRA, program, running
from tests.integration.keys import make_key
from tests.integration.service_role import service_url
from tests.integration.stack import COMMAND, PATIENCE_S, environment, wait_for

NAME = "localhost"
PROXY = "127.0.0.1"
CLIENT = "127.0.0.2"
"""Addresses that the proxy and its client have: all of 127.0.0.0/8 is this machine's."""


@dataclass(frozen=True)
class Service:
    """A running `storekeeper serve`, with keys for it."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    key: str
    key_of_client: str
    """Accepted from CLIENT alone."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Proxy:
    """A running proxy before it."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    service: Service
    trusted: ssl.SSLContext
    reload: Callable[[], None]
    authority: Path

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}"

    def client(self, address: str = CLIENT, key: str | None = None) -> httpx2.Client:
        """A client at an address of its own."""
        return httpx2.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key or self.service.key}"},
            timeout=PATIENCE_S,
            transport=httpx2.HTTPTransport(local_address=address, verify=self.trusted),
        )

    def get(
        self, path: str, *, address: str = CLIENT, key: str | None = None, **headers: str
    ) -> httpx2.Response:
        """One answer."""
        with self.client(address, key) as client:
            return client.get(path, headers=headers)

    @contextmanager
    def wire(self) -> Iterator[ssl.SSLSocket]:
        """A connection for requests that are sent in parts."""
        with (
            socket.create_connection((PROXY, self.port), PATIENCE_S) as bare,
            self.trusted.wrap_socket(bare, server_hostname=NAME) as secured,
        ):
            yield secured


def serving(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health/live", timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False


@pytest.fixture(scope="module")
async def service(
    module_database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    directory = tmp_path_factory.mktemp("service")
    port, log = free_port(), directory / "serve.log"
    settings = environment(
        DATABASE_URL=service_url(module_database_url),
        REDIS_URL=redis_url,
        SECRET_KEY="a secret of forty characters, for the tests",
        PLAIN_HTTP="true",
        PORT=str(port),
        SHUTDOWN_GRACE_S="30",
        RATE_LIMITS="off",
    )
    with running((*COMMAND, "serve"), log, settings) as process:
        found = Service(
            process=process,
            port=port,
            log=log,
            key=await make_key(module_database_url, Scope.ADMIN),
            key_of_client=await make_key(
                module_database_url, Scope.ADMIN, networks=(f"{CLIENT}/32",)
            ),
        )
        wait_for(lambda: serving(found.url), log.read_text, PATIENCE_S)
        yield found


@dataclass
class Place:
    """Where a proxy of the test keeps its files."""

    directory: Path
    upstream: int
    port: int = field(default_factory=free_port)

    @property
    def service(self) -> dict[str, str]:
        """Where the files of infra/ look for the service, and where it is."""
        return {"127.0.0.1:8080": f"127.0.0.1:{self.upstream}"}

    @property
    def chain(self) -> Path:
        return self.directory / "chain.pem"

    @property
    def key(self) -> Path:
        return self.directory / "key.pem"

    def rewritten(self, source: Path, replacements: dict[str, str]) -> Path:
        """A file of infra/ with names, ports and paths of the test."""
        text = source.read_text("utf-8")
        for written, wanted in replacements.items():
            assert written in text, f"{source} has no {written!r}"
            text = text.replace(written, wanted)
        target = self.directory / source.name
        target.write_text(text)
        return target


@contextmanager
def nginx(place: Place) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], None]]]:
    found = program("nginx", "Debian: nginx-light")
    site = place.rewritten(
        INFRA / "nginx" / "storekeeper.conf",
        {
            **place.service,
            "listen 80;": f"listen 127.0.0.1:{free_port()};",
            "    listen [::]:80;\n": "",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{place.port} ssl http2;",
            "    listen [::]:443 ssl http2;\n": "",
            "server_name shop.example;": f"server_name {NAME};",
            "/etc/letsencrypt/live/shop.example/fullchain.pem": str(place.chain),
            "/etc/letsencrypt/live/shop.example/privkey.pem": str(place.key),
        },
    )
    kept = "".join(
        f"{kind}_temp_path {place.directory / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = place.directory / "nginx.conf"
    whole.write_text(
        f"{'user root;' if os.geteuid() == 0 else ''} daemon off; pid {place.directory}/pid;"
        f" worker_processes 2; error_log stderr; events {{}}"
        f" http {{ {kept} access_log off; include {site}; }}\n"
    )
    log = place.directory / "nginx.log"
    with running((found, "-c", str(whole)), log) as process:
        workers = Path(f"/proc/{process.pid}/task/{process.pid}/children")

        def reload() -> None:
            before = set(workers.read_text().split())
            process.send_signal(signal.SIGHUP)
            wait_for(
                lambda: len(set(workers.read_text().split()) - before) == 2,
                log.read_text,
                PATIENCE_S,
            )

        yield process, reload


@contextmanager
def caddy(place: Place) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], None]]]:
    found = program("caddy")
    admin = f"127.0.0.1:{free_port()}"
    site = place.rewritten(
        INFRA / "caddy" / "Caddyfile",
        {
            **place.service,
            "\n{\n": f"\n{{\n\tadmin {admin}\n\tauto_https disable_redirects\n"
            "\tskip_install_trust\n",
            "\nshop.example {\n": f"\nhttps://{NAME}:{place.port} {{\n"
            f"\tbind 127.0.0.1\n\ttls {place.chain} {place.key}\n",
        },
    )
    options = ("--config", str(site), "--adapter", "caddyfile")
    variables = environment(HOME=str(place.directory))

    def reload() -> None:
        again = (found, "reload", "--force", "--address", admin, *options)
        subprocess.run(again, check=True, capture_output=True, env=variables)

    log = place.directory / "caddy.log"
    with running((found, "run", *options), log, variables) as process:
        yield process, reload


@contextmanager
def traefik(place: Place) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], None]]]:
    found = program("traefik")
    routes = place.rewritten(
        INFRA / "traefik" / "storekeeper.yaml",
        {
            **place.service,
            "Host(`shop.example`)": f"Host(`{NAME}`)",
            "      tls:\n        certResolver: letsencrypt\n": "      tls: {}\n",
            "\ntls:\n": f"\ntls:\n  certificates:\n    - certFile: {place.chain}\n"
            f"      keyFile: {place.key}\n",
        },
    )
    static = place.rewritten(
        INFRA / "traefik" / "traefik.yaml",
        {
            '":80"': f'"127.0.0.1:{free_port()}"',
            '":443"': f'"127.0.0.1:{place.port}"',
            "/etc/traefik/storekeeper.yaml": str(routes),
            "/var/lib/traefik/acme.json": str(place.directory / "acme.json"),
        },
    )

    def reload() -> None:
        # Moved into its place whole: Traefik reads a file that is half written as it stands.
        changed = routes.with_suffix(".new")
        changed.write_text(routes.read_text() + "\n# read again\n")
        changed.replace(routes)

    log = place.directory / "traefik.log"
    argv = (found, f"--configFile={static}")
    with running(argv, log, environment(HOME=str(place.directory))) as process:
        yield process, reload


@pytest.fixture(scope="module", params=[nginx, caddy, traefik], ids=lambda kind: kind.__name__)
def proxy(
    request: pytest.FixtureRequest, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    place = Place(tmp_path_factory.mktemp(request.param.__name__), service.port)
    authority = trustme.CA()
    certificate = authority.issue_cert(NAME, "127.0.0.1")
    certificate.private_key_pem.write_to_path(str(place.key))
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(place.chain), append=True)
    ca_file = place.directory / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    trusted = ssl.create_default_context(cafile=str(ca_file))
    with request.param(place) as (process, reload):
        found = Proxy(
            name=request.param.__name__,
            port=place.port,
            process=process,
            service=service,
            trusted=trusted,
            reload=reload,
            authority=ca_file,
        )

        def answers() -> bool:
            assert process.poll() is None, described()
            try:
                return bool(found.get("/health/live").status_code == 200)
            except httpx2.HTTPError:
                return False

        def described() -> str:
            return (place.directory / f"{found.name}.log").read_text()

        wait_for(answers, described, PATIENCE_S)
        yield found


def test_tls_ends_at_the_proxy_and_browsers_are_told_to_keep_to_it(proxy: Proxy) -> None:
    answer = proxy.get("/users")
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_the_proxy_speaks_http_2(proxy: Proxy) -> None:
    done = subprocess.run(
        [
            *(program("curl", "Debian: curl"), "--silent", "--show-error", "--http2"),
            *("--cacert", str(proxy.authority), "--output", os.devnull),
            *("--write-out", "%{http_version} %{http_code}", f"{proxy.url}/health/live"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "2 200"


def test_a_key_of_a_network_is_held_against_the_address_of_the_client(proxy: Proxy) -> None:
    key = proxy.service.key_of_client
    assert proxy.get("/users", key=key).status_code == 200
    assert proxy.get("/users", address="127.0.0.3", key=key).status_code == 401


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_a_client_cannot_claim_another_address(proxy: Proxy, header: str) -> None:
    said = {header: f"for={CLIENT}" if header == "Forwarded" else CLIENT}
    key = proxy.service.key_of_client
    assert proxy.get("/users", address="127.0.0.3", key=key, **said).status_code == 401


def test_who_is_no_proxy_is_not_believed(service: Service) -> None:
    headers = {
        "Authorization": f"Bearer {service.key_of_client}",
        "X-Forwarded-For": CLIENT,
    }
    for address, status in ((PROXY, 200), ("127.0.0.3", 401)):
        with httpx2.Client(transport=httpx2.HTTPTransport(local_address=address)) as client:
            assert client.get(f"{service.url}/users", headers=headers).status_code == status


def head_of(path: str, proxy: Proxy, *more: str) -> bytes:
    lines = (
        f"POST {path} HTTP/1.1",
        f"Host: {NAME}:{proxy.port}",
        f"Authorization: Bearer {proxy.service.key}",
        "Content-Type: application/json",
        *more,
    )
    return "\r\n".join([*lines, "", ""]).encode()


def test_a_body_that_is_too_large_is_refused_by_the_service_before_it_comes(proxy: Proxy) -> None:
    with proxy.wire() as wire:
        wire.sendall(head_of("/users", proxy, "Content-Length: 2000000"))
        if proxy.name == "traefik":  # it passes an answer on when the body has been sent
            wire.sendall(bytes(2_000_000))
        wire.settimeout(30)  # a proxy that waits for the body does so for 60 s
        answer = wire.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer


USER = {"email": "ada@example.com", "name": "Ada"}


def new_user(nth: str) -> bytes:
    return json.dumps({**USER, "email": f"{nth}@example.com"}).encode()


def sent_slowly(proxy: Proxy, meanwhile: Callable[[], None], name: str) -> bytes:
    """The answer to a request whose body comes in two halves, and something happens between."""
    body = new_user(name)
    with proxy.wire() as wire:
        wire.sendall(head_of("/users", proxy, f"Content-Length: {len(body)}", "Connection: close"))
        wire.sendall(body[:10])
        meanwhile()
        wire.sendall(body[10:])
        answer = b""
        while part := wire.recv(65_536):
            answer += part
    return answer


@contextmanager
def load(proxy: Proxy, *, again: bool = False) -> Iterator[list[str]]:
    """Four clients that ask on and on; what went wrong.

    Args:
        proxy: whom they ask.
        again: a request whose connection ends without an answer is sent once more. Had it been
            carried out, the second answer would be 409.
    """
    stop, wrong, asked = threading.Event(), list[str](), list[int]()

    def post(client: httpx2.Client, body: bytes) -> httpx2.Response:
        return client.post("/users", content=body, headers={"Content-Type": "application/json"})

    def ask(nth: int) -> None:
        with proxy.client() as client:
            while not stop.is_set():
                body = new_user(f"{proxy.name}-{nth}-{os.urandom(8).hex()}")
                try:
                    try:
                        answer = post(client, body)
                    except httpx2.TransportError:
                        if not again:
                            raise
                        answer = post(client, body)
                except httpx2.HTTPError as error:
                    wrong.append(repr(error))
                    return
                asked.append(answer.status_code)
                if answer.status_code != 201:
                    wrong.append(f"{answer.status_code} {answer.text}")

    threads = [threading.Thread(target=ask, args=(nth,)) for nth in range(4)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(asked) > 20 or bool(wrong), lambda: "nobody asks", PATIENCE_S)
    try:
        yield wrong
        until = len(asked) + 40
        wait_for(lambda: len(asked) > until or bool(wrong), lambda: "nobody asks", PATIENCE_S)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def lines_of(log: Path, words: str) -> int:
    return log.read_text().count(words)


def test_no_request_fails_while_the_service_replaces_its_processes(proxy: Proxy) -> None:
    started, ended = "Application startup complete", "Finished server process"
    log = proxy.service.log
    before = lines_of(log, started), lines_of(log, ended)

    def replace() -> None:
        proxy.service.process.send_signal(signal.SIGHUP)
        wait_for(
            lambda: lines_of(log, started) >= before[0] + 2 and lines_of(log, ended) > before[1],
            log.read_text,
            PATIENCE_S,
        )

    with load(proxy) as wrong:
        slow = sent_slowly(proxy, replace, f"slow-{proxy.name}")
    assert slow.startswith(b"HTTP/1.1 201 "), slow
    assert wrong == []


def test_no_request_is_lost_while_the_proxy_reads_its_file_again(proxy: Proxy) -> None:
    # nginx before 1.27.4 and Caddy close idle connections then, Caddy now and then a new one.
    with load(proxy, again=proxy.name != "traefik") as wrong:
        slow = sent_slowly(proxy, proxy.reload, f"again-{proxy.name}")
    assert slow.startswith(b"HTTP/1.1 201 "), slow
    assert wrong == []


def test_a_service_that_is_away_is_a_problem_document(
    proxy: Proxy, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if proxy.name == "traefik":
        pytest.skip("Traefik answers 502 in words of its own: it would need one more service")
    kind = {"nginx": nginx, "caddy": caddy}[proxy.name]
    place = Place(tmp_path, free_port())
    for name in ("chain.pem", "key.pem"):
        (tmp_path / name).write_bytes((proxy.authority.parent / name).read_bytes())

    def get() -> httpx2.Response | None:
        try:
            return httpx2.get(
                f"https://{NAME}:{place.port}/users", verify=proxy.trusted, timeout=PATIENCE_S
            )
        except httpx2.ConnectError:
            return None

    with kind(place):
        wait_for(lambda: get() is not None, lambda: f"no {proxy.name}", PATIENCE_S)
        answer = get()
    assert answer is not None
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 503
