"""A report holds the same figures in every form, and texts cannot break out of any."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import pytest

from adapters.reports.comparison.charts import WIDTHS, ComparisonCharts, against, oriented
from adapters.reports.comparison.data import CsvComparisonWriter, JsonComparisonWriter
from adapters.reports.comparison.figures import (
    dollars,
    interval,
    p_value,
    percent,
    points,
    reviews,
    seconds,
    title,
    unbroken,
)
from adapters.reports.comparison.page import HtmlComparisonWriter
from adapters.reports.comparison.text import MarkdownComparisonWriter
from domain.comparison.figures import Estimate, Rate
from domain.comparison.report import ComparisonReport
from tests.comparisons import CONTESTANTS, HOSTILE, sample_report
from tests.fakes.system import LabelChartRenderer


@pytest.fixture(scope="module")
def report() -> ComparisonReport:
    return sample_report(30, repeats=2, draws=50)


@pytest.fixture(scope="module")
def bare() -> ComparisonReport:
    """One simulated contestant, and no gold."""
    simulated = replace(CONTESTANTS[0], simulated=True, name="=openai", model="|`*_<b>")
    return sample_report(12, gold=False, contestants=(simulated,), draws=50)


async def page_of(report: ComparisonReport) -> str:
    return (await HtmlComparisonWriter(LabelChartRenderer()).write(report)).decode()


async def test_the_page_holds_its_texts_as_data(report: ComparisonReport) -> None:
    page = await page_of(report)
    data = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    [embedded] = data
    cases = {case["id"]: case for case in json.loads(embedded)["cases"]}
    assert list(cases) == [case.text_id for case in report.cases]
    assert cases["hostile<b>1</b>"]["text"] == HOSTILE
    assert page.count("<script") == 2
    assert HOSTILE not in page
    assert "hostile&lt;b&gt;1&lt;/b&gt;" in page


async def test_the_page_asks_nobody(report: ComparisonReport) -> None:
    page = await page_of(report)
    assert "default-src 'none'" in page
    assert not re.findall(r"""(?:src|href|url\()\s*=?\s*["']?(?:https?:)?//""", page)


async def test_a_simulation_says_so_in_every_title(bare: ComparisonReport) -> None:
    assert title(bare) == "Simulation: =openai on 12 texts"
    page = await page_of(bare)
    assert "<title>Simulation: =openai on 12 texts</title>" in page
    assert "was answered by a stand-in" in page
    told = (await MarkdownComparisonWriter().write(bare)).decode()
    assert told.startswith("# Simulation: =openai on 12 texts\n\n**=openai was answered by")
    assert "&#34;" not in told


async def test_the_figures_are_the_same_in_every_form(report: ComparisonReport) -> None:
    told = (await MarkdownComparisonWriter().write(report)).decode()
    document = json.loads(await JsonComparisonWriter().write(report))
    table = (await CsvComparisonWriter().write(report)).decode()
    rows = list(csv.DictReader(io.StringIO(table)))
    assert document["provenance"]["program"] == "0.1.0"
    for score, written in zip(report.contestants, document["contestants"], strict=True):
        assert score.perfect is not None
        assert written["perfect"]["count"] == score.perfect.count
        [row] = [
            row
            for row in rows
            if (row["contestant"], row["group"], row["measure"])
            == (score.contestant.name, "record", "perfect")
        ]
        assert (int(row["count"]), int(row["total"])) == (score.perfect.count, score.perfect.total)
        assert f"{percent(score.perfect.value)} ({interval(score.perfect)})" in told
    assert {row["group"] for row in rows} >= {"field", "stratum", "operations", "self", "agreement"}


async def test_names_cannot_become_markup_or_formulas(bare: ComparisonReport) -> None:
    told = (await MarkdownComparisonWriter().write(bare)).decode()
    assert r"\|\`\*\_\<b\>" in told
    rows = csv.DictReader(io.StringIO((await CsvComparisonWriter().write(bare)).decode()))
    assert {row["contestant"] for row in rows} == {"'=openai"}
    assert "<b>" not in await page_of(bare)


def test_charts_without_data_are_left_out(bare: ComparisonReport, report: ComparisonReport) -> None:
    for width in WIDTHS.values():
        charts = ComparisonCharts(bare, width)
        assert charts.scores() is charts.judgements() is charts.cost() is None
        assert charts.differences("=openai") is charts.reliability() is None
        full = ComparisonCharts(report, width)
        assert None not in (
            full.scores(),
            full.judgements(),
            full.cost(),
            full.differences("regex"),
            full.reliability(),
        )


async def test_confidence_stands_in_every_form_for_those_who_state_it(
    report: ComparisonReport, bare: ComparisonReport
) -> None:
    [score] = [each for each in report.contestants if each.reliability is not None]
    assert score.contestant.name == "local"
    stated = score.reliability
    assert stated is not None
    assert stated.reviews
    page = await page_of(report)
    told = (await MarkdownComparisonWriter().write(report)).decode()
    table = (await CsvComparisonWriter().write(report)).decode()
    for said in reviews(stated):
        assert f"- local: {said}" in told
        assert f"<bdi>local</bdi>: {unbroken(said)}" in page
    assert f"| {stated.brier:.3f} |" in told
    assert f"<td>{stated.brier:.3f}</td>" in page
    assert 'id="reliability"' in page
    rows = [row for row in csv.DictReader(io.StringIO(table)) if row["group"] == "confidence"]
    assert {row["contestant"] for row in rows} == {"local"}
    counts = [int(row["total"]) for row in rows if row["measure"] == "right" and row["item"]]
    assert sum(counts) == stated.right.total
    for form in (await page_of(bare), (await MarkdownComparisonWriter().write(bare)).decode()):
        assert "onfidence" not in form


def test_the_chart_of_confidence_counts_the_values_of_each_bin(report: ComparisonReport) -> None:
    [stated] = [each.reliability for each in report.contestants if each.reliability is not None]
    chart = ComparisonCharts(report, WIDTHS["narrow"]).reliability()
    assert chart is not None
    assert [row["values"] for row in chart.spec["data"]["values"]] == [
        each.right.total for each in stated.bins
    ]
    assert chart.spec["width"] <= WIDTHS["narrow"]
    assert "local at" in chart.label


def test_what_costs_nothing_is_not_drawn_beside_what_costs_nothing() -> None:
    free = (replace(CONTESTANTS[1], machine_usd_per_hour=None), CONTESTANTS[2])
    report = sample_report(12, contestants=free, draws=50)
    assert ComparisonCharts(report, 760).cost() is None


def test_differences_are_those_of_the_reference(report: ComparisonReport) -> None:
    pairs = against(report.pairs, "local")
    assert list(pairs) == ["openai", "regex"]
    mine, theirs = oriented(pairs["openai"], "local"), oriented(pairs["openai"], "openai")
    for name, estimate in mine.items():
        other = theirs[name]
        assert estimate.value is not None
        assert other.value is not None
        assert estimate.value == -other.value
        assert (estimate.low, estimate.high) == (-(other.high or 0), -(other.low or 0))


def test_figures_are_written_for_people() -> None:
    assert percent(None) == "n/a"
    assert percent(0.83333) == "83.3\u202f%"
    assert interval(Rate(count=0, total=0, value=None, low=None, high=None)) == ""
    assert points(Estimate(value=0.034, low=-0.01, high=0.079)) == "+3.4 (\u22121.0 to +7.9)"
    assert points(Estimate(value=None, low=None, high=None)) == "n/a"
    assert [seconds(each) for each in (123.4, 1.25, 0.0456, 0.0001)] == [
        "123\u202fs",
        "1.2\u202fs",
        "46\u202fms",
        "<\u202f1\u202fms",
    ]
    assert [dollars(each) for each in (None, 0, 1234.5, 0.01234)] == [
        "n/a",
        "$0.00",
        "$1,234.50",
        "$0.0123",
    ]
    assert [p_value(each) for each in (0.00001, 0.034)] == ["<\u202f0.0001", "0.034"]
