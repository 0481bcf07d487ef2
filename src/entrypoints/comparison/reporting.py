"""The files of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from domain.comparison.building import build_report
from domain.comparison.recording import Recording, of_contestants
from domain.comparison.report import ComparisonReport
from entrypoints.container.comparison import ScipyStatistics, open_writers
from ports.comparison_writer import Provenance

_SUFFIXES: Final = (".html", ".md", ".csv", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
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
    def at(cls, out: Path) -> Files:
        """A folder for all of them, or one report with its results beside it."""
        if out.suffix.lower() in _SUFFIXES:
            results = out.with_name(f"{out.stem}.results.ndjson")
            return cls(results=results, reports={out.suffix.lower(): out})
        reports = {suffix: out / f"report{suffix}" for suffix in _SUFFIXES}
        return cls(results=out / "results.ndjson", reports=reports)


async def write_reports(
    recording: Recording, names: Sequence[str], files: Files
) -> ComparisonReport:
    """Write the report on `names` in every form of `files`; a file under its name is a whole one.

    Raises:
        InvalidInput: there is no text that all of them answered.
        ChartFailed: a chart cannot be drawn.
    """
    part = of_contestants(recording, names)
    report = build_report(
        dataset=part.run.dataset,
        schema=part.run.schema,
        texts=part.run.texts,
        contestants=part.run.contestants,
        outcomes=list(part.outcomes.values()),
        statistics=ScipyStatistics(),
        seed=part.run.seed,
    )
    provenance = Provenance(
        program=part.run.program, asked_at=part.run.started_at, command=part.run.command
    )
    files.main.parent.mkdir(parents=True, exist_ok=True)  # a replay may write elsewhere
    async with open_writers() as writers:
        for suffix, path in files.reports.items():
            content = await writers[suffix].write(report, provenance)
            whole = path.with_name(f"{path.name}.part")
            whole.write_bytes(content)
            whole.replace(path)
    return report
