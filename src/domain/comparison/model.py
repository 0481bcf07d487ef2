"""What a comparison is made of: texts with known answers, who is asked, and the stored ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, NewType

from domain.errors import InvalidInput, Violation
from domain.extraction.jobs.model import ExtractionJob, JobId, JobStatus
from domain.extraction.schema import RecordSchema, Value

DEFAULT_SEED: Final = 7
"""Of the sample and the resampling, where nobody names one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledText:
    """One text of a dataset, with what a perfect reader finds in it where that is known.

    Attributes:
        id: its name within the dataset.
        text: what a customer wrote.
        gold: the right value by field, null where the text is silent; nobody knows the fields that
            it leaves out, and none when it is None.
        spans: by field, where the value stands: offsets in code points, `end` behind the last.
        strata: what makes it hard; a text may be in several.
        language: IETF tag.
        template: the wording that it was made from; texts of one template are alike, so that they
            are resampled together. Empty when it has none.
        split: `test`, or another part of the dataset.
        twin: id of the text that is the same but for an attack; None when it has none.
        attack: by field, the value that an instruction inside the text wants; None without one.
    """

    id: str
    text: str
    gold: Mapping[str, Value] | None
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    strata: tuple[str, ...] = ()
    language: str = "en"
    template: str = ""
    split: str = "test"
    twin: str | None = None
    attack: Mapping[str, Value] | None = None


def sample_of(
    texts: Sequence[LabelledText], *, split: str | None, limit: int | None, seed: int
) -> tuple[LabelledText, ...]:
    """Texts in an order drawn by `seed`, so that any first part of them is a random sample.

    A text and its twins stand together: an attack counts only beside its clean twin. With the same
    seed, a higher limit adds texts and leaves the others in their places.

    Args:
        texts: of the dataset, each id once.
        split: only texts of this part; None for all.
        limit: at most so many (>= 1); None for all.
        seed: of the draw.

    Raises:
        InvalidInput: no text is left.
    """
    found = [text for text in texts if split is None or text.split == split]
    if not found:
        there = ", ".join(sorted({text.split for text in texts})) or "none"
        detail = f"no text of the dataset is in split {split!r}; its splits: {there}"
        raise InvalidInput.of([Violation(pointer="split", detail=detail)])

    def drawn(text: LabelledText) -> tuple[str, str]:
        group = text.twin or text.id
        return hashlib.sha256(f"{seed}\0{group}".encode()).hexdigest(), text.id

    return tuple(sorted(found, key=drawn)[:limit])


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """Who answers: a model behind a provider, asked in one way.

    Attributes:
        name: unique within a comparison.
        provider: who is asked.
        model: with which model.
        prompt_hash: identifies prompt version, rules, schema and examples.
        parameters: what else decides its answers, such as temperature and concurrency.
        simulated: nobody's model answers, a stand-in does; every verdict says so.
        machine_usd_per_hour: what the machine costs that a local model runs on; None for an API.
        concurrency: calls at once, which share the machine (>= 1).
    """

    name: str
    provider: str
    model: str
    prompt_hash: str
    parameters: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    simulated: bool = False
    machine_usd_per_hour: float | None = None
    concurrency: int = 1


class AnswerId(NamedTuple):
    """Which answer it is: of one contestant to one text, in one round."""

    contestant: str
    text_id: str
    repeat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSpec:
    """What is asked of whom.

    Attributes:
        dataset: the name of the data.
        schema: the record to fill.
        texts: what is read, in the order of the data.
        contestants: who reads it, in the order of the report.
        repeats: answers of each contestant to each text (>= 1).
        seed: of the resampling in the report.
    """

    dataset: str
    schema: RecordSchema
    texts: tuple[LabelledText, ...]
    contestants: tuple[Contestant, ...]
    repeats: int
    seed: int

    def answer_ids(self) -> Iterator[AnswerId]:
        """Everything that is asked, in order: each round, each contestant, each text.

        Contestants take turns rather than run at once: on one machine they would slow down each
        other, and their latencies would say nothing.
        """
        for repeat in range(self.repeats):
            for contestant in self.contestants:
                for text in self.texts:
                    yield AnswerId(contestant.name, text.id, repeat)


ComparisonId = NewType("ComparisonId", int)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonJob:
    """The job that asks one contestant all texts, once."""

    contestant: str
    repeat: int
    job_id: JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A stored one; the attributes are those of its spec, but for the number of the texts.

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
