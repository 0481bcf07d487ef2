"""`Idempotency-Key`: work that makes something is done once, however often it is asked for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from litestar import Request, Response

from domain.errors import InvalidInput, Violation, WriteConflict
from entrypoints.http.access.authentication import caller_of
from entrypoints.http.protocol.answers import JsonAnswer
from ports.idempotency import StoredResponse
from ports.unit_of_work import UnitOfWork, UnitOfWorkFactory

A = TypeVar("A", bound=Response[bytes])

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_TRIES: Final = 3
_KEPT_HEADERS: Final = ("location", "etag")


@dataclass(frozen=True, slots=True)
class IdempotentExecution:
    """Work of a request that is done once, however often the request is sent with its key.

    Attributes:
        request: the request.
        key: its idempotency key, under its caller's name; None without one.
        open_unit: opens the transaction.
    """

    request: Request[Any, Any, Any]
    key: str | None
    open_unit: UnitOfWorkFactory

    async def do(
        self,
        work: Callable[[UnitOfWork], Awaitable[A]],
        *,
        alone: Callable[[], Awaitable[A]] | None = None,
        digest: bytes | None = None,
    ) -> A:
        """Do `work` in a transaction; with a key, keep its answer there or replay the kept one.

        A transaction that collided with others is then done again, 3 times in all.

        Args:
            work: all of it, in the transaction.
            alone: the same without one, for a request without a key: where a single statement is
                all that there is to do. None opens a transaction for that too.
            digest: what makes two requests the same; None for `fingerprint(request)`.

        Raises:
            RequestInProgress, IdempotencyKeyReused: see `IdempotencyStore.claim`.
            AppError: what `work` raises; nothing is kept then, and the key can be used again.
        """
        if self.key is None and alone is not None:
            return await alone()
        if self.key is None:
            async with self.open_unit() as unit:
                response = await work(unit)
                await unit.commit()
            return response
        digest = await fingerprint(self.request) if digest is None else digest
        for _ in range(_TRIES - 1):
            try:
                return await _once(self.key, digest, self.open_unit, work)
            except WriteConflict:
                continue
        return await _once(self.key, digest, self.open_unit, work)


def idempotency_key(request: Request[Any, Any, Any]) -> str | None:
    """The request's key, under its caller's name; None without one.

    Callers know nothing of one another: a key that two of them happen on, such as `order-1`, is two
    keys, and nobody is given the answer that another got.

    Raises:
        InvalidInput: empty, longer than 255 characters, or not of visible ASCII characters.
    """
    value = request.headers.get("idempotency-key")
    if value is not None and not _KEY.fullmatch(value):
        detail = "must have 1..255 visible ASCII characters"
        raise InvalidInput.of([Violation(pointer="Idempotency-Key", detail=detail)])
    # A name may hold blanks and a key holds none: no two pairs are one text.
    return None if value is None else f"{caller_of(request).subject} {value}"


async def fingerprint(request: Request[Any, Any, Any]) -> bytes:
    """A digest of method, path and body: what makes two requests the same."""
    head = f"{request.method} {request.scope['path']}\n".encode()
    return hashlib.sha256(head + await request.body()).digest()


async def _once(
    key: str,
    digest: bytes,
    open_unit: UnitOfWorkFactory,
    work: Callable[[UnitOfWork], Awaitable[A]],
) -> A:
    async with open_unit() as unit:
        kept = await unit.answers.claim(key, digest)
        if kept is not None:
            await unit.commit()  # once it returns, the answer outlives this server
            return cast("A", replayed(kept))  # it was `A` when it was first given
        response = await work(unit)
        await unit.answers.keep(key, digest, answer_of(response))
        await unit.commit()
    return response


def answer_of(response: Response[bytes]) -> StoredResponse:
    """What is kept of a response."""
    headers = {
        name.lower(): value
        for name, value in response.headers.items()
        if name.lower() in _KEPT_HEADERS
    }
    status = response.status_code or 200
    return StoredResponse(status=status, headers=headers, body=response.content)


def replayed(kept: StoredResponse) -> JsonAnswer[Any]:
    """The kept answer, marked as a replay."""
    return JsonAnswer(
        kept.body,
        status_code=kept.status,
        headers={**kept.headers, "Idempotency-Replayed": "true"},
        media_type="application/json",
    )
