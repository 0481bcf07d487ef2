"""`storekeeper doctor`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from domain.errors import Unavailable
from entrypoints.cli.environment import read_settings, remedied
from entrypoints.cli.running import or_exit
from entrypoints.container.model_files import local_model
from entrypoints.container.services import TimedDiagnosticCheck, diagnostic_checks, open_container
from entrypoints.private_files import exposure
from entrypoints.settings import LocalModelAdapter, Settings, SettingsError
from ports.health import CheckResult


@click.command("doctor")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    help="Folder of the `storekeeper up` to look at, where no DATABASE_URL or REDIS_URL is set.",
)
def command(*, state_dir: Path | None) -> None:
    """Check settings, database, queue, worker, providers and certificate, and say what to do.

    Each provider of LLM_PROVIDER is asked for a real answer. Exit code 1 if anything is wrong; a
    line with `warn` names what could be better, and does not count.
    """
    try:
        settings = read_settings(Settings, state_dir)
    except SettingsError as error:
        for line in remedied(error).splitlines():
            _report(CheckResult(subject="settings", good=False, detail=line))
        click.echo("The rest was not checked.")
        sys.exit(1)
    _report(CheckResult(subject="settings", good=True, detail="complete"))
    model = _model_file(settings)
    if model is not None:
        _report(model)
        if not model.good:  # the rest is looked at as if none were named
            none: dict[str, object] = {"local_llm_file": None, "local_llm_context_tokens": None}
            settings = settings.model_copy(
                update={**none, "local_llm_adapter": LocalModelAdapter.NONE}
            )
    exposed = _exposed_files(settings)
    for why in exposed:
        _report(CheckResult(subject="private files", good=False, detail=why))
    failures = int(model is not None and not model.good)
    failures += len(exposed) + or_exit("doctor", lambda: _check(settings))
    click.echo("Everything is well." if not failures else f"{failures} to mend.")
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


async def _check(settings: Settings) -> int:
    """Look at everything at once, and report in order; returns how many results are not good."""
    failures = 0
    async with open_container(settings) as container:
        checks = [
            asyncio.create_task(_results(timed)) for timed in diagnostic_checks(settings, container)
        ]
        for under_way in checks:
            for result in await under_way:
                _report(result)
                failures += not result.good
    return failures


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


def _report(result: CheckResult) -> None:
    mark = "FAIL" if not result.good else "warn" if result.warns else "ok  "
    click.echo(f"{mark}  {result.subject}: {result.detail}")
