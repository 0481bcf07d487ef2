"""How a comparison goes on, as a line for each contestant that renews itself."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from domain.comparison.model import Outcome
from domain.comparison.results import Recording, Run, question_of


@dataclass(slots=True, kw_only=True)
class _Standing:
    """One contestant so far."""

    total: int
    done: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    since_s: float | None = None
    tenths: int = -1

    def figures(self) -> str:
        """What came so far, how fast, and how long still."""
        parts = [f"{count} {status}" for status, count in sorted(self.by_status.items())]
        if self.since_s is not None and self.asked and self.done < self.total:
            each_s = (time.monotonic() - self.since_s) / self.asked
            left = timedelta(seconds=round(each_s * (self.total - self.done)))
            pace = f"{each_s:.0f} s a text" if each_s > 2 else f"{1 / max(each_s, 1e-9):.1f}/s"
            parts += [pace, f"{left} left"]
        return ", ".join(parts)


class ComparisonProgress:
    """One bar a contestant, on standard error.

    Where that is no terminal, nothing renews itself: a line is printed each time that another tenth
    is done.
    """

    def __init__(self, console: Console, run: Run, recording: Recording) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            _Figures(),
            console=console,
            disable=not console.is_terminal,
        )
        total = len(run.texts) * run.repeats
        self._standings = {each.name: _Standing(total=total) for each in run.contestants}
        self._tasks = {
            name: self._bar.add_task(name, total=total, standing=standing)
            for name, standing in self._standings.items()
        }
        asked = set(run.questions())
        self._count(each for each in recording.outcomes.values() if question_of(each) in asked)

    def __enter__(self) -> ComparisonProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def heard(self, outcome: Outcome) -> None:
        """Show one more outcome."""
        standing = self._standings[outcome.contestant]
        standing.since_s = standing.since_s or time.monotonic() - outcome.latency_s
        standing.asked += 1
        self._count([outcome])
        tenths = standing.done * 10 // standing.total
        if not self._console.is_terminal and tenths > standing.tenths:
            standing.tenths = tenths
            self._console.print(
                f"{outcome.contestant}: {standing.done}/{standing.total}, {standing.figures()}",
                soft_wrap=True,
                highlight=False,
                markup=False,
            )

    def _count(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            standing = self._standings[outcome.contestant]
            standing.done += 1
            standing.by_status[outcome.status] += 1
            self._bar.update(self._tasks[outcome.contestant], completed=standing.done)


class _Figures(ProgressColumn):
    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        return Text(task.fields["standing"].figures())
