"""Starts the fake provider and the contestants, and reads off what happened."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click

from adapters.llm.capabilities import profile_of
from domain.extraction.prompting import build_prompt
from domain.extraction.schema import ORDER_MESSAGE
from fake_provider.testing import FakeProcess, spawned_fake
from tests.benchmarks.task import Run, Task

ROOT: Final = Path(__file__).resolve().parents[2]
MODEL: Final = "gpt-4.1-mini"
_FENCE: Final = r"<text-[0-9a-f]+>\n(.*)\n</text-"
_PYTHONS: Final = {"ours": Path(sys.executable)}
_OTHER_PYTHON: Final = ROOT / ".venv-bench" / "bin" / "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says.

    Attributes:
        quick: few documents and one repeat, to see whether all works; the figures mean little.
        repeats: of each comparison.
        outage_s: how long the provider is dead.
        documents: of the largest job.
        rows, days: of the longest log of searches.
    """

    quick: bool
    repeats: int
    outage_s: float
    documents: int
    rows: int
    days: int

    def pick(self, full: int, quick: int) -> int:
        """The number for this kind of run."""
        return quick if self.quick else full


@contextmanager
def provider(*arguments: str) -> Iterator[FakeProcess]:
    """A fake provider in a process of its own; `play` says what it does."""
    with spawned_fake(*arguments) as fake:
        yield fake


def play(fake: FakeProcess, scenario: dict[str, Any]) -> None:
    """Start over with this scenario: full budgets, an empty ledger."""
    # The text always stands in our fence; nothing that a contestant adds is taken for it.
    fake.control("PUT", "scenario", {"document_pattern": _FENCE, **scenario})


def order_task(
    contestant: str, fake: FakeProcess, *, dialect: str = "openai", **changes: Any
) -> Task:
    """The task of reading order messages, the same for all but for `changes`."""
    prompt = build_prompt(ORDER_MESSAGE, "text", profile_of(dialect, MODEL), new_mark=lambda: "m")
    task = Task(
        contestant=contestant,
        provider=dialect,
        base_url=fake.vllm_base_url if dialect == "openai_compatible" else fake.openai_base_url,
        model=MODEL,
        system=prompt.messages[0].content,
        schema=dict(prompt.json_schema),
    )
    return replace(task, **changes)


def run_contestants(
    tasks: Sequence[Task], *, meanwhile: Callable[[], None] | None = None
) -> list[Run]:
    """Run these at the same time, each as a process of its own, to their end.

    Args:
        tasks: one for each process.
        meanwhile: what the provider goes through while they run.
    """
    started = [_start(task) for task in tasks]
    try:
        if meanwhile is not None:
            meanwhile()
        runs = []
        for task, process in zip(tasks, started, strict=True):
            output = process.stdout.read() if process.stdout else ""
            if process.wait() != 0:
                raise click.ClickException(f"the contestant {task.contestant} failed: see above")
            runs.append(Run.decoded(output))
        return runs
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
                process.wait()


def run_contestant(task: Task) -> Run:
    """Run one to its end."""
    return run_contestants([task])[0]


def _start(task: Task) -> subprocess.Popen[str]:
    python = _PYTHONS.get(task.contestant, _OTHER_PYTHON)
    process = subprocess.Popen(
        [python, "-m", "tests.benchmarks.contestants.run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"},
    )
    assert process.stdin is not None
    process.stdin.write(task.encoded())
    process.stdin.close()
    return process
