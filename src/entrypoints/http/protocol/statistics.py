"""How many requests were answered, how, and how fast: counted by all processes of a server.

The processes are forked, and whichever is asked for `/metrics` answers for all. So the numbers
stand in memory that they share: a part for each process, which it alone writes.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper ends of the times to answer that are told apart, in seconds; longer ones follow."""
OTHER: Final = ("other", "other")
"""Requests that no route takes, and methods that are none."""

_BROKEN_OFF: Final = 0
"""In place of a status, where the client left before the answer began."""
_STATUSES: Final = (_BROKEN_OFF, *(int(status) for status in HTTPStatus if status >= 200))
_STATUS_PLACES: Final[Mapping[int, int]] = {status: n for n, status in enumerate(_STATUSES)}
_TIMES: Final = len(BUCKETS_S) + 2  # those beyond the last, and the sum
_WIDTH: Final = len(_STATUSES) + _TIMES
_GAUGES: Final = 5
_DOUBLE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """How one process stands.

    Attributes:
        pool_busy: database connections in use.
        pool_idle: that are open and free.
        pool_most: that it may have.
        loop_lag_s: the longest that the event loop was late lately, in seconds.
    """

    pool_busy: int
    pool_idle: int
    pool_most: int
    loop_lag_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFigures:
    """What was answered on one route by all processes.

    Attributes:
        method, route: as in the OpenAPI document.
        answers: how many, by status; 0 for those whose client had left.
        times: how many took as long as each of `BUCKETS_S` at most and longer than the one before;
            the last are those that took longer than all.
        sum_s: the times of all together, in seconds.
    """

    method: str
    route: str
    answers: Mapping[int, int]
    times: Sequence[int]
    sum_s: float


class RequestStatistics:
    """The numbers.

    Make it before the processes are forked.

    Args:
        routes: methods and routes that are told apart.
        places: processes that may be alive at a time. One more than these shares a place, and
            then a count may be lost.
    """

    def __init__(self, routes: Iterable[tuple[str, str]], places: int) -> None:
        self._routes = (OTHER, *sorted(set(routes)))
        self._starts = {route: n * _WIDTH for n, route in enumerate(self._routes)}
        self._places = places
        self._size = len(self._routes) * _WIDTH + _GAUGES
        self._memory = memoryview(mmap.mmap(-1, places * self._size * _DOUBLE)).cast("d")
        self._base = 0

    def enter(self, number: int) -> None:
        """From now on this process counts as the one with this number, which no other has now."""
        self._base = number % self._places * self._size

    def count(self, method: str, route: str | None, status: int, elapsed_s: float) -> None:
        """One request was answered, or its client left (status 0)."""
        start = self._base + self._starts.get((method, route or ""), 0)
        memory = self._memory
        memory[start + _STATUS_PLACES.get(status, 0)] += 1
        times = start + len(_STATUSES)
        memory[times + bisect_left(BUCKETS_S, elapsed_s)] += 1
        memory[times + _TIMES - 1] += elapsed_s

    def show(self, state: ProcessState | None) -> None:
        """How this process stands; None where it ends."""
        first = self._base + self._size - _GAUGES
        shown = (
            (0.0,) * _GAUGES
            if state is None
            else (1.0, state.pool_busy, state.pool_idle, state.pool_most, state.loop_lag_s)
        )
        for place, value in enumerate(shown, start=first):
            self._memory[place] = value

    def processes(self) -> Mapping[int, ProcessState]:
        """How each process stands that runs, by its number."""
        found = {}
        for number in range(self._places):
            first = (number + 1) * self._size - _GAUGES
            runs, busy, idle, most, lag_s = self._memory[first : first + _GAUGES]
            if runs:
                found[number] = ProcessState(
                    pool_busy=int(busy), pool_idle=int(idle), pool_most=int(most), loop_lag_s=lag_s
                )
        return found

    def figures(self) -> Sequence[RouteFigures]:
        """What was answered since the server started, on routes that were asked for."""
        found = []
        for (method, route), start in self._starts.items():
            sums = [0.0] * _WIDTH
            for number in range(self._places):
                first = number * self._size + start
                for place, value in enumerate(self._memory[first : first + _WIDTH]):
                    sums[place] += value
            answers = {status: int(sums[n]) for n, status in enumerate(_STATUSES) if sums[n]}
            if answers:
                found.append(
                    RouteFigures(
                        method=method,
                        route=route,
                        answers=answers,
                        times=[int(each) for each in sums[len(_STATUSES) : -1]],
                        sum_s=sums[-1],
                    )
                )
        return found
