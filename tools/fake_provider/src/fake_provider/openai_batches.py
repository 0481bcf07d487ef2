"""OpenAI's batch jobs: a file of requests in, files of answers and errors out."""

from __future__ import annotations

import time
from itertools import count
from typing import Any

import msgspec

from fake_provider.batches import BatchRun, FileShelf, Phase, StoredFile, read_form
from fake_provider.calls import Problem, Refused
from fake_provider.http import Reply, Request, json_reply
from fake_provider.openai import OpenAIChat, invalid_request, openai_error, unknown_url
from fake_provider.provider import Provider

_ENDPOINT = "/v1/chat/completions"
_DAY_S = 86_400
_MOST_LINES = 50_000
_MOMENTS: dict[Phase, str] = {
    "in_progress": "in_progress_at",
    "finalizing": "finalizing_at",
    "completed": "completed_at",
    "failed": "failed_at",
    "expired": "expired_at",
    "cancelling": "cancelling_at",
    "cancelled": "cancelled_at",
}
_UNDONE = {
    "expired": (
        "batch_expired",
        "This request could not be executed before the completion window expired.",
    ),
    "cancelled": ("batch_cancelled", "This request was cancelled before it was executed."),
}


class _Batch(msgspec.Struct, kw_only=True):
    id: str
    input_file_id: str
    metadata: dict[str, str] | None
    created_at: int
    run: BatchRun
    errors: list[dict[str, Any]]
    output_file_id: str | None = None
    error_file_id: str | None = None


class OpenAIBatches:
    """`/v1/files...` and `/v1/batches...`."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._dialect = OpenAIChat()
        self._shelf = FileShelf("file-")
        self._numbers = count(1)
        self._batches: dict[str, _Batch] = {}

    def forget(self) -> None:
        """Stop and drop all batches, and drop all files."""
        for batch in self._batches.values():
            batch.run.stop()
        self._batches.clear()
        self._shelf.clear()

    def handle(self, request: Request) -> Reply:
        """Answer one request below `/v1/` that is no completion."""
        if request.key in self._provider.scenario.bad_keys:
            return json_reply(*openai_error(Problem(kind="bad_key", key=request.key)))
        resource, *rest = request.path.removeprefix("/v1/").split("/")
        reply = None
        try:
            if resource == "batches":
                reply = self._batch_reply(request, rest)
            elif resource == "files":
                reply = self._file_reply(request, rest)
        except Refused as refused:
            return json_reply(refused.status, refused.body)
        return reply or unknown_url(request)

    def _file_reply(self, request: Request, rest: list[str]) -> Reply | None:
        match request.method, rest:
            case "POST", []:
                return json_reply(200, _file(self._upload(request)))
            case "GET", [id_, "content"]:
                file = self._shelf.get(id_)
                if file is None:
                    raise invalid_request(f"No such File object: {id_}", param="id", status=404)
                return Reply(body=file.content, content_type=b"application/octet-stream")
        return None

    def _upload(self, request: Request) -> StoredFile:
        fields = read_form(request.header(b"content-type"), request.body)
        for name in ("file", "purpose"):
            if name not in fields:
                raise invalid_request(f"'{name}' is a required property", param=name)
        file = fields["file"]
        purpose = fields["purpose"].content.decode()
        return self._shelf.put(file.content, name=file.filename or "upload", purpose=purpose)

    def _batch_reply(self, request: Request, rest: list[str]) -> Reply | None:
        match request.method, rest:
            case "POST", []:
                return self._shown(self._create(request))
            case "GET", []:
                return self._list(request)
            case "GET", [id_]:
                return self._shown(self._find(id_))
            case "POST", [id_, "cancel"]:
                batch = self._find(id_)
                if batch.run.ended:
                    raise invalid_request(
                        f"Cannot cancel a batch with status '{batch.run.phase}'.", status=409
                    )
                batch.run.cancel()
                return self._shown(batch)
        return None

    def _create(self, request: Request) -> _Batch:
        try:
            raw = msgspec.json.decode(request.body, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise invalid_request(f"We could not parse the JSON body: {error}") from error
        endpoint = raw.get("endpoint")
        if endpoint != _ENDPOINT:
            raise invalid_request(
                f"Invalid value: '{endpoint}'. Supported values are: '{_ENDPOINT}'.",
                code="invalid_value",
                param="endpoint",
            )
        if raw.get("completion_window") != "24h":
            raise invalid_request(
                f"Invalid value: '{raw.get('completion_window')}'. Value must be '24h'.",
                code="invalid_value",
                param="completion_window",
            )
        file = self._shelf.get(str(raw.get("input_file_id")))
        if file is None:
            raise invalid_request(
                f"No such File object: {raw.get('input_file_id')}", param="input_file_id"
            )
        lines, errors = _read_lines(file.content)
        plan = self._provider.scenario.batches
        if plan.outcome == "failed" and not errors:
            errors = [_line_error("token_limit_exceeded", "Enqueued token limit reached.", None)]
        key = request.key
        run = BatchRun(plan, lines, lambda line: self._answer(line, key), valid=not errors)
        batch = _Batch(
            id=f"batch_{next(self._numbers):024x}",
            input_file_id=file.id,
            metadata=raw.get("metadata"),
            created_at=int(time.time()),
            run=run,
            errors=errors,
        )
        self._batches[batch.id] = batch
        run.start()
        return batch

    def _answer(self, line: dict[str, Any], key: str) -> tuple[int, Any]:
        try:
            call = self._provider.read(self._dialect, msgspec.json.encode(line["body"]), "", key)
        except Refused as refused:
            return refused.status, refused.body
        return self._provider.answer_now(self._dialect, call)

    def _find(self, id_: str) -> _Batch:
        batch = self._batches.get(id_)
        if batch is None:
            raise invalid_request(f"No batch found with id '{id_}'.", status=404)
        self._write_files(batch)
        return batch

    def _write_files(self, batch: _Batch) -> None:
        run = batch.run
        if not run.ended or run.phase == "failed" or batch.output_file_id or batch.error_file_id:
            return
        good: list[bytes] = []
        bad: list[bytes] = []
        for number, line in enumerate(run.lines):
            response, error = None, None
            if number < len(run.results):
                status, body = run.results[number]
                response = {
                    "status_code": status,
                    "request_id": self._provider.request_id(),
                    "body": body,
                }
            else:
                code, message = _UNDONE[run.phase]
                error = {"code": code, "message": message}
            row = {
                "id": f"batch_req_{batch.id[6:]}{number:08x}",
                "custom_id": line["custom_id"],
                "response": response,
                "error": error,
            }
            served = response is not None and response["status_code"] == 200
            (good if served else bad).append(msgspec.json.encode(row))
        batch.output_file_id = self._written(batch, good, "output")
        batch.error_file_id = self._written(batch, bad, "error")

    def _written(self, batch: _Batch, rows: list[bytes], what: str) -> str | None:
        if not rows:
            return None
        content = b"\n".join(rows) + b"\n"
        name = f"{batch.id}_{what}.jsonl"
        return self._shelf.put(content, name=name, purpose="batch_output").id

    def _list(self, request: Request) -> Reply:
        limit = int(request.query.get("limit", ["20"])[0])
        newest = list(reversed(self._batches))
        after = request.query.get("after", [""])[0]
        if after in newest:
            newest = newest[newest.index(after) + 1 :]
        page = [self._object(self._find(id_)) for id_ in newest[:limit]]
        body = {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": len(newest) > limit,
        }
        return json_reply(200, body)

    def _shown(self, batch: _Batch) -> Reply:
        return json_reply(200, self._object(batch))

    def _object(self, batch: _Batch) -> dict[str, Any]:
        run = batch.run
        served = sum(status == 200 for status, _ in run.results)
        moments = {
            member: int(run.since[phase]) if phase in run.since else None
            for phase, member in _MOMENTS.items()
        }
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": _ENDPOINT,
            "errors": {"object": "list", "data": batch.errors} if run.phase == "failed" else None,
            "input_file_id": batch.input_file_id,
            "completion_window": "24h",
            "status": run.phase,
            "output_file_id": batch.output_file_id,
            "error_file_id": batch.error_file_id,
            "created_at": batch.created_at,
            "expires_at": batch.created_at + _DAY_S,
            **moments,
            "request_counts": {
                "total": 0 if run.phase in ("validating", "failed") else len(run.lines),
                "completed": served,
                "failed": len(run.results) - served,
            },
            "metadata": batch.metadata,
        }


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


def _line_error(code: str, message: str, line: int | None) -> dict[str, Any]:
    return {"code": code, "line": line, "message": message, "param": None}


def _read_lines(content: bytes) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The requests of an input file, and what is wrong with it."""
    lines: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    known: set[str] = set()
    for number, row in enumerate(content.splitlines(), start=1):
        if not row.strip():
            continue
        try:
            line = msgspec.json.decode(row, type=dict[str, Any])
        except msgspec.DecodeError:
            message = "This line is not parseable as valid JSON."
            errors.append(_line_error("invalid_json_line", message, number))
            continue
        fault = _line_fault(line, known)
        if fault is not None:
            errors.append(_line_error(*fault, number))
        lines.append(line)
    if not lines and not errors:
        errors.append(_line_error("empty_file", "The input file is empty.", None))
    if len(lines) > _MOST_LINES:
        message = f"The input file has more than {_MOST_LINES} requests."
        errors.append(_line_error("too_many_requests", message, None))
    return lines, errors


def _line_fault(line: dict[str, Any], known: set[str]) -> tuple[str, str] | None:
    for name in ("custom_id", "method", "url", "body"):
        if name not in line:
            return "missing_required_parameter", f"Missing required parameter: '{name}'."
    if line["custom_id"] in known:
        return "duplicate_custom_id", f"The custom_id '{line['custom_id']}' is not unique."
    known.add(line["custom_id"])
    if line["method"] != "POST":
        return "invalid_method", "The HTTP method must be POST."
    if line["url"] != _ENDPOINT:
        return "invalid_url", f"The URL provided for this request does not match '{_ENDPOINT}'."
    return None
