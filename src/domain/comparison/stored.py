"""Comparisons that workers carry out: what was asked of whom, and by which jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from domain.comparison.model import Contestant, LabelledText
from domain.extraction.jobs.model import ExtractionJob, JobId, JobStatus

ComparisonId = NewType("ComparisonId", int)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonJob:
    """The job that asks one contestant all texts, once."""

    contestant: str
    repeat: int
    job_id: JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonDraft:
    """A comparison to make.

    Attributes:
        dataset: the name of the data.
        schema: the record to fill.
        schema_version: its version, fixed from now on.
        texts: what is read, at least one.
        contestants: who reads it, in the order of the report.
        repeats: answers of each contestant to each text (>= 1).
        seed: of the resampling in the report.
    """

    dataset: str
    schema: str
    schema_version: int
    texts: tuple[LabelledText, ...]
    contestants: tuple[Contestant, ...]
    repeats: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A stored one; the attributes are those of its draft, but for the number of the texts.

    Attributes:
        id: its identity.
        jobs: one for each contestant that is a model, and each repeat.
        created_at: when it was made, aware UTC.
    """

    id: ComparisonId
    dataset: str
    schema: str
    schema_version: int
    texts: int
    contestants: tuple[Contestant, ...]
    repeats: int
    seed: int
    jobs: tuple[ComparisonJob, ...]
    created_at: datetime


class ComparisonStatus(StrEnum):
    """How a comparison stands: as the job that is furthest from its end.

    RUNNING: workers are at it. STOPPED: a job is paused or has failed; when it is resumed, the
    comparison goes on. CANCELLED: a job was cancelled. COMPLETED: all answers are there.
    """

    RUNNING = "running"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    COMPLETED = "completed"


def status_of(jobs: Sequence[ExtractionJob]) -> ComparisonStatus:
    """How a comparison with these jobs stands; completed when it needs none."""
    found = {job.status for job in jobs}
    if JobStatus.CANCELLED in found:
        return ComparisonStatus.CANCELLED
    if found & {JobStatus.PAUSED, JobStatus.FAILED}:
        return ComparisonStatus.STOPPED
    if JobStatus.RUNNING in found:
        return ComparisonStatus.RUNNING
    return ComparisonStatus.COMPLETED
