"""How a job goes on, as a line that renews itself."""

from __future__ import annotations

from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from domain.extraction.jobs.model import ExtractionJob


class JobProgress:
    """The bar of one job, on standard error.

    Where that is no terminal, nothing renews itself: `show` prints a line each time that another
    tenth is done.
    """

    def __init__(self, console: Console, job: ExtractionJob) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("job {task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            _Figures(),
            console=console,
            transient=False,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(str(job.id), total=job.counts.total, job=job)
        self._tenths = -1

    def __enter__(self) -> JobProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, job: ExtractionJob) -> None:
        """Show how it stands."""
        self._bar.update(self._task, completed=job.counts.done, job=job)
        tenths = job.counts.done * 10 // job.counts.total
        if not self._console.is_terminal and tenths > self._tenths:
            self._tenths = tenths
            counts = job.counts
            self._console.print(
                f"job {job.id}: {counts.done}/{counts.total} done, {figures(job)}",
                soft_wrap=True,
                highlight=False,
            )

    def say(self, line: str) -> None:
        """A line above the bar."""
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)


class _Figures(ProgressColumn):
    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        return Text(figures(task.fields["job"]))


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
