"""What a comparison leaves behind while it runs: enough to go on, and to report without a call."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple

from domain.comparison.contestants import OWN_MACHINES
from domain.comparison.model import Contestant, LabelledText, Outcome
from domain.extraction.schema import Schema

_SHOWN: Final = 3


class Question(NamedTuple):
    """One text for one contestant, once."""

    contestant: str
    text_id: str
    repeat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is asked of whom.

    Attributes:
        dataset: the name of the data.
        schema: the record to fill.
        texts: what is read, in the order of the data.
        contestants: who reads it, in the order of the report.
        repeats: answers of each contestant to each text (>= 1).
        seed: of the resampling in the report.
        program: version of the program that asks.
        command: what was typed, for readers of the report.
        started_at: aware UTC.
    """

    dataset: str
    schema: Schema
    texts: tuple[LabelledText, ...]
    contestants: tuple[Contestant, ...]
    repeats: int
    seed: int
    program: str
    command: str
    started_at: datetime

    def questions(self) -> Iterator[Question]:
        """Everything that is asked, in order: each round, each contestant, each text.

        Contestants take turns rather than run at once: on one machine they would slow down each
        other, and their latencies would say nothing.
        """
        for repeat in range(self.repeats):
            for contestant in self.contestants:
                for text in self.texts:
                    yield Question(contestant.name, text.id, repeat)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What stands in a results file.

    Attributes:
        run: what was asked, all times that it was gone on with taken together.
        outcomes: what came, by question.
    """

    run: Run
    outcomes: Mapping[Question, Outcome] = field(default_factory=dict)


def question_of(outcome: Outcome) -> Question:
    """What `outcome` answers."""
    return Question(outcome.contestant, outcome.text_id, outcome.repeat)


def refusals(before: Run, now: Run) -> list[str]:
    """Why `now` cannot go on with what `before` began; empty when it can.

    It may add contestants, texts and repeats, and drop contestants. What was asked already must be
    what would be asked now: else figures of different things would stand side by side.
    """
    found = []
    if before.schema != now.schema:
        found.append(
            f"it was made with the schema {before.schema.name!r} version {before.schema.version},"
            f" whose definition is not that of {now.schema.name!r} version {now.schema.version}"
        )
    found += _other_texts(before, now)
    known = {contestant.name: contestant for contestant in before.contestants}
    for contestant in now.contestants:
        other = known.get(contestant.name)
        if other is not None and (changed := list(_changes(other, contestant))):
            found.append(
                f"{contestant.name!r} is not who it was: {', '.join(changed)};"
                f" give the new one another name"
            )
    return found


def continued(before: Run, now: Run) -> Run:
    """`now` with the contestants of `before` that it does not name, behind its own."""
    named = {contestant.name for contestant in now.contestants}
    others = [each for each in before.contestants if each.name not in named]
    return replace(
        now,
        contestants=(*now.contestants, *others),
        repeats=max(before.repeats, now.repeats),
        started_at=before.started_at,
    )


def of_contestants(recording: Recording, names: Sequence[str]) -> Recording:
    """The part that is about `names`, in their order."""
    by_name = {contestant.name: contestant for contestant in recording.run.contestants}
    return Recording(
        run=replace(recording.run, contestants=tuple(by_name[name] for name in names)),
        outcomes={
            question: outcome
            for question, outcome in recording.outcomes.items()
            if question.contestant in names
        },
    )


def restated(
    recording: Recording, *, machine_usd_per_hour: float | None, simulated: Collection[str]
) -> Recording:
    """The same answers with more said about who gave them.

    Args:
        recording: what came.
        machine_usd_per_hour: price of the machine of models that run on one's own; None leaves
            what was said.
        simulated: contestants whose provider is a stand-in, beside those that are known to be.
    """

    def stated(contestant: Contestant) -> Contestant:
        own = contestant.provider in OWN_MACHINES and machine_usd_per_hour is not None
        return replace(
            contestant,
            machine_usd_per_hour=machine_usd_per_hour if own else contestant.machine_usd_per_hour,
            simulated=contestant.simulated or contestant.name in simulated,
        )

    run = replace(recording.run, contestants=tuple(map(stated, recording.run.contestants)))
    return replace(recording, run=run)


def _other_texts(before: Run, now: Run) -> Iterator[str]:
    mine = {text.id: text for text in now.texts}
    changed = [text.id for text in before.texts if mine.get(text.id, text) != text]
    if changed:
        yield (
            f"{len(changed)} of its texts have other words or labels now"
            f" ({_listed(changed)}): the dataset is another one"
        )
    gone = [text.id for text in before.texts if text.id not in mine]
    if len(gone) == len(before.texts):
        yield f"none of its {len(gone)} texts is in this dataset"
    elif gone:
        yield (
            f"{len(gone)} of its {len(before.texts)} texts are not chosen now"
            f" ({_listed(gone)}): a run may only grow"
        )


def _listed(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _changes(before: Contestant, now: Contestant) -> Iterator[str]:
    """How two contestants of one name differ, the price of the machine aside."""
    for name in ("provider", "model", "prompt_hash", "concurrency", "simulated"):
        old, new = getattr(before, name), getattr(now, name)
        if old != new:
            yield f"{name} {old} became {new}"
    for name in sorted({*before.parameters, *now.parameters}):
        old, new = before.parameters.get(name), now.parameters.get(name)
        if old != new:
            yield f"{name} {old} became {new}"
