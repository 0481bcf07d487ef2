"""`python -m tests.benchmarks.contestants.run`: a task on standard input, a run on standard output.

Needs the standard library alone, besides what the contestant itself imports.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import itertools
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from tests.benchmarks.corpus import message
from tests.benchmarks.task import Run, Task

Record: TypeAlias = tuple[str | None, str | None, int | None]
Read: TypeAlias = Callable[[str], Awaitable[Record]]


async def _read_all(read: Read, numbers: Iterable[int], task: Task) -> Run:
    """Keep `concurrency` messages under way until there are none left."""
    run = Run()
    waiting = iter(numbers)

    async def slot() -> None:
        for number in waiting:
            await _read_one(read, number, run)

    cpu_s = time.process_time()
    run.begun_s = time.monotonic()
    slots = [asyncio.create_task(slot()) for _ in range(task.concurrency)]
    _, late = await asyncio.wait(slots, timeout=task.seconds or None)
    run.ended_s = time.monotonic()
    run.cpu_s = time.process_time() - cpu_s
    for each in late:
        each.cancel()
    await asyncio.gather(*slots, return_exceptions=True)
    run.unfinished = sum(1 for _ in waiting) + len(late)
    return run


async def _read_one(read: Read, number: int, run: Run) -> None:
    given = message(number)
    run.last_begun_s = time.monotonic()
    try:
        record = await read(given.text)
    except asyncio.CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 - each library has its own; all are counted
        name = getattr(error, "label", type(error).__name__)
        run.failed[name] = run.failed.get(name, 0) + 1
        return
    if record == (given.customer, given.product, given.quantity):
        run.right += 1
        run.done_at_s.append(time.monotonic())
    else:
        run.wrong += 1


async def _main(task: Task) -> Run:
    contestant = importlib.import_module(f"tests.benchmarks.contestants.{task.contestant}")
    async with contestant.reading(task) as read:
        warmup = range(task.first, task.first + task.warmup)
        await _read_all(read, warmup, task)
        gc.collect()
        begin = task.first + task.warmup
        numbers: Iterator[int] = itertools.islice(itertools.count(begin), task.count)
        run = await _read_all(read, numbers, task)
    run.peak_rss_kb = _peak_rss_kb()
    return run


def _peak_rss_kb() -> int:
    """Of this program; what `getrusage` says on Linux includes the one that started it."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(_main(Task.decoded(sys.stdin.read()))).encoded())
