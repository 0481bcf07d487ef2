"""What the dashboard's two pages say, ready for their templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain.insights.model import (
    RULE_BOUNDS,
    InsightFreshness,
    Period,
    PeriodInsights,
    QueryHistory,
    RankBy,
    RankingRules,
)
from domain.insights.period_over_period import PeriodOverPeriod, RankChange, RankMovement
from domain.statistics import wilson_interval
from entrypoints.http.dashboard.figures import (
    FigureChange,
    change,
    count,
    day,
    percent,
    points,
    span,
    spans,
)
from entrypoints.http.dashboard.links import DashboardLinks, picker

_RULES: Final[Mapping[str, tuple[str, str]]] = {
    "top": ("Top queries shown", "1"),
    "min_impressions": ("Fewest impressions of a top query", "1"),
    "low_min_impressions": ("Fewest impressions of a low performer", "1"),
    "low_percentile": ("Shown more often than this share of queries (0 to 1)", "any"),
    "low_ctr_ratio": ("Clicked less than this share of the overall rate (0 to 1)", "any"),
    "low_limit": ("Low performers shown, at most", "1"),
}
"""Label and step of each rule's field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadlineFigure:
    """One key figure.

    Attributes:
        value: as the API has it.
        rate: whether it is a rate.
        before: the figure of the period before, in words; None where there is none.
    """

    label: str
    value: float | None
    rate: bool
    delta: FigureChange | None
    before: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataQualityCount:
    """One number about the rows behind the figures.

    Attributes:
        alert: whether somebody should look at it.
    """

    label: str
    value: int
    meaning: str
    alert: bool


def overview_page(
    found: PeriodOverPeriod, links: DashboardLinks, standard: Period
) -> Mapping[str, Any]:
    """The names that `overview.html` uses, but for the charts.

    Args:
        found: the period and the one before.
        links: from this view.
        standard: the period of who names none.
    """
    current, previous = found.current, found.previous
    rules = current.rules
    return {
        "current": current,
        "period": current.period,
        "previous_period": previous.period,
        "rules": rules,
        "picker": picker(links, standard, page="/dashboard"),
        "fields": _fields(rules),
        "rules_given": any(name in links.given for name in _RULES),
        "freshness": _freshness(found.freshness),
        "empty": current.source_rows == 0,
        # Without rows before, every query would be called new.
        "compared": previous.source_rows > 0,
        "lead": _lead(current, previous),
        "kpis": _kpis(current, previous),
        "days": current.days,
        "rankings": [
            {"label": label, "href": links.ranked_by(by), "current": rules.rank_by is by}
            for by, label in ((RankBy.CTR, "by CTR"), (RankBy.CTR_LOW, "by lower bound"))
        ],
        "top": _paired(current.top_queries, found.rank_changes.top_queries),
        "top_left": _left(found.rank_changes.top_queries),
        "low": _paired(current.low_performance_queries, found.rank_changes.low_performance_queries),
        "low_left": _left(found.rank_changes.low_performance_queries),
        "quality": _quality(current),
    }


def _lead(current: PeriodInsights, previous: PeriodInsights) -> str:
    rate = current.overall_ctr
    if rate is None:
        return "Searches were recorded, but no results were shown, so there is no rate."
    difference = points(rate, previous.overall_ctr)
    if difference is None:
        against = "there is no rate before to compare it with"
    elif difference.direction == "level":
        against = f"as in the {_days(current)} before"
    else:
        more = "more" if difference.direction == "up" else "less"
        against = f"{difference.text[1:]} {more} than in the {_days(current)} before"
    said = (
        f"Of {count(current.impressions)} impressions, {count(current.clicks)} were clicked:"
        f" {percent(rate)}{';' if difference is None else ','} {against}."
    )
    low = current.low_performance_queries
    if not low:
        return f"{said} No query fails beyond chance."
    queries = "1 query loses" if len(low) == 1 else f"{len(low)} queries lose"
    if len(low) == current.rules.low_limit:
        queries = "The worst query loses" if len(low) == 1 else f"The worst {len(low)} queries lose"
    return f"{said} {queries} about {count(_lost(current))} clicks."


def _kpis(current: PeriodInsights, previous: PeriodInsights) -> Sequence[HeadlineFigure]:
    rates = [
        HeadlineFigure(
            label=label,
            value=now,
            rate=True,
            delta=points(now, before),
            before=None if before is None else percent(before),
        )
        for label, now, before in (
            ("Overall CTR", current.overall_ctr, previous.overall_ctr),
            ("Average CTR", current.average_ctr, previous.average_ctr),
        )
    ]
    counts = [
        HeadlineFigure(
            label=label,
            value=now,
            rate=False,
            delta=change(now, before, more=more),
            before=count(before),
        )
        for label, now, before, more in (
            ("Clicks", current.clicks, previous.clicks, "good"),
            ("Impressions", current.impressions, previous.impressions, "neutral"),
            ("Clicks lost", _lost(current), _lost(previous), "bad"),
        )
    ]
    return [*rates, *counts]


def _lost(found: PeriodInsights) -> float:
    return sum(each.lost_clicks for each in found.low_performance_queries)


def _days(found: PeriodInsights) -> str:
    days = found.period.days
    return "day" if days == 1 else f"{days} days"


def _paired(listed: Sequence[Any], changes: Sequence[RankChange]) -> Sequence[tuple[Any, Any]]:
    by_query = {each.query: each for each in changes}
    return [(each, by_query[each.query]) for each in listed]


def _left(changes: Sequence[RankChange]) -> Sequence[RankChange]:
    return [each for each in changes if each.change is RankMovement.LEFT]


def _fields(rules: RankingRules) -> Sequence[Mapping[str, Any]]:
    found = []
    for name, least, most in RULE_BOUNDS:
        label, step = _RULES[name]
        value = getattr(rules, name)
        found.append(
            {
                "name": name,
                "label": label,
                "value": value,
                "least": least,
                "most": most,
                "step": step,
            }
        )
    return found


def _freshness(found: InsightFreshness) -> Mapping[str, str]:
    number = len(found.pending_days)
    days = "1 day waits" if number == 1 else f"{number} days wait"
    live = "What stands below comes from the rows themselves and is up to date."
    follow = "The stored days follow with the worker's next run."
    if not number:
        state, headline, detail = "fresh", "", ""
    elif found.computed_at is None:
        state, headline = "computing", "The daily insights of this period are still being computed."
        detail = f"{days}: {spans(found.pending_days)}. {live} {follow}"
    else:
        state, headline = "stale", "Some stored daily insights are behind their rows."
        detail = f"{days} to be computed: {spans(found.pending_days)}. {live} {follow}"
    at = found.computed_at
    computed = (
        "No insight of this period is stored yet."
        if at is None
        else f"The stored insights last changed on {day(at.date())} at {at:%H:%M}."
    )
    return {"state": state, "headline": headline, "detail": detail, "computed": computed}


def _quality(found: PeriodInsights) -> Sequence[DataQualityCount]:
    impossible = sum(each.impossible_rows for each in found.days)
    contradicting = sum(each.contradicting_rows for each in found.days)
    return [
        DataQualityCount(
            label="Rows counted",
            value=found.source_rows,
            meaning=f"rows of the search log, {span(found.period)}.",
            alert=False,
        ),
        DataQualityCount(
            label="Blank queries",
            value=found.blank_rows,
            meaning="rows left out: nobody typed anything.",
            alert=False,
        ),
        DataQualityCount(
            label="Impossible",
            value=impossible,
            meaning="rows left out: counts missing, negative, or more clicks than impressions.",
            alert=impossible > 0,
        ),
        DataQualityCount(
            label="Contradicting",
            value=contradicting,
            meaning="rows counted by their counts, though their stored rate says otherwise.",
            alert=contradicting > 0,
        ),
        DataQualityCount(
            label="Without a day",
            value=found.undated_rows,
            meaning="rows of the whole log that belong to no day, and so to no period.",
            alert=found.undated_rows > 0,
        ),
    ]


def query_page(found: QueryHistory, links: DashboardLinks, standard: Period) -> Mapping[str, Any]:
    """The names that `query.html` uses, but for the chart; see `overview_page`."""
    clicks = sum(each.clicks for each in found.days)
    impressions = sum(each.impressions for each in found.days)
    searches = sum(each.searches for each in found.days)
    active = sum(1 for each in found.days if each.searches)
    rate = clicks / impressions if impressions else None
    low, high = wilson_interval(clicks, impressions) if impressions else (None, None)
    interval = "" if rate is None else f"95 % interval {percent(low)} to {percent(high)}"
    lead = (
        "It was searched for, but no results were shown, so there is no rate."
        if rate is None
        else f"Of {count(impressions)} impressions, {count(clicks)} were clicked: {percent(rate)}."
    )
    return {
        "history": found,
        "period": found.period,
        "picker": picker(links, standard, page="/dashboard/query"),
        "empty": searches == 0,
        "lead": lead,
        "kpis": [
            {"label": "CTR", "value": rate, "rate": True, "note": interval},
            {"label": "Clicks", "value": clicks, "rate": False, "note": ""},
            {"label": "Impressions", "value": impressions, "rate": False, "note": ""},
            {
                "label": "Days with searches",
                "value": active,
                "rate": False,
                "note": f"of {found.period.days}",
            },
        ],
    }
