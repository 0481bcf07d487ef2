"""What the provider's ledger says about a run."""

from __future__ import annotations

from collections.abc import Sequence

from fake_provider.ledger import Entry


def busy_s(entries: Sequence[Entry], begin_s: float, end_s: float) -> float:
    """Seconds of calls under way at the provider between two moments, added up over all calls."""
    total = 0.0
    for entry in entries:
        done_s = end_s if entry.done_s is None else min(entry.done_s, end_s)
        total += max(0.0, done_s - max(entry.arrived_s, begin_s))
    return total


def between(entries: Sequence[Entry], begin_s: float, end_s: float) -> list[Entry]:
    """The calls that arrived in that time."""
    return [entry for entry in entries if begin_s <= entry.arrived_s <= end_s]
