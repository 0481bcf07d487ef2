"""Files of a batch: one JSON document a line."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from adapters.llm.replies import ModelCall
from domain.extraction.calls import CallFailed
from domain.strict_json import NotStrictJson, read_json
from ports.language_model import Answer, ModelProfile

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


def lines_of(content: bytes) -> Iterator[Mapping[str, Any]]:
    """The documents of a file; what is no JSON object is left out, as if it had not come."""
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = read_json(line)
        except NotStrictJson as error:
            _log.warning("line %s of a batch's answers is left out: it %s", number, error)
            continue
        if isinstance(row, Mapping):
            yield row
        else:
            _log.warning("line %s of a batch's answers is left out: it is no object", number)


def read_line(profile: ModelProfile, read: Callable[[ModelCall], Answer]) -> Answer | CallFailed:
    """What became of one line, whatever stands in it: a bad one takes no other along.

    Args:
        profile: who was asked.
        read: makes the answer of the call that the line was, or raises its failure.
    """
    call = ModelCall(profile, batched=True)
    try:
        return read(call)
    except CallFailed as error:
        return error
    except Exception as error:  # noqa: BLE001 (a paid line must be counted, whatever it holds)
        return call.broken(error)
