"""(l) What the triggers cost those who write: a row, and a thousand rows, with and without them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Final

from adapters.postgres.insights.search_clicks import PostgresSearchClickWriter
from adapters.postgres.pool import Database
from domain.insights.model import SearchClickRow
from tests.benchmarks.harness import Options
from tests.benchmarks.insights.history import new_database, over, seconds, settle
from tests.benchmarks.results import Report, at_most, spread

_DAY: Final = date(2026, 11, 20)
_MANY: Final = 1_000
_WRITERS: Final = 8
_TRIGGERS: Final = {"without": "DISABLE", "with": "ENABLE"}


def run(options: Options) -> Report:
    """With and without in turn, over one empty database."""
    url = new_database("writes")
    counts = {"one": options.pick(1_000, 50), "many": options.pick(50, 5)}
    figures: dict[str, dict[str, list[float]]] = {name: {} for name in _TRIGGERS}
    for _ in range(options.repeats):
        for name, what in _TRIGGERS.items():
            settle()
            for case, took_s in over(url, partial(_measured, triggers=what, counts=counts)).items():
                figures[name].setdefault(case, []).append(took_s)
    return _report(figures, counts)


def _rows(count: int, *, days: int) -> Sequence[SearchClickRow]:
    return [
        SearchClickRow(
            search_query=f"query {n}",
            clicks=1,
            impressions=10,
            search_date=_DAY - timedelta(days=n % days),
        )
        for n in range(count)
    ]


async def _measured(
    database: Database, *, triggers: str, counts: Mapping[str, int]
) -> dict[str, float]:
    """Seconds for one statement, by case."""
    await database.execute("TRUNCATE search_clicks, search_changed_days")
    await database.execute(f"ALTER TABLE search_clicks {triggers} TRIGGER USER")
    log = PostgresSearchClickWriter(database)

    async def write(statements: int, rows: Sequence[SearchClickRow]) -> None:
        for _ in range(statements):
            await log.append(rows)

    async def write_at_once(statements: int, rows: Sequence[SearchClickRow]) -> None:
        each = statements // _WRITERS
        await asyncio.gather(*(write(each, rows) for _ in range(_WRITERS)))

    found = {}
    await write(3, _rows(1, days=1))
    one, many = counts["one"], counts["many"]
    found["one row"] = await seconds(write(one, _rows(1, days=1))) / one
    at_once = one - one % _WRITERS
    took_s = await seconds(write_at_once(at_once, _rows(1, days=1)))
    found[f"one row, {_WRITERS} writers"] = took_s / at_once
    found["1,000 rows of a day"] = await seconds(write(many, _rows(_MANY, days=1))) / many
    found["1,000 rows of 30 days"] = await seconds(write(many, _rows(_MANY, days=30))) / many
    return found


def _report(
    figures: Mapping[str, Mapping[str, Sequence[float]]], counts: Mapping[str, int]
) -> Report:
    rows, targets = [], []
    for case, without in figures["without"].items():
        ratios = [a / b for a, b in zip(figures["with"][case], without, strict=True)]
        rows.append(
            (
                case,
                spread([1000 * each for each in without], digits=3),
                spread([1000 * each for each in figures["with"][case]], digits=3),
                spread(ratios),
            )
        )
        targets.append(at_most(f"{case}: with triggers to without", ratios, 1.25, digits=2))
    return Report(
        key="l",
        title="Writing with the marks of changed days",
        setting=(
            f"`PostgresSearchClickWriter.append`, the statement behind `POST /search-clicks`, a "
            f"transaction each: {counts['one']:,} of one row, {counts['many']:,} of {_MANY:,} "
            "rows, with the triggers that mark days as changed and with them disabled. fsync is "
            "on; the day is marked already, as it is for all but the first row after a "
            "computation."
        ),
        columns=("a statement of", "without, ms", "with, ms", "with to without"),
        rows=tuple(rows),
        targets=tuple(targets),
        data=figures,
    )
