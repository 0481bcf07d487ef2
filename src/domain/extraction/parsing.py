"""From a model's words to a JSON object, with the small repairs that are safe."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_FENCE: Final = re.compile(r"```(?:json)?\s*(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_LOOP_LENGTH: Final = 24


class UnreadableAnswer(ValueError):
    """The words hold no JSON object; the message says what stands there instead."""


def parse_answer(text: str) -> Mapping[str, Any]:
    """The JSON object in `text`.

    A code fence, words before the object and words behind it are dropped. Nothing inside the
    object is mended: a guess about a bracket may change a value.

    Raises:
        UnreadableAnswer: no complete object stands there, or one with a duplicate member.
    """
    candidate = text.strip().removeprefix("\ufeff")
    if not candidate:
        raise UnreadableAnswer("the answer was empty")
    fenced = _FENCE.search(candidate)
    if fenced is not None and not candidate.startswith("{"):
        candidate = fenced.group(1).strip()
    start = candidate.find("{")
    if start < 0:
        raise UnreadableAnswer("the answer held no JSON object")
    decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
    try:
        value, _ = decoder.raw_decode(candidate, start)
    except json.JSONDecodeError as error:
        raise UnreadableAnswer(
            f"the answer was not valid JSON: {error.msg} at character {error.pos}"
        ) from error
    except RecursionError as error:
        raise UnreadableAnswer("the answer was nested too deeply") from error
    assert isinstance(value, dict)  # decoding starts at a "{"
    return value


def loops(text: str) -> bool:
    """Whether `text` ends in a loop: a run of white space, or a short piece over and over.

    Grammar-bound models that lost their way produce it until the token limit.
    """
    tail = text[-400:]
    if len(tail) >= _LOOP_LENGTH and not tail[-_LOOP_LENGTH:].strip():
        return True
    return any(
        len(tail) >= 6 * size and tail.endswith(tail[-size:] * 6)
        for size in range(4, min(64, len(tail) // 6) + 1)
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise UnreadableAnswer("the answer named a member twice")
    return value


def _no_constant(name: str) -> Any:
    raise UnreadableAnswer(f"the answer held {name}, which is not JSON")
