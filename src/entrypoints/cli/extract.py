"""`storekeeper extract`."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from domain.errors import Conflict, InvalidInput, Violation
from domain.extraction.jobs.items import Document
from domain.extraction.jobs.model import (
    MAX_TOKENS,
    ExtractionJob,
    JobCaps,
    JobCommand,
    JobId,
    JobPriority,
    JobStatus,
    ProviderMode,
)
from domain.extraction.schema import BUILT_IN
from domain.records.orders import MAX_INT
from entrypoints.cli.extract_input import FORMS, ID_COLUMN, DocumentSource, open_sources
from entrypoints.cli.options import dollars_of, help_end, input_file, one_of
from entrypoints.cli.process import StopSignal, interrupted_status
from entrypoints.cli.progress import JobProgress, figures
from entrypoints.cli.running import over_container
from entrypoints.container.services import Container
from entrypoints.logs import configure_logging
from entrypoints.settings import Provider, WorkerSettings
from ports.reports import ResultFormat

_POLL_S: Final = 0.25
_WORKERLESS_S: Final = 3.0
_NOT_COMPLETED: Final = 3
_SUFFIXES: Final = {".csv": "csv", ".parquet": "parquet", ".ndjson": "ndjson", ".jsonl": "ndjson"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractOptions:
    """The options of the command."""

    files: Sequence[str]
    source_form: str | None
    text_column: str
    id_column: str
    delimiter: str | None
    schema: str
    provider: str | None
    reuse: bool
    mode: ProviderMode
    priority: JobPriority
    caps: JobCaps
    resume: JobId | None
    here: bool
    detach: bool
    form: str
    form_given: bool
    out: Path | None


@click.command(
    "extract",
    epilog=help_end(
        "echo 'Tom Becker here: 2 desk lamps' | storekeeper extract -",
        "storekeeper extract messages.txt --from lines --schema order_message --out records.ndjson",
        "storekeeper extract mails.csv.gz --text-column body --provider openai --batch",
        "storekeeper extract --resume 7 --out records.ndjson",
        codes={
            0: "the job is completed, or with --detach: it is made",
            3: "the job is not completed; standard error says how to go on",
        },
    ),
)
@click.argument("files", nargs=-1, type=input_file)
@click.option(
    "--from",
    "source_form",
    type=click.Choice(FORMS),
    help="What the files hold: one text each, a text a line, NDJSON or CSV. [default: by ending]",
)
@click.option("--text-column", default="text", show_default=True, help="Text column of a CSV file.")
@click.option(
    "--id-column", default=ID_COLUMN, show_default=True, help="Name column of a CSV file."
)
@click.option("--delimiter", help="Of CSV; `tab` for tabs. [default: by ending]")
@click.option(
    "--schema",
    default="default",
    show_default=True,
    shell_complete=one_of(*(each.name for each in BUILT_IN)),
    help="The record to fill.",
)
@click.option(
    "--provider",
    shell_complete=one_of(*Provider),
    help="A provider, or a chain: openai,local. [default: LLM_PROVIDER]",
)
@click.option("--no-reuse", is_flag=True, help="Ask anew even where the answer is stored.")
@click.option("--batch", is_flag=True, help="Ask by the batch API: half the price, up to 24 hours.")
@click.option(
    "--priority",
    type=click.Choice([each.value for each in JobPriority]),
    help="How soon, among the jobs without a key. [default: normal]",
)
@click.option("--max-cost", help="Pause the job once it used so many US dollars.")
@click.option(
    "--max-tokens", type=click.IntRange(1, MAX_TOKENS), help="Pause it once it used so many tokens."
)
@click.option(
    "--resume", type=click.IntRange(1, MAX_INT), help="Go on with this job instead of FILES."
)
@click.option("--here", is_flag=True, help="Work in this process too: no worker is needed.")
@click.option("--detach", is_flag=True, help="Leave the job to the workers and come back at once.")
@click.option("--format", "form", type=click.Choice(["ndjson", "csv", "parquet"]), help="Of --out.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Results file.")
def command(
    *,
    files: tuple[str, ...],
    source_form: str | None,
    text_column: str,
    id_column: str,
    delimiter: str | None,
    schema: str,
    provider: str | None,
    no_reuse: bool,
    batch: bool,
    priority: str | None,
    max_cost: str | None,
    max_tokens: int | None,
    resume: int | None,
    here: bool,
    detach: bool,
    form: str | None,
    out: Path | None,
) -> None:
    """Turn the texts of FILES (`-` for standard input; they may be gzipped) into records.

    The job is kept in the database: Ctrl-C pauses it, and --resume goes on with it. Results go to
    --out, or to standard output, when it is completed; progress goes to standard error.
    """
    if bool(files) == (resume is not None):
        raise click.UsageError("give FILES or --resume")
    if priority is not None and resume is not None:
        raise click.UsageError("a job keeps its priority: --priority goes with FILES")
    if here and detach:
        raise click.UsageError("--here and --detach exclude each other")
    form_given = form is not None
    form = form or _SUFFIXES.get(out.suffix.lower() if out else "", "ndjson")
    if form == "parquet" and out is None:
        raise click.UsageError("Parquet goes to a file: name it by --out")
    options = ExtractOptions(
        files=files,
        source_form=source_form,
        text_column=text_column,
        id_column=id_column,
        delimiter=delimiter,
        schema=schema,
        provider=provider,
        reuse=not no_reuse,
        mode=ProviderMode.BATCH if batch else ProviderMode.DIRECT,
        priority=JobPriority(priority or JobPriority.NORMAL),
        caps=JobCaps(max_cost_usd=dollars_of(max_cost), max_tokens=max_tokens),
        resume=None if resume is None else JobId(resume),
        here=here,
        detach=detach,
        form=form,
        form_given=form_given,
        out=out,
    )
    configure_logging("warning", "text")
    sys.exit(
        over_container(
            "extract",
            lambda container: _run(container, options),
            WorkerSettings,
            kept="No job was made.",
        )
    )


async def _run(container: Container, options: ExtractOptions) -> int:
    """The exit code."""
    console = Console(stderr=True)
    form: ResultFormat = container.result_formats()[options.form]
    form.check()
    job = await (_resumed(container, options) if options.resume else _submitted(container, options))
    stop = StopSignal()
    if options.detach:
        click.echo(f"Job {job.id}: {job.counts.total} documents are left to the workers.", err=True)
        click.echo(job.id)
        return 0
    async with _working(container, options.here):
        with JobProgress(console, job) as progress:
            job = await _followed(container, job, stop, progress, here=options.here)
        if stop.is_set() and job.status is JobStatus.RUNNING:
            job = await _paused(container, job)
    if job.status in {JobStatus.COMPLETED, JobStatus.CANCELLED}:
        await _write(container, job, form, options.out)
        where = "" if options.out is None else f" Results: {options.out}"
        click.echo(f"Job {job.id} is {job.status}: {figures(job)}.{where}", err=True)
        return 0 if job.status is JobStatus.COMPLETED else _NOT_COMPLETED
    why = "" if job.reason is None else f" {job.reason.detail}"
    if stop.is_set():
        why = " This command was interrupted, and paused it."
    click.echo(
        f"Job {job.id} is {job.status} after {job.counts.done} of {job.counts.total}"
        f" documents.{why}\nGo on with: storekeeper extract --resume {job.id}{_same(options)}",
        err=True,
    )
    return interrupted_status() if stop.is_set() else _NOT_COMPLETED


def _same(options: ExtractOptions) -> str:
    """The options with which to go on."""
    here = " --here" if options.here else ""
    form = f" --format {options.form}" if options.form_given else ""
    return here + form + ("" if options.out is None else f" --out {shlex.quote(str(options.out))}")


async def _submitted(container: Container, options: ExtractOptions) -> ExtractionJob:
    sources = open_sources(
        options.files,
        form=options.source_form,
        text_column=options.text_column,
        id_column=options.id_column,
        delimiter=options.delimiter,
    )
    violations = [violation for source in sources for violation in _violations(source)]
    if violations:
        raise InvalidInput.of(violations)
    service = container.extraction_job_service()
    draft = await service.draft(
        schema=options.schema,
        provider=options.provider,
        reuse=options.reuse,
        caps=options.caps,
        mode=options.mode,
        priority=options.priority,
    )

    async def documents() -> AsyncIterator[Document]:
        for source in sources:
            for document in source.documents():
                yield document

    job: ExtractionJob = await service.submit(draft, documents())
    return job


def _violations(source: DocumentSource) -> Sequence[Violation]:
    try:
        source.check()
    except InvalidInput as error:
        return error.violations
    return ()


async def _resumed(container: Container, options: ExtractOptions) -> ExtractionJob:
    assert options.resume is not None
    job: ExtractionJob = await container.extraction_jobs().get(options.resume)
    if job.status not in {JobStatus.PAUSED, JobStatus.FAILED}:
        return job
    capped = options.caps if options.caps != JobCaps() else None
    resumed: ExtractionJob = await container.extraction_job_service().apply(
        job.id, JobCommand.RESUME, capped
    )
    return resumed


@asynccontextmanager
async def _working(container: Container, here: bool) -> AsyncIterator[None]:
    """Read documents in this process while the block runs."""
    if not here:
        yield
        return
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(container.extraction_worker().run(stop))
        group.create_task(container.batch_worker().run(stop))
        try:
            yield
        finally:
            stop.set()


async def _followed(
    container: Container,
    job: ExtractionJob,
    stop: asyncio.Event,
    progress: JobProgress,
    *,
    here: bool,
) -> ExtractionJob:
    """Show the job until it does not run any more, or `stop` is set."""
    jobs = container.extraction_jobs()
    started, hinted = asyncio.get_running_loop().time(), here
    while True:
        progress.show(job)
        if job.status is not JobStatus.RUNNING or stop.is_set():
            return job
        waited = asyncio.get_running_loop().time() - started
        if not hinted and waited > _WORKERLESS_S:
            hinted = True
            if not await jobs.workers():
                progress.say("No worker is alive: start `storekeeper worker`, or add --here.")
        try:
            async with asyncio.timeout(_POLL_S):
                await stop.wait()
        except TimeoutError:
            job = await jobs.get(job.id)


async def _paused(container: Container, job: ExtractionJob) -> ExtractionJob:
    try:
        paused: ExtractionJob = await container.extraction_job_service().apply(
            job.id, JobCommand.PAUSE
        )
    except Conflict:  # it came to its end meanwhile
        paused = await container.extraction_jobs().get(job.id)
    return paused


async def _write(
    container: Container, job: ExtractionJob, form: ResultFormat, out: Path | None
) -> None:
    assignment = job.spec
    schema = await container.extraction_schemas().get(assignment.schema, assignment.schema_version)
    pieces = form.encode(container.extraction_job_service().all_results(job.id), schema)
    if out is None:
        async for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    # A file under its own name is a whole one.
    part = out.with_name(f"{out.name}.part")
    with part.open("wb") as file:
        async for piece in pieces:
            file.write(piece)
    part.replace(out)
