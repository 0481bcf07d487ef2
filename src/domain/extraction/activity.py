"""What extraction is busy with, in figures for those who watch the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from domain.extraction.calls import FailureKind
from domain.extraction.jobs.model import JobStatus

ACTIVITY_WINDOW: Final = timedelta(minutes=5)
"""How far back calls are counted: several scrapes, and few enough rows to be read at each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFigures:
    """Calls to one model that ended alike.

    Attributes:
        provider: who was asked.
        model: with which model.
        outcome: None where an answer came, else why not.
        calls: how many.
        latency_s: of all of them together, in seconds.
    """

    provider: str
    model: str
    outcome: FailureKind | None
    calls: int
    latency_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionActivity:
    """How things stand.

    Attributes:
        calls: of the extractions that were stored within the window, single ones and those of jobs.
        cost_usd: of these extractions, by provider and model; those without a price are not in it.
        jobs: how many there are, by status.
        open_texts: texts of running jobs that are not at their end.
        oldest_waiting_s: age of the oldest running job with a text that nobody reads yet; None
            without one.
        workers: that are alive.
    """

    calls: Sequence[CallFigures]
    cost_usd: Mapping[tuple[str, str], Decimal]
    jobs: Mapping[JobStatus, int]
    open_texts: int
    oldest_waiting_s: float | None
    workers: int
