"""What the dashboard says of figures, without a database or a browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.insights.model import (
    InsightFreshness,
    Period,
    RankBy,
    RankingRules,
    SearchClickRow,
)
from domain.insights.period_over_period import PeriodOverPeriod, RankChanges
from entrypoints.http.dashboard import figures
from entrypoints.http.dashboard.charts import (
    PHONE,
    WIDE,
    daily_chart,
    history_chart,
    log_ticks,
    low_chart,
    top_chart,
)
from entrypoints.http.dashboard.figures import FigureChange
from entrypoints.http.dashboard.links import DashboardLinks
from entrypoints.http.dashboard.pages import overview_page, query_page
from entrypoints.http.dashboard.rendering import drawn, page
from ports.reports import Chart
from tests.contracts.charts import Elements
from tests.dashboard_rows import HOSTILE, PERIOD, all_rows
from tests.fakes.insights import MemorySearchAnalyser
from tests.fakes.system import LabelChartRenderer

LOW_RULES = RankingRules(low_percentile=0)


def overview(
    rows: Sequence[SearchClickRow] | None = None,
    *,
    period: Period = PERIOD,
    rules: RankingRules = LOW_RULES,
    freshness: InsightFreshness = InsightFreshness(pending_days=[], computed_at=None),  # noqa: B008 (frozen)
) -> PeriodOverPeriod:
    analysis = MemorySearchAnalyser(list(all_rows() if rows is None else rows))

    async def both() -> PeriodOverPeriod:
        current = await analysis.analyse(period, rules)
        previous = await analysis.analyse(period.previous(), rules)
        return PeriodOverPeriod(
            current=current,
            previous=previous,
            rank_changes=RankChanges.between(current, previous),
            freshness=freshness,
        )

    return asyncio.run(both())


def links(**given_: str) -> DashboardLinks:
    return DashboardLinks(given=given_, period=PERIOD)


def shown(found: PeriodOverPeriod, renderer: LabelChartRenderer | None = None) -> str:
    """The page as HTML."""
    names = overview_page(found, links(), PERIOD)
    charts: dict[str, Any] = {}
    for name, draw in (
        ("daily", lambda place: daily_chart(found.current, place)),
        ("top", lambda place: top_chart(found.current, links().query, place)),
        ("low", lambda place: low_chart(found.current, links().query, place)),
    ):
        charts[name] = asyncio.run(drawn(renderer or LabelChartRenderer(), draw, (WIDE,)))
    return str(page("overview.html", {**names, "links": links(), "charts": charts}).content)


def row(query: str, clicks: int, impressions: int, day: date = PERIOD.last) -> SearchClickRow:
    return SearchClickRow(
        search_query=query, clicks=clicks, impressions=impressions, search_date=day
    )


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (None, "\u2013"),
        (0.0, "0%"),
        (1e-18, "0%"),
        (0.00051, "0.05%"),
        (0.0099, "0.99%"),
        (0.00996, "1.0%"),
        (0.258, "25.8%"),
        (1.0, "100.0%"),
    ],
)
def test_a_rate_has_the_digits_that_tell_something(rate: float | None, text: str) -> None:
    assert figures.percent(rate) == text


def test_no_impressions_and_no_clicks_look_different() -> None:
    assert figures.percent(None) != figures.percent(0)


@pytest.mark.parametrize(
    ("now", "before", "delta"),
    [
        (0.258, 0.254, FigureChange(text="+0.4 points", direction="up", judgement="good")),
        (0.254, 0.258, FigureChange(text="\u22120.4 points", direction="down", judgement="bad")),
        (0.2, 0.20001, FigureChange(text="no change", direction="level", judgement="neutral")),
        (None, 0.2, None),
        (0.2, None, None),
    ],
)
def test_rates_differ_by_points(now: float | None, before: float | None, delta: Any) -> None:
    assert figures.points(now, before) == delta


@pytest.mark.parametrize(
    ("now", "before", "more", "delta"),
    [
        (110, 100, "good", FigureChange(text="+10.0%", direction="up", judgement="good")),
        (110, 100, "bad", FigureChange(text="+10.0%", direction="up", judgement="bad")),
        (
            90,
            100,
            "neutral",
            FigureChange(text="\u221210.0%", direction="down", judgement="neutral"),
        ),
        (90, 100, "bad", FigureChange(text="\u221210.0%", direction="down", judgement="good")),
        (5, 0, "good", None),
    ],
)
def test_counts_differ_in_percent(now: float, before: float, more: str, delta: Any) -> None:
    assert figures.change(now, before, more=more) == delta


def test_periods_are_named_as_short_as_they_are_plain() -> None:
    named = {
        (date(2026, 11, 1), date(2026, 11, 14)): "1 Nov \u2013 14 Nov 2026",
        (date(2025, 12, 30), date(2026, 1, 2)): "30 Dec 2025 \u2013 2 Jan 2026",
        (date(2026, 11, 1), date(2026, 11, 1)): "1 Nov 2026",
    }
    for (first, last), text in named.items():
        assert figures.span(Period(first=first, last=last)) == text
    days = [date(2026, 11, 3), date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 7)]
    assert figures.spans(days) == "1 Nov \u2013 3 Nov 2026, 7 Nov 2026"


@given(least=st.integers(1, 10**9), more=st.integers(0, 10**9))
def test_a_logarithmic_axis_holds_all_values_between_its_ends(least: int, more: int) -> None:
    ticks = log_ticks(least, least + more)
    assert ticks[0] <= least <= least + more <= ticks[-1]
    assert len(ticks) >= 2
    assert list(ticks) == sorted(set(ticks))


def test_links_keep_the_view_and_change_one_thing() -> None:
    from_here = links(days="7", rank_by="ctr_low", top="3")
    assert from_here.overview() == "/dashboard?days=7&rank_by=ctr_low&top=3"
    assert from_here.preset(90, page="/dashboard") == "/dashboard?days=90&rank_by=ctr_low&top=3"
    assert from_here.ranked_by(RankBy.CTR) == "/dashboard?days=7&rank_by=ctr&top=3#top"
    assert from_here.standard() == "/dashboard?days=7"
    assert links().standard() == "/dashboard"
    assert from_here.query("a&b=c <d>") == (
        "/dashboard/query?days=7&rank_by=ctr_low&top=3&query=a%26b%3Dc+%3Cd%3E"
    )
    # What is saved names its days: tomorrow it is still what was shown.
    dated = "rank_by=ctr_low&top=3&from=2026-11-01&to=2026-11-14"
    assert from_here.export("days") == f"/dashboard/export/days.csv?{dated}"
    assert from_here.export_json() == f"/dashboard/export/overview.json?{dated}"
    assert from_here.api() == f"/search-insights/live?{dated}&compare=previous"
    of_one = links(query="rug", days="7", top="3")
    assert of_one.api_history() == (
        "/search-insights/history?query=rug&from=2026-11-01&to=2026-11-14"
    )


def test_the_lead_says_how_it_stands_in_a_sentence() -> None:
    assert overview_page(overview(), links(), PERIOD)["lead"] == (
        "Of 17,548 impressions, 2,774 were clicked: 15.8%, 14.7 points less than in the 14 days"
        " before. 11 queries lose about 1,652 clicks."
    )


@pytest.mark.parametrize(
    ("rows", "rules", "said"),
    [
        (
            [row("a", 1, 2), row("a", 1, 2, PERIOD.previous().last)],
            RankingRules(),
            "as in the 14 days",
        ),
        (
            [row("a", 1, 2), row("a", 1, 4, PERIOD.previous().last)],
            RankingRules(),
            "25.0 points more",
        ),
        ([row("a", 1, 2)], RankingRules(), "there is no rate before"),
        ([row("a", 1, 2)], RankingRules(), "No query fails beyond chance."),
        ([row("a", 0, 0)], RankingRules(), "no results were shown"),
        (
            [row("a", 900, 1000), row("b", 0, 1000)],
            RankingRules(),
            "1 query loses about 450 clicks.",
        ),
        (
            [row("a", 900, 1000), row("b", 0, 1000)],
            RankingRules(low_limit=1),
            "The worst query loses about 450 clicks.",
        ),
        (
            [row("a", 900, 1000), row("b", 0, 500), row("c", 0, 500)],
            RankingRules(low_limit=2, low_percentile=0),
            "The worst 2 queries lose",
        ),
    ],
)
def test_the_lead_fits_what_there_is(
    rows: list[SearchClickRow], rules: RankingRules, said: str
) -> None:
    assert said in overview_page(overview(rows, rules=rules), links(), PERIOD)["lead"]


def test_one_day_is_compared_with_the_day_before() -> None:
    found = overview(period=Period.of_day(PERIOD.last))
    assert "than in the day before" in overview_page(found, links(), PERIOD)["lead"]


def test_no_text_of_a_customer_becomes_an_element_of_the_page() -> None:
    html = shown(overview())
    elements = Elements(html)
    assert [name for name, _ in elements.tags if name == "script"] == ["script"]
    assert not [name for name, _ in elements.tags if name == "img"]
    for _, attributes in elements.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    for query in HOSTILE:
        assert query in elements.texts
    queries = [each for name, each in elements.tags if each.get("class") == "query"]
    assert len(queries) == 5 + 11 + 1  # top, low, and one that left
    for each in queries:
        assert str(each["href"]).startswith("/dashboard/query?query=")


def test_changes_are_told_in_words_too() -> None:
    text = re.sub(r"<[^>]+>", "", shown(overview()))
    assert "new in this list" in text
    assert "up 1 from rank 2" in text
    assert "Left this list:\ncandle holder (was 1)" in text


def test_nothing_is_called_new_where_there_was_nothing_before() -> None:
    html = shown(overview([each for each in all_rows() if each.search_date == PERIOD.last]))
    assert "in this list" not in html
    assert "no figure before" in html


def test_days_without_data_are_gaps_and_lone_days_are_points() -> None:
    chart = daily_chart(overview().current, WIDE)
    rows = chart.spec["data"]["values"]
    assert [row["day"] for row in rows if row["overall"] is None] == [
        "2026-11-05",
        "2026-11-06",
        "2026-11-08",
    ]
    assert rows[4]["impressions"] is None
    assert rows[4]["tip"] == "Thu, 5 Nov 2026: no impressions"
    layers = chart.spec["layer"][1]["layer"]
    lone = [each["transform"][0]["filter"]["oneOf"] for each in layers if "transform" in each]
    assert lone == [["2026-11-07"], ["2026-11-07"]]


def test_a_narrow_chart_names_fewer_days() -> None:
    for place, most in ((WIDE, 12), (PHONE, 6)):
        period = Period(first=PERIOD.last - timedelta(days=365), last=PERIOD.last)
        spec = daily_chart(overview(period=period).current, place).spec
        assert spec["width"] == place.width
        assert len(spec["encoding"]["x"]["axis"]["values"]) <= most


def test_charts_hold_the_figures_as_they_are_and_lead_to_each_query() -> None:
    current = overview().current
    top = top_chart(current, links().query, WIDE).spec["data"]["values"]
    assert [each["ctr"] for each in top] == [each.ctr for each in current.top_queries]
    low = low_chart(current, links().query, PHONE).spec["data"]["values"]
    assert {(each["impressions"], each["ctr"], each["href"]) for each in low} == {
        (each.impressions, each.ctr, links().query(each.query))
        for each in current.low_performance_queries
    }


def test_a_chart_that_fails_leaves_a_note_in_its_place_and_the_tables() -> None:
    class Broken(LabelChartRenderer):
        async def render(self, chart: Chart) -> str:
            return await super().render(Chart(spec={}, label=chart.label))

    html = shown(overview(), Broken())
    assert html.count("This chart could not be drawn") == 3
    assert "gift card" in html


@pytest.mark.parametrize(
    ("pending", "computed_at", "state", "words"),
    [
        ([], datetime(2026, 11, 15, 0, 20, tzinfo=UTC), "fresh", "on 15 Nov 2026 at 00:20"),
        ([PERIOD.last], None, "computing", "1 day waits: 14 Nov 2026."),
        (
            [PERIOD.first, PERIOD.last],
            datetime(2026, 11, 15, 0, 20, tzinfo=UTC),
            "stale",
            "2 days wait to be computed: 1 Nov 2026, 14 Nov 2026.",
        ),
    ],
)
def test_the_page_says_whether_stored_days_are_behind(
    pending: list[date], computed_at: datetime | None, state: str, words: str
) -> None:
    freshness = InsightFreshness(pending_days=pending, computed_at=computed_at)
    found = overview(freshness=freshness)
    assert overview_page(found, links(), PERIOD)["freshness"]["state"] == state
    html = shown(found)
    assert words in html
    assert ('class="notice"' in html) == (state != "fresh")


def test_a_period_without_rows_says_so_and_how_to_send_some() -> None:
    found = overview([])
    names = overview_page(found, links(), PERIOD)
    html = str(page("overview.html", {**names, "links": links(), "charts": {}}).content)
    assert "No searches in this period" in html
    assert "/search-clicks" in html


def test_a_period_in_which_nothing_is_listed_says_why() -> None:
    found = overview([row("rare", 1, 2)])
    charts = {"daily": [("wide", None, "why")]}
    names = overview_page(found, links(), PERIOD)
    html = str(page("overview.html", {**names, "links": links(), "charts": charts}).content)
    assert "No query was shown 20 times." in html
    assert "No query is shown often and clicked rarely beyond chance." in html


def test_a_query_has_a_page_of_its_own() -> None:
    analysis = MemorySearchAnalyser(list(all_rows()))
    found = asyncio.run(analysis.history("gift card", PERIOD))
    names = query_page(found, links(query="gift card"), PERIOD)
    kpis = {each["label"]: each["value"] for each in names["kpis"]}
    assert kpis == {"CTR": 13 / 1290, "Clicks": 13, "Impressions": 1290, "Days with searches": 11}
    assert names["kpis"][0]["note"] == "95 % interval 0.59% to 1.7%"
    rows = history_chart(found, WIDE).spec["data"]["values"]
    assert [row["ctr"] for row in rows] == [each.ctr for each in found.days]
    assert rows[4]["low"] is None


@pytest.mark.parametrize(("impressions", "said"), [(0, "there is no rate"), (None, "Nobody")])
def test_a_query_without_figures_says_why(impressions: int | None, said: str) -> None:
    rows = [] if impressions is None else [row("rug", 0, impressions)]
    found = asyncio.run(MemorySearchAnalyser(rows).history("rug", PERIOD))
    here = links(query="rug")
    names = query_page(found, here, PERIOD)
    charts = {"history": [("wide", None, "why")]}
    html = str(page("query.html", {**names, "links": here, "charts": charts}).content)
    assert said in html
