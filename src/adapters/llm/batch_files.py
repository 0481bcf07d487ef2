"""What batch APIs have in common: requests about a batch, and files of one JSON document a line."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Container, Iterable, Iterator, Mapping
from typing import Any, Final

from adapters.llm.failures import failure
from adapters.llm.replies import ModelCall, RawResponse, members, name_of, reply_to, word
from domain.extraction.calls import FailureKind, ModelCallFailed
from domain.strict_json import NotStrictJson, read_json
from ports.language_models import Answer, BatchId, BatchOutcome, ModelProfile

_log = logging.getLogger(__name__)

MOST_REQUESTS: Final = 50_000
MOST_BYTES: Final = 200_000_000
"""OpenAI's limits for one file; Gemini's are wider, but memory is not."""


class BatchApi:
    """Requests about batches to one provider: each has a good reply, or is a failure in our words.

    Args:
        provider: its name.
        kind_of: the class of a refusal.
        hint_s: the wait that a refusal names, in seconds.
    """

    def __init__(
        self,
        provider: str,
        *,
        kind_of: Callable[[RawResponse], FailureKind],
        hint_s: Callable[[RawResponse], float | None],
    ) -> None:
        self._provider = provider
        self._kind_of = kind_of
        self._hint_s = hint_s

    async def ask(
        self, call: Awaitable[object], *, timeout_s: float, but: Container[int] = ()
    ) -> RawResponse:
        """The reply to `call`, when it is good or has a status of `but`.

        Raises:
            ModelCallFailed: it is neither.
        """
        reply = await reply_to(self._provider, call, timeout_s=timeout_s)
        if reply.good or reply.status in but:
            return reply
        kind = self._kind_of(reply)
        _log.info("%s answered %s about a batch (%s)", self._provider, reply.status, kind)
        raise ModelCallFailed(failure(self._provider, kind, retry_after_s=self._hint_s(reply)))

    async def search(self, found: Awaitable[BatchId | None], *, timeout_s: float) -> BatchId | None:
        """What is `found` in time.

        Raises:
            ModelCallFailed: it takes longer than `timeout_s`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await found
        except TimeoutError as error:
            raise self.failed(FailureKind.TIMEOUT) from error

    def name_in(self, document: Any, member: str) -> str:
        """The provider's name of a file or a batch that stands in `member`.

        Raises:
            ModelCallFailed: it is none.
        """
        name = name_of(members(document).get(member))
        if not name:
            raise self.failed(FailureKind.BAD_RESPONSE)
        return name

    def failed(self, kind: FailureKind) -> ModelCallFailed:
        """A failure of `kind`, of a request that was no call to a model."""
        return ModelCallFailed(failure(self._provider, kind))


def fitting(lines: Iterable[bytes]) -> int:
    """How many lines, from the first on, fit into one file; at least 1."""
    size = 0
    fitted = 0
    for line in lines:
        size += len(line) + 1
        if fitted and (size > MOST_BYTES or fitted == MOST_REQUESTS):
            break
        fitted += 1
    return max(1, fitted)


def written(lines: Iterable[bytes]) -> bytes:
    """The file of `lines`."""
    return b"\n".join(lines) + b"\n"


def outcomes_of(
    content: bytes,
    profile: ModelProfile,
    *,
    name: str,
    read: Callable[[ModelCall, Mapping[str, Any]], Answer | None],
) -> Iterator[BatchOutcome]:
    """What became of each prompt of a file of answers; a bad line takes no other along.

    A line that is no strict JSON object was paid all the same: it is a failure of the prompt whose
    name can be seen in it, and left out when there is none.

    Args:
        content: the file.
        profile: who was asked.
        name: the member that holds the name of the prompt.
        read: makes the answer of a line, or raises its failure; None for a prompt that was not
            executed.
    """
    named = re.compile(rb'"%s"\s*:\s*"([\w-]{1,64})"' % name.encode())
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        call = ModelCall(profile, batched=True)
        result: Answer | ModelCallFailed | None
        try:
            row = members(read_json(line))
            custom_id = word(row.get(name))
            result = read(call, row)
        except NotStrictJson as error:
            _log.warning("line %s of a batch's answers %s", number, error)
            found = named.search(line)
            custom_id = found[1].decode() if found else ""
            result = call.failed(FailureKind.BAD_RESPONSE)
        except ModelCallFailed as error:
            result = error
        except Exception as error:  # noqa: BLE001 (it was paid and must be counted, whatever it holds)
            result = call.broken(error)
        if not custom_id:
            _log.warning("line %s of a batch's answers names no prompt", number)
        elif result is not None:
            yield BatchOutcome(custom_id=custom_id, result=result)
