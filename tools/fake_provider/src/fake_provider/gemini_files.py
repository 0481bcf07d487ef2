"""Gemini's files: resumable uploads, and downloads of what a batch wrote."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec

from fake_provider.calls import Refused
from fake_provider.gemini import gemini_error, member
from fake_provider.uploads import FileShelf, StoredFile
from fake_provider.wire import Reply, Request, json_reply


class _Upload(msgspec.Struct):
    display_name: str
    mime_type: str
    content: bytearray


class GeminiFiles:
    """`files...`, and below `/upload/` the two steps of a resumable upload."""

    def __init__(self, shelf: FileShelf) -> None:
        self._shelf = shelf
        self._numbers = count(1)
        self._uploads: dict[str, _Upload] = {}

    def handle(self, request: Request, path: str) -> Reply | None:
        """Answer a request for `path`; None when there is no such path.

        Raises:
            Refused: there is no such file or upload.
        """
        if request.path.startswith("/upload/"):
            return self._upload(request)
        if path == "files":
            return json_reply(200, {"files": [_file(file) for file in self._shelf.all()]})
        name, _, verb = path.partition(":")
        file = self._shelf.get(name)
        if file is None:
            raise Refused(
                *gemini_error(
                    403,
                    f"You do not have permission to access the File {name.removeprefix('files/')} "
                    "or it may not exist.",
                )
            )
        match request.method, verb:
            case "GET", "":
                return json_reply(200, _file(file))
            case "GET", "download":
                return Reply(body=file.content, content_type=file.mime_type.encode())
            case "DELETE", "":
                self._shelf.drop(name)
                return json_reply(200, {})
        return None

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


def _file(file: StoredFile) -> dict[str, Any]:
    created = datetime.fromtimestamp(file.created_at, UTC).isoformat().replace("+00:00", "Z")
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
