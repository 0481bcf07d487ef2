"""What was asked and answered, one compact row a call, and what the rows prove about the client."""

from __future__ import annotations

import heapq
import math
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import IO, TypeAlias

import msgspec

from fake_provider.calls import Call, text_hash

DEFAULT_CAPACITY = 131_072
_ABORTED = 1
_OPEN = 2


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One call.

    Attributes:
        arrived_s, done_s: monotonic seconds; `done_s` is null while the call runs.
        arrived_at: seconds since 1970.
        key: short digest of the caller's key, never the key.
        text: digest of the document (`text_hash`).
        prompt_tokens, completion_tokens: what a provider would bill.
        status: HTTP status; 0 when the connection was cut or left.
        fault: what was done to it on purpose; empty for nothing.
        hint_s: the wait that the answer named; null for none.
        aborted: whether the client left before the answer.
    """

    seq: int
    dialect: str
    model: str
    key: str
    text: int
    arrived_s: float
    arrived_at: float
    done_s: float | None
    prompt_tokens: int
    completion_tokens: int
    status: int
    fault: str
    hint_s: float | None
    aborted: bool


class _Names:
    """Strings as small numbers, so that a row holds no objects."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []

    def number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._names)
            self._names.append(name)
        return number

    def name(self, number: int) -> str:
        return self._names[number]


class Ledger:
    """The last `capacity` calls; older rows are overwritten and counted in `dropped`.

    Args:
        capacity: rows kept in memory (about 68 bytes each, allocated at once).
        path: file that every finished row is appended to as a JSON line; None for none.
    """

    def __init__(self, capacity: int = DEFAULT_CAPACITY, path: Path | None = None) -> None:
        if capacity < 1:
            raise ValueError("a ledger keeps 1 row or more")
        self._capacity = capacity
        self._file: IO[bytes] | None = path.open("ab", buffering=0) if path else None
        self._wall_offset_s = time.time() - time.monotonic()
        self._names = _Names()
        self._keys: dict[str, str] = {}
        self.total = 0
        self._arrived = array("d", bytes(8 * capacity))
        self._done = array("d", bytes(8 * capacity))
        self._hint = array("d", bytes(8 * capacity))
        self._text = array("Q", bytes(8 * capacity))
        self._prompt = array("L", bytes(array("L").itemsize * capacity))
        self._completion = array("L", bytes(array("L").itemsize * capacity))
        self._who = [array("H", bytes(2 * capacity)) for _ in range(4)]
        self._status = array("H", bytes(2 * capacity))
        self._flags = array("B", bytes(capacity))

    @property
    def dropped(self) -> int:
        """Rows that were overwritten."""
        return max(self.total - self._capacity, 0)

    def open(self, call: Call, arrived_s: float) -> int:
        """A row for a call that has come in; returns its number for `close`."""
        seq = self.total
        self.total += 1
        at = seq % self._capacity
        number = self._names.number
        dialects, models, keys, faults = self._who
        dialects[at] = number(call.dialect)
        models[at] = number(call.model)
        keys[at] = number(self._digest(call.key))
        faults[at] = number("")
        self._arrived[at] = arrived_s
        self._done[at] = self._hint[at] = math.nan
        self._text[at] = text_hash(call.document)
        self._prompt[at] = self._completion[at] = self._status[at] = 0
        self._flags[at] = _OPEN
        return seq

    def close(
        self,
        seq: int,
        *,
        done_s: float,
        status: int,
        fault: str = "",
        hint_s: float | None = None,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        aborted: bool = False,
    ) -> None:
        """Complete row `seq`; nothing happens when it was overwritten meanwhile."""
        if seq < self.dropped:
            return
        at = seq % self._capacity
        self._done[at] = done_s
        self._status[at] = status
        self._who[3][at] = self._names.number(fault)
        self._hint[at] = math.nan if hint_s is None else hint_s
        self._prompt[at] = prompt_tokens
        self._completion[at] = completion_tokens
        self._flags[at] = _ABORTED if aborted else 0
        if self._file is not None:
            self._file.write(msgspec.json.encode(self._entry(seq)) + b"\n")

    def shut(self) -> None:
        """Close the file, if there is one; the rows in memory stay."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def entries(self, since: int = 0) -> Iterator[Entry]:
        """The rows from number `since` on that are still kept, oldest first."""
        for seq in range(max(since, self.dropped), self.total):
            yield self._entry(seq)

    def _entry(self, seq: int) -> Entry:
        at = seq % self._capacity
        dialect, model, key, fault = (self._names.name(column[at]) for column in self._who)
        done, hint = self._done[at], self._hint[at]
        return Entry(
            seq=seq,
            dialect=dialect,
            model=model,
            key=key,
            text=self._text[at],
            arrived_s=self._arrived[at],
            arrived_at=self._arrived[at] + self._wall_offset_s,
            done_s=None if math.isnan(done) else done,
            prompt_tokens=self._prompt[at],
            completion_tokens=self._completion[at],
            status=self._status[at],
            fault=fault,
            hint_s=None if math.isnan(hint) else hint,
            aborted=bool(self._flags[at] & _ABORTED),
        )

    def _digest(self, key: str) -> str:
        digest = self._keys.get(key)
        if digest is None:
            digest = self._keys[key] = blake2b(key.encode(), digest_size=6).hexdigest()
        return digest


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
