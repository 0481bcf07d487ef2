"""What a ledger proves about the client."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from fake_provider.ledger import Entry

_Client: TypeAlias = tuple[str, str, str]


class EarlyCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that came although its client had been told to wait.

    Attributes:
        seq: the early call; `told_by` the call whose answer named the wait.
        early_by_s: seconds that were left of the wait.
    """

    seq: int
    told_by: int
    dialect: str
    model: str
    early_by_s: float


def early_calls(entries: Iterable[Entry], *, grace_s: float = 0.0) -> list[EarlyCall]:
    """Calls that arrived before a wait named to the same key, dialect and model had run out.

    Args:
        entries: rows in any order.
        grace_s: seconds after the naming during which calls are forgiven, for those that were
            already on the wire.
    """
    told: list[tuple[float, int, _Client, float]] = []
    waits: dict[_Client, tuple[float, int]] = {}
    early = []
    for entry in sorted(entries, key=lambda entry: entry.arrived_s):
        while told and told[0][0] + grace_s < entry.arrived_s:
            done_s, seq, client, hint_s = heapq.heappop(told)
            waits[client] = max(waits.get(client, (0.0, 0)), (done_s + hint_s, seq))
        client = (entry.key, entry.dialect, entry.model)
        until_s, told_by = waits.get(client, (0.0, 0))
        if entry.arrived_s < until_s:
            early.append(
                EarlyCall(
                    seq=entry.seq,
                    told_by=told_by,
                    dialect=entry.dialect,
                    model=entry.model,
                    early_by_s=until_s - entry.arrived_s,
                )
            )
        if entry.hint_s is not None and entry.done_s is not None:
            heapq.heappush(told, (entry.done_s, entry.seq, client, entry.hint_s))
    return early


def peak_concurrency(entries: Iterable[Entry]) -> int:
    """The most calls that were under way at one moment; unfinished ones count to the end."""
    changes = []
    for entry in entries:
        changes.append((entry.arrived_s, 1))
        if entry.done_s is not None:
            changes.append((entry.done_s, -1))
    running = peak = 0
    for _, change in sorted(changes):
        running += change
        peak = max(peak, running)
    return peak


def calls_per_text(entries: Iterable[Entry]) -> Counter[int]:
    """How many calls each distinct text caused, by its digest."""
    return Counter(entry.text for entry in entries)
