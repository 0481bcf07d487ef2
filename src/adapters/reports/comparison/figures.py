"""How figures of a comparison are written for people."""

from __future__ import annotations

from collections.abc import Sequence

from domain.comparison.figures import Estimate, Rate, ReliabilityScore, ReviewYield
from domain.comparison.report import ComparisonReport

DASH = "\u2013"
NONE = "n/a"


def percent(value: float | None) -> str:
    """`83.3 %`."""
    return NONE if value is None else f"{100 * value:.1f}\u202f%"


def interval(figure: Rate | Estimate) -> str:
    """`79.0-86.8`, with a dash, in percent."""
    if figure.low is None or figure.high is None:
        return ""
    return f"{100 * figure.low:.1f}{DASH}{100 * figure.high:.1f}"


def points(estimate: Estimate) -> str:
    """`+3.4 (-1.0 to +7.9)`, in percentage points."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return NONE
    low, high = _signed(estimate.low), _signed(estimate.high)
    return f"{_signed(estimate.value)} ({low} to {high})"


def seconds(value: float) -> str:
    """`12.3 s`, `45 ms` or `< 1 ms`."""
    if value >= 100:
        return f"{value:,.0f}\u202fs"
    if value >= 1:
        return f"{value:.1f}\u202fs"
    return f"{1000 * value:.0f}\u202fms" if value >= 0.001 else "<\u202f1\u202fms"


def dollars(value: float | None) -> str:
    """`$0.35`; more digits where there would be nothing but zeros."""
    if value is None:
        return NONE
    return f"${value:,.2f}" if value == 0 or value >= 0.1 else f"${value:.4f}"


def p_value(value: float) -> str:
    """`0.03`, or `< 0.0001`."""
    return "<\u202f0.0001" if value < 0.0001 else f"{value:.2g}"


def unbroken(sentence: str) -> str:
    """With signs on the line of their numbers."""
    for sign in ("<", "="):
        sentence = sentence.replace(f"p {sign} ", f"p\u00a0{sign}\u00a0")
    return sentence.replace(" %", "\u202f%")


def title(report: ComparisonReport) -> str:
    """What the report is of; a simulation says so first."""
    names = [score.contestant.name for score in report.contestants]
    listed = _listed(names)
    count = report.header.texts
    of = f"{listed} on {count:,} {'text' if count == 1 else 'texts'}"
    return f"Simulation: {of}" if report.header.simulated else of


def simulation_note(report: ComparisonReport) -> str:
    """Why a report of a simulation says nothing about a real provider; empty for a real one."""
    names = report.header.simulated
    if not names:
        return ""
    were = "was" if len(names) == 1 else "were"
    return (
        f"{_listed(names)} {were} answered by a stand-in, not by a provider's model: the figures"
        " show that the way there works, not how good a model is."
    )


def reviews(score: ReliabilityScore) -> list[str]:
    """What checking the least confident values would find; why nobody can tell where that is so."""
    values, wrong = score.right.total, score.right.total - score.right.count
    if not wrong:
        return [f"None of the {values:,} values is wrong: there is nothing to catch."]
    if not score.reviews:
        are = "is" if wrong == 1 else "are"
        return [
            f"{wrong} of {values:,} values {are} wrong: too few to tell what a check would catch."
        ]
    return [_review(each, values) for each in score.reviews]


def _review(each: ReviewYield, values: int) -> str:
    share = f"{100 * each.share:.0f} %"
    if not each.checked:
        return f"No values stand out as the lowest {share}: too many have the same confidence."
    return (
        f"Check the lowest {share} of the values ({each.checked:,} of {values:,}) to catch"
        f" {percent(each.caught.value)} of the errors ({each.caught.count} of {each.caught.total};"
        f" 95 % interval {interval(each.caught)})."
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _signed(share: float) -> str:
    value = round(100 * share, 1) + 0.0
    return f"{value:+.1f}".replace("-", "\u2212")
