"""Rate limits as providers state them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a provider allows.

    Attributes:
        requests_per_minute: calls; None when it does not say.
        tokens_per_minute: input and output together; None when it does not say.
    """

    requests_per_minute: int | None
    tokens_per_minute: int | None


RateLimits: TypeAlias = Callable[[Limits], None]


def limits_from_headers(headers: Mapping[str, str]) -> Limits | None:
    """OpenAI's `x-ratelimit-limit-*` headers; None when there are none."""
    requests = _count(headers.get("x-ratelimit-limit-requests"))
    tokens = _count(headers.get("x-ratelimit-limit-tokens"))
    if requests is None and tokens is None:
        return None
    return Limits(requests_per_minute=requests, tokens_per_minute=tokens)


def _count(value: str | None) -> int | None:
    return int(value) if value is not None and value.isdigit() and int(value) > 0 else None
