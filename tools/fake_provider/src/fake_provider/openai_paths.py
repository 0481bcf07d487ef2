"""OpenAI's paths beside completions: models, files and batches."""

from __future__ import annotations

from typing import Any

from fake_provider.calls import Problem, Refused
from fake_provider.engine import Provider
from fake_provider.openai import error_body, invalid_request, openai_error
from fake_provider.openai_batches import OpenAIBatches
from fake_provider.uploads import FileShelf, StoredFile, read_form
from fake_provider.wire import Reply, Request, json_reply

_CREATED = 1_735_689_600


class OpenAIPaths:
    """`/v1/models`, `/v1/files...`, `/v1/batches...`."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._shelf = FileShelf("file-")
        self._batches = OpenAIBatches(provider, self._shelf)

    def forget(self) -> None:
        """Drop all files and batches."""
        self._batches.forget()
        self._shelf.clear()

    async def handle(self, request: Request) -> Reply:
        """Answer one request below `/v1/` that is no completion."""
        if request.key in self._provider.scenario.bad_keys:
            return json_reply(*openai_error(Problem(kind="bad_key", key=request.key)))
        resource, *rest = request.path.removeprefix("/v1/").split("/")
        try:
            reply = self._reply(request, resource, rest)
        except Refused as refused:
            return json_reply(refused.status, refused.body)
        if reply is not None:
            return reply
        message = f"Invalid URL ({request.method} {request.path})"
        return json_reply(404, error_body(message, "invalid_request_error"))

    def _reply(self, request: Request, resource: str, rest: list[str]) -> Reply | None:
        if resource == "batches":
            return self._batches.handle(request, rest)
        if resource == "files":
            return self._files(request, rest)
        if resource == "models" and request.method == "GET":
            return self._models("/".join(rest))
        return None

    def _files(self, request: Request, rest: list[str]) -> Reply | None:
        match request.method, rest:
            case "POST", []:
                return json_reply(200, _file(self._upload(request)))
            case "GET", []:
                files = [_file(file) for file in self._shelf.all()]
                return json_reply(200, {"object": "list", "data": files, "has_more": False})
            case "GET", [id_]:
                return json_reply(200, _file(self._found(id_)))
            case "GET", [id_, "content"]:
                content = self._found(id_).content
                return Reply(body=content, content_type=b"application/octet-stream")
            case "DELETE", [id_]:
                self._shelf.drop(self._found(id_).id)
                return json_reply(200, {"id": id_, "object": "file", "deleted": True})
        return None

    def _upload(self, request: Request) -> StoredFile:
        fields = read_form(request.header(b"content-type"), request.body)
        for name in ("file", "purpose"):
            if name not in fields:
                raise invalid_request(f"'{name}' is a required property", param=name)
        file = fields["file"]
        purpose = fields["purpose"].content.decode()
        return self._shelf.put(file.content, name=file.filename or "upload", purpose=purpose)

    def _found(self, id_: str) -> StoredFile:
        file = self._shelf.get(id_)
        if file is None:
            raise invalid_request(f"No such File object: {id_}", param="id", status=404)
        return file

    def _models(self, name: str) -> Reply:
        models = list(self._provider.scenario.models or ("fake-model",))
        if not name:
            return json_reply(200, {"object": "list", "data": [_model(one) for one in models]})
        if self._provider.scenario.models is not None and name not in models:
            return json_reply(*openai_error(Problem(kind="unknown_model", model=name)))
        return json_reply(200, _model(name))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": "fake"}


def _file(file: StoredFile) -> dict[str, Any]:
    return {
        "id": file.id,
        "object": "file",
        "bytes": len(file.content),
        "created_at": int(file.created_at),
        "expires_at": None,
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }
