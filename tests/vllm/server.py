"""A real vLLM server on this machine's CPUs."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from adapters.embedded.installation import free_port
from adapters.embedded.process import ChildProcess, ProcessCommand
from adapters.llm.clients import ModelConfig

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
WEIGHTS = ROOT / ".cache" / "vllm" / "smollm2-135m"
MODEL = "smollm2-135m"
KEY = "the-right-key"
CONTEXT_TOKENS = 4096
ANSWER_TIMEOUT_S = 300.0
_START_TIMEOUT_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmServer:
    """A running server; `url` is its root."""

    url: str
    log: Path

    @property
    def base_url(self) -> str:
        """Of its OpenAI-compatible API."""
        return f"{self.url}/v1"

    def config(self, *, model: str = MODEL, key: str = KEY) -> ModelConfig:
        """As the settings would name it."""
        return ModelConfig(
            provider="openai_compatible", model=model, base_url=self.base_url, api_key=key
        )

    def client(self) -> httpx2.AsyncClient:
        """A client that knows the key."""
        return httpx2.AsyncClient(
            base_url=self.url,
            headers={"authorization": f"Bearer {KEY}"},
            timeout=ANSWER_TIMEOUT_S,
        )

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over the series that carry `labels`."""
        async with self.client() as http:
            text = (await http.get("/metrics")).text
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        rows = [line for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
        assert rows, f"the server has no metric {name}"
        return sum(
            float(row.rsplit(" ", 1)[1]) for row in rows if all(each in row for each in wanted)
        )


def body(content: str, **more: Any) -> dict[str, Any]:
    """A chat completions request."""
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": 8,
        "temperature": 0,
        **more,
    }


@asynccontextmanager
async def running_vllm(directory: Path) -> AsyncIterator[VllmServer]:
    """A server that has answered a completion; it ends with its process group, or with ours.

    Raises:
        Unavailable: it did not start; the message quotes its log.
    """
    if not (PYTHON.exists() and (WEIGHTS / ".converted").exists()):
        raise RuntimeError("the vLLM server is not installed: run `make test-vllm`")
    port = free_port()
    log = directory / "vllm.log"
    child = ChildProcess(
        ProcessCommand(
            name="vllm",
            argv=(
                *(str(PYTHON), "-m", "vllm.entrypoints.openai.api_server"),
                *("--model", str(WEIGHTS), "--served-model-name", MODEL),
                *("--host", "127.0.0.1", "--port", str(port), "--api-key", KEY),
                *("--dtype", "bfloat16", "--max-model-len", str(CONTEXT_TOKENS)),
                *("--max-num-seqs", "32"),
                # Compiling takes a minute more and pays off after some hundred answers.
                "--enforce-eager",
            ),
            log=log,
            env={
                **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
                "HF_HUB_OFFLINE": "1",
                "VLLM_NO_USAGE_STATS": "1",
                "DO_NOT_TRACK": "1",
                "VLLM_CPU_KVCACHE_SPACE": "1",  # GB
                # One thread: several wait for each other in loops where cores are shared.
                "VLLM_CPU_OMP_THREADS_BIND": "nobind",
                "OMP_NUM_THREADS": os.environ.get("VLLM_THREADS", "1"),
            },
            cwd=directory,
            stop_signals=((signal.SIGTERM, 30.0),),
        )
    )
    server = VllmServer(url=f"http://127.0.0.1:{port}", log=log)
    try:
        await child.spawn()
        await child.wait_ready(lambda: _answers(server), timeout_s=_START_TIMEOUT_S)
        yield server
    finally:
        await child.stop()


async def _answers(server: VllmServer) -> bool:
    """Whether it completes something: its health check does not tell."""
    try:
        async with server.client() as http:
            answer = await http.post("/v1/chat/completions", json=body("Hello", max_tokens=1))
    except httpx2.TransportError:
        return False
    return answer.status_code == httpx2.codes.OK
