"""Looks at a model's server: whether it answers, and whether it is a stand-in."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

from adapters.llm.resilient import PROBE
from domain.extraction.calls import ModelCallFailed
from ports.health import CheckResult, DiagnosticCheck
from ports.language_models import FinishReason, LanguageModel, TimeBudget

_TIMEOUT_S: Final = 60.0
_CONNECT_TIMEOUT_S: Final = 1.5


class LanguageModelDiagnosticCheck(DiagnosticCheck):
    """A real completion: a model's server may answer health checks and nothing else.

    Its server is called upon first, and not waited for long: one that is not there is a matter of
    settings, and the result says of which.

    Args:
        provider: its name, as in LLM_PROVIDER.
        opened: gives the model to ask, which should make one call and no more.
        base_url: of its API; None where there is none to call upon.
    """

    def __init__(
        self,
        provider: str,
        opened: AbstractAsyncContextManager[LanguageModel],
        *,
        base_url: str | None = None,
    ) -> None:
        self._provider = provider
        self._opened = opened
        self._base_url = base_url

    async def results(self) -> Sequence[CheckResult]:
        """See the port."""
        if self._base_url is not None and (why := await _silence(self._base_url)):
            detail = (
                f"nothing answers at {_shown(self._base_url)} ({why}). {_remedy(self._provider)}"
            )
            return [self._result(good=False, detail=detail)]
        async with self._opened as model:
            name = model.profile.model
            try:
                answer = await model.complete(
                    PROBE, TimeBudget(timeout_s=_TIMEOUT_S, wait_s=_TIMEOUT_S)
                )
            except ModelCallFailed as error:
                return [self._result(good=False, detail=f"{name}: {error.failure.detail}")]
        good = answer.finish is FinishReason.COMPLETE
        detail = f"{name} answered" if good else f"{name} answered, but {answer.finish}"
        return [self._result(good=good, detail=detail)]

    def _result(self, *, good: bool, detail: str) -> CheckResult:
        return CheckResult(subject=f"provider {self._provider}", good=good, detail=detail)


async def _silence(base_url: str) -> str | None:
    """Why no server can be connected to; None where one can, or where a proxy stands between."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if {parts.scheme, "all"} & getproxies().keys() and not proxy_bypass(host):
        return None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"no connection within {_CONNECT_TIMEOUT_S:g} s"
    except OSError as error:
        # asyncio names every address that it tried.
        refused = isinstance(error, ConnectionRefusedError) or error.errno == errno.ECONNREFUSED
        return "connection refused" if refused else error.strerror or str(error)
    writer.close()
    return None


def _shown(base_url: str) -> str:
    """A URL for people to read, without the password or the key that it may hold."""
    parts = urlsplit(base_url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _remedy(provider: str) -> str:
    if provider != "local":
        return f"Look at {provider.upper()}_BASE_URL, and at the network."
    return (
        "Set LLM_PROVIDER to openai (with OPENAI_API_KEY), gemini (with GEMINI_API_KEY) or vllm"
        " (with VLLM_BASE_URL); or start a local model: `storekeeper up` runs one, and"
        " LOCAL_LLM_BASE_URL names another."
    )


_SERVER: Final = "storekeeper-fake-provider"
_LOOK_TIMEOUT_S: Final = 1.0


async def is_simulation(base_url: str) -> bool:
    """Whether the fake provider answers at `base_url`: its `Server` header says so.

    One request without a key; who cannot be reached is taken for real, and its calls will tell.
    """
    try:
        # The client is made before the clock runs: reading the certificates takes a while.
        async with (
            httpx2.AsyncClient(timeout=_LOOK_TIMEOUT_S) as client,
            asyncio.timeout(_LOOK_TIMEOUT_S),
            client.stream("GET", base_url) as answer,  # its body does not matter
        ):
            return answer.headers.get("Server") == _SERVER
    except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL):
        return False
