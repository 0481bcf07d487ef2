"""How an answer names the wait: headers for OpenAI and vLLM, the body for Gemini."""

from __future__ import annotations

import math
import time
from email.utils import formatdate

from fake_provider.calls import Problem
from fake_provider.limits import Bucket, Verdict
from fake_provider.scenario import DialectName

Headers = list[tuple[bytes, bytes]]


def hint_headers(dialect: DialectName, problem: Problem) -> tuple[Headers, float | None]:
    """Headers that name the wait of `problem`, and the wait that the client is really told.

    A style that rounds (whole seconds, a date) tells a longer wait than `retry_after_s`.
    """
    wait_s, style = problem.retry_after_s, problem.hint
    if wait_s is None or style == "none":
        return [], None
    if style == "body" or (style == "auto" and dialect == "gemini"):
        return [], round(wait_s, 3) if dialect == "gemini" else None
    seconds = (b"retry-after", b"%d" % math.ceil(wait_s))
    milliseconds = (b"retry-after-ms", b"%d" % math.ceil(wait_s * 1000))
    exact_s = math.ceil(wait_s * 1000) / 1000
    if style == "date":
        now = time.time()
        at = math.ceil(now + wait_s)
        return [(b"retry-after", formatdate(at, usegmt=True).encode())], at - now
    if style == "milliseconds":
        return [milliseconds], exact_s
    if style == "auto" and dialect != "vllm":
        return [seconds, milliseconds], exact_s
    return [seconds], float(math.ceil(wait_s))


def rate_limit_headers(verdict: Verdict | None) -> Headers:
    """OpenAI's `x-ratelimit-*` headers; generous figures where no limit is set."""
    headers: Headers = []
    for name, bucket, generous in (
        (b"requests", verdict.requests if verdict else None, 30_000),
        (b"tokens", verdict.tokens if verdict else None, 150_000_000),
    ):
        limit, remaining, reset_s = _figures(bucket, verdict, name, generous)
        headers.append((b"x-ratelimit-limit-" + name, b"%d" % limit))
        headers.append((b"x-ratelimit-remaining-" + name, b"%d" % remaining))
        headers.append((b"x-ratelimit-reset-" + name, go_duration(reset_s).encode()))
    return headers


def _figures(
    bucket: Bucket | None, verdict: Verdict | None, name: bytes, generous: int
) -> tuple[float, int, float]:
    if bucket is None or verdict is None or verdict.limit is None:
        return generous, generous - 1, 0.002
    per_minute = verdict.limit.rpm if name == b"requests" else verdict.limit.tpm
    return per_minute or 0, bucket.remaining, bucket.full_in_s


def go_duration(seconds: float) -> str:
    """A duration as OpenAI's headers write it: `120ms`, `6.5s`, `1m30s`."""
    if seconds < 1:
        return f"{max(round(seconds * 1000), 0)}ms"
    minutes, rest = divmod(round(seconds, 3), 60)
    tail = f"{rest:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{minutes:.0f}m{tail}" if minutes else tail
