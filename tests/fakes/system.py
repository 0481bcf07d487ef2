"""A clock that stands, servers that run nowhere, runs by the clock, and charts of their label."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Final

from domain.errors import ChartFailed, Unavailable
from domain.insights.run_history import FinishedRun, RunHistory, RunOutcome
from ports.clock import Clock
from ports.insights import ScheduledRunRepository
from ports.reports import Chart, ChartRenderer
from ports.server_process import ServerProcess


class StandingClock(Clock):
    """Shows `at` (aware) until `advance` is called."""

    def __init__(self, at: datetime = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)) -> None:
        self._now = at

    def now(self) -> datetime:
        """The instant that it stands at."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Go on by `by`."""
        self._now += by


class MemoryServerProcess(ServerProcess):
    """Starts and ends as it is told.

    Args:
        name: what messages call it.
        failures: how many of its next starts fail.
    """

    def __init__(self, name: str, *, failures: int = 0) -> None:
        self._name = name
        self._failures = failures
        self._ended: asyncio.Future[str] | None = None
        self.starts = 0

    @property
    def name(self) -> str:
        """See the port."""
        return self._name

    @property
    def pid(self) -> int | None:
        """See the port; the number of its starts."""
        running = self._ended is not None and not self._ended.done()
        return self.starts if running else None

    @property
    def log(self) -> Path:
        """See the port."""
        return Path(f"{self._name}.log")

    async def start(self) -> None:
        """See the port."""
        if self.pid is not None:
            return
        if self._failures:
            self._failures -= 1
            raise Unavailable(f"{self._name} cannot start")
        self.starts += 1
        self._ended = asyncio.get_running_loop().create_future()

    async def wait(self) -> str:
        """See the port."""
        return "not started" if self._ended is None else await asyncio.shield(self._ended)

    async def stop(self) -> None:
        """See the port."""
        self.end("SIGTERM")

    def end(self, how: str) -> None:
        """Have it end."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(how)

    def fail_next(self, failures: int) -> None:
        """Have its next starts fail."""
        self._failures = failures


class MemoryScheduledRunRepository(ScheduledRunRepository):
    """Newest runs and counts in dictionaries."""

    def __init__(self) -> None:
        self._newest: defaultdict[str, dict[RunOutcome, FinishedRun]] = defaultdict(dict)
        self._counts: defaultdict[str, Counter[RunOutcome]] = defaultdict(Counter)

    async def record(self, run: FinishedRun) -> None:
        """Write down a run; see the port."""
        self._newest[run.task][run.outcome] = run
        self._counts[run.task][run.outcome] += 1

    async def histories(self) -> Mapping[str, RunHistory]:
        """The history of each task; see the port."""
        return {
            task: RunHistory(newest=dict(newest), counts=dict(self._counts[task]))
            for task, newest in self._newest.items()
        }


_VARIABLES: Final = (
    *("--chart-1", "--chart-2", "--chart-3", "--chart-4", "--chart-quiet", "--chart-good"),
    *("--chart-bad", "--chart-text", "--chart-axis", "--chart-grid", "--chart-surface"),
)


class LabelChartRenderer(ChartRenderer):
    """Takes any specification with a mark for right; `charts` holds those it was asked for."""

    def __init__(self) -> None:
        self.charts: list[Chart] = []

    @property
    def stylesheet(self) -> str:
        """See the port."""
        return ":root {" + "".join(f"{name}: gray;" for name in _VARIABLES) + "}"

    async def render(self, chart: Chart) -> str:
        """See the port."""
        self.charts.append(chart)
        if not {"mark", "layer", "hconcat", "vconcat"} & chart.spec.keys():
            raise ChartFailed("A chart could not be drawn.")
        label = escape(chart.label).encode(errors="replace").decode()
        return f'<svg viewBox="0 0 1 1" role="img" aria-label="{label}"></svg>'
