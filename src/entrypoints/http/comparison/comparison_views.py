"""Comparisons as JSON takes and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.comparison.model import DEFAULT_SEED, Comparison, ComparisonStatus, status_of
from domain.extraction.jobs.items import MAX_DOCUMENT_ID
from domain.extraction.jobs.model import ExtractionJob, JobStatus
from entrypoints.http.extraction.extractions import SchemaName, Text
from entrypoints.http.protocol.answers import Id, Instant, shown
from entrypoints.http.protocol.pages import Page

MAX_TEXTS: Final = 10_000
_Label = Annotated[str, Meta(max_length=255)]


class LabelledTextBody(Struct, forbid_unknown_fields=True):
    """A text as a line of a dataset has it; labels name fields of the schema."""

    text: Text
    id: Annotated[str, Meta(min_length=1, max_length=MAX_DOCUMENT_ID)] | None = None
    gold: (
        Annotated[dict[str, Any], Meta(description="The right value of each field; null: silent")]
        | None
    ) = None
    spans: (
        Annotated[
            dict[str, Annotated[list[int], Meta(min_length=2, max_length=2)]],
            Meta(description="Where values stand: start, and end behind the last code point"),
        ]
        | None
    ) = None
    strata: list[_Label] | None = None
    language: _Label | None = None
    template: Annotated[_Label, Meta(description="Its wording")] | None = None
    split: _Label | None = None
    twin: (
        Annotated[_Label, Meta(description="Id of the text that it is but for an attack")] | None
    ) = None
    attack: (
        Annotated[dict[str, Any], Meta(description="What an instruction inside it wants")] | None
    ) = None


class ComparisonBody(Struct, forbid_unknown_fields=True):
    """What is compared: the same texts for each provider, with or without gold."""

    EXAMPLE: ClassVar = {
        "providers": ["openai", "regex"],
        "schema": "order_message",
        "texts": [
            {
                "id": "mail-1",
                "text": "Maria Lopez here, 24 oat milk cartons please",
                "gold": {"customer": "Maria Lopez", "product": "oat milk cartons", "quantity": 24},
            }
        ],
    }

    providers: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=40)]],
        Meta(
            min_length=1,
            max_length=8,
            description="Configured providers, or `regex`, the baseline for orders; each once",
        ),
    ]
    texts: Annotated[
        list[LabelledTextBody],
        Meta(min_length=1, max_length=MAX_TEXTS, description="Each id once"),
    ]
    schema: SchemaName | UnsetType = UNSET
    repeat: Annotated[
        int, Meta(ge=1, le=20, description="Ask everything so often; 1 if not given")
    ] = 1
    seed: Annotated[
        int,
        Meta(ge=0, le=2**31 - 1, description=f"Of the resampling; {DEFAULT_SEED} if not given"),
    ] = DEFAULT_SEED
    dataset: Annotated[
        str, Meta(min_length=1, max_length=255, description="Your name for the texts")
    ] = "texts"
    machine_usd_per_hour: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=1e6,
                description="Price of the machine of the models of local and openai_compatible",
            ),
        ]
        | UnsetType
    ) = UNSET


class ComparisonJobView(Struct):
    """A job behind it, and how far it is."""

    contestant: str
    repeat: int
    job: str
    status: JobStatus
    done: int
    total: int


class ContestantView(Struct):
    """Who answers; `simulated` when a stand-in does."""

    name: str
    provider: str
    model: str
    prompt_hash: str
    simulated: bool


class ComparisonView(Struct):
    """A comparison as it stands.

    `stopped` goes on when its paused or failed jobs are resumed. `report` can be had as soon as one
    text is answered by all.
    """

    EXAMPLE: ClassVar = {
        "id": 3,
        "status": "running",
        "dataset": "texts",
        "schema": "order_message",
        "schema_version": 1,
        "texts": 300,
        "repeats": 1,
        "seed": DEFAULT_SEED,
        "contestants": [
            {
                "name": "openai",
                "provider": "openai",
                "model": "gpt-5.4-mini",
                "prompt_hash": "5f2a5c3e8d1b7a90",
                "simulated": False,
            },
            {
                "name": "regex",
                "provider": "regex",
                "model": "regular expressions",
                "prompt_hash": "regex-1",
                "simulated": False,
            },
        ],
        "jobs": [
            {
                "contestant": "openai",
                "repeat": 0,
                "job": "/extraction-jobs/7",
                "status": "running",
                "done": 120,
                "total": 300,
            }
        ],
        "answers": 300,
        "answered": 120,
        "created_at": "2026-11-26T09:30:00Z",
        "report": "/comparisons/3/report",
    }

    id: Id
    status: ComparisonStatus
    dataset: str
    schema: str
    schema_version: int
    texts: int
    repeats: int
    seed: int
    contestants: list[ContestantView]
    jobs: list[ComparisonJobView]
    answers: int
    answered: int
    created_at: Instant
    report: str


class ComparisonPage(Page[ComparisonView]):
    """One page, newest first."""


class ReportQuery(Struct, forbid_unknown_fields=True):
    """The form of a report, where the Accept header is not at hand."""

    format: (
        Annotated[
            Literal["html", "json", "csv", "markdown"],
            Meta(description="Wins over the Accept header"),
        ]
        | None
    ) = None


def comparison_view(comparison: Comparison, jobs: Sequence[ExtractionJob]) -> ComparisonView:
    """A comparison and its jobs, in their order, as JSON shows them."""
    return shown(
        ComparisonView,
        comparison,
        status=status_of(jobs),
        jobs=[
            ComparisonJobView(
                contestant=link.contestant,
                repeat=link.repeat,
                job=f"/extraction-jobs/{job.id}",
                status=job.status,
                done=job.counts.done,
                total=job.counts.total,
            )
            for link, job in zip(comparison.jobs, jobs, strict=True)
        ],
        answers=sum(job.counts.total for job in jobs),
        answered=sum(job.counts.done for job in jobs),
        report=f"/comparisons/{comparison.id}/report",
    )
