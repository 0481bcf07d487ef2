"""What a contestant's process is told, and what it tells afterwards: JSON over its pipes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The same for every contestant of a comparison.

    Attributes:
        contestant: module below `contestants`.
        provider: which of ours it is; the others speak OpenAI's protocol to it all the same.
        base_url: of the provider, OpenAI's protocol.
        model: its name there.
        system: the rules and fields, as ours asks for them.
        schema: JSON schema of the answer, as ours sends it.
        first: number of the first message.
        count: messages that are measured.
        warmup: messages before them that are not.
        concurrency: texts under way at once.
        transport_retries: how often a call that failed on the way is tried again.
        reasks: how often an answer that cannot be used is asked again.
        call_timeout_s: longest wait for one answer, in seconds.
        redis_url: a Valkey to share limits through; empty for none.
        seconds: give up on what is not done after so many seconds; 0 for never.
    """

    contestant: str
    provider: str
    base_url: str
    model: str
    system: str
    schema: dict[str, Any]
    first: int = 0
    count: int = 1000
    warmup: int = 64
    concurrency: int = 32
    transport_retries: int = 3
    reasks: int = 2
    call_timeout_s: float = 30.0
    redis_url: str = ""
    seconds: float = 0.0

    def encoded(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def decoded(text: str) -> Task:
        """From JSON."""
        return Task(**json.loads(text))


@dataclass(slots=True, kw_only=True)
class Run:
    """What one contestant did.

    Attributes:
        right: messages whose record is the expected one.
        wrong: messages with another record.
        failed: messages without a record, by the name of the failure.
        unfinished: messages that the time did not suffice for.
        begun_s, last_begun_s, ended_s: monotonic seconds: first message begun, last message
            begun, last message done.
        cpu_s: processor time of the process in between, user and system.
        peak_rss_kb: greatest resident memory of the process.
        done_at_s: when each right message was done, monotonic seconds.
    """

    right: int = 0
    wrong: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    unfinished: int = 0
    begun_s: float = 0.0
    last_begun_s: float = 0.0
    ended_s: float = 0.0
    cpu_s: float = 0.0
    peak_rss_kb: int = 0
    done_at_s: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Messages that ended in some way."""
        return self.right + self.wrong + sum(self.failed.values())

    def encoded(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def decoded(text: str) -> Run:
        """From JSON."""
        return Run(**json.loads(text))
