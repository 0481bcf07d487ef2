"""Who sends: two drivers, of which one waits by blocking and the other by `await`.

Both carry out what `calls`, `retrying` and the resources say, and decide nothing themselves.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final, TypeVar, final

import httpx2

from storekeeper_client.calls import Call, Lines, Page, Steps, encoded, following
from storekeeper_client.errors import ConnectionFailed, UnexpectedAnswer
from storekeeper_client.retrying import RetryPolicy, Tries

T = TypeVar("T")

_IN_MEMORY_BYTES: Final = 1_048_576
_PIECE_BYTES: Final = 65_536
_NEVER_SENT: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
)


@final
class SyncDriver:
    """Sends by `httpx2.Client`; threads may share it."""

    def __init__(self, http: httpx2.Client, policy: RetryPolicy) -> None:
        self._http = http
        self._policy = policy

    def run(self, task: Call[T] | Steps[T]) -> T:
        """The value of a call, or of calls that follow one another."""
        if isinstance(task, Call):
            return task.read(self._answer(task))
        found: Any = None
        while True:
            try:
                step = task.send(found)
            except StopIteration as end:
                value: T = end.value
                return value
            if isinstance(step, Call):
                found = self.run(step)
            else:
                time.sleep(step.seconds)

    def rows(self, first: Call[Page[T]]) -> Iterator[T]:
        """The rows of a list, whose parts are asked for as they are needed."""
        call: Call[Page[T]] | None = first
        while call is not None:
            page = self.run(call)
            yield from page.items
            call = following(call, page)

    def pieces(self, call: Call[None]) -> Generator[bytes, None, None]:
        """The body of an answer as it comes in; what breaks off is not asked for again."""
        with closing(self._answer(call, stream=True)) as answer:
            call.read(answer)
            try:
                yield from answer.iter_bytes()
            except httpx2.RequestError as error:
                raise _failure(error) from error

    def _answer(self, call: Call[Any], *, stream: bool = False) -> httpx2.Response:
        with _contents(call.body) as content:
            tries = Tries(call, self._policy, time.monotonic)
            while True:
                outcome = self._once(call, content(), tries.timeout_s, stream=stream)
                pause_s = tries.pause_after(outcome)
                if pause_s is None:
                    return tries.settle(outcome)
                time.sleep(pause_s)

    def _once(
        self,
        call: Call[Any],
        content: bytes | Iterable[bytes] | None,
        timeout_s: float,
        stream: bool,
    ) -> httpx2.Response | ConnectionFailed:
        request = self._http.build_request(
            call.method,
            call.path,
            params=call.query,
            headers=call.headers,
            content=content,
            timeout=timeout_s,
        )
        try:
            answer = self._http.send(request, stream=stream)
            if stream and not answer.is_success:
                with closing(answer):
                    answer.read()
        except httpx2.RequestError as error:
            return _failure(error)
        return answer


@final
class AsyncDriver:
    """Sends by `httpx2.AsyncClient`, under asyncio."""

    def __init__(self, http: httpx2.AsyncClient, policy: RetryPolicy) -> None:
        self._http = http
        self._policy = policy

    async def run(self, task: Call[T] | Steps[T]) -> T:
        """The value of a call, or of calls that follow one another."""
        if isinstance(task, Call):
            return task.read(await self._answer(task))
        found: Any = None
        while True:
            try:
                step = task.send(found)
            except StopIteration as end:
                value: T = end.value
                return value
            if isinstance(step, Call):
                found = await self.run(step)
            else:
                await asyncio.sleep(step.seconds)

    async def rows(self, first: Call[Page[T]]) -> AsyncIterator[T]:
        """The rows of a list, whose parts are asked for as they are needed."""
        call: Call[Page[T]] | None = first
        while call is not None:
            page = await self.run(call)
            for row in page.items:
                yield row
            call = following(call, page)

    async def pieces(self, call: Call[None]) -> AsyncGenerator[bytes, None]:
        """The body of an answer as it comes in; what breaks off is not asked for again."""
        answer = await self._answer(call, stream=True)
        try:
            call.read(answer)
            async for piece in answer.aiter_bytes():
                yield piece
        except httpx2.RequestError as error:
            raise _failure(error) from error
        finally:
            await answer.aclose()

    async def _answer(self, call: Call[Any], *, stream: bool = False) -> httpx2.Response:
        async with _async_contents(call.body) as content:
            tries = Tries(call, self._policy, time.monotonic)
            while True:
                outcome = await self._once(call, content(), tries.timeout_s, stream=stream)
                pause_s = tries.pause_after(outcome)
                if pause_s is None:
                    return tries.settle(outcome)
                await asyncio.sleep(pause_s)

    async def _once(
        self,
        call: Call[Any],
        content: bytes | AsyncIterable[bytes] | None,
        timeout_s: float,
        stream: bool,
    ) -> httpx2.Response | ConnectionFailed:
        request = self._http.build_request(
            call.method,
            call.path,
            params=call.query,
            headers=call.headers,
            content=content,
            timeout=timeout_s,
        )
        try:
            answer = await self._http.send(request, stream=stream)
            if stream and not answer.is_success:
                async with aclosing(answer):
                    await answer.aread()
        except httpx2.RequestError as error:
            return _failure(error)
        return answer


def _failure(error: httpx2.RequestError) -> ConnectionFailed:
    """What it means to a caller that no whole answer came.

    Raises:
        UnexpectedAnswer: one came whose encoding cannot be read.
    """
    if isinstance(error, httpx2.DecodingError):
        raise UnexpectedAnswer(f"The answer cannot be decoded: {error}") from error
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        failure = ConnectionFailed(
            f"The certificate of {error.request.url.host} is not trusted: {cause.verify_message}."
            " Name the file of the CA that signed it (`ca=`), and the host as it stands in the"
            " certificate.",
            sent=False,
            temporary=False,
        )
    else:
        words = str(error) or type(error).__name__
        failure = ConnectionFailed(
            f"No answer came from {error.request.url.host}: {words}",
            sent=not isinstance(error, _NEVER_SENT),
            temporary=not isinstance(error, httpx2.LocalProtocolError | httpx2.UnsupportedProtocol),
        )
    failure.__cause__ = error
    return failure


@contextmanager
def _contents(
    body: bytes | Lines | None,
) -> Iterator[Callable[[], bytes | Iterable[bytes] | None]]:
    """Gives the body, from its first byte, as often as it is called."""
    if not isinstance(body, Lines):
        yield lambda: body
        return
    rows = body.rows
    if isinstance(rows, AsyncIterable):
        raise TypeError("Client takes what `for` takes; AsyncClient takes asynchronous iterables.")
    if iter(rows) is not rows:
        yield lambda: _joined(map(_line, rows))
        return
    with SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as file:
        file.writelines(map(_line, rows))
        yield lambda: _read(file)


@asynccontextmanager
async def _async_contents(
    body: bytes | Lines | None,
) -> AsyncIterator[Callable[[], bytes | AsyncIterable[bytes] | None]]:
    """The same for who awaits."""
    if not isinstance(body, Lines):
        yield lambda: body
    elif not isinstance(body.rows, AsyncIterable):
        with _contents(body) as content:
            yield lambda: _awaited(content())
    else:
        with SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as file:
            async for row in body.rows:
                file.write(_line(row))
            yield lambda: _awaited(_read(file))


def _line(row: object) -> bytes:
    return encoded(row) + b"\n"


def _joined(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of some size: each piece is a write, and a chunk of HTTP."""
    piece = bytearray()
    for line in lines:
        piece += line
        if len(piece) >= _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _read(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(_PIECE_BYTES):
        yield piece


async def _awaited(pieces: bytes | Iterable[bytes] | None) -> AsyncIterator[bytes]:
    assert not isinstance(pieces, bytes | None), "lines are never at hand whole"
    for piece in pieces:
        yield piece
