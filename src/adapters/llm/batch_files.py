"""Files of a batch: one JSON document a line."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from adapters.llm.replies import ModelCall, members, word
from domain.extraction.calls import FailureKind, ModelCallFailed
from domain.strict_json import NotStrictJson, read_json
from ports.language_models import Answer, BatchOutcome, ModelProfile

_log = logging.getLogger(__name__)

MOST_REQUESTS: Final = 50_000
MOST_BYTES: Final = 200_000_000
"""OpenAI's limits for one file; Gemini's are wider, but memory is not."""


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
