"""Gemini's batch jobs, and the files that their requests and answers stand in."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec

from fake_provider.batches import BatchRun, FileShelf, Phase, StoredFile
from fake_provider.calls import Problem, Refused
from fake_provider.gemini import Gemini, gemini_error, member
from fake_provider.http import Reply, Request, json_reply
from fake_provider.provider import Provider

_CREATE = ("POST", "batchGenerateContent")
_VERSION = re.compile(r"^(?:/upload)?/v1(?:beta|alpha)?/")


_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch"
_STATES: dict[Phase, str] = {
    "validating": "BATCH_STATE_PENDING",
    "in_progress": "BATCH_STATE_RUNNING",
    "finalizing": "BATCH_STATE_RUNNING",
    "completed": "BATCH_STATE_SUCCEEDED",
    "failed": "BATCH_STATE_FAILED",
    "expired": "BATCH_STATE_EXPIRED",
    "cancelling": "BATCH_STATE_RUNNING",
    "cancelled": "BATCH_STATE_CANCELLED",
}
# google.rpc.Code by HTTP status, as a `google.rpc.Status` holds it.
_RPC_CODES = {400: 3, 403: 7, 404: 5, 429: 8, 500: 13, 503: 14, 504: 4}


class _Upload(msgspec.Struct):
    display_name: str
    mime_type: str
    content: bytearray


class _Batch(msgspec.Struct, kw_only=True):
    name: str
    model: str
    display_name: str
    from_file: bool
    run: BatchRun
    responses_file: str = ""


class GeminiBatches:
    """`models/{model}:batchGenerateContent`, `batches/...` and the files of both.

    A file comes in by the two steps of a resumable upload.
    """

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._dialect = Gemini()
        self._shelf = FileShelf("files/")
        self._uploads: dict[str, _Upload] = {}
        self._numbers = count(1)
        self._batches: dict[str, _Batch] = {}

    def forget(self) -> None:
        """Stop and drop all batches, and drop all files."""
        for batch in self._batches.values():
            batch.run.stop()
        self._batches.clear()
        self._uploads.clear()
        self._shelf.clear()

    def handle(self, request: Request) -> Reply:
        """Answer one request of Gemini's that is no completion."""
        path = _VERSION.sub("", request.path)
        model, _, verb = path.removeprefix("models/").partition(":")
        try:
            self._admit(request, model if path.startswith("models/") else "")
            reply = None
            if path.startswith("models/") and (request.method, verb) == _CREATE:
                reply = self._create(request, model)
            elif path.startswith("batches"):
                reply = self._batch_reply(request.method, path)
            elif path.startswith("files"):
                reply = self._file_reply(request, path)
        except Refused as refused:
            return json_reply(refused.status, refused.body)
        return reply or Reply(
            status=404,
            body=b"<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n",
            content_type=b"text/html; charset=UTF-8",
        )

    def _admit(self, request: Request, model: str) -> None:
        scenario = self._provider.scenario
        problem = None
        if request.key in scenario.bad_keys:
            problem = Problem(kind="bad_key", key=request.key)
        elif model and scenario.models is not None and model not in scenario.models:
            problem = Problem(kind="unknown_model", model=model)
        if problem is not None:
            raise Refused(*self._dialect.error(problem))

    def _file_reply(self, request: Request, path: str) -> Reply | None:
        if request.path.startswith("/upload/"):
            return self._upload(request)
        name, _, verb = path.partition(":")
        if (request.method, verb) != ("GET", "download"):
            return None
        file = self._shelf.get(name)
        if file is None:
            raise Refused(
                *gemini_error(
                    403,
                    f"You do not have permission to access the File {name.removeprefix('files/')} "
                    "or it may not exist.",
                )
            )
        return Reply(body=file.content, content_type=file.mime_type.encode())

    def _upload(self, request: Request) -> Reply:
        number = request.query.get("upload_id", [""])[0]
        if not number:
            return self._begin(request)
        upload = self._uploads.get(number)
        if upload is None:
            raise Refused(*gemini_error(404, f"There is no upload {number}."))
        if int(request.header(b"x-goog-upload-offset") or 0) != len(upload.content):
            raise Refused(*gemini_error(400, "The upload offset is not where the upload stands."))
        upload.content += request.body
        if "finalize" not in request.header(b"x-goog-upload-command"):
            return json_reply(200, {}, [(b"x-goog-upload-status", b"active")])
        del self._uploads[number]
        file = self._shelf.put(
            bytes(upload.content), name=upload.display_name, mime_type=upload.mime_type
        )
        return json_reply(200, {"file": _file(file)}, [(b"x-goog-upload-status", b"final")])

    def _begin(self, request: Request) -> Reply:
        try:
            raw = msgspec.json.decode(request.body or b"{}", type=dict[str, Any])
        except msgspec.DecodeError as error:
            message = f"Invalid JSON payload received. {error}"
            raise Refused(*gemini_error(400, message)) from error
        described = raw.get("file") or {}
        mime_type = request.header(b"x-goog-upload-header-content-type")
        number = f"{next(self._numbers):016x}"
        self._uploads[number] = _Upload(
            str(member(described, "display_name") or ""),
            mime_type or "application/octet-stream",
            bytearray(),
        )
        host = request.header(b"host")
        url = f"http://{host}{request.path}?upload_id={number}&upload_protocol=resumable"
        return json_reply(
            200,
            {},
            [(b"x-goog-upload-url", url.encode()), (b"x-goog-upload-status", b"active")],
        )

    def _create(self, request: Request, model: str) -> Reply:
        try:
            raw = msgspec.json.decode(request.body, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise _invalid(f"Invalid JSON payload received. {error}") from error
        wanted = raw.get("batch") or {}
        source = member(wanted, "input_config") or {}
        file_name = member(source, "file_name")
        lines = self._lines_of(file_name) if file_name else _inlined(source)
        if not lines:
            raise _invalid("* BatchGenerateContentRequest.batch.input_config: no requests given\n")
        key = request.key
        batch = _Batch(
            name=f"batches/{next(self._numbers):024x}",
            model=model,
            display_name=str(member(wanted, "display_name") or ""),
            from_file=bool(file_name),
            run=BatchRun(
                self._provider.scenario.batches, lines, lambda line: self._answer(line, model, key)
            ),
        )
        self._batches[batch.name] = batch
        batch.run.start()
        return json_reply(200, self._operation(batch))

    def _batch_reply(self, method: str, path: str) -> Reply:
        if path == "batches" and method == "GET":
            operations = [self._operation(batch) for batch in reversed(self._batches.values())]
            return json_reply(200, {"operations": operations})
        name, _, verb = path.partition(":")
        batch = self._batches.get(name)
        if batch is None:
            raise Refused(*gemini_error(404, f"Requested entity was not found: {name}"))
        match method, verb:
            case "GET", "":
                return json_reply(200, self._operation(batch))
            case "POST", "cancel":
                batch.run.cancel()
                return json_reply(200, {})
        raise Refused(*gemini_error(404, f"Method not found: {method} {path}"))

    def _lines_of(self, file_name: str) -> list[dict[str, Any]]:
        file = self._shelf.get(str(file_name))
        if file is None:
            raise _invalid(f"File {file_name} not found.")
        try:
            return [
                msgspec.json.decode(row, type=dict[str, Any])
                for row in file.content.splitlines()
                if row.strip()
            ]
        except msgspec.DecodeError as error:
            raise _invalid(f"File {file_name} is not a JSONL file of requests: {error}") from error

    def _answer(self, line: dict[str, Any], model: str, key: str) -> tuple[int, Any]:
        body = msgspec.json.encode(line.get("request") or {})
        try:
            call = self._provider.read(self._dialect, body, model, key)
        except Refused as refused:
            return refused.status, refused.body
        return self._provider.answer_now(self._dialect, call)

    def _operation(self, batch: _Batch) -> dict[str, Any]:
        run = batch.run
        served = sum(status == 200 for status, _ in run.results)
        failed = len(run.results) - served
        stats = {
            "requestCount": len(run.lines),
            "successfulRequestCount": served,
            "failedRequestCount": failed,
            "pendingRequestCount": len(run.lines) - len(run.results),
        }
        metadata: dict[str, Any] = {
            "@type": _TYPE,
            "name": batch.name,
            "model": f"models/{batch.model}",
            "displayName": batch.display_name,
            "state": _STATES[run.phase],
            "createTime": _timestamp(run.since["validating"]),
            "updateTime": _timestamp(max(run.since.values())),
            # Protobuf writes 64-bit numbers as strings, and leaves zeros out.
            "batchStats": {name: str(number) for name, number in stats.items() if number},
        }
        operation: dict[str, Any] = {"name": batch.name, "metadata": metadata}
        if run.ended:
            metadata["endTime"] = _timestamp(run.since[run.phase])
            operation["done"] = True
        if run.phase in ("completed", "cancelled"):
            metadata["output"] = self._output(batch)
            operation["response"] = {"@type": f"{_TYPE}Output", **metadata["output"]}
        elif run.phase in ("failed", "expired"):
            operation["error"] = {"code": 13, "message": f"The batch has {run.phase}."}
        return operation

    def _output(self, batch: _Batch) -> dict[str, Any]:
        pairs = list(zip(batch.run.lines, batch.run.results, strict=False))
        if not batch.from_file:
            rows = [
                _result(*result) | ({"metadata": line["metadata"]} if "metadata" in line else {})
                for line, result in pairs
            ]
            return {"inlinedResponses": {"inlinedResponses": rows}}
        if not batch.responses_file:
            lines = [{"key": line.get("key"), **_result(*result)} for line, result in pairs]
            content = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
            batch.responses_file = self._shelf.put(content, name=f"{batch.name}.jsonl").id
        return {"responsesFile": batch.responses_file}


def _file(file: StoredFile) -> dict[str, Any]:
    created = _timestamp(file.created_at)
    return {
        "name": file.id,
        "displayName": file.name,
        "mimeType": file.mime_type,
        "sizeBytes": str(len(file.content)),
        "createTime": created,
        "updateTime": created,
        "uri": f"https://generativelanguage.googleapis.com/v1beta/{file.id}",
        "state": "ACTIVE",
    }


def _inlined(source: dict[str, Any]) -> list[dict[str, Any]]:
    rows = (source.get("requests") or {}).get("requests") or []
    return [row for row in rows if isinstance(row, dict)]


def _result(status: int, body: Any) -> dict[str, Any]:
    if status == 200:
        return {"response": body}
    error = msgspec.json.decode(msgspec.json.encode(body))["error"]
    return {"error": {"code": _RPC_CODES[status], "message": error["message"]}}


def _invalid(message: str) -> Refused:
    return Refused(*gemini_error(400, message))


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
