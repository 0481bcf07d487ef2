"""(n) What a key and the limits cost a request: the same routes open, with a key, with limits."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import httpx2
import trustme

from adapters.embedded.installation import free_port
from domain.access.model import Scope
from tests.benchmarks.harness import Options
from tests.benchmarks.insights.history import new_database
from tests.benchmarks.results import Report, at_least, spread
from tests.benchmarks.stores import valkey
from tests.integration.keys import make_key

_CONNECTIONS: Final = 16
_WIDE: Final = "records=600000/min burst 10000"
_CASES: Final = ("open", "key", "limits")
_TURNS: Final = 3
"""In which the requests of a repeat are sent."""
_ROUTES: Final[Mapping[str, float]] = {"GET /users/1": 0.95, "POST /users": 0.90}
"""By route what a request with a key and limits may be of one without, in throughput."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One `storekeeper serve` with one process that answers."""

    port: int
    worker: int
    trusted: ssl.SSLContext
    key: str | None

    def cpu_s(self) -> float:
        """Processor time that the answering process used so far."""
        fields = Path(f"/proc/{self.worker}/stat").read_text("ascii").rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(options: Options) -> Report:
    """All cases in turn, route by route."""
    requests = {"GET /users/1": options.pick(9_000, 300), "POST /users": options.pick(4_500, 300)}
    figures: dict[str, dict[str, list[dict[str, float]]]] = {
        route: {case: [] for case in _CASES} for route in _ROUTES
    }
    with ExitStack() as stack:
        redis_url = stack.enter_context(valkey())
        servers = {case: stack.enter_context(_serving(case, redis_url)) for case in _CASES}
        for server in servers.values():
            asyncio.run(_load(server, "POST /users", 200))
            asyncio.run(_load(server, "GET /users/1", 200))
        for _ in range(options.repeats):
            for route in _ROUTES:
                measured = _in_turns(servers, route, requests[route] // _TURNS)
                for case, figure in measured.items():
                    figures[route][case].append(figure)
    return _report(figures, requests)


@contextmanager
def _serving(case: str, redis_url: str) -> Iterator[Server]:
    url = new_database(f"access_{case}")
    key = None if case == "open" else asyncio.run(make_key(url, Scope.RECORDS_WRITE))
    authority, port = trustme.CA(), free_port()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    with tempfile.TemporaryDirectory() as name:
        chain, private = Path(name) / "chain.pem", Path(name) / "key.pem"
        chain.write_bytes(b"".join(each.bytes() for each in certificate.cert_chain_pems))
        private.touch(0o600)
        private.write_bytes(certificate.private_key_pem.bytes())
        process = subprocess.Popen(
            [sys.executable, "-m", "entrypoints.cli.main", "serve"],
            cwd=name,
            env={
                **os.environ,
                "DATABASE_URL": url,
                "REDIS_URL": redis_url,
                "SECRET_KEY": "s" * 32,
                "PORT": str(port),
                "WORKERS": "1",
                "TLS_CERT_FILE": str(chain),
                "TLS_KEY_FILE": str(private),
                "LOG_LEVEL": "warning",
                "RATE_LIMITS": _WIDE if case == "limits" else "off",
            },
        )
        try:
            trusted = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
            _wait(f"https://localhost:{port}/health/live", trusted)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii")
            yield Server(port=port, worker=int(children.split()[0]), trusted=trusted, key=key)
        finally:
            process.terminate()
            process.wait()


def _wait(url: str, trusted: ssl.SSLContext) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            httpx2.get(url, verify=trusted)
        except httpx2.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _in_turns(
    servers: Mapping[str, Server], route: str, requests: int
) -> Mapping[str, dict[str, float]]:
    """Each case `_TURNS` times in shifting order: a slow moment of the machine meets all alike."""
    turns: dict[str, list[dict[str, float]]] = {case: [] for case in _CASES}
    for turn in range(_TURNS):
        for place in range(len(_CASES)):
            case = _CASES[(turn + place) % len(_CASES)]
            turns[case].append(_measured(servers[case], route, requests))
    return {
        case: {
            "requests_per_s": _TURNS / sum(1 / each["requests_per_s"] for each in found),
            "cpu_us": sum(each["cpu_us"] for each in found) / _TURNS,
        }
        for case, found in turns.items()
    }


def _measured(server: Server, route: str, requests: int) -> dict[str, float]:
    cpu_s, started = server.cpu_s(), time.perf_counter()
    asyncio.run(_load(server, route, requests))
    took_s = time.perf_counter() - started
    return {
        "requests_per_s": requests / took_s,
        "cpu_us": 1e6 * (server.cpu_s() - cpu_s) / requests,
    }


_NUMBERS: Final = count()


def _request(server: Server, route: str) -> bytes:
    method, path = route.split()
    number = next(_NUMBERS)
    body = b'{"name":"Ann","email":"ann%d@example.com"}' % number if method == "POST" else b""
    head = [f"{method} {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
    head += ["content-type: application/json"] if body else []
    head += [f"authorization: Bearer {server.key}"] if server.key else []
    return "\r\n".join([*head, "", ""]).encode() + body


async def _load(server: Server, route: str, requests: int) -> None:
    async def one(share: int) -> None:
        reader, writer = await asyncio.open_connection("localhost", server.port, ssl=server.trusted)
        for _ in range(share):
            writer.write(_request(server, route))
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 20"):
                raise RuntimeError(head.decode())
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
            await reader.readexactly(int(length))
        writer.close()

    await asyncio.gather(*(one(requests // _CONNECTIONS) for _ in range(_CONNECTIONS)))


def _report(
    figures: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]], requests: Mapping[str, int]
) -> Report:
    rows, targets = [], []
    for route, bound in _ROUTES.items():
        bare = figures[route]["open"]
        for case, runs in figures[route].items():
            rates = [
                mine["requests_per_s"] / open_["requests_per_s"]
                for mine, open_ in zip(runs, bare, strict=True)
            ]
            work = [
                open_["cpu_us"] / mine["cpu_us"] for mine, open_ in zip(runs, bare, strict=True)
            ]
            rows.append(
                (
                    route,
                    case,
                    spread([each["requests_per_s"] for each in runs], digits=0),
                    spread([each["cpu_us"] for each in runs], digits=0),
                    spread(rates, digits=3),
                    spread(work, digits=3),
                )
            )
            if case == "limits":
                targets.append(at_least(f"{route}: throughput to that without a key", rates, bound))
                targets.append(at_least(f"{route}: requests for the same work", work, bound))
    return Report(
        key="n",
        title="Keys and limits",
        setting=(
            f"`storekeeper serve` with one process over TLS, {_CONNECTIONS} connections that stay "
            f"open, {', '.join(f'{n:,} x {route}' for route, n in requests.items())} a repeat, "
            f"in {_TURNS} turns of each case. Open: no key was made, and the caller is this "
            f"machine. Key: a warm key, RATE_LIMITS=off. Limits: the same with `{_WIDE}`, counted "
            "in Valkey. Work is the processor time of the process that answers, which a busy "
            "machine moves less than throughput. Writes are entered in the audit log in all cases."
        ),
        columns=("route", "case", "requests/s", "CPU us/request", "throughput", "work"),
        rows=tuple(rows),
        targets=tuple(targets),
        data=figures,
    )
