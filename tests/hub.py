"""A server that speaks what the Hugging Face hub speaks where a file is downloaded.

`HEAD` and `GET /OWNER/NAME/resolve/REVISION/FILE` answer with X-Repo-Commit, X-Linked-Etag and
X-Linked-Size and lead, by a redirect to another host, to the content, which is served in ranges.
Errors carry X-Error-Code.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

COMMIT: Final = "c0ffee" * 6 + "c0ff"
TOKEN: Final = "hf_" + "a" * 34


@dataclass
class FakeHub:
    """What it holds, how it misbehaves, and what it was asked.

    Attributes:
        files: content by `owner/name/file`.
        gated: repositories that want the token.
        digests: by file, where another hash than the true one is stated.
        sizes: by file, where another size than the true one is stated.
        etag: the hash is stated.
        ranges: parts of a file can be had.
        cuts: after how many bytes the next answers break off.
        status: what every request is answered; None for what it should be.
        storage_status: what the storage behind it answers; None for the content.
        seen: method, path, range and token of each request.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    digests: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    etag: bool = True
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    status: int | None = None
    storage_status: int | None = None
    seen: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running_hub() -> Iterator[FakeHub]:
    """The hub on a port of its own, for as long as the block runs."""
    hub = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_HEAD(self) -> None:
            _answer(self, hub)

        do_GET = do_HEAD  # noqa: N815 (http.server calls it so)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(request: BaseHTTPRequestHandler, hub: FakeHub) -> None:
    headers = request.headers
    hub.seen.append(
        (request.command, request.path, headers.get("Range"), headers.get("Authorization"))
    )
    if hub.status is not None:
        _say(request, hub.status, {})
        return
    if request.path.startswith("/cdn/"):
        if hub.storage_status is not None:
            _say(request, hub.storage_status, {})
            return
        _content(request, hub, hub.files[request.path.removeprefix("/cdn/")])
        return
    found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", request.path)
    if found is None:
        _say(request, 404, {})
        return
    repository, revision, file = found.groups()
    name = f"{repository}/{file}"
    if not any(each.startswith(f"{repository}/") for each in hub.files):
        _say(request, 401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Not found"})
    elif repository in hub.gated and headers.get("Authorization") != f"Bearer {TOKEN}":
        status = 403 if headers.get("Authorization") else 401
        _say(request, status, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Accept first"})
    elif revision not in {"main", COMMIT}:
        _say(request, 404, {"X-Error-Code": "RevisionNotFound"})
    elif name not in hub.files:
        _say(request, 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
    else:
        content = hub.files[name]
        digest = hub.digests.get(name) or hashlib.sha256(content).hexdigest()
        size = hub.sizes.get(name, len(content))
        stated = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(size)}
        # localhost is another host than 127.0.0.1, as the hub's storage is than the hub.
        place = f"http://localhost:{hub.port}/cdn/{name}"
        more = stated if hub.etag else {"ETag": '"5f2a"'}
        _say(request, 302, {"X-Repo-Commit": COMMIT, "Location": place, **more})


def _content(request: BaseHTTPRequestHandler, hub: FakeHub, content: bytes) -> None:
    asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range") or "")
    start = int(asked[1]) if asked and hub.ranges else 0
    request.send_response(206 if start else 200)
    if start:
        request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    request.send_header("Content-Length", str(len(content) - start))
    request.end_headers()
    cut = hub.cuts.pop(0) if hub.cuts else None
    request.wfile.write(content[start:][:cut])
    if cut is not None:
        request.close_connection = True


def _say(request: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    request.send_response(status)
    for name, value in {**headers, "Content-Length": "0"}.items():
        request.send_header(name, value)
    request.end_headers()
