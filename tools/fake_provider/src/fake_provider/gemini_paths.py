"""Gemini's paths: content, token counts, models, files and batches."""

from __future__ import annotations

import re
from typing import Any

from fake_provider.calls import Problem, Refused
from fake_provider.engine import Provider
from fake_provider.gemini import Gemini
from fake_provider.gemini_batches import GeminiBatches
from fake_provider.gemini_files import GeminiFiles
from fake_provider.uploads import FileShelf
from fake_provider.wire import Reply, Request, json_reply

_VERSION = re.compile(r"^(?:/upload)?/v1(?:beta|alpha)?/")


def is_gemini(request: Request) -> bool:
    """Whether the request is Gemini's; its `/v1` overlaps with OpenAI's, but not its key header."""
    path = request.path
    if path.startswith(("/v1beta/", "/v1alpha/", "/upload/")):
        return True
    if not path.startswith("/v1/"):
        return False
    return bool(request.header(b"x-goog-api-key")) or ":" in path.rpartition("/")[2]


class GeminiPaths:
    """Everything below `/v1beta/`, `/v1/` and `/upload/`, as `is_gemini` tells it from OpenAI."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._dialect = Gemini()
        self._shelf = FileShelf("files/")
        self._files = GeminiFiles(self._shelf)
        self._batches = GeminiBatches(provider, self._dialect, self._shelf)

    def forget(self) -> None:
        """Drop all files and batches."""
        self._batches.forget()
        self._shelf.clear()

    async def handle(self, request: Request) -> Reply | None:
        """Answer one request; None when the client left meanwhile."""
        path = _VERSION.sub("", request.path)
        if path == "models" or path.startswith("models/"):
            name, _, verb = path.removeprefix("models").lstrip("/").partition(":")
            if (request.method, verb) == ("POST", "generateContent"):
                return await self._provider.exchange(self._dialect, request, name)
            return self._refusal(request, name) or self._plain(request, path)
        return self._refusal(request, "") or self._plain(request, path)

    def _plain(self, request: Request, path: str) -> Reply:
        try:
            reply = self._reply(request, path)
        except Refused as refused:
            return json_reply(refused.status, refused.body)
        return reply or Reply(
            status=404,
            body=b"<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n",
            content_type=b"text/html; charset=UTF-8",
        )

    def _reply(self, request: Request, path: str) -> Reply | None:
        if path.startswith("batches"):
            return self._batches.handle(request.method, path)
        if path.startswith("files"):
            return self._files.handle(request, path)
        name, _, verb = path.removeprefix("models").lstrip("/").partition(":")
        match request.method, verb:
            case "POST", "countTokens":
                return self._count_tokens(request, name)
            case "POST", "batchGenerateContent":
                return self._batches.create(request, name)
            case "GET", "" if path.startswith("models"):
                return self._models(name)
        return None

    def _count_tokens(self, request: Request, name: str) -> Reply:
        call = self._provider.read(self._dialect, request.body, name, request.key)
        details = [{"modality": "TEXT", "tokenCount": call.prompt_tokens}]
        return json_reply(200, {"totalTokens": call.prompt_tokens, "promptTokensDetails": details})

    def _models(self, name: str) -> Reply:
        scenario = self._provider.scenario
        if name:
            return json_reply(200, self._model(name))
        names = scenario.models or {"fake-model": scenario.default_model}
        return json_reply(200, {"models": [self._model(one) for one in names]})

    def _refusal(self, request: Request, name: str) -> Reply | None:
        scenario = self._provider.scenario
        if request.key in scenario.bad_keys:
            return json_reply(*self._dialect.error(Problem(kind="bad_key", key=request.key)))
        if name and scenario.models is not None and name not in scenario.models:
            return json_reply(*self._dialect.error(Problem(kind="unknown_model", model=name)))
        return None

    def _model(self, name: str) -> dict[str, Any]:
        scenario = self._provider.scenario
        card = (scenario.models or {}).get(name, scenario.default_model)
        return {
            "name": f"models/{name}",
            "version": "001",
            "displayName": name,
            "inputTokenLimit": card.context_tokens or 1_048_576,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": [
                "generateContent",
                "countTokens",
                "batchGenerateContent",
            ],
            "temperature": 1,
            "maxTemperature": 2,
        }
