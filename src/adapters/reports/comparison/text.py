"""A comparison report as Markdown: the figures that fit into a message or a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from adapters.reports.comparison.charts import cost_per_1000
from adapters.reports.comparison.figures import (
    NONE,
    dollars,
    interval,
    p_value,
    percent,
    points,
    reviews,
    seconds,
    simulation_note,
    title,
)
from domain.comparison.figures import Rate
from domain.comparison.report import ComparisonReport
from ports.comparison import ComparisonWriter

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>()#+|~])")


class MarkdownComparisonWriter(ComparisonWriter):
    """Verdict, scores, fields, kinds of text, pairs, where it comes from; no texts."""

    @property
    def media_type(self) -> str:
        """See the port."""
        return "text/markdown"

    @property
    def content_security_policy(self) -> str:
        """See the port."""
        return "default-src 'none'"

    async def write(self, report: ComparisonReport) -> bytes:
        """See the port."""
        parts = [
            f"# {_plain(title(report))}",
            *([f"**{_plain(simulation_note(report))}**"] if report.header.simulated else []),
            _plain(report.verdict.sentence),
            _table(_SCORES, _scores(report)),
            *_golden(report),
            *_reliability(report),
            *_repeats(report),
            *_pairs(report),
            _origin(report),
        ]
        return ("\n\n".join(parts) + "\n").encode()


_SCORES: Final = (
    "contestant",
    "perfect records",
    "macro F1",
    "injections obeyed",
    "latency p50",
    "p95",
    "per 1,000",
    "in a batch",
)


def _scores(report: ComparisonReport) -> Iterator[Sequence[str]]:
    for score in report.contestants:
        done = score.operations
        injection = score.injection
        yield (
            _plain(score.contestant.name),
            _rate(score.perfect),
            NONE if score.macro_f1 is None else percent(score.macro_f1.value),
            NONE if injection is None else f"{injection.obeyed.count} of {injection.obeyed.total}",
            seconds(done.latency.p50),
            seconds(done.latency.p95),
            dollars(cost_per_1000(score)),
            dollars(done.batch_usd_per_1000),
        )


def _golden(report: ComparisonReport) -> Iterator[str]:
    names = [_plain(score.contestant.name) for score in report.contestants]
    if not report.header.with_gold:
        return
    yield "## Right values by field\n\n" + _table(
        ("field", *names),
        (
            (_plain(fields[0].field), *(_rate(field.accuracy) for field in fields))
            for fields in zip(*(score.fields for score in report.contestants), strict=True)
        ),
    )
    yield "## Perfect records by kind of text\n\n" + _table(
        ("kind", "texts", *names),
        (
            (
                _plain(kinds[0].stratum),
                str(kinds[0].perfect.total),
                *(_rate(kind.perfect) for kind in kinds),
            )
            for kinds in zip(*(score.strata for score in report.contestants), strict=True)
        ),
    )


def _reliability(report: ComparisonReport) -> Iterator[str]:
    stated = [
        (_plain(score.contestant.name), score.reliability)
        for score in report.contestants
        if score.reliability is not None
    ]
    if not stated:
        return
    yield "## Confidence\n\n" + _table(
        ("contestant", "values", "right", "Brier score", "calibration error", "by chance"),
        (
            (
                name,
                f"{score.right.total:,}",
                _rate(score.right),
                f"{score.brier:.3f}",
                f"{percent(score.calibration_error.value)} ({interval(score.calibration_error)})",
                percent(score.error_by_chance),
            )
            for name, score in stated
        ),
    )
    yield "\n".join(f"- {name}: {said}" for name, score in stated for said in reviews(score))


def _repeats(report: ComparisonReport) -> Iterator[str]:
    if report.header.repeats > 1:
        yield f"## The same record again, in {report.header.repeats} rounds\n\n" + _table(
            ("contestant", "same record"),
            (
                (_plain(score.contestant.name), _rate(score.consistency[-1].agreement))
                for score in report.contestants
                if score.consistency
            ),
        )


def _pairs(report: ComparisonReport) -> Iterator[str]:
    if report.pairs:
        yield "## Each against each\n\n" + _table(
            ("pair", "perfect records, points", "exact McNemar p", "same record"),
            (
                (
                    _plain(f"{pair.first} \u2212 {pair.second}"),
                    NONE if pair.perfect is None else points(pair.perfect.difference),
                    NONE if pair.perfect is None else p_value(pair.perfect.p_value),
                    _rate(pair.agreement[-1].agreement),
                )
                for pair in report.pairs
            ),
        )


def _origin(report: ComparisonReport) -> str:
    header, provenance = report.header, report.provenance
    lines = [
        f"dataset {_plain(header.dataset)}, SHA-256 `{header.dataset_hash}`",
        (
            f"schema {_plain(header.schema)} version {header.schema_version},"
            f" SHA-256 `{header.schema_hash}`"
        ),
        *(
            f"{_plain(one.name)}: {_plain(one.provider)} {_plain(one.model)},"
            f" prompt `{one.prompt_hash}`"
            for one in (score.contestant for score in report.contestants)
        ),
        (
            f"storekeeper {_plain(provenance.program)}, {provenance.asked_at:%Y-%m-%d %H:%M} UTC,"
            f" seed {header.seed}, {header.draws:,} draws"
        ),
        f"`{provenance.command.replace('`', '')}`",
    ]
    return "## Where this comes from\n\n" + "\n".join(f"- {line}" for line in lines)


def _rate(rate: Rate | None) -> str:
    if rate is None or rate.value is None:
        return NONE
    return f"{percent(rate.value)} ({interval(rate)})"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """A text that Markdown shows as it stands, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
