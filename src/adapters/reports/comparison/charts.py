"""The charts of the comparison page, as Vega-Lite specifications."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from domain.comparison.figures import Estimate, Rate
from domain.comparison.report import ComparisonReport, ContestantScore, PairScore
from ports.reports import Chart

WIDTHS: Final = {"wide": 760, "narrow": 340}
"""CSS pixels, for desks and for phones."""
PERFECT: Final = "perfect record"
_ROW_PX: Final = 17
_GAP_PX: Final = 16
_FRAME_PX: Final = 54
_FASTEST_S: Final = 0.01
_JUDGEMENTS: Final = {
    "right": ("correct", "var(--chart-right)"),
    "rightly null": ("both_null", "var(--chart-right-soft)"),
    "wrong": ("wrong", "var(--chart-bad)"),
    "omitted": ("omitted", "var(--chart-omitted)"),
    "hallucinated": ("hallucinated", "var(--chart-hallucinated)"),
    "no record": ("no_record", "var(--chart-axis)"),
}


class ComparisonCharts:
    """All charts of one report.

    Args:
        report: what they show.
        width: of the page's column, in CSS pixels.
    """

    def __init__(self, report: ComparisonReport, width: int) -> None:
        self._report = report
        self._width = width
        self._names = [score.contestant.name for score in report.contestants]

    def scores(self) -> Chart | None:
        """Perfect records and right fields of each contestant, with intervals."""
        rows = []
        for score in self._report.contestants:
            name = score.contestant.name
            if score.perfect is not None:
                rows.append({"what": PERFECT, "who": name, **_percent(score.perfect)})
            rows += [
                {"what": field.field, "who": name, **_percent(field.accuracy)}
                for field in score.fields
            ]
        rows = [row for row in rows if row["value"] is not None]
        if not rows:
            return None
        said = "; ".join(f"{row['who']} {row['what']} {row['value']:.1f} %" for row in rows)
        return Chart(
            spec=self._intervals(rows, title="right answers, %", domain=[0, 100]),
            label=f"Share of right answers with 95 % intervals: {said}.",
        )

    def differences(self, reference: str) -> Chart | None:
        """By field, how far `reference` is ahead of each other contestant."""
        rows = [
            {"what": what, "who": other, **_points(estimate)}
            for other, pair in against(self._report.pairs, reference).items()
            for what, estimate in oriented(pair, reference).items()
        ]
        rows = [row for row in rows if row["value"] is not None]
        if not rows:
            return None
        said = "; ".join(
            f"{row['what']} against {row['who']} {row['value']:+.1f}"
            f" ({row['low']:+.1f} to {row['high']:+.1f})"
            for row in rows
        )
        return Chart(
            spec=self._intervals(
                rows, title=f"← others better · {reference} better →  (points)", zero=True
            ),
            label=f"Difference of {reference} to the others in percentage points: {said}.",
        )

    def funnel(self) -> Chart:
        """How many texts came to each stage."""
        rows = [
            {"what": stage.name, "who": score.contestant.name, **_percent(stage.rate)}
            for score in self._report.contestants
            for stage in score.funnel
        ]
        stages = list(dict.fromkeys(row["what"] for row in rows))
        encoding = self._encoding(stages, self._names)
        said = "; ".join(f"{row['who']} {row['what']} {row['count']}" for row in rows)
        layers = [
            {
                "mark": {"type": "bar", "height": _ROW_PX - 4, "cornerRadiusEnd": 2},
                "encoding": {
                    "x": {
                        "field": "value",
                        "type": "quantitative",
                        "title": "texts, %",
                        "scale": {"domain": [0, 100]},
                        "axis": {"grid": True, "tickCount": 5},
                    }
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 4, "fill": "var(--chart-text)"},
                "encoding": {
                    "x": {"field": "value", "type": "quantitative"},
                    "text": {"field": "count"},
                    "color": None,
                },
            },
        ]
        return Chart(
            spec=self._spec(rows, stages, {"encoding": encoding, "layer": layers}, right_px=34),
            label=f"Texts that came to each stage: {said}.",
        )

    def judgements(self) -> Chart | None:
        """By field and contestant, what became of the values."""
        rows = [
            {
                "what": f"{field.field} · {score.contestant.name}",
                "kind": kind,
                "order": order,
                "count": getattr(field, member),
            }
            for fields in zip(*(score.fields for score in self._report.contestants), strict=True)
            for field, score in zip(fields, self._report.contestants, strict=True)
            for order, (kind, (member, _)) in enumerate(_JUDGEMENTS.items())
        ]
        if not rows:
            return None
        what = list(dict.fromkeys(row["what"] for row in rows))
        colours = [colour for _, colour in _JUDGEMENTS.values()]
        spec = {
            "data": {"values": rows},
            "width": self._width,
            "height": len(what) * (_ROW_PX + 3) + _FRAME_PX + 36 * self._is_narrow,
            "mark": {"type": "bar", "stroke": "var(--chart-surface)", "strokeWidth": 1},
            "encoding": {
                "y": self._band(what),
                "x": {
                    "field": "count",
                    "type": "quantitative",
                    "stack": "normalize",
                    "title": "values, %",
                    "axis": {"format": "%", "grid": True, "tickCount": 5},
                },
                "color": {
                    "field": "kind",
                    "scale": {"domain": list(_JUDGEMENTS), "range": colours},
                    "legend": {"title": None, "columns": 2 if self._is_narrow else 6},
                },
                "order": {"field": "order"},
            },
        }
        said = "; ".join(f"{row['what']} {row['kind']} {row['count']}" for row in rows)
        return Chart(spec=spec, label=f"What became of the values: {said}.")

    def cost(self) -> Chart | None:
        """Cost of 1,000 texts against perfect records."""
        rows = []
        for score in self._report.contestants:
            usd = cost_per_1000(score)
            if usd is not None and score.perfect is not None and score.perfect.value is not None:
                batch = score.operations.batch_usd_per_1000
                row = {"who": score.contestant.name, "usd": usd, **_percent(score.perfect)}
                rows.append(row | {"batch": usd if batch is None else batch})
        most = max((row["usd"] for row in rows), default=0.0)
        if len(rows) < 2 or most == 0:
            return None  # what costs nothing has no place beside what costs nothing
        x = {
            "type": "quantitative",
            "title": "US dollars for 1,000 texts",
            "scale": {"type": "sqrt", "domain": [0, most * 1.15], "nice": False},
            "axis": {"grid": True, "tickCount": 5},
        }
        y = {"type": "quantitative", "title": "perfect records, %", "axis": {"grid": True}}
        zoomed = {"scale": {"zero": False, "nice": True}}
        colour = self._colour(names=[row["who"] for row in rows])
        layers: list[dict[str, Any]] = [
            {
                "mark": {"type": "rule", "strokeWidth": 1.5},
                "encoding": {
                    "x": {**x, "field": "usd"},
                    "y": {**y, **zoomed, "field": "low"},
                    "y2": {"field": "high"},
                },
            },
            {
                "mark": {"type": "rule", "strokeDash": [3, 3]},
                "encoding": {
                    "x": {**x, "field": "batch"},
                    "x2": {"field": "usd"},
                    "y": {**y, "field": "value"},
                },
            },
            {
                "transform": [{"filter": "datum.batch < datum.usd"}],
                "mark": {"type": "point", "filled": False, "fill": "var(--chart-surface)"},
                "encoding": {"x": {**x, "field": "batch"}, "y": {**y, "field": "value"}},
            },
            {
                "mark": {"type": "point", "size": 90, "fillOpacity": 1},
                "encoding": {
                    "x": {**x, "field": "usd"},
                    "y": {**y, "field": "value"},
                    "fill": self._colour(legend=False),
                },
            },
        ]
        spec = {
            "data": {"values": rows},
            "width": self._width,
            "height": 300,
            "encoding": {"color": colour},
            "layer": layers,
        }
        said = "; ".join(
            f"{row['who']} {row['value']:.1f} % for {row['usd']:.2f} dollars" for row in rows
        )
        return Chart(spec=spec, label=f"Perfect records against the cost of 1,000 texts: {said}.")

    def latency(self) -> Chart:
        """The share of texts that were done after so many seconds."""
        rows = [
            {"who": score.contestant.name, "share": share, "s": max(seconds, _FASTEST_S)}
            for score in self._report.contestants
            for share, seconds in enumerate(score.operations.latency_quantiles_s)
        ]
        spec = {
            "data": {"values": rows},
            "width": self._width,
            "height": 240,
            "mark": {"type": "line", "interpolate": "step-after"},
            "encoding": {
                "x": {
                    "field": "s",
                    "type": "quantitative",
                    "title": "seconds (log)",
                    "scale": {"type": "log", "nice": False},
                    "axis": {"tickCount": 5, "format": "~g"},
                },
                "y": {
                    "field": "share",
                    "type": "quantitative",
                    "title": "texts done, %",
                    "axis": {"grid": True, "tickCount": 5},
                },
                "color": self._colour(),
                "order": {"field": "share"},
            },
        }
        said = "; ".join(
            f"{score.contestant.name} half of the texts in {score.operations.latency.p50:.2f} s,"
            f" 95 % in {score.operations.latency.p95:.2f} s"
            for score in self._report.contestants
        )
        return Chart(spec=spec, label=f"Share of texts done by time: {said}.")

    def reliability(self) -> Chart | None:
        """Share of right values against their confidence, with the number of values."""
        rows = [
            {
                "who": score.contestant.name,
                "confidence": 100 * each.confidence,
                "values": each.right.total,
                **_percent(each.right),
            }
            for score in self._report.contestants
            if score.reliability is not None
            for each in score.reliability.bins
        ]
        if not rows:
            return None
        whole = {"domain": [0, 100]}
        x = {
            "field": "confidence",
            "type": "quantitative",
            "title": "confidence, %",
            "scale": whole,
            "axis": {"grid": True, "tickCount": 5},
        }
        y = {
            "type": "quantitative",
            "title": "values that are right, %",
            "scale": whole,
            "axis": {"grid": True, "tickCount": 5},
        }
        layers: list[dict[str, Any]] = [
            {
                "data": {"values": [{"from": 0, "to": 100}]},
                "mark": {"type": "rule", "stroke": "var(--chart-axis)", "strokeDash": [4, 4]},
                "encoding": {
                    "x": {**x, "field": "from"},
                    "x2": {"field": "to"},
                    "y": {**y, "field": "from"},
                    "y2": {"field": "to"},
                    "color": None,
                },
            },
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "size": 64},
                "encoding": {
                    "x": x,
                    "y": {**y, "field": "value"},
                    "fill": self._colour(legend=False),
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 11},
                "encoding": {
                    "x": x,
                    "y": {**y, "field": "value"},
                    "text": {"field": "values"},
                    "color": None,
                },
            },
        ]
        spec = {
            "data": {"values": rows},
            "width": self._width,
            "height": 320,
            "padding": {"left": 2, "right": 34, "top": 6, "bottom": 2},
            "encoding": {"color": self._colour(names={row["who"] for row in rows})},
            "layer": layers,
        }
        said = "; ".join(
            f"{row['who']} at {row['confidence']:.0f} %: {row['value']:.0f} % of {row['values']}"
            for row in rows
        )
        return Chart(spec=spec, label=f"Values that are right, by confidence: {said}.")

    @property
    def _is_narrow(self) -> bool:
        return self._width < 500

    def _intervals(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        title: str,
        domain: Sequence[float] | None = None,
        zero: bool = False,
    ) -> dict[str, Any]:
        """A point and its interval for each row."""
        what = list(dict.fromkeys(row["what"] for row in rows))
        x: dict[str, Any] = {
            "type": "quantitative",
            "title": title,
            "axis": {"grid": True, "tickCount": 5},
        }
        if domain is not None:
            x["scale"] = {"domain": list(domain)}
        layers: list[dict[str, Any]] = [
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "size": 64},
                "encoding": {
                    "x": {**x, "field": "value"},
                    "fill": self._colour(legend=False),
                },
            },
        ]
        if zero:
            layers.insert(
                0,
                {
                    "mark": {"type": "rule", "stroke": "var(--chart-axis)", "strokeWidth": 1.5},
                    "encoding": {
                        "x": {"datum": 0},
                        "y": None,
                        "yOffset": None,
                        "color": None,
                    },
                },
            )
        if not self._is_narrow:
            layers.append(
                {
                    "mark": {"type": "text", "align": "left", "dx": 7, "fontSize": 11},
                    "encoding": {
                        "x": {**x, "field": "high"},
                        "text": {"field": "value", "format": "+.1f" if zero else ".1f"},
                        "color": None,
                    },
                }
            )
        encoding = self._encoding(what, {row["who"] for row in rows})
        return self._spec(
            rows,
            what,
            {"encoding": encoding, "layer": layers},
            right_px=6 if self._is_narrow else 40,
        )

    def _spec(
        self,
        rows: Sequence[Mapping[str, Any]],
        what: Sequence[str],
        inner: Mapping[str, Any],
        right_px: int = 6,
    ) -> dict[str, Any]:
        who = {row["who"] for row in rows}
        return {
            "data": {"values": list(rows)},
            "width": self._width,
            "height": len(what) * (len(who) * _ROW_PX + _GAP_PX) + _FRAME_PX,
            "padding": {"left": 2, "right": right_px, "top": 6, "bottom": 2},
            **inner,
        }

    def _encoding(self, what: Sequence[str], who: Collection[str]) -> dict[str, Any]:
        return {
            "y": self._band(what),
            "yOffset": {"field": "who", "sort": [name for name in self._names if name in who]},
            "color": self._colour(names=who),
        }

    def _band(self, what: Sequence[str]) -> dict[str, Any]:
        # Its width is that of the reader's font, which nobody knows here.
        limit = 118 if self._is_narrow else 210
        extent = min(limit, 12 + 7.4 * max(map(len, what)))
        return {
            "field": "what",
            "sort": list(what),
            "title": None,
            "scale": {"paddingInner": 0.25, "paddingOuter": 0.1},
            "axis": {"labelLimit": limit, "minExtent": extent, "domain": False},
        }

    def _colour(
        self, *, legend: bool = True, names: Collection[str] | None = None
    ) -> dict[str, Any]:
        shown = [name for name in self._names if names is None or name in names]
        return {
            "field": "who",
            "scale": {
                "domain": self._names,
                "range": [colour(index) for index in range(len(self._names))],
            },
            "legend": {
                "title": None,
                "columns": 3 if self._is_narrow else 4,
                "values": shown,
                "symbolType": "circle",
            }
            if legend
            else None,
        }


def colour(index: int) -> str:
    """The colour of the contestant at `index`, from 0."""
    return f"var(--chart-{index + 1})"


def cost_per_1000(score: ContestantScore) -> float | None:
    """What 1,000 texts cost: the machine, where it is one's own and its price is stated."""
    machine = score.operations.machine_usd_per_1000
    return score.operations.usd_per_1000 if machine is None else machine


def against(pairs: Sequence[PairScore], reference: str) -> dict[str, PairScore]:
    """The pairs of `reference`, by the other contestant."""
    return {
        pair.second if pair.first == reference else pair.first: pair
        for pair in pairs
        if reference in {pair.first, pair.second}
    }


def oriented(pair: PairScore, reference: str) -> dict[str, Estimate]:
    """By field, the perfect record first: accuracy of `reference` less that of the other."""
    found = {} if pair.perfect is None else {PERFECT: pair.perfect.difference}
    found |= {each.field: each.accuracy for each in pair.fields}
    if pair.first == reference:
        return found
    return {name: _negated(estimate) for name, estimate in found.items()}


def _negated(estimate: Estimate) -> Estimate:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return estimate
    return Estimate(value=-estimate.value, low=-estimate.high, high=-estimate.low)


def _percent(rate: Rate) -> dict[str, Any]:
    return {"count": rate.count, **_points(rate)}


def _points(figure: Rate | Estimate) -> dict[str, Any]:
    """Value and interval in percent."""
    return {
        name: None if part is None else 100 * part
        for name, part in (("value", figure.value), ("low", figure.low), ("high", figure.high))
    }
