"""The worker: which jobs there are, and when the clock runs which.

arq does not make up for a run that it missed, gives a job that its worker took along into death
up to `timeout` + 10 s before another worker may have it, and runs a cron job once only, failed or
not. So nothing relies on a run: each finds what was left undone, and `watching.py` looks for that
at every start and every hour.
"""

from __future__ import annotations

from datetime import UTC
from typing import Final
from uuid import uuid4

from arq.constants import default_queue_name, health_check_key_suffix
from arq.cron import cron
from arq.worker import Worker, func

from entrypoints.container.services import Container
from entrypoints.worker.jobs import MAX_TRIES, purge_answers, refresh_insights, wake_extraction

_JOB_TIMEOUT_S: Final = 600
GRACE_S: Final = 5
"""How long jobs under way may go on when the worker stops."""


def build_worker(container: Container, *, handle_signals: bool = True) -> Worker:
    """A worker over the container's queue; needs a running event loop.

    With `handle_signals`, SIGINT and SIGTERM end it: it takes no new job, and leaves a job that
    does not finish within 5 s to the next worker.
    """
    redis = container.redis()
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
        ],
        redis_pool=redis,
        job_serializer=redis.job_serializer,
        job_deserializer=redis.job_deserializer,
        ctx={
            "open_unit": container.open_unit(),
            "insight_refresher": container.insight_refresher(),
            "extraction_runner": container.extraction_runner(),
            "batch_runner": container.batch_runner(),
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
