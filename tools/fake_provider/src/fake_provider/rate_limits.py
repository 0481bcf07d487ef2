"""Rate limits as token buckets, and how an answer tells what is left and how long to wait."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from email.utils import formatdate
from typing import Literal

import msgspec

from fake_provider.calls import Call, Problem
from fake_provider.scenario import DialectName, Limit


class Bucket:
    """A budget that refills at `per_minute` / 60 a second up to `burst_s` seconds' worth."""

    __slots__ = ("_level", "_rate", "_updated_s", "capacity")

    def __init__(self, per_minute: float, burst_s: float, now_s: float) -> None:
        self._rate = per_minute / 60
        self.capacity = max(self._rate * burst_s, 1.0)
        self._level = self.capacity
        self._updated_s = now_s

    def retune(self, per_minute: float, burst_s: float, now_s: float) -> None:
        """Change the rate; what is saved up stays, as far as the new capacity holds it."""
        self._refill(now_s)
        self._rate = per_minute / 60
        self.capacity = max(self._rate * burst_s, 1.0)
        self._level = min(self._level, self.capacity)

    def shortage_s(self, cost: float, now_s: float) -> float:
        """Seconds until `cost` is there (0 when it is); a cost beyond capacity counts as full."""
        self._refill(now_s)
        missing = min(cost, self.capacity) - self._level
        return max(missing, 0.0) / self._rate

    def take(self, cost: float, *, may_owe: bool) -> None:
        """Use up `cost`; without `may_owe` the level stops at 0."""
        level = self._level - cost
        self._level = level if may_owe else max(level, min(self._level, 0.0))

    @property
    def remaining(self) -> int:
        """Whole units left as of the last look."""
        return max(int(self._level), 0)

    @property
    def full_in_s(self) -> float:
        """Seconds until the bucket is full again, as of the last look."""
        return (self.capacity - self._level) / self._rate

    def _refill(self, now_s: float) -> None:
        self._level = min(self.capacity, self._level + (now_s - self._updated_s) * self._rate)
        self._updated_s = now_s


class Verdict(msgspec.Struct, kw_only=True):
    """What the limits say to a call; `scope` is the limit that refused it."""

    outcome: Literal["admitted", "limited", "exhausted"] = "admitted"
    scope: Literal["requests", "tokens"] = "requests"
    wait_s: float = 0.0
    limit: Limit | None = None
    requests: Bucket | None = None
    tokens: Bucket | None = None


class _Budget:
    __slots__ = ("admitted", "requests", "tokens")

    def __init__(self, limit: Limit, now_s: float) -> None:
        self.admitted = 0
        self.requests: Bucket | None = None
        self.tokens: Bucket | None = None
        self.retune(limit, now_s)

    def retune(self, limit: Limit, now_s: float) -> None:
        self.requests = _retuned(self.requests, limit.rpm, limit.burst_s, now_s)
        self.tokens = _retuned(self.tokens, limit.tpm, limit.burst_s, now_s)


def _retuned(
    bucket: Bucket | None, per_minute: float | None, burst_s: float, now_s: float
) -> Bucket | None:
    if per_minute is None:
        return None
    if bucket is None:
        return Bucket(per_minute, burst_s, now_s)
    bucket.retune(per_minute, burst_s, now_s)
    return bucket


class Limiter:
    """Holds every call against the first limit that matches it."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._limits = tuple(limits)
        self._budgets: dict[tuple[int, str, str], _Budget] = {}

    def retune(self, limits: Sequence[Limit], now_s: float) -> None:
        """Change the limits under way; budgets of limits at the same place live on."""
        self._limits = tuple(limits)
        for key in list(self._budgets):
            if key[0] < len(self._limits):
                self._budgets[key].retune(self._limits[key[0]], now_s)
            else:
                del self._budgets[key]

    def admit(self, call: Call, now_s: float) -> Verdict:
        """Charge `call` and say whether it may pass; its completion is charged by `settle`."""
        found = self._find(call, now_s)
        if found is None:
            return Verdict()
        limit, budget = found
        verdict = Verdict(limit=limit, requests=budget.requests, tokens=budget.tokens)
        if limit.quota is not None and budget.admitted >= limit.quota:
            verdict.outcome = "exhausted"
            return verdict
        costs = ((budget.requests, 1.0), (budget.tokens, float(call.prompt_tokens)))
        waits = [bucket.shortage_s(cost, now_s) if bucket else 0.0 for bucket, cost in costs]
        rejected = max(waits) > 0
        for bucket, cost in costs:
            if bucket is not None and (limit.charge_rejected or not rejected):
                bucket.take(cost, may_owe=not rejected)
        if not rejected:
            budget.admitted += 1
            return verdict
        # What the rejected call used up has to come back first.
        waits = [bucket.shortage_s(cost, now_s) if bucket else 0.0 for bucket, cost in costs]
        verdict.outcome = "limited"
        verdict.scope = "requests" if waits[0] >= waits[1] else "tokens"
        verdict.wait_s = max(waits)
        return verdict

    def settle(self, call: Call, completion_tokens: int, now_s: float) -> None:
        """Charge the tokens of an answer; the token budget may go into debt."""
        found = self._find(call, now_s)
        if found is not None and found[1].tokens is not None:
            found[1].tokens.take(completion_tokens, may_owe=True)

    def _find(self, call: Call, now_s: float) -> tuple[Limit, _Budget] | None:
        for index, limit in enumerate(self._limits):
            if limit.dialect not in (None, call.dialect) or limit.model not in (None, call.model):
                continue
            key = (index, call.dialect, call.model)
            budget = self._budgets.get(key)
            if budget is None:
                budget = self._budgets[key] = _Budget(limit, now_s)
            return limit, budget
        return None


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
    if style == "auto" and dialect not in {"vllm", "ollama"}:
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
