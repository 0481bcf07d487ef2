"""The ledger's rows, and what they prove about the client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from fake_provider.calls import Call, text_hash
from fake_provider.ledger import Entry, Ledger, calls_per_text, early_calls, peak_concurrency


def call(text: str = "hello", model: str = "m", tokens: int = 10) -> Call:
    return Call(
        dialect="openai",
        model=model,
        turns=(("user", text),),
        document=text,
        prompt_tokens=tokens,
        key="k",
    )


def row(seq: int, arrived_s: float, done_s: float | None, **members: Any) -> Entry:
    usual: dict[str, Any] = {
        "dialect": "openai",
        "model": "m",
        "key": "k",
        "text": seq,
        "arrived_at": 0.0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "status": 200,
        "fault": "",
        "hint_s": None,
        "aborted": False,
    }
    return Entry(seq=seq, arrived_s=arrived_s, done_s=done_s, **(usual | members))


def test_a_call_before_the_end_of_a_named_wait_is_early() -> None:
    rows = [
        row(0, 0.0, 1.0, hint_s=2.0),
        row(1, 0.5, 1.5),  # was under way before the wait was named
        row(2, 2.9, 3.0),  # early
        row(3, 2.95, 3.0, model="other"),
        row(4, 2.96, 3.0, key="someone else"),
        row(5, 3.0, 3.1),
    ]
    found = early_calls(rows)
    assert [(early.seq, early.told_by) for early in found] == [(2, 0)]
    assert found[0].early_by_s == pytest.approx(0.1)


def test_calls_on_the_wire_are_forgiven_within_the_grace_period() -> None:
    rows = [row(0, 0.0, 1.0, hint_s=2.0), row(1, 1.01, 1.1), row(2, 1.2, 1.3)]
    assert [early.seq for early in early_calls(rows)] == [1, 2]
    assert [early.seq for early in early_calls(rows, grace_s=0.05)] == [2]


def test_a_longer_wait_outlives_a_shorter_one() -> None:
    rows = [row(0, 0, 1, hint_s=9.0), row(1, 0, 2, hint_s=1.0), row(2, 5, 6)]
    assert [(early.seq, early.told_by) for early in early_calls(rows)] == [(2, 0)]


def test_peak_concurrency_counts_overlapping_calls() -> None:
    rows = [row(0, 0, 2), row(1, 1, 3), row(2, 2, 4), row(3, 2.5, None)]
    assert peak_concurrency(rows) == 3
    assert peak_concurrency([]) == 0


def test_the_ledger_keeps_the_last_calls_and_counts_the_others(tmp_path: Path) -> None:
    file = tmp_path / "ledger.ndjson"
    ledger = Ledger(capacity=3, path=file)
    for number in range(5):
        seq = ledger.open(call(f"text {number % 2}"), float(number))
        ledger.close(seq, done_s=number + 0.5, status=200, prompt_tokens=7, completion_tokens=3)
    ledger.close(0, done_s=9.0, status=500)  # overwritten long ago
    kept = list(ledger.entries())
    assert (ledger.total, ledger.dropped) == (5, 2)
    assert [(entry.seq, entry.status, entry.done_s) for entry in kept] == [
        (2, 200, 2.5),
        (3, 200, 3.5),
        (4, 200, 4.5),
    ]
    assert calls_per_text(kept) == {text_hash("text 0"): 2, text_hash("text 1"): 1}
    ledger.shut()
    written = [msgspec.json.decode(line, type=Entry) for line in file.read_bytes().splitlines()]
    assert [entry.seq for entry in written] == [0, 1, 2, 3, 4]
    assert written[2:] == kept


def test_an_open_call_has_no_end_yet() -> None:
    ledger = Ledger(capacity=2)
    ledger.open(call(), 1.0)
    assert next(ledger.entries()).done_s is None
