"""Files of a batch: one JSON document a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from adapters.llm.errors import failure
from domain.extraction.calls import Attempt, CallFailed, FailureKind, Usage
from ports.language_model import ModelProfile

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
    for line in content.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, Mapping):
            yield row


def line_attempt(
    profile: ModelProfile, outcome: FailureKind | None, usage: Usage | None = None
) -> Attempt:
    """One line of a batch as an attempt."""
    return Attempt(
        provider=profile.provider,
        model=profile.model,
        outcome=outcome,
        usage=usage or Usage(),
        batched=True,
    )


def marked_failure(
    profile: ModelProfile, kind: FailureKind, usage: Usage | None = None
) -> CallFailed:
    """The failure of one line."""
    return CallFailed(failure(profile.provider, kind), (line_attempt(profile, kind, usage),))
