"""HTTP/1.1 on one connection: what RFC 9112 asks of a server beyond uvicorn's own protocol.

An upgrade is ignored and the request answered. What cannot be read as HTTP reaches the application
too, as a refusal in the scope: so it is answered in its turn, as a problem document with a request
id, and stands in the log.
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import Any, Final, NoReturn
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from entrypoints.http.protocol.problems import REFUSAL, HttpParseRefusal

_MAX_HEAD_BYTES: Final = 65_535
"""Of the request line and all headers; also of what may stand between two parts of a body."""
_FIRST_REQUEST_S: Final = 1.0
"""How long a connection without a request is kept open when the server stops."""
_HOST: Final = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")

_OTHER_VERSION: Final = ("Invalid HTTP version", "Pause on PRI/Upgrade")
"""Of the parser's reasons those that name another version, the second one HTTP/2."""


class _Refused(Exception):
    """Raised inside the parser's callbacks, which end with it."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.refusal = HttpParseRefusal(status=status, detail=detail)


_OTHER_HTTP: Final = HttpParseRefusal(
    status=HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, detail="This server speaks HTTP/1.1 and HTTP/1.0."
)


class _Exchange(RequestResponseCycle):
    """One request and its answer.

    Attributes:
        broken_off: the rest of the body cannot be read; what came of it is no body.
    """

    broken_off = False

    async def receive(self) -> Any:
        """The next part of the body; a disconnection where there cannot be one any more."""
        message = None if self.broken_off else await super().receive()
        return {"type": "http.disconnect"} if self.broken_off else message


class HttpProtocol(HttpToolsProtocol):
    """Reads requests, and has each answered: by a refusal, if it is none."""

    _refused = False  # nothing more is read of the connection
    _in_head = False
    _in_body = False
    _stops = False
    _unheard = 0  # bytes since the parser last had something to tell

    def shutdown(self) -> None:
        """Take no request after the one under way.

        A request that follows an answer must bear to find the connection closed (RFC 9112, 9.3.1).
        The first one of a connection, which was just accepted, cannot tell that from a failure: it
        is waited for a moment, and so is one whose head has begun.
        """
        self._stops = True
        # Before its first request a connection has none, whatever uvicorn declares.
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or (self._in_head and cycle.response_complete):
            self.loop.call_later(_FIRST_REQUEST_S, super().shutdown)
        else:
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._unset_keepalive_if_required()
        if self._refused:
            return
        self._unheard += len(data)
        try:
            self._parse(data)
            if self._unheard > _MAX_HEAD_BYTES:
                self._refuse_size()
        except _Refused as refused:
            self._refuse(refused.refusal)
        except httptools.HttpParserInvalidMethodError:
            unknown = "The request line does not begin with a method that this server knows."
            self._refuse(HttpParseRefusal(status=HTTPStatus.NOT_IMPLEMENTED, detail=unknown))
        except httptools.HttpParserError as error:
            if str(error) in _OTHER_VERSION:
                self._refuse(_OTHER_HTTP)
            else:
                detail = f"This is not HTTP/1.1: {error}."
                self._refuse(HttpParseRefusal(status=HTTPStatus.BAD_REQUEST, detail=detail))

    def _parse(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                # The parser takes what follows for another protocol. It is ours: read the head
                # once more, without the upgrade.
                data = self._head_without_upgrade() + data[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            except httptools.HttpParserCallbackError as error:
                raise (error.__context__ or error) from None
            else:
                return

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _should_upgrade(self) -> bool:
        """Whether the parser's message is dropped: it is read again, without the upgrade."""
        return True

    def on_message_begin(self) -> None:
        """A request line begins."""
        super().on_message_begin()
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; what trails a body is none, and is dropped."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the exchange, in its turn."""
        method = self.parser.get_method()
        if self.parser.should_upgrade() and method != b"CONNECT":
            return
        self._unheard = 0
        version = self.parser.get_http_version()
        self._check_framing(method, version)
        self._read_target(method, version)
        self._in_head, self._in_body = False, True
        keep_alive = version == "1.1" and self.parser.should_keep_alive()
        self._start(keep_alive=keep_alive and not self._stops)

    def _check_framing(self, method: bytes, version: str) -> None:
        """Refuse a head whose message this server cannot take as it is meant.

        Raises:
            _Refused: see there.
        """
        if version not in {"1.0", "1.1"}:
            raise _Refused(_OTHER_HTTP.status, _OTHER_HTTP.detail)
        if method == b"CONNECT":
            raise _Refused(HTTPStatus.NOT_IMPLEMENTED, "This server is no proxy: no CONNECT.")
        codings = b",".join(value for name, value in self.headers if name == b"transfer-encoding")
        if codings and version == "1.0":
            raise _Refused(HTTPStatus.BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding.")
        if codings and codings.lower() != b"chunked":
            raise _Refused(
                HTTPStatus.NOT_IMPLEMENTED, "Of the Transfer-Encodings, chunked alone is known."
            )
        if version == "1.0":
            self.expect_100_continue = False  # such a client does not wait for it

    def _read_target(self, method: bytes, version: str) -> None:
        """Put what is asked for into the scope.

        Raises:
            _Refused: the target is none for this server, or the Host.
        """
        if len(self.url) + sum(len(n) + len(v) + 4 for n, v in self.headers) > _MAX_HEAD_BYTES:
            self._refuse_size()
        try:
            target = httptools.parse_url(self.url)
        except httptools.HttpParserInvalidURLError:
            raise _Refused(HTTPStatus.BAD_REQUEST, "The request target cannot be read.") from None
        path = target.path or b"/"
        if not path.startswith(b"/") and (method, path) != (b"OPTIONS", b"*"):
            raise _Refused(HTTPStatus.BAD_REQUEST, "The request target is no path.")
        hosts = [value for name, value in self.headers if name == b"host"]
        if not hosts and version == "1.1" and target.host is None:
            raise _Refused(HTTPStatus.BAD_REQUEST, "The Host header is missing.")
        if len(hosts) > 1 or not all(_HOST.fullmatch(host) for host in hosts):
            raise _Refused(HTTPStatus.BAD_REQUEST, "Send one Host header, with a host and port.")
        self.scope["method"] = method.decode("ascii")
        self.scope["raw_path"] = path
        self.scope["path"] = unquote(path.decode("ascii"))
        self.scope["query_string"] = target.query or b""
        self.scope["http_version"] = version

    def _refuse_size(self) -> NoReturn:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        if len(self.url) > _MAX_HEAD_BYTES // 2:
            status = HTTPStatus.REQUEST_URI_TOO_LONG
        raise _Refused(status, "The request line and headers may have 64 KiB together.")

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body for the application."""
        self._unheard = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request has come to its end."""
        self._unheard = 0
        if not self.parser.should_upgrade():
            self._in_body = False
            super().on_message_complete()

    def _start(self, *, keep_alive: bool) -> None:
        """Have `self.scope` answered, after what came before it."""
        before = self.cycle
        self.cycle = _Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        # Before its first request a connection has none, whatever uvicorn declares.
        if before is None or before.response_complete:  # type: ignore[redundant-expr]
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _refuse(self, refusal: HttpParseRefusal) -> None:
        """Answer what cannot be read, and close the connection then."""
        self._refused = True
        if self._in_body:
            self._break_off()
            return
        if not self._in_head:  # it did not come to a request line
            self.on_message_begin()
        self.expect_100_continue = False
        self.scope["method"] = "-"
        self.scope["path"] = self.url.decode("ascii", "backslashreplace") or "-"
        self.scope["query_string"] = b""
        self.scope["state"][REFUSAL] = refusal
        self._start(keep_alive=False)
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def _break_off(self) -> None:
        """End a request in the middle of its body, which will never be whole."""
        exchange = self.cycle
        if exchange.response_complete:
            self.transport.close()
            return
        assert isinstance(exchange, _Exchange)  # none other is made here
        exchange.keep_alive = False
        exchange.broken_off = True
        exchange.message_event.set()
