"""Starts the fake provider for tests: in a thread of this process, or as a process of its own."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import uvicorn

from fake_provider.answers import Answerer
from fake_provider.app import FakeProviderApp
from fake_provider.http import server_config
from fake_provider.ledger import (
    EarlyCall,
    Entry,
    calls_per_text,
    early_calls,
    peak_concurrency,
)
from fake_provider.provider import Provider
from fake_provider.scenario import Fault, FaultKind, Scenario

_START_TIMEOUT_S = 30.0
_PACKAGES = Path(__file__).resolve().parents[1]


class FakeAddresses:
    """Where a running fake provider answers; `url` is its root."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.openai_base_url = f"{url}/v1"
        self.gemini_base_url = url
        self.vllm_base_url = f"{url}/vllm/v1"
        self.ollama_base_url = f"{url}/ollama/v1"


class FakeInThread(FakeAddresses):
    """A fake provider in a thread; change `provider` from the test as you like."""

    def __init__(self, url: str, provider: Provider) -> None:
        super().__init__(url)
        self.provider = provider

    def script(self, *faults: Fault | FaultKind) -> None:
        """Append faults to the script; a bare kind happens once."""
        self.provider.faults.extend(
            fault if isinstance(fault, Fault) else Fault(kind=fault) for fault in faults
        )

    async def idle(self) -> None:
        """Wait until every call is done: a call whose client has left ends a little later."""
        while self.provider.in_flight:
            await asyncio.sleep(0.002)

    @property
    def entries(self) -> list[Entry]:
        """The ledger's rows, oldest first."""
        return list(self.provider.ledger.entries())

    def early_calls(self, grace_s: float = 0.0) -> list[EarlyCall]:
        """Calls that came before the wait they had been told was over."""
        return early_calls(self.entries, grace_s=grace_s)

    @property
    def peak_concurrency(self) -> int:
        """The most calls under way at once."""
        return peak_concurrency(self.entries)

    @property
    def calls_per_text(self) -> Mapping[int, int]:
        """Calls by digest of the document (`text_hash`)."""
        return calls_per_text(self.entries)


@contextmanager
def running_fake(
    scenario: Scenario | None = None,
    *,
    answerer: Answerer | None = None,
    ledger_capacity: int = 16_384,
) -> Iterator[FakeInThread]:
    """A fake provider on a free port, in a thread with its own event loop."""
    provider = Provider(scenario, answerer=answerer, ledger_capacity=ledger_capacity)
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    server = uvicorn.Server(server_config(FakeProviderApp(provider)))
    started = threading.Event()

    async def serve() -> None:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.002)
        started.set()
        await serving

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    if not started.wait(_START_TIMEOUT_S) or not server.started:
        raise RuntimeError("the fake provider did not start")
    try:
        yield FakeInThread(f"http://127.0.0.1:{listener.getsockname()[1]}", provider)
    finally:
        server.should_exit = True
        thread.join(_START_TIMEOUT_S)
        listener.close()


class FakeProcess(FakeAddresses):
    """A fake provider in a process of its own, driven through its control API."""

    def control(self, method: str, path: str, body: object = None) -> Any:
        """The JSON answer of `/_control/<path>`; NDJSON becomes a list."""
        response = httpx2.request(
            method,
            f"{self.url}/_control/{path}",
            content=None if body is None else msgspec.json.encode(body),
            timeout=60,
        )
        response.raise_for_status()
        if response.headers["content-type"] == "application/x-ndjson":
            return [msgspec.json.decode(line) for line in response.content.splitlines()]
        return response.json()

    def summary(self, *, since: int = 0, grace_s: float = 0.0) -> dict[str, Any]:
        """Totals, peak, early calls."""
        summary: dict[str, Any] = self.control("GET", f"summary?since={since}&grace_s={grace_s}")
        return summary

    @property
    def entries(self) -> list[Entry]:
        """The ledger's rows, oldest first."""
        return msgspec.convert(self.control("GET", "ledger"), list[Entry])


@contextmanager
def spawned_fake(*arguments: str) -> Iterator[FakeProcess]:
    """A fake provider as a process on a free port; `arguments` go to its command line."""
    command: Sequence[str] = [
        sys.executable,
        "-m",
        "fake_provider",
        "--port",
        "0",
        *arguments,
    ]
    environment = {**os.environ, "PYTHONPATH": str(_PACKAGES)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    assert process.stdout is not None
    try:
        url = _announced_url(process)
        yield FakeProcess(url)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _announced_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    until = time.monotonic() + _START_TIMEOUT_S
    for line in process.stdout:
        found = re.search(r"GEMINI_BASE_URL=(\S+)", line)
        if found is not None:
            return found.group(1)
        if time.monotonic() > until:
            break
    raise RuntimeError(f"the fake provider did not start (exit code {process.poll()})")
