"""How likely a value is right, out of how sure the model was of the tokens that it wrote it with.

A calibration is a logistic regression (Platt 1999, over more than one score), fitted to texts whose
right values are known. Here it is applied; `tools/tune` fits it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp, log, tanh
from typing import Final

from domain.extraction.schema import FieldType, RecordSchema, Value

_STRING: Final = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"'
_MEMBER: Final = re.compile(
    rf'\s*(?P<name>{_STRING})\s*:(?P<value>\s*(?:{_STRING}|[^\s"{{}}\[\],:]+)\s*[,}}])'
)
_UTMOST_LOG_ODDS: Final = 8.0
"""A model's own 99.97 %; beyond that it is not the surer for being surer."""
_DIGITS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerToken:
    """A token of a model's answer.

    Attributes:
        start: offset of its first character in the answer, in code points; of the whole character
            where it begins inside one.
        end: offset behind its last character, above `start`.
        log_probability: natural logarithm of the probability that the model gave it (<= 0).
    """

    start: int
    end: int
    log_probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A fit of one model that is asked with one prompt; it says nothing of any other.

    Attributes:
        model: the model's name at its provider.
        prompt: the prompt that the model's adapter was tuned to (`prompting.TUNED_PROMPT`).
        types: those of the fields that it was fitted to.
        intercept: log-odds that a value is right all features of which are 0.
        coefficients: what each of `FEATURES` adds to them, times its value.
    """

    model: str
    prompt: str
    types: frozenset[FieldType]
    intercept: float
    coefficients: Mapping[str, float]


FEATURES: Final = ("least", "silent", "dropped")
"""least: log-odds of the least likely token of the value. silent: 1 where the model said null.
dropped: 1 where it said a value that the text does not back or the schema forbids, so that the
record has null."""


def tokens_of(pieces: Sequence[tuple[bytes, float]], answer: str) -> tuple[AnswerToken, ...]:
    """The tokens of `answer`, in order; none when they do not make it up to the last byte.

    Args:
        pieces: of each token its UTF-8, which may begin or end inside a character or be empty, and
            its log-probability.
        answer: what was said.
    """
    said = answer.encode()
    if b"".join(piece for piece, _ in pieces) != said:
        return ()
    # For each byte, which character it is of: those of the form 10xxxxxx go on with one.
    character = list(accumulate((byte & 0xC0 != 0x80 for byte in said), initial=-1))[1:]
    ends = accumulate(len(piece) for piece, _ in pieces)
    return tuple(
        AnswerToken(
            start=character[end - len(piece)],
            end=character[end - 1] + 1,
            log_probability=log_probability,
        )
        for (piece, log_probability), end in zip(pieces, ends, strict=True)
        if piece
    )


def log_probabilities_of(
    answer: str, tokens: Sequence[AnswerToken]
) -> Mapping[str, tuple[float, ...]]:
    """By member, the log-probabilities of the tokens of its value, in order.

    The value's stretch begins behind the colon, where the model decides between a value and null,
    and ends with the comma or brace behind it, where it decides that a number is complete.

    Args:
        answer: what was said; only one flat object, with nothing around it, has such members.
        tokens: of the answer; empty when the server told none.
    """
    stretches = _stretches(answer) if tokens else {}
    return {
        name: tuple(
            each.log_probability for each in tokens if start < each.end and each.start < end
        )
        for name, (start, end) in stretches.items()
    }


def _stretches(answer: str) -> Mapping[str, tuple[int, int]]:
    at = len(answer) - len(answer.lstrip())
    found: dict[str, tuple[int, int]] = {}
    if not answer.startswith("{", at):
        return {}
    at += 1
    while member := _MEMBER.match(answer, at):
        found[json.loads(member["name"])] = member.span("value")
        at = member.end()
        if answer[at - 1] == "}":
            return found if not answer[at:].strip() else {}
    return {}


def features_of(
    log_probabilities: Sequence[float], *, silent: bool, dropped: bool
) -> Mapping[str, float]:
    """What a calibration weighs, by the names of `FEATURES`.

    Args:
        log_probabilities: of the value's tokens, at least one, each <= 0.
        silent: the model said null.
        dropped: the record has null although the model said a value.
    """
    return {
        "least": _log_odds(min(log_probabilities)),
        "silent": float(silent),
        "dropped": float(dropped),
    }


def _log_odds(log_probability: float) -> float:
    """Of a probability, held within what can be told from certainty."""
    unlikely = -min(0.0, log_probability)
    if unlikely >= _UTMOST_LOG_ODDS:
        return -_UTMOST_LOG_ODDS
    likely = exp(-unlikely)
    if likely == 1.0:
        return _UTMOST_LOG_ODDS
    return min(_UTMOST_LOG_ODDS, log(likely / (1.0 - likely)))


def confidence_of(
    calibration: Calibration,
    schema: RecordSchema,
    values: Mapping[str, Value],
    dropped: Collection[str],
    log_probabilities: Mapping[str, Sequence[float]],
) -> Mapping[str, float]:
    """By field, how likely its value in the record is right, 0..1; without those nobody can tell.

    Args:
        calibration: of the model that answered.
        schema: the record's shape.
        values: of the fields that hold.
        dropped: fields whose value does not.
        log_probabilities: by field, of the tokens of what the model said; a field may be missing.
    """
    found = {}
    for field in schema.fields:
        told = log_probabilities.get(field.name)
        if not told or field.type not in calibration.types:
            continue
        features = features_of(
            told,
            silent=field.name not in dropped and values.get(field.name) is None,
            dropped=field.name in dropped,
        )
        log_odds = calibration.intercept + sum(
            calibration.coefficients[name] * value for name, value in features.items()
        )
        found[field.name] = round((1.0 + tanh(log_odds / 2.0)) / 2.0, _DIGITS)
    return found
