"""`storekeeper jobs`: extraction jobs, whoever made them."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Final

import click
import msgspec

from domain.errors import NotFound
from domain.extraction.jobs.model import (
    MAX_TOKENS,
    ExtractionJob,
    JobCaps,
    JobCommand,
    JobId,
    JobStatus,
)
from domain.records.orders import MAX_INT
from entrypoints.cli.options import dollars_of, examples, help_end
from entrypoints.cli.running import over_container
from entrypoints.cli.tables import age_of, echo_columns, echo_json, echo_members
from entrypoints.container.commands import now
from entrypoints.container.services import Container
from entrypoints.http.extraction.job_views import job_view
from entrypoints.settings import DatabaseSettings, WorkerSettings

_PAGE: Final = 200
_HEADING: Final = ("ID", "STATUS", "DONE", "AGE", "REASON")


@click.group("jobs", epilog=examples("storekeeper jobs list"))
def command() -> None:
    """See extraction jobs, those of the API too; pause, resume or cancel them.

    `storekeeper extract` makes one and waits for its results.
    """


def _job_id(_: click.Context, __: click.Parameter, value: str) -> JobId:
    if value.isascii() and value.isdigit() and 1 <= int(value[:20]) <= MAX_INT:
        return JobId(int(value))
    raise click.BadParameter(
        f"{value!r} is no job: write its number, as `storekeeper jobs list` shows it"
    )


_id = click.argument("job_id", metavar="ID", callback=_job_id)
_as_json = click.option("--json", "as_json", is_flag=True, help="As the API gives it.")


@command.command(
    "list", epilog=help_end("storekeeper jobs list", "storekeeper jobs list --limit 5 --json")
)
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000_000),
    default=100,
    show_default=True,
    help="Jobs, at most.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document, jobs as the API has them."
)
def list_command(*, limit: int, as_json: bool) -> None:
    """List jobs, newest first: state, documents done of all, age, and why one does not run."""

    async def work(container: Container) -> Sequence[ExtractionJob]:
        found: list[ExtractionJob] = []
        while len(found) <= limit:
            wanted = min(_PAGE, limit + 1 - len(found))
            before = found[-1].id if found else None
            page = await container.extraction_jobs().page(limit=wanted, before=before)
            found += page
            if len(page) < wanted:
                break
        return found

    jobs = over_container("jobs list", work)
    if as_json:
        echo_json({"jobs": [msgspec.to_builtins(job_view(job)) for job in jobs[:limit]]})
    elif jobs:
        at = now()
        echo_columns([_HEADING, *(_row(job, at) for job in jobs[:limit])])
    else:
        click.echo("There is no job yet; `storekeeper extract` makes one.", err=True)
    if len(jobs) > limit:
        click.echo(f"There are more than {limit}; say --limit for more.", err=True)


@command.command(
    "show", epilog=help_end("storekeeper jobs show 7", "storekeeper jobs show 7 --json")
)
@_id
@_as_json
def show_command(*, job_id: JobId, as_json: bool) -> None:
    """Show all that is known of job ID: what it does, how far it is, what it used."""

    async def work(container: Container) -> ExtractionJob:
        return await _known(container.extraction_jobs().get(job_id))

    view = msgspec.to_builtins(job_view(over_container("jobs show", work)))
    if as_json:
        echo_json(view)
    else:
        echo_members(view)


@command.command("pause", epilog=help_end("storekeeper jobs pause 7"))
@_id
@_as_json
def pause_command(*, job_id: JobId, as_json: bool) -> None:
    """Pause job ID: what is under way comes to its end, nothing more is begun."""
    _apply(job_id, JobCommand.PAUSE, as_json=as_json)


@command.command(
    "resume",
    epilog=help_end("storekeeper jobs resume 7", "storekeeper jobs resume 7 --max-cost 2.50"),
)
@_id
@click.option("--max-cost", help="Pause it again once it used so many US dollars, in all.")
@click.option(
    "--max-tokens",
    type=click.IntRange(1, MAX_TOKENS),
    help="Pause it again once it used so many tokens, in all.",
)
@_as_json
def resume_command(
    *, job_id: JobId, max_cost: str | None, max_tokens: int | None, as_json: bool
) -> None:
    """Resume job ID, which was paused or failed; a cap that is reached needs a higher one."""
    caps = JobCaps(max_cost_usd=dollars_of(max_cost), max_tokens=max_tokens)
    _apply(job_id, JobCommand.RESUME, None if caps == JobCaps() else caps, as_json=as_json)


@command.command("cancel", epilog=help_end("storekeeper jobs cancel 7"))
@_id
@_as_json
def cancel_command(*, job_id: JobId, as_json: bool) -> None:
    """Cancel job ID, for good: what is under way is given up, what is done stays."""
    _apply(job_id, JobCommand.CANCEL, as_json=as_json)


def _apply(job_id: JobId, asked: JobCommand, caps: JobCaps | None = None, *, as_json: bool) -> None:
    resumes = asked is JobCommand.RESUME

    async def work(container: Container) -> tuple[ExtractionJob, int]:
        # Who resumes wakes the workers too; nothing else needs more than the database.
        jobs = container.extraction_job_service() if resumes else container.extraction_jobs()
        job = await _known(jobs.apply(job_id, asked, caps))
        return job, await container.extraction_jobs().workers()

    job, workers = over_container(
        f"jobs {asked}", work, WorkerSettings if resumes else DatabaseSettings
    )
    if as_json:
        echo_json(msgspec.to_builtins(job_view(job)))
    else:
        click.echo(
            f"Job {job.id} is {job.status}: {job.counts.done} of {job.counts.total} documents"
            " are done."
        )
    if job.status is JobStatus.RUNNING and not workers:
        click.echo("No worker is alive: start `storekeeper worker`.", err=True)


async def _known(work: Awaitable[ExtractionJob]) -> ExtractionJob:
    """The job, or a refusal that says where to look."""
    try:
        return await work
    except NotFound as error:
        raise NotFound(f"{error} `storekeeper jobs list` shows all there are.") from None


def _row(job: ExtractionJob, at: datetime) -> Sequence[str]:
    done = f"{job.counts.done}/{job.counts.total}"
    why = "" if job.reason is None else f"{job.reason.code}: {job.reason.detail}"
    return str(job.id), job.status, done, age_of(at - job.created_at), why
