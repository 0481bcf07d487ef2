"""Reports as text for the terminal, as Markdown for the documentation, as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.groups import Group
from tests.benchmarks.harness import ROOT, Options
from tests.benchmarks.results import Report, Target

_PAGES: Final = ROOT / "docs" / "reference"
_BEGIN: Final = "<!-- measured: begin -->"
_END: Final = "<!-- measured: end -->"


def as_text(report: Report) -> str:
    """A table for the terminal, its targets below."""
    table = [report.columns, *report.rows]
    widths = [max(len(row[at]) for row in table) for at in range(len(report.columns))]
    lines = [f"({report.key}) {report.title}, {report.took_s:.0f} s", ""]
    lines += [
        "  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    lines.append("")
    lines += [f"  {_verdict(each)}  {_sentence(each)}" for each in report.targets]
    return "\n".join(lines) + "\n"


def as_markdown(reports: Sequence[Report], conditions: dict[str, Any]) -> str:
    """The measured part of the documentation page."""
    parts = [_summary(reports, conditions)]
    for report in reports:
        parts.append(f"### ({report.key}) {report.title}\n\n{report.setting}\n")
        parts.append(_table(report.columns, report.rows))
        parts.append(
            _table(
                ("target", "wanted", "measured", ""),
                [(t.name, t.wanted, t.measured, _verdict(t)) for t in report.targets],
            )
        )
    return "\n".join(parts)


def write_files(
    group: Group, reports: Sequence[Report], conditions: dict[str, Any], folder: Path
) -> None:
    """Every figure as JSON, and the page's measured part."""
    folder.mkdir(parents=True, exist_ok=True)
    everything = {"conditions": conditions, "reports": [asdict(report) for report in reports]}
    page = folder / f"{group.page}.md"
    page.write_text(as_markdown(reports, conditions), encoding="utf-8")
    page.with_suffix(".json").write_text(json.dumps(everything, indent=1), encoding="utf-8")


def write_page(group: Group, reports: Sequence[Report], conditions: dict[str, Any]) -> None:
    """Put the measured part into the documentation page, in the place of the last one."""
    page = _PAGES / f"{group.page}.md"
    before, rest = page.read_text(encoding="utf-8").split(_BEGIN)
    _, after = rest.split(_END)
    measured = f"{_BEGIN}\n\n{as_markdown(reports, conditions)}\n{_END}"
    page.write_text(before + measured + after, encoding="utf-8")


def conditions_of(
    group: Group, options: Options, command: str, load_before: float
) -> dict[str, Any]:
    """Machine, versions, command and date."""
    return {
        "command": command,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{os.cpu_count()} x {_processor()}, {_memory_gb():.0f} GB, {platform.system()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in group.installed} | _locked(group.locked),
        "load_before": round(load_before, 2),
        "commit": _commit(),
        "options": {name: getattr(options, name) for name in group.options},
    }


def _summary(reports: Sequence[Report], conditions: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in conditions["versions"].items())
    targets = [target for report in reports for target in report.targets]
    met = sum(target.met for target in targets)
    return (
        f"`{conditions['command']}` on {conditions['date']}, {conditions['machine']}, "
        f"Python {conditions['python']}, {versions}. Load average before: "
        f"{conditions['load_before']}. Commit {conditions['commit']}. {met} of {len(targets)} "
        "targets are met. Each figure is the median of the repeats, with the smallest and the "
        "largest in brackets.\n"
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_line(columns), _line(["---"] * len(columns)), *(_line(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _verdict(target: Target) -> str:
    return "met" if target.met else "MISSED"


def _sentence(target: Target) -> str:
    return f"{target.name}: {target.measured} (wanted {target.wanted})"


def _processor() -> str:
    try:
        words = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    found = re.search(r"model name\s*:\s*(.+)", words)
    return found.group(1).strip() if found else platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _locked(names: Iterable[str]) -> dict[str, str]:
    lock = (ROOT / "requirements" / "bench.txt").read_text(encoding="utf-8")
    found = {name: re.search(rf"^{name}==(\S+)", lock, re.MULTILINE) for name in names}
    return {name: match.group(1) for name, match in found.items() if match}


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    return done.stdout.strip()
