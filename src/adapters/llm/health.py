"""Looks at a model's server: whether it answers, what it serves, and whether it is a stand-in."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

from adapters.llm.failures import setting_prefix
from adapters.llm.replies import elements, members, name_of, tokens
from adapters.llm.resilient import PROBE
from domain.extraction.calls import FailureKind, ModelCallFailed
from domain.strict_json import NotStrictJson, read_json
from ports.health import CheckResult, DiagnosticCheck
from ports.language_models import Answer, FinishReason, LanguageModel, ModelProfile, TimeBudget

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
        served: what its server says that it serves; None for a provider with models beyond count.
    """

    def __init__(
        self,
        provider: str,
        opened: AbstractAsyncContextManager[LanguageModel],
        *,
        base_url: str | None = None,
        served: ServedModels | None = None,
    ) -> None:
        self._provider = provider
        self._opened = opened
        self._base_url = base_url
        self._served = served

    async def results(self) -> Sequence[CheckResult]:
        """See the port."""
        if self._base_url is not None and (
            why := await why_unreachable(self._provider, self._base_url)
        ):
            return [self._result(good=False, detail=why)]
        async with self._opened as model:
            profile = model.profile
            name = profile.model
            try:
                # A model that thinks has to come to its answer.
                longest = PROBE.max_output_tokens + profile.reasoning_tokens
                answer = await model.complete(
                    replace(PROBE, max_output_tokens=longest),
                    TimeBudget(timeout_s=_TIMEOUT_S, wait_s=_TIMEOUT_S),
                )
            except ModelCallFailed as error:
                more = await self._remedy(self._served, error.failure.kind)
                return [self._result(good=False, detail=f"{name}: {error.failure.detail}{more}")]
        good = answer.finish is FinishReason.COMPLETE
        detail = f"{name} answered" if good else f"{name} answered, but {answer.finish}"
        if self._served is not None and answer.finish is FinishReason.TRUNCATED:
            detail += (
                ": a model that thinks needs room for it. Give it a row in LLM_MODELS_FILE with"
                " `reasoning_tokens`"
            )
        found = [self._result(good=good, detail=detail)]
        if self._served is not None:
            found += [
                self._result(good=True, detail=each, warns=True)
                for each in await self._doubts(self._served, profile, answer)
            ]
        return found

    async def _remedy(self, served: ServedModels | None, kind: FailureKind) -> str:
        """What the list of models adds to a failure; empty where it adds nothing."""
        if served is None:
            return ""
        prefix = setting_prefix(self._provider)
        if kind is FailureKind.UNKNOWN_MODEL and (names := list(await served.all())):
            more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
            return f" It lists {', '.join(names[:_MOST_SHOWN])}{more}."
        if kind in _WRONG_PLACE and (place := await served.elsewhere()) is not None:
            return f" Its API stands at {place}: set {prefix}_BASE_URL to that."
        return ""

    async def _doubts(
        self, served: ServedModels, profile: ModelProfile, answer: Answer
    ) -> Sequence[str]:
        """What may be other than the settings say, although the server answers."""
        prefix = setting_prefix(self._provider)
        found = []
        listed = await served.all()
        if listed and not served.names(profile.model):
            names = ", ".join(list(listed)[:_MOST_SHOWN])
            found.append(
                f"the server lists {names}, and not {profile.model}: it answers by whatever name."
                f" Set {prefix}_MODEL to the one that it runs, which results and prices will name"
            )
        context = await served.context_tokens(profile.model)
        if context is not None and context < profile.context_tokens:
            found.append(
                f"the server's context is {context} tokens, and {profile.context_tokens} are"
                f" assumed: longer texts are refused, or cut. Raise it, or give {profile.model} a"
                f" row in LLM_MODELS_FILE with `context_tokens: {context}`"
            )
        if not answer.attempts[-1].usage.total_tokens:
            found.append(
                "the server reports no usage: costs, and caps and budgets in tokens, count nothing"
            )
        return found

    def _result(self, *, good: bool, detail: str, warns: bool = False) -> CheckResult:
        subject = f"provider {self._provider}"
        return CheckResult(subject=subject, good=good, detail=detail, warns=warns)


class ServedModels:
    """What a server of OpenAI's protocol says that it serves; nothing where it does not say.

    Args:
        base_url: of its API.
        api_key: None for a server that asks for none.
    """

    def __init__(self, base_url: str, api_key: str | None) -> None:
        self._base_url = base_url
        self._headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._listed: Mapping[str, int | None] | None = None

    async def all(self) -> Mapping[str, int | None]:
        """The models by name, each with its context in tokens where that is told."""
        if self._listed is None:
            self._listed = _models_in(await self._document(f"{self._base_url}/models"))
        return self._listed

    def names(self, model: str) -> bool:
        """Whether the list has `model`; Ollama leaves the tag out that it takes by itself."""
        return bool({model, f"{model}:latest"} & (self._listed or {}).keys())

    async def elsewhere(self) -> str | None:
        """Where the API is, if not at its address but below."""
        below = f"{self._base_url}/v1"
        return below if _models_in(await self._document(f"{below}/models")) else None

    async def context_tokens(self, model: str) -> int | None:
        """The context that a model runs with; None where the server does not tell."""
        listed = (await self.all()).get(model)
        if listed is not None:
            return listed
        root = self._base_url.removesuffix("/v1")
        for path in _RUNNING:
            running = _models_in(await self._document(f"{root}{path}"))
            found = running.get(model) or running.get(f"{model}:latest")
            if found is not None:
                return found
        return None

    async def _document(self, url: str) -> Any:
        """The JSON value at `url`; None where there is none."""
        try:
            async with (
                httpx2.AsyncClient(timeout=_LIST_TIMEOUT_S, headers=self._headers) as client,
                asyncio.timeout(_LIST_TIMEOUT_S),
            ):
                answer = await client.get(url)
            return read_json(answer.content) if answer.is_success else None
        except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL, NotStrictJson):
            return None


_LIST_TIMEOUT_S: Final = 5.0
_MOST_SHOWN: Final = 10
_WRONG_PLACE: Final = frozenset(
    {FailureKind.UNKNOWN_MODEL, FailureKind.BAD_REQUEST, FailureKind.BAD_RESPONSE}
)
_RUNNING: Final = ("/api/ps", "/api/v0/models")
"""Where Ollama and LM Studio tell the context that a model was loaded with."""
_CONTEXT_MEMBERS: Final = ("max_model_len", "loaded_context_length", "n_ctx", "context_length")


def _models_in(document: Any) -> Mapping[str, int | None]:
    """The models of a list: below `data`, below `models`, or the document itself."""
    said = members(document)
    listed = elements(said.get("data")) or elements(said.get("models")) or elements(document)
    found: dict[str, int | None] = {}
    for each in map(members, listed):
        name = name_of(each.get("id")) or name_of(each.get("name")) or name_of(each.get("model"))
        if name:
            told = {**members(each.get("meta")), **each}
            counts = (tokens(told.get(member)) for member in _CONTEXT_MEMBERS)
            found[name] = next((count for count in counts if count), None)
    return found


async def why_unreachable(provider: str, base_url: str) -> str | None:
    """That nothing can be connected to at `base_url`, why, and what to do about it.

    None where something can, or where a proxy stands between.
    """
    if (why := await _refusal(base_url)) is None:
        return None
    return f"nothing answers at {_shown(base_url)} ({why}). {_remedy(provider)}"


async def _refusal(base_url: str) -> str | None:
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
        return f"Look at {setting_prefix(provider)}_BASE_URL, and at the network."
    return (
        "Set LLM_PROVIDER to openai (with OPENAI_API_KEY), gemini (with GEMINI_API_KEY) or"
        " openai_compatible (with OPENAI_COMPATIBLE_BASE_URL); or start a"
        " local model: `storekeeper up` runs one, and LOCAL_LLM_BASE_URL names another."
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
