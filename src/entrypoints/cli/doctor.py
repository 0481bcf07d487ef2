"""`storekeeper doctor`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from domain.errors import Unavailable
from entrypoints.cli.environment import read_settings, remedied
from entrypoints.cli.options import help_end
from entrypoints.cli.running import or_exit
from entrypoints.cli.tables import echo_json
from entrypoints.container.model_files import local_model
from entrypoints.container.services import TimedDiagnosticCheck, diagnostic_checks, open_container
from entrypoints.private_files import exposure
from entrypoints.settings import LocalModelAdapter, Settings, SettingsError
from ports.health import CheckResult


@click.command(
    "doctor",
    epilog=help_end(
        "storekeeper doctor",
        "storekeeper doctor --json | python -m json.tool",
        codes={
            0: "everything is well",
            1: "something is to be mended, bad settings included",
            2: "bad usage",
        },
    ),
)
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    help="Folder of the `storekeeper up` to look at, where no DATABASE_URL or REDIS_URL is set.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(*, state_dir: Path | None, as_json: bool) -> None:
    """Check settings, database, queue, worker, providers and certificate, and say what to do.

    Each provider of LLM_PROVIDER is asked for a real answer. Exit code 1 if anything is wrong; a
    line with `warn` names what could be better, and does not count.
    """
    report = _Report(as_json=as_json)
    try:
        settings = read_settings(Settings, state_dir)
    except SettingsError as error:
        for line in remedied(error).splitlines():
            report.add(CheckResult(subject="settings", good=False, detail=line))
        report.end("The rest was not checked.")
    report.add(CheckResult(subject="settings", good=True, detail="complete"))
    model = _model_file(settings)
    if model is not None:
        report.add(model)
        if not model.good:  # the rest is looked at as if none were named
            none: dict[str, object] = {"local_llm_file": None, "local_llm_context_tokens": None}
            settings = settings.model_copy(
                update={**none, "local_llm_adapter": LocalModelAdapter.NONE}
            )
    for why in _exposed_files(settings):
        report.add(CheckResult(subject="private files", good=False, detail=why))
    or_exit("doctor", lambda: _check(settings, report))
    report.end()


class _Report:
    """What was found, in lines as it comes, or as one document at the end."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._results: list[CheckResult] = []

    def add(self, result: CheckResult) -> None:
        """One more thing was looked at."""
        self._results.append(result)
        if not self._as_json:
            mark = "FAIL" if not result.good else "warn" if result.warns else "ok  "
            click.echo(f"{mark}  {result.subject}: {result.detail}")

    def end(self, remark: str | None = None) -> NoReturn:
        """Say how it is on the whole, and end the process: with 1 if something is to be mended."""
        failures = sum(not each.good for each in self._results)
        if self._as_json:
            checks = msgspec.to_builtins(self._results)
            echo_json({"good": not failures, "remark": remark, "checks": checks})
        else:
            well = f"{failures} to mend." if failures else "Everything is well."
            click.echo(remark or well)
        sys.exit(1 if failures else 0)


def _model_file(settings: Settings) -> CheckResult | None:
    """Whether the files that the local model is to come from can be used; None where none are."""
    chosen = settings.local_llm_file, settings.local_llm_adapter
    if not any(isinstance(each, Path) for each in chosen):
        return None
    try:
        local = local_model(settings)
    except Unavailable as error:
        return CheckResult(subject="model file", good=False, detail=str(error))
    return CheckResult(subject="model file", good=True, detail=f"can be served as {local.name}")


def _exposed_files(settings: Settings) -> Sequence[str]:
    """What is wrong with who may read the files of secrets."""
    files = [Path(".env"), settings.tls_key_file]
    found = [exposure(file.absolute()) for file in files if file is not None and file.is_file()]
    return [each for each in found if each is not None]


async def _check(settings: Settings, report: _Report) -> None:
    """Look at everything at once, and report in order."""
    async with open_container(settings) as container:
        checks = [
            asyncio.create_task(_results(timed)) for timed in diagnostic_checks(settings, container)
        ]
        for under_way in checks:
            for result in await under_way:
                report.add(result)


async def _results(timed: TimedDiagnosticCheck) -> Sequence[CheckResult]:
    """What is found, or that nothing was in time: no part is waited for without end."""
    try:
        async with asyncio.timeout(timed.longest_s):
            return await timed.check.results()
    except TimeoutError:
        detail = (
            f"gave no answer within {timed.longest_s:.0f} s. Look at its address in the settings,"
            " and at what stands between, such as a firewall."
        )
        return [CheckResult(subject=timed.subject, good=False, detail=detail)]
