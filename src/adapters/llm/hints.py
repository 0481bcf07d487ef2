"""Rate limits and waits as providers state them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SHORTEST_HINT_S: Final = 0.5
"""A shorter wait that a provider names (0, one in the past) says nothing: who obeyed it would send
hundreds of calls a second into the same refusal."""
LONGEST_HINT_S: Final = 3_600.0
"""A longer wait is taken for this one: a slip of the provider's must not shut it for a year."""
LONGEST_QUOTA_HINT_S: Final = 86_400.0
"""The same for a quota, which may be one of a day."""


def bounded_hint_s(hint_s: float | None, *, most_s: float = LONGEST_HINT_S) -> float | None:
    """The wait that a hint stands for, in seconds; None when it stands for none."""
    if hint_s is None or not hint_s >= SHORTEST_HINT_S:  # not so for NaN either
        return None
    return min(hint_s, most_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a provider allows.

    Attributes:
        requests_per_minute: calls; None when it does not say.
        tokens_per_minute: input and output together; None when it does not say.
    """

    requests_per_minute: int | None
    tokens_per_minute: int | None


class StatedLimits:
    """What a provider last said, and whether anybody has heard it."""

    def __init__(self) -> None:
        self._latest: Limits | None = None
        self._heard: Limits | None = None

    def note(self, limits: Limits | None) -> None:
        """The provider said this; None when it said nothing."""
        if limits is not None:
            self._latest = limits

    def news(self) -> Limits | None:
        """What was said since the last call of this; None when nothing new."""
        if self._latest == self._heard:
            return None
        self._heard = self._latest
        return self._latest


def limits_from_headers(headers: Mapping[str, str]) -> Limits | None:
    """OpenAI's `x-ratelimit-limit-*` headers; None when there are none that can be read."""
    requests = whole(headers.get("x-ratelimit-limit-requests", ""))
    tokens = whole(headers.get("x-ratelimit-limit-tokens", ""))
    if requests is None and tokens is None:
        return None
    return Limits(requests_per_minute=requests, tokens_per_minute=tokens)


def whole(written: str) -> int | None:
    """A number of 1..999,999,999,999 in plain digits; None for anything else."""
    return (int(written) or None) if re.fullmatch("[0-9]{1,12}", written) else None
