"""A comparison asks what is missing, keeps what comes, and goes on where it stood."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal

import pytest

from adapters.llm.records import PydanticRecordValidator
from domain.comparison.choosing import chosen
from domain.comparison.model import Contestant, LabelledText, Outcome
from domain.comparison.readers import BaselineReader, ModelReader, Reader, baseline
from domain.comparison.recording import Question, Recording, Run, of_contestants, restated
from domain.comparison.service import ComparisonService, Halt
from domain.errors import Conflict, InvalidInput
from domain.extraction.builtin import ORDER_MESSAGE
from domain.extraction.calls import Failure, FailureKind
from domain.extraction.model import Status
from domain.extraction.prices import Price, PriceTable
from domain.extraction.service import ExtractionService
from tests.contracts.comparison_log import LOCAL, OTHER, TEXTS, a_run
from tests.fakes.comparison import MemoryComparisonLog
from tests.fakes.language_models import ScriptedLanguageModel
from tests.unit.comparisons import SCHEMA

A = Contestant(name="a", provider="a", model="m", prompt_hash="h", concurrency=1)
B = replace(A, name="b", concurrency=2)
MANY = tuple(LabelledText(id=f"t{n}", text=f"text {n}", gold=None) for n in range(30))
LIMITED = Failure(kind=FailureKind.RATE_LIMITED, detail="Too many calls.")
NO_KEY = Failure(kind=FailureKind.AUTH, detail="The key is refused.")
BROKEN = Failure(kind=FailureKind.INVALID_JSON, detail="No JSON came.")


class Scripted(Reader):
    """Says of each text what `says` makes of it, and notes what it was asked."""

    def __init__(self, name: str, says: Callable[[str], Failure | None] = lambda _: None) -> None:
        self._name = name
        self._says = says
        self.asked: list[tuple[str, int]] = []

    async def read(self, text: LabelledText, repeat: int) -> tuple[Outcome, Failure | None]:
        await asyncio.sleep(0)
        self.asked.append((text.id, repeat))
        failure = self._says(text.id)
        outcome = Outcome(
            contestant=self._name,
            text_id=text.id,
            repeat=repeat,
            status=Status.VALID if failure is None else Status.FAILED,
            fields={},
            failure=None if failure is None else failure.kind,
        )
        return outcome, failure


class Comparison:
    """One run over scripted readers and a log that stays."""

    def __init__(self, *readers: Scripted, log: MemoryComparisonLog | None = None) -> None:
        self.log = log or MemoryComparisonLog()
        self.stop = asyncio.Event()
        self.heard: list[Outcome] = []
        self._readers = {reader._name: reader for reader in readers}

    async def go(self, run: Run) -> tuple[Recording, tuple[Halt, ...]]:
        service = ComparisonService(readers=self._readers, log=self.log)
        before = service.begin(run)
        return await service.answer(run, before, stop=self.stop, heard=self.heard.append)


def plain_run(texts: Iterable[LabelledText] = MANY, *contestants: Contestant) -> Run:
    return a_run(texts=tuple(texts), contestants=contestants or (A,))


async def test_every_contestant_answers_every_text_in_every_round() -> None:
    a, b = Scripted("a"), Scripted("b")
    comparison = Comparison(a, b)
    run = replace(plain_run(MANY[:3], A, B), repeats=2)
    recording, halts = await comparison.go(run)
    assert not halts
    assert set(recording.outcomes) == set(run.questions())
    assert a.asked == [(text.id, repeat) for repeat in (0, 1) for text in MANY[:3]]
    assert len(comparison.heard) == 12
    kept = comparison.log.read()
    assert kept is not None
    assert kept.outcomes == recording.outcomes


async def test_what_stands_in_the_log_is_not_asked_again() -> None:
    first = Comparison(Scripted("a"))
    await first.go(plain_run(MANY[:2]))
    again = Scripted("a")
    recording, _ = await Comparison(again, log=first.log).go(plain_run(MANY[:5]))
    assert [text_id for text_id, _ in again.asked] == ["t2", "t3", "t4"]
    assert len(recording.outcomes) == 5


async def test_a_log_of_something_else_is_refused_with_the_reason() -> None:
    comparison = Comparison(Scripted("a"))
    await comparison.go(plain_run(MANY[:2]))
    with pytest.raises(Conflict, match="'a' is not who it was: prompt_hash h became h9"):
        await comparison.go(plain_run(MANY[:2], replace(A, prompt_hash="h9")))


async def test_a_contestant_without_a_key_is_left_alone_and_the_others_go_on() -> None:
    a, b = Scripted("a", lambda _: NO_KEY), Scripted("b")
    recording, halts = await Comparison(a, b).go(replace(plain_run(MANY, A, B), repeats=2))
    assert halts == (Halt(contestant="a", failure=NO_KEY),)
    assert len(a.asked) == 1
    assert {question.contestant for question in recording.outcomes} == {"b"}
    assert len(recording.outcomes) == 60


async def test_a_provider_that_is_away_leaves_no_mark_on_its_record() -> None:
    a = Scripted("a", lambda text_id: LIMITED if int(text_id[1:]) >= 5 else None)
    recording, halts = await Comparison(a).go(plain_run())
    assert halts == (Halt(contestant="a", failure=LIMITED),)
    assert sorted(recording.outcomes) == [Question("a", f"t{n}", 0) for n in range(5)]
    assert len(a.asked) == 15


async def test_failures_among_answers_are_part_of_the_record() -> None:
    a = Scripted("a", lambda text_id: LIMITED if text_id in {"t3", "t29"} else None)
    recording, halts = await Comparison(a).go(plain_run())
    assert not halts
    failed = [each.text_id for each in recording.outcomes.values() if each.failure]
    assert failed == ["t3", "t29"]


async def test_of_a_provider_that_never_answered_nothing_is_kept() -> None:
    recording, halts = await Comparison(Scripted("a", lambda _: LIMITED)).go(plain_run(MANY[:3]))
    assert halts == (Halt(contestant="a", failure=LIMITED),)
    assert not recording.outcomes


async def test_an_answer_that_came_with_the_halt_is_kept_and_vouches_for_no_failure() -> None:
    def says(text_id: str) -> Failure | None:
        return None if text_id == "t10" else LIMITED

    together = replace(A, concurrency=11)
    recording, halts = await Comparison(Scripted("a", says)).go(plain_run(MANY, together))
    assert halts == (Halt(contestant="a", failure=LIMITED),)
    assert list(recording.outcomes) == [Question("a", "t10", 0)]


async def test_texts_that_no_model_can_answer_count_at_once() -> None:
    recording, halts = await Comparison(Scripted("a", lambda _: BROKEN)).go(plain_run())
    assert not halts
    assert len(recording.outcomes) == 30


async def test_a_stop_keeps_what_is_there_and_gives_up_the_rest() -> None:
    comparison = Comparison(Scripted("a"), Scripted("b"))

    def heard(_: Outcome) -> None:
        comparison.stop.set()

    service = ComparisonService(readers=comparison._readers, log=comparison.log)
    run = plain_run(MANY, A, B)
    recording, halts = await service.answer(
        run, service.begin(run), stop=comparison.stop, heard=heard
    )
    assert halts == (Halt(),)
    assert 1 <= len(recording.outcomes) < 30
    assert {question.contestant for question in recording.outcomes} == {"a"}


async def test_an_error_of_the_log_ends_the_comparison() -> None:
    class Full(MemoryComparisonLog):
        def append(self, outcome: Outcome) -> None:
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        await Comparison(Scripted("b"), log=Full()).go(plain_run(MANY, B))


async def test_a_model_reads_with_all_that_extraction_does_and_is_priced_twice() -> None:
    price = Price(input=Decimal(1), cached=Decimal(1), output=Decimal(1))
    service = ExtractionService(
        models={"m": ScriptedLanguageModel([*["not JSON"] * 3, FailureKind.AUTH])},
        chain=("m",),
        validator=PydanticRecordValidator(),
        prices=PriceTable(prices={("scripted", "*"): price}, batch={"scripted": Decimal("0.5")}),
        monotonic=lambda: 0.0,
        new_mark=lambda: "feed",
    )
    reader = ModelReader(service, name="m", schema=ORDER_MESSAGE, deadline_s=9)
    text = LabelledText(id="x", text="Ann here", gold=None)
    outcome, failure = await reader.read(text, 1)
    assert (outcome.contestant, outcome.text_id, outcome.repeat) == ("m", "x", 1)
    assert (outcome.attempts, outcome.reasks) == (3, 2)
    assert outcome.cost_usd == Decimal("0.00033")
    assert outcome.batch_cost_usd == Decimal("0.000165")
    assert failure is not None
    assert failure.kind is FailureKind.INVALID_JSON
    assert (await reader.read(text, 0))[0].failure is FailureKind.AUTH


async def test_the_baseline_reads_orders_without_a_call() -> None:
    seconds = iter((1.0, 1.5))
    reader = BaselineReader(ORDER_MESSAGE, name="regex", now=lambda: next(seconds))
    text = LabelledText(id="x", text="Please send 12 oak chairs. Regards, Ann Lee", gold=None)
    outcome, failure = await reader.read(text, 2)
    assert failure is None
    assert (outcome.fields["quantity"], outcome.repeat, outcome.attempts) == (12, 2, 0)
    assert (outcome.latency_s, outcome.cost_usd) == (0.5, Decimal(0))
    assert baseline("floor").name == "floor"


def test_the_baseline_reads_orders_alone() -> None:
    with pytest.raises(InvalidInput) as refused:
        BaselineReader(SCHEMA, name="regex", now=lambda: 0.0)
    assert "reads orders alone" in refused.value.violations[0].detail


def test_a_sample_is_random_steady_and_keeps_twins_together() -> None:
    pairs = [
        text
        for n in range(20)
        for text in (
            LabelledText(id=f"p{n}", text="x", gold=None),
            LabelledText(id=f"q{n}", text="x", gold=None, twin=f"p{n}"),
        )
    ]
    few = chosen(pairs, split="test", limit=10, seed=7)
    more = chosen(pairs, split=None, limit=None, seed=7)
    assert more[:10] == few
    assert len({(text.twin or text.id) for text in few}) == 5
    assert chosen(pairs, split="test", limit=10, seed=8) != few
    with pytest.raises(InvalidInput) as refused:
        chosen(TEXTS, split="dev", limit=None, seed=7)
    assert refused.value.violations[0].detail.endswith("in split 'dev'; its splits: test, train")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": ORDER_MESSAGE}, "made with the schema 'default' version 1"),
        ({"texts": TEXTS[2:]}, "none of its 2 texts is in this dataset"),
        ({"texts": TEXTS[1:]}, "1 of its 2 texts are not chosen now (a): a run may only grow"),
        (
            {"texts": (replace(TEXTS[0], gold=None), TEXTS[1])},
            "1 of its texts have other words or labels now (a): the dataset is another one",
        ),
        ({"contestants": (replace(LOCAL, model="n"),)}, "model m became n"),
        ({"contestants": (replace(LOCAL, parameters={"shots": 0}),)}, "shots 4 became 0"),
        ({"contestants": (replace(LOCAL, concurrency=9),)}, "concurrency 4 became 9"),
    ],
)
def test_what_cannot_be_gone_on_with_is_explained(changes: dict[str, object], said: str) -> None:
    log = MemoryComparisonLog()
    log.begin(a_run())
    with pytest.raises(Conflict) as refused:
        ComparisonService(readers={}, log=log).begin(a_run(**changes))
    assert said in str(refused.value)


def test_a_price_and_new_contestants_are_no_hindrance() -> None:
    log = MemoryComparisonLog()
    log.begin(a_run())
    dearer = replace(LOCAL, machine_usd_per_hour=9.0)
    service = ComparisonService(readers={}, log=log)
    found = service.begin(a_run(contestants=(OTHER, dearer), texts=TEXTS))
    assert [each.name for each in found.run.contestants] == ["other", "local"]
    assert service.begin(a_run(texts=TEXTS)).run.contestants == (LOCAL, OTHER)


def test_a_replay_may_say_more_about_who_answered_and_look_at_some_of_them() -> None:
    recording = Recording(run=a_run(contestants=(LOCAL, OTHER)))
    dearer = restated(recording, machine_usd_per_hour=2.0, simulated=("local",)).run.contestants
    assert [each.machine_usd_per_hour for each in dearer] == [2.0, None]
    assert [each.simulated for each in dearer] == [True, True]
    same = restated(recording, machine_usd_per_hour=None, simulated=())
    assert same == recording
    only = of_contestants(recording, ["other"])
    assert only.run.contestants == (OTHER,)
    assert only.run.schema == recording.run.schema
