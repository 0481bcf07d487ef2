"""What the queue runs: each job is one line to one use case."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final

from arq import Retry

from domain.errors import StatementTimedOut, Unavailable

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


async def wake_extraction(ctx: Context) -> None:
    """Let this process look for documents of extraction jobs now."""
    ctx["extraction_runner"].wake()
    ctx["batch_runner"].wake()
