"""How far work is, as bars that renew themselves: of a job, and of a comparison."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from domain.comparison.model import ComparisonSpec
from domain.comparison.results import ComparisonResults, ContestantAnswer
from domain.extraction.jobs.model import ExtractionJob


class ProgressBars:
    """One bar for each thing that is under way, on standard error.

    Where that is no terminal, nothing renews itself: a line is printed each time that another tenth
    is done.

    Args:
        console: shows them.
        line: what is printed there, of `name`, `done`, `total` and `figures`.
    """

    def __init__(self, console: Console, line: str) -> None:
        self._console = console
        self._line = line
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            _Figures(),
            console=console,
            disable=not console.is_terminal,
        )
        self._started: dict[str, tuple[TaskID, int]] = {}
        self._tenths: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def add(self, name: str, figures: Callable[[], str], *, total: int, done: int = 0) -> None:
        """Begin a bar; `figures` stand behind it, anew each time that it is drawn."""
        task = self._bars.add_task(name, total=total, completed=done, figures=figures)
        self._started[name] = task, total

    def update(self, name: str, figures: Callable[[], str], *, done: int) -> None:
        """Say how much is done now."""
        task, total = self._started[name]
        self._bars.update(task, completed=done, figures=figures)
        tenths = done * 10 // total
        if not self._console.is_terminal and tenths > self._tenths.get(name, -1):
            self._tenths[name] = tenths
            self.say(self._line.format(name=name, done=done, total=total, figures=figures()))

    def say(self, line: str) -> None:
        """A line above the bars."""
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)


class _Figures(ProgressColumn):
    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        return Text(task.fields["figures"]())


class JobProgress(ProgressBars):
    """The bar of one extraction job."""

    def __init__(self, console: Console, job: ExtractionJob) -> None:
        super().__init__(console, "{name}: {done}/{total} done, {figures}")
        self.add(f"job {job.id}", partial(figures, job), total=job.counts.total)

    def show(self, job: ExtractionJob) -> None:
        """Show how it stands."""
        self.update(f"job {job.id}", partial(figures, job), done=job.counts.done)


def figures(job: ExtractionJob) -> str:
    """What came of the documents so far, how fast, how long still, and for how much."""
    counts = job.counts
    parts = [f"{counts.valid} valid"]
    parts += [f"{counts.partial} partial"] if counts.partial else []
    parts += [f"{counts.refused} refused"] if counts.refused else []
    parts.append(f"{counts.failed} failed")
    parts += [f"{job.reused} known"] if job.reused else []
    parts += [f"{job.rate_per_s:.1f}/s"] if job.rate_per_s else []
    if job.eta_s is not None and job.counts.done < job.counts.total:
        parts.append(f"{timedelta(seconds=round(job.eta_s))} left")
    parts.append(f"${job.spending.cost_usd:.4f}")
    if job.spending.unpriced_calls:
        parts.append(f"+ {job.spending.unpriced_calls} calls of unknown price")
    return ", ".join(parts)


class ComparisonProgress(ProgressBars):
    """One bar a contestant of a comparison."""

    def __init__(self, console: Console, spec: ComparisonSpec, results: ComparisonResults) -> None:
        super().__init__(console, "{name}: {done}/{total}, {figures}")
        total = len(spec.texts) * spec.repeats
        self._standings = {each.name: _Standing(total=total) for each in spec.contestants}
        asked = set(spec.answer_ids())
        self._count(each for key, each in results.answers.items() if key in asked)
        for name, standing in self._standings.items():
            self.add(name, standing.figures, total=total, done=standing.done)

    def heard(self, answer: ContestantAnswer) -> None:
        """Show one more answer."""
        standing = self._standings[answer.contestant]
        standing.since_s = standing.since_s or time.monotonic() - answer.latency_s
        standing.asked += 1
        self._count([answer])
        self.update(answer.contestant, standing.figures, done=standing.done)

    def _count(self, answers: Iterable[ContestantAnswer]) -> None:
        for answer in answers:
            standing = self._standings[answer.contestant]
            standing.done += 1
            standing.by_status[answer.status] += 1


@dataclass(slots=True, kw_only=True)
class _Standing:
    """One contestant so far."""

    total: int
    done: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    since_s: float | None = None

    def figures(self) -> str:
        """What came so far, how fast, and how long still."""
        parts = [f"{count} {status}" for status, count in sorted(self.by_status.items())]
        if self.since_s is not None and self.asked and self.done < self.total:
            each_s = (time.monotonic() - self.since_s) / self.asked
            left = timedelta(seconds=round(each_s * (self.total - self.done)))
            pace = f"{each_s:.0f} s a text" if each_s > 2 else f"{1 / max(each_s, 1e-9):.1f}/s"
            parts += [pace, f"{left} left"]
        return ", ".join(parts)
