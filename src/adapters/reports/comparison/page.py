"""A comparison report as one page that needs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2
import msgspec
from markupsafe import Markup

from adapters.reports.comparison import figures
from adapters.reports.comparison.charts import (
    WIDTHS,
    ComparisonCharts,
    against,
    cost_per_1000,
)
from domain.comparison.report import ComparedText, ComparisonReport
from domain.extraction.model import ExtractionWarning
from ports.comparison import ComparisonWriter
from ports.reports import Chart, ChartRenderer

_FOLDER: Final = Path(__file__).parent
_PLAIN_CASES: Final = 12
"""Shown where no script runs, and on paper."""
_PLAIN_CHARACTERS: Final = 1_200
_SCRIPT_ENDS: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028"}


class HtmlComparisonWriter(ComparisonWriter):
    """HTML with its styles, its script, its charts and the texts inside.

    Nothing is fetched, and no script runs but its own: the page's policy names its style and its
    script by their hashes. Texts stand in it as data.

    Args:
        charts: draws the charts.
    """

    def __init__(self, charts: ChartRenderer) -> None:
        self._charts = charts

    @property
    def media_type(self) -> str:
        """See the port."""
        return "text/html"

    @property
    def content_security_policy(self) -> str:
        """See the port; the page says it of itself too, for those who open it from a disk."""
        style, script = _hash(self._styles), _hash(_text("page.js"))
        return (
            f"default-src 'none'; style-src {style}; script-src {script}; base-uri 'none';"
            " form-action 'none'"
        )

    @property
    def _styles(self) -> str:
        return self._charts.stylesheet + _text("page.css") + _percent_classes()

    async def write(self, report: ComparisonReport) -> bytes:
        """See the port."""
        reference = report.verdict.winner or report.contestants[0].contestant.name
        page = (
            await _environment()
            .get_template("page.html.jinja")
            .render_async(
                report=report,
                provenance=report.provenance,
                reference=reference,
                opponents=against(report.pairs, reference),
                charts=await self._drawn(report, reference),
                policy=Markup(self.content_security_policy),  # noqa: S704 (our own)
                styles=Markup(self._styles),  # noqa: S704 (our own)
                script=Markup(_text("page.js")),  # noqa: S704 (our own)
                data=Markup(_embedded(_browsed(report))),  # noqa: S704 (escaped there)
                plain_cases=[_shortened(case) for case in report.cases[:_PLAIN_CASES]],
                simulation=figures.simulation_note(report),
            )
        )
        return page.encode()

    async def _drawn(
        self, report: ComparisonReport, reference: str
    ) -> Mapping[str, Mapping[str, Markup]]:
        """The charts by name, each for wide and for narrow screens; without what has no data."""
        drawn: dict[str, dict[str, Markup]] = {}
        for form, width in WIDTHS.items():
            for name, chart in _charts(ComparisonCharts(report, width), reference).items():
                if chart is not None:
                    svg = await self._charts.render(chart)
                    drawn.setdefault(name, {})[form] = Markup(svg)  # noqa: S704 (cleaned there)
        return drawn


def _hash(text: str) -> str:
    """How a policy names an element by what it holds."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _percent_classes() -> str:
    """Classes that give a mark its place in per cent: hashes allow no style but the sheet."""
    return "".join(
        f".{name}-{percent} {{ --{name}: {percent / 100} }}\n"
        for name in ("from", "to", "at", "share")
        for percent in range(101)
    )


def _charts(charts: ComparisonCharts, reference: str) -> dict[str, Chart | None]:
    return {
        "scores": charts.scores(),
        "differences": charts.differences(reference),
        "funnel": charts.funnel(),
        "judgements": charts.judgements(),
        "cost": charts.cost(),
        "latency": charts.latency(),
        "reliability": charts.reliability(),
    }


def _browsed(report: ComparisonReport) -> dict[str, Any]:
    """What the disagreement browser works on."""
    return {
        "contestants": [score.contestant.name for score in report.contestants],
        "fields": _fields(report),
        "cases": [_case(case) for case in report.cases],
    }


def _fields(report: ComparisonReport) -> list[str]:
    return [] if not report.cases else [cell.field for cell in report.cases[0].replies[0].cells]


def _case(case: ComparedText) -> dict[str, Any]:
    return {
        "id": case.text_id,
        "text": case.text,
        "language": case.language,
        "strata": case.strata,
        "gold": case.gold,
        "spans": case.spans,
        "attack": case.attack,
        "replies": [
            {
                "status": reply.status,
                "failure": reply.failure,
                "perfect": reply.perfect,
                "warnings": sorted({_said(warning) for warning in reply.warnings}),
                "cells": [
                    {
                        "value": cell.value,
                        "judgement": cell.judgement,
                        "error": cell.error,
                        "spans": cell.spans,
                    }
                    for cell in reply.cells
                ],
            }
            for reply in case.replies
        ],
    }


def _said(flag: ExtractionWarning) -> str:
    return flag.detail if flag.field is None else f"{flag.field}: {flag.detail}"


def _embedded(document: object) -> str:
    """JSON that may stand inside a script element, whatever texts it holds."""
    text = msgspec.json.encode(document).decode()
    for character, escape in _SCRIPT_ENDS.items():
        text = text.replace(character, escape)
    return text


def _shortened(case: ComparedText) -> dict[str, Any]:
    cut = len(case.text) > _PLAIN_CHARACTERS
    return {"case": case, "text": case.text[:_PLAIN_CHARACTERS], "cut": cut}


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        enable_async=True,
    )
    environment.filters.update(
        percent=figures.percent,
        interval=figures.interval,
        points=figures.points,
        seconds=figures.seconds,
        dollars=figures.dollars,
        p_value=figures.p_value,
        unbroken=figures.unbroken,
        shown=_shown,
    )
    environment.globals.update(
        cost_per_1000=cost_per_1000, reviews=figures.reviews, title=figures.title
    )
    return environment


def _shown(value: object) -> str:
    """A field's value as the page writes it."""
    match value:
        case None:
            return "null"
        case list():
            return ", ".join(map(_shown, value)) or "empty list"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


@cache
def _text(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")
