"""OpenAI's paths beside completions: models, files and batches."""

from __future__ import annotations

from typing import Any

from entrypoints.fake_provider.calls import Problem
from entrypoints.fake_provider.engine import Provider
from entrypoints.fake_provider.openai import error_body, openai_error
from entrypoints.fake_provider.wire import Reply, Request, json_reply

_CREATED = 1_735_689_600


class OpenAIPaths:
    """`/v1/models`, `/v1/files...`, `/v1/batches...`."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def forget(self) -> None:
        """Drop all files and batches."""

    async def handle(self, request: Request) -> Reply:
        """Answer one request below `/v1/` that is no completion."""
        if request.key in self._provider.scenario.bad_keys:
            return json_reply(*openai_error(Problem(kind="bad_key", key=request.key)))
        parts = request.path.removeprefix("/v1/").split("/")
        if parts[0] == "models" and request.method == "GET":
            return self._models("/".join(parts[1:]))
        message = f"Invalid URL ({request.method} {request.path})"
        return json_reply(404, error_body(message, "invalid_request_error"))

    def _models(self, name: str) -> Reply:
        models = list(self._provider.scenario.models or ("fake-model",))
        if not name:
            return json_reply(200, {"object": "list", "data": [_model(one) for one in models]})
        if self._provider.scenario.models is not None and name not in models:
            return json_reply(*openai_error(Problem(kind="unknown_model", model=name)))
        return json_reply(200, _model(name))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": "fake"}
