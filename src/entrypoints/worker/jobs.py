"""The queue's jobs: each is one line to one use case; and when the clock runs which.

arq does not make up for a run that it missed, gives a job that its worker took along into death
up to `timeout` + 10 s before another worker may have it, and runs a cron job once only, failed or
not. So nothing relies on a run: each finds what was left undone, and `watch_insights` looks
for that at every start and every hour.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC
from functools import wraps
from typing import Any, Final
from uuid import uuid4

from arq import Retry
from arq.constants import default_queue_name, health_check_key_suffix
from arq.cron import cron
from arq.worker import Worker, func

from domain.errors import StatementTimedOut, Unavailable
from entrypoints.container.services import Container
from entrypoints.settings import WorkerSettings

Context = dict[str, Any]
Job = Callable[..., Awaitable[None]]

MAX_TRIES: Final = 8
"""With the waits below, a job bears an outage of about three quarters of an hour."""
_FIRST_WAIT_S: Final = 15
_LONGEST_WAIT_S: Final = 900


def patient(job: Job) -> Job:
    """Try a job again later when an outside system failed: arq itself gives up at any error."""

    @wraps(job)
    async def run(ctx: Context, *args: Any, **kwargs: Any) -> None:
        try:
            await job(ctx, *args, **kwargs)
        except (Unavailable, StatementTimedOut) as error:
            wait_s = min(_FIRST_WAIT_S * 2 ** ctx["job_try"], _LONGEST_WAIT_S)
            raise Retry(defer=wait_s) from error

    return run


@patient
async def refresh_insights(ctx: Context) -> None:
    """Store yesterday's search insight, and what is missing or still moving."""
    report = await ctx["insight_refresher"].refresh()
    if report.outage is not None:
        raise report.outage


@patient
async def purge_answers(ctx: Context) -> None:
    """Forget the kept answers to requests that are too old to be replayed."""
    async with ctx["open_unit"]() as unit:
        await unit.answers.purge()
        await unit.commit()


@patient
async def prune_audit_log(ctx: Context) -> None:
    """Delete the entries of the audit log that are older than they are kept."""
    await ctx["audit_log"].prune(ctx["audit_keep_days"])


@patient
async def prune_webhooks(ctx: Context) -> None:
    """Delete the deliveries of webhooks that are older than they are kept."""
    await ctx["webhook_deliveries"].prune(ctx["webhook_keep_days"])


async def wake_extraction(ctx: Context) -> None:
    """Let this process look for documents of extraction jobs now."""
    ctx["extraction_worker"].wake()
    ctx["batch_worker"].wake()


_JOB_TIMEOUT_S: Final = 600
GRACE_S: Final = 5
"""How long jobs under way may go on when the worker stops."""


def build_worker(container: Container, *, handle_signals: bool = True) -> Worker:
    """A worker over the container's queue; needs a running event loop.

    With `handle_signals`, SIGINT and SIGTERM end it: it takes no new job, and leaves a job that
    does not finish within 5 s to the next worker.
    """
    redis, settings = container.redis(), container.settings()
    assert isinstance(settings, WorkerSettings), "a worker's container has a worker's settings"
    nightly = container.insight_schedule().at
    return Worker(
        functions=[func(wake_extraction, keep_result=0)],
        cron_jobs=[
            cron(
                refresh_insights,  # type: ignore[arg-type]  # arq types ctx by its own alias
                hour=nightly.hour,
                minute=nightly.minute,
                unique=True,  # one of the workers runs it
                max_tries=MAX_TRIES,
                timeout=_JOB_TIMEOUT_S,
            ),
            cron(
                purge_answers,  # type: ignore[arg-type]  # as above
                minute=40,
                run_at_startup=True,
                unique=True,
                max_tries=MAX_TRIES,
                timeout=_JOB_TIMEOUT_S,
            ),
            cron(
                prune_audit_log,  # type: ignore[arg-type]  # as above
                hour=nightly.hour,
                minute=nightly.minute,
                run_at_startup=True,
                unique=True,
                max_tries=MAX_TRIES,
                timeout=_JOB_TIMEOUT_S,
            ),
            cron(
                prune_webhooks,  # type: ignore[arg-type]  # as above
                hour=nightly.hour,
                minute=nightly.minute,
                run_at_startup=True,
                unique=True,
                max_tries=MAX_TRIES,
                timeout=_JOB_TIMEOUT_S,
            ),
        ],
        redis_pool=redis,
        job_serializer=redis.job_serializer,
        job_deserializer=redis.job_deserializer,
        ctx={
            "open_unit": container.open_unit(),
            "audit_log": container.audit_log(),
            "audit_keep_days": settings.audit_keep_days,
            "webhook_deliveries": container.webhook_deliveries(),
            "webhook_keep_days": settings.webhook_keep_days,
            "insight_refresher": container.insight_refresher(),
            "extraction_worker": container.extraction_worker(),
            "batch_worker": container.batch_worker(),
        },
        timezone=UTC,
        max_tries=MAX_TRIES,
        job_timeout=_JOB_TIMEOUT_S,
        job_completion_wait=GRACE_S,
        health_check_interval=30,
        # A key of its own: one that all share is deleted by the first worker that stops.
        health_check_key=f"{default_queue_name}{health_check_key_suffix}:{uuid4().hex}",
        handle_signals=handle_signals,
    )
