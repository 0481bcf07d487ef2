"""When a job ends, pauses or fails."""

from __future__ import annotations

from collections.abc import Sequence

from domain.jobs.items import Halt
from domain.jobs.model import ExtractionJob, JobStatus, Reason


def next_status(job: ExtractionJob, halts: Sequence[Halt] = ()) -> tuple[JobStatus, Reason | None]:
    """How a job stands after documents of it were settled.

    A job whose documents are all done is completed, whatever stopped it meanwhile; one that does
    not run stays as it is; else a failure comes before a pause, and a pause before a used-up cap.

    Args:
        job: with the settled documents counted.
        halts: what the settled documents mean for it.
    """
    if job.status is not JobStatus.CANCELLED and job.counts.done == job.counts.total:
        return JobStatus.COMPLETED, None
    if job.status is not JobStatus.RUNNING:
        return job.status, job.reason
    for status in (JobStatus.FAILED, JobStatus.PAUSED):
        for halt in halts:
            if halt.status is status:
                return status, halt.reason
    reached = job.spending.reached(job.caps)
    return (JobStatus.RUNNING, None) if reached is None else (JobStatus.PAUSED, reached)
