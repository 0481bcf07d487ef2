"""The queries run by hand in psql, as the docs say, give what the service gives."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from random import Random

import pytest

from adapters.embedded.postgres import client_programs
from adapters.postgres.pool import Database
from domain.insights.model import Period, RankingRules
from tests.contracts.insights import NOW, row
from tests.integration.insights import emptied, searches_in

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "insights-by-hand.md"
PERIOD = Period(first=date(2026, 11, 1), last=date(2026, 11, 21))
QUERIES = ("Wool  Blanket", "gift card", "it's 100% \\ :top", "крем-брюле", "ウールブランケット")


def command() -> str:
    found = re.search(r"```console\n\$ (psql .*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Database]:
    async with emptied(module_database_url) as opened:
        yield opened


async def psql(url: str) -> list[list[list[str]]]:
    """The tables that the command of the docs prints, each with its header."""
    program = client_programs() / "psql"
    separated = command().replace("psql ", f'"{program}" --no-psqlrc --csv ', 1)
    process = await asyncio.create_subprocess_shell(
        separated,
        cwd=ROOT,
        env={"DATABASE_URL": url, "PATH": "/usr/bin:/bin", "PGCLIENTENCODING": "UTF8"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    tables: list[list[list[str]]] = []
    for line in csv.reader(io.StringIO(out.decode())):
        if line[0] in {"day", "rank"}:
            tables.append([])
        tables[-1].append(line)
    return tables


async def test_psql_prints_what_the_service_answers(
    database: Database, module_database_url: str
) -> None:
    rng = Random(7)
    searches = searches_in(database)
    rows = []
    for _ in range(600):
        query, shown = rng.choice(QUERIES), rng.randint(0, 60)
        rate = 0.02 if query == "gift card" else 0.4
        clicks = sum(rng.random() < rate for _ in range(shown))
        rows.append(row(query, clicks, shown, date(2026, 11, rng.randint(1, 25))))
    await searches.log.append(rows)
    await searches.insights.compute(date(2026, 11, 3), RankingRules(), now=NOW)
    found = await searches.analysis.analyse(PERIOD, RankingRules())
    history = await searches.analysis.history("wool blanket", PERIOD)

    days, top, low, followed = await psql(module_database_url)
    assert [(line[0], float(line[3]), float(line[4])) for line in days[1:]] == [
        (str(day.day), day.average_ctr, day.overall_ctr) for day in found.days
    ]
    assert [(int(line[0]), line[1], int(line[2]), float(line[5])) for line in top[1:]] == [
        (query.rank, query.query, query.clicks, query.ctr_low) for query in found.top_queries
    ]
    assert [(line[1], float(line[7])) for line in low[1:]] == [
        (query.query, query.lost_clicks) for query in found.low_performance_queries
    ]
    assert [line[1] for line in low[1:]] == ["gift card"]
    assert [(line[0], int(line[2])) for line in followed[1:]] == [
        (str(day.day), day.clicks) for day in history.days
    ]
    assert sum(int(line[2]) for line in followed[1:]) > 0


def test_the_docs_name_every_variable_of_the_queries() -> None:
    text = (ROOT / "sql" / "queries" / "insights.sql").read_text(encoding="utf-8")
    statements = re.sub(r"--.*$", "", text, flags=re.MULTILINE)
    used = set(re.findall(r"(?<![:\w]):([a-z_]+)", statements))
    assert set(re.findall(r"-v ([a-z_]+)=", command())) == used
