"""The files of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from domain.comparison.report import ComparisonReport
from domain.comparison.report_builder import build_report
from domain.comparison.results import ComparisonResults, of_contestants
from entrypoints.container.comparison import ScipyStatistics, open_writers

_SUFFIXES: Final = (".html", ".md", ".csv", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFiles:
    """Where everything goes.

    Attributes:
        results: what came, line by line.
        reports: the report by form (`.html` and so on), the one for readers first.
    """

    results: Path
    reports: Mapping[str, Path]

    @property
    def main(self) -> Path:
        """The report to open first."""
        return next(iter(self.reports.values()))

    @classmethod
    def at(cls, out: Path) -> ReportFiles:
        """A folder for all of them, or one report with its results beside it."""
        if out.suffix.lower() in _SUFFIXES:
            results = out.with_name(f"{out.stem}.results.ndjson")
            return cls(results=results, reports={out.suffix.lower(): out})
        reports = {suffix: out / f"report{suffix}" for suffix in _SUFFIXES}
        return cls(results=out / "results.ndjson", reports=reports)


async def write_reports(
    results: ComparisonResults, names: Sequence[str], files: ReportFiles
) -> ComparisonReport:
    """Write the report on `names` in every form of `files`; a file under its name is a whole one.

    Raises:
        InvalidInput: there is no text that all of them answered.
        ChartFailed: a chart cannot be drawn.
    """
    report = build_report(of_contestants(results, names), ScipyStatistics())
    files.main.parent.mkdir(parents=True, exist_ok=True)  # a replay may write elsewhere
    async with open_writers() as writers:
        for suffix, path in files.reports.items():
            content = await writers[suffix].write(report)
            whole = path.with_name(f"{path.name}.part")
            whole.write_bytes(content)
            whole.replace(path)
    return report
