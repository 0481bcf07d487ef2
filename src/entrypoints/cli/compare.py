"""`storekeeper compare`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource
from rich.console import Console

from domain.comparison.model import DEFAULT_SEED, ComparisonSpec, LabelledText, sample_of
from domain.comparison.results import (
    ComparisonResults,
    Provenance,
    compare_command,
    restated,
)
from domain.comparison.runner import ComparisonRunner, Extractor, Interruption
from domain.errors import InvalidInput, Unavailable, Violation
from domain.extraction.schema import BUILT_IN, ORDER_MESSAGE, RecordSchema
from entrypoints.cli.comparison_reports import ReportFiles, write_reports
from entrypoints.cli.environment import settings_or_exit
from entrypoints.cli.extraction_schemas import find_schema
from entrypoints.cli.options import FiniteRange, help_end, one_of
from entrypoints.cli.process import StopSignal, interrupted_status
from entrypoints.cli.progress import ComparisonProgress
from entrypoints.cli.running import or_exit
from entrypoints.container.commands import dataset_format_of, read_labelled_texts
from entrypoints.container.comparison import (
    ContestantConditions,
    FileComparisonResultLog,
    check_reports,
    now,
    open_extractors,
    read_results,
    unreachable,
)
from entrypoints.logs import configure_logging
from entrypoints.settings import ModelCommandSettings, Provider

_NOT_COMPLETED: Final = 3
_ALL: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """What the command line asks for."""

    providers: str
    dataset: Path
    schema: str
    split: str
    limit: int | None
    seed: int
    repeat: int
    contestants: ContestantConditions
    files: ReportFiles


@click.command(
    "compare",
    epilog=help_end(
        "storekeeper compare --providers openai,local,regex --dataset messages.ndjson",
        "storekeeper compare --providers local,regex --dataset messages.ndjson --out x.html",
        "storekeeper compare --replay comparison/results.ndjson --out again",
        codes={
            0: "the report is complete",
            3: "answers are missing; standard error says why, and how to go on",
        },
    ),
)
@click.option(
    "--providers",
    shell_complete=one_of(*Provider, "regex"),
    help="Who is compared: openai,local,plain=local?shots=0&reasks=0,regex. Overrides stand behind"
    " `?`, a name before `=`; `regex` is the baseline that asks no model.",
)
@click.option(
    "--dataset",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Texts, with or without gold: NDJSON or CSV.",
)
@click.option(
    "--schema",
    default=ORDER_MESSAGE.name,
    show_default=True,
    shell_complete=one_of(*(each.name for each in BUILT_IN)),
    help="The record to fill: a name, or a YAML or JSON file.",
)
@click.option(
    "--split",
    default="test",
    show_default=True,
    help=f"Part of the dataset; `{_ALL}` for all of it.",
)
@click.option("--limit", type=click.IntRange(1), help="A random sample of so many texts.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=DEFAULT_SEED,
    show_default=True,
    help="Of the sample and the resampling.",
)
@click.option(
    "--repeat",
    type=click.IntRange(1, 20),
    default=1,
    show_default=True,
    help="Ask everything so often: shows how far each agrees with itself.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1024),
    help="Texts at once. [default: LLM_CONCURRENCY; 4 for the embedded model]",
)
@click.option(
    "--machine-usd-per-hour",
    type=FiniteRange(0, 1e6),
    help="Price of the machine of the models of local and openai_compatible.",
)
@click.option(
    "--simulated",
    multiple=True,
    metavar="NAME",
    help="This provider is a stand-in. The fake provider is recognised by itself.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("comparison"),
    show_default=True,
    help="Folder of results and reports, or one report: FILE.html, .md, .csv or .json.",
)
@click.option(
    "--replay",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Make the report of a results file anew, without a call.",
)
def command(
    *,
    providers: str | None,
    dataset: Path | None,
    schema: str,
    split: str,
    limit: int | None,
    seed: int,
    repeat: int,
    concurrency: int | None,
    machine_usd_per_hour: float | None,
    simulated: tuple[str, ...],
    out: Path,
    replay: Path | None,
) -> None:
    """Give the same texts to several providers, and report which is right, how sure, at what cost.

    Every answer is kept in results.ndjson when it comes: after Ctrl-C or a crash the same command
    goes on where it stood. Providers are asked one after another, so that they do not slow down
    each other.
    """
    configure_logging("warning", "text")
    contestants = ContestantConditions(
        concurrency=concurrency, machine_usd_per_hour=machine_usd_per_hour, simulated=simulated
    )
    if replay is not None:
        names = None if providers is None else tuple(each.strip() for each in providers.split(","))
        _refuse_what_is_asked_already()
        sys.exit(
            or_exit(
                "compare",
                lambda: _replayed(replay, names, ReportFiles.at(out), contestants),
                kept="The results file is as it was.",
            )
        )
    if providers is None or dataset is None:
        raise click.UsageError("give --providers and --dataset, or --replay")
    options = CompareOptions(
        providers=providers,
        dataset=dataset,
        schema=schema,
        split=split,
        limit=limit,
        seed=seed,
        repeat=repeat,
        contestants=contestants,
        files=ReportFiles.at(out),
    )
    sys.exit(
        or_exit(
            "compare",
            lambda: _run(options),
            kept="Answers are kept; the same command goes on with them.",
        )
    )


def _refuse_what_is_asked_already() -> None:
    """What a replay cannot change any more.

    Raises:
        UsageError: names the options.
    """
    context = click.get_current_context()
    given = [
        f"--{name}"
        for name in ("dataset", "schema", "split", "limit", "seed", "repeat", "concurrency")
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(
            f"--replay has no use for {', '.join(given)}: the results file says what was asked"
        )


async def _run(options: CompareOptions) -> int:
    """The exit code."""
    check_reports(options.files.reports)
    settings = settings_or_exit(ModelCommandSettings)
    schema = await find_schema(options.schema)
    texts = _texts_of(options.dataset, schema)
    split = None if options.split == _ALL else options.split
    picked = sample_of(texts, split=split, limit=options.limit, seed=options.seed)
    stop = StopSignal()
    async with open_extractors(
        settings, options.providers, schema, options.contestants
    ) as extractors:
        spec = ComparisonSpec(
            dataset=options.dataset.name,
            schema=schema,
            texts=picked,
            contestants=tuple(each.contestant for each in extractors),
            repeats=options.repeat,
            seed=options.seed,
        )
        results, interruptions = await _answered(spec, options, settings, extractors, stop)
    if interruptions:
        missing, total = len(results.missing(spec)), len(list(spec.answer_ids()))
        click.echo(_told(interruptions, missing, total), err=True)
        return interrupted_status() if stop.is_set() else _NOT_COMPLETED
    await _report(results, [each.name for each in spec.contestants], options.files)
    return 0


def _texts_of(dataset: Path, schema: RecordSchema) -> Sequence[LabelledText]:
    """The texts of a file.

    Raises:
        InvalidInput: names the file, every bad line and what is wrong with it.
    """
    try:
        with dataset.open("rb") as file:
            return read_labelled_texts(file, schema, form=dataset_format_of(dataset))
    except InvalidInput as error:
        named = [replace(each, pointer=str(dataset)) for each in error.violations]
        raise InvalidInput.of(named) from None


async def _answered(
    spec: ComparisonSpec,
    options: CompareOptions,
    settings: ModelCommandSettings,
    extractors: Sequence[Extractor],
    stop: StopSignal,
) -> tuple[ComparisonResults, Sequence[Interruption]]:
    """All answers that there are in the end, and why some are missing.

    Raises:
        Unavailable: a contestant that is still to be asked has no server.
    """
    provenance = Provenance(
        program=version("storekeeper"), asked_at=now(), command=_command(options)
    )
    with FileComparisonResultLog(options.files.results) as log:
        runner = ComparisonRunner(extractors=extractors, log=log)
        known = log.read() or ComparisonResults(spec=spec, provenance=provenance)
        asked = {key.contestant for key in known.missing(spec)}
        if lines := await unreachable(settings, options.providers, asked):
            raise Unavailable("\n".join(lines))
        before = runner.begin(spec, provenance)
        with ComparisonProgress(Console(stderr=True), spec, before) as progress:
            return await runner.run(spec, before, stop=stop, on_answer=progress.heard)


async def _replayed(
    file: Path, names: Sequence[str] | None, files: ReportFiles, contestants: ContestantConditions
) -> int:
    """The exit code."""
    check_reports(files.reports)
    results = read_results(file)
    known = [each.name for each in results.spec.contestants]
    unknown = [name for name in (*(names or ()), *contestants.simulated) if name not in known]
    if unknown:
        detail = f"names {unknown[0]!r}; {file} holds {', '.join(known)}"
        raise InvalidInput.of([Violation(pointer="providers", detail=detail)])
    stated = restated(
        results,
        machine_usd_per_hour=contestants.machine_usd_per_hour,
        simulated=contestants.simulated,
    )
    await _report(stated, names or known, files)
    return 0


async def _report(results: ComparisonResults, names: Sequence[str], files: ReportFiles) -> None:
    """Write the reports, and say the verdict."""
    report = await write_reports(results, names, files)
    click.echo(report.verdict.sentence)
    click.echo(f"Report: {files.main}", err=True)


def _told(interruptions: Sequence[Interruption], missing: int, total: int) -> str:
    """Why answers are missing, and how to go on."""
    lines = [
        f"{each.contestant}: {each.failure.detail}"
        for each in interruptions
        if each.contestant is not None and each.failure is not None
    ]
    lines.append(
        f"{'' if lines else 'Interrupted: '}{missing} of {total} answers are missing. The same"
        " command goes on with them; --replay makes a report of the texts that all have answered."
    )
    return "\n".join(lines)


def _command(options: CompareOptions) -> str:
    """What makes this run anew, without the folders of this machine."""
    return compare_command(
        {
            "providers": options.providers,
            "dataset": options.dataset.name,
            "schema": options.schema,
            "split": options.split,
            "limit": options.limit,
            "seed": options.seed,
            "repeat": options.repeat,
            "concurrency": options.contestants.concurrency,
            "machine-usd-per-hour": options.contestants.machine_usd_per_hour,
        }
    )
