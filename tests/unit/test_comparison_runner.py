"""A comparison asks what is missing, keeps what comes, and goes on where it stood."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal

import pytest

from adapters.llm.record_validator import PydanticRecordValidator
from domain.comparison.baseline import RegexExtractor
from domain.comparison.model import AnswerId, ComparisonSpec, Contestant, LabelledText, sample_of
from domain.comparison.results import (
    ComparisonResults,
    ContestantAnswer,
)
from domain.comparison.runner import (
    ComparisonRunner,
    Extractor,
    Interruption,
    ModelExtractor,
)
from domain.errors import Conflict, InvalidInput
from domain.extraction.calls import ExtractionFailure, FailureKind, PriceTable, TokenPrice
from domain.extraction.model import ExtractionStatus
from domain.extraction.schema import ORDER_MESSAGE
from domain.extraction.service import ExtractionService
from tests.comparisons import PROVENANCE, SCHEMA, TEXTS, a_spec
from tests.fakes.comparison import MemoryComparisonResultLog
from tests.fakes.language_models import ScriptedLanguageModel

A = Contestant(name="a", provider="a", model="m", prompt_hash="h", concurrency=1)
B = replace(A, name="b", concurrency=2)
MANY = tuple(LabelledText(id=f"t{n}", text=f"text {n}", gold=None) for n in range(30))
LIMITED = ExtractionFailure(kind=FailureKind.RATE_LIMITED, detail="Too many calls.")
NO_KEY = ExtractionFailure(kind=FailureKind.AUTH, detail="The key is refused.")
BROKEN = ExtractionFailure(kind=FailureKind.INVALID_JSON, detail="No JSON came.")


class Scripted(Extractor):
    """Says of each text what `says` makes of it, and notes what it was asked."""

    def __init__(
        self,
        contestant: Contestant,
        says: Callable[[str], ExtractionFailure | None] = lambda _: None,
    ) -> None:
        self.contestant = contestant
        self._says = says
        self.asked: list[tuple[str, int]] = []

    async def extract(
        self, text: LabelledText, repeat: int
    ) -> tuple[ContestantAnswer, ExtractionFailure | None]:
        await asyncio.sleep(0)
        self.asked.append((text.id, repeat))
        failure = self._says(text.id)
        answer = ContestantAnswer(
            contestant=self.contestant.name,
            text_id=text.id,
            repeat=repeat,
            status=ExtractionStatus.VALID if failure is None else ExtractionStatus.FAILED,
            fields={},
            failure=None if failure is None else failure.kind,
        )
        return answer, failure


class Comparison:
    """One comparison over scripted extractors and a log that stays."""

    def __init__(self, *extractors: Scripted, log: MemoryComparisonResultLog | None = None) -> None:
        self.log = log or MemoryComparisonResultLog()
        self.stop = asyncio.Event()
        self.heard: list[ContestantAnswer] = []
        self.extractors = extractors

    async def go(self, spec: ComparisonSpec) -> tuple[ComparisonResults, tuple[Interruption, ...]]:
        runner = ComparisonRunner(extractors=self.extractors, log=self.log)
        before = runner.begin(spec, PROVENANCE)
        return await runner.run(spec, before, stop=self.stop, on_answer=self.heard.append)


def plain_spec(texts: Iterable[LabelledText] = MANY, *contestants: Contestant) -> ComparisonSpec:
    return a_spec(texts=tuple(texts), contestants=contestants or (A,))


async def test_every_contestant_answers_every_text_in_every_round() -> None:
    a, b = Scripted(A), Scripted(B)
    comparison = Comparison(a, b)
    spec = replace(plain_spec(MANY[:3], A, B), repeats=2)
    results, interruptions = await comparison.go(spec)
    assert not interruptions
    assert set(results.answers) == set(spec.answer_ids())
    assert a.asked == [(text.id, repeat) for repeat in (0, 1) for text in MANY[:3]]
    assert len(comparison.heard) == 12
    kept = comparison.log.read()
    assert kept is not None
    assert kept.answers == results.answers


async def test_what_stands_in_the_log_is_not_asked_again() -> None:
    first = Comparison(Scripted(A))
    await first.go(plain_spec(MANY[:2]))
    again = Scripted(A)
    results, _ = await Comparison(again, log=first.log).go(plain_spec(MANY[:5]))
    assert [text_id for text_id, _ in again.asked] == ["t2", "t3", "t4"]
    assert len(results.answers) == 5


async def test_a_log_of_something_else_is_refused_with_the_reason() -> None:
    comparison = Comparison(Scripted(A))
    await comparison.go(plain_spec(MANY[:2]))
    with pytest.raises(Conflict, match="'a' is not who it was: prompt_hash h became h9"):
        await comparison.go(plain_spec(MANY[:2], replace(A, prompt_hash="h9")))


async def test_a_contestant_without_a_key_is_left_alone_and_the_others_go_on() -> None:
    a, b = Scripted(A, lambda _: NO_KEY), Scripted(B)
    results, interruptions = await Comparison(a, b).go(replace(plain_spec(MANY, A, B), repeats=2))
    assert interruptions == (Interruption(contestant="a", failure=NO_KEY),)
    assert len(a.asked) == 1
    assert {key.contestant for key in results.answers} == {"b"}
    assert len(results.answers) == 60


async def test_a_provider_that_is_away_leaves_no_mark_on_its_record() -> None:
    a = Scripted(A, lambda text_id: LIMITED if int(text_id[1:]) >= 5 else None)
    results, interruptions = await Comparison(a).go(plain_spec())
    assert interruptions == (Interruption(contestant="a", failure=LIMITED),)
    assert sorted(results.answers) == [AnswerId("a", f"t{n}", 0) for n in range(5)]
    assert len(a.asked) == 15


async def test_failures_among_answers_are_part_of_the_record() -> None:
    a = Scripted(A, lambda text_id: LIMITED if text_id in {"t3", "t29"} else None)
    results, interruptions = await Comparison(a).go(plain_spec())
    assert not interruptions
    failed = [each.text_id for each in results.answers.values() if each.failure]
    assert failed == ["t3", "t29"]


async def test_of_a_provider_that_never_answered_nothing_is_kept() -> None:
    results, interruptions = await Comparison(Scripted(A, lambda _: LIMITED)).go(
        plain_spec(MANY[:3])
    )
    assert interruptions == (Interruption(contestant="a", failure=LIMITED),)
    assert not results.answers


async def test_an_answer_that_came_with_the_interruption_is_kept_and_vouches_for_no_failure() -> (
    None
):
    def says(text_id: str) -> ExtractionFailure | None:
        return None if text_id == "t10" else LIMITED

    together = replace(A, concurrency=11)
    results, interruptions = await Comparison(Scripted(together, says)).go(
        plain_spec(MANY, together)
    )
    assert interruptions == (Interruption(contestant="a", failure=LIMITED),)
    assert list(results.answers) == [AnswerId("a", "t10", 0)]


async def test_texts_that_no_model_can_answer_count_at_once() -> None:
    results, interruptions = await Comparison(Scripted(A, lambda _: BROKEN)).go(plain_spec())
    assert not interruptions
    assert len(results.answers) == 30


async def test_a_stop_keeps_what_is_there_and_gives_up_the_rest() -> None:
    comparison = Comparison(Scripted(A), Scripted(B))

    def heard(_: ContestantAnswer) -> None:
        comparison.stop.set()

    runner = ComparisonRunner(extractors=comparison.extractors, log=comparison.log)
    spec = plain_spec(MANY, A, B)
    results, interruptions = await runner.run(
        spec, runner.begin(spec, PROVENANCE), stop=comparison.stop, on_answer=heard
    )
    assert interruptions == (Interruption(),)
    assert 1 <= len(results.answers) < 30
    assert {key.contestant for key in results.answers} == {"a"}


async def test_an_error_of_the_log_ends_the_comparison() -> None:
    class Full(MemoryComparisonResultLog):
        def append(self, answer: ContestantAnswer) -> None:
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        await Comparison(Scripted(B), log=Full()).go(plain_spec(MANY, B))


async def test_a_model_reads_with_all_that_extraction_does_and_is_priced_twice() -> None:
    price = TokenPrice(input=Decimal(1), cached=Decimal(1), output=Decimal(1))
    service = ExtractionService(
        models={"m": ScriptedLanguageModel([*["not JSON"] * 3, FailureKind.AUTH])},
        chain=("m",),
        validator=PydanticRecordValidator(),
        prices=PriceTable(prices={("scripted", "*"): price}, batch={"scripted": Decimal("0.5")}),
        monotonic=lambda: 0.0,
        new_mark=lambda: "feed",
    )
    extractor = ModelExtractor(service, replace(A, name="m"), schema=ORDER_MESSAGE, deadline_s=9)
    text = LabelledText(id="x", text="Ann here", gold=None)
    answer, failure = await extractor.extract(text, 1)
    assert (answer.contestant, answer.text_id, answer.repeat) == ("m", "x", 1)
    assert (answer.attempts, answer.reasks) == (3, 2)
    assert answer.cost_usd == Decimal("0.00033")
    assert answer.batch_cost_usd == Decimal("0.000165")
    assert failure is not None
    assert failure.kind is FailureKind.INVALID_JSON
    assert (await extractor.extract(text, 0))[0].failure is FailureKind.AUTH


async def test_the_baseline_reads_orders_without_a_call() -> None:
    seconds = iter((1.0, 1.5))
    extractor = RegexExtractor(ORDER_MESSAGE, name="regex", now=lambda: next(seconds))
    text = LabelledText(id="x", text="Please send 12 oak chairs. Regards, Ann Lee", gold=None)
    answer, failure = await extractor.extract(text, 2)
    assert failure is None
    assert (answer.fields["quantity"], answer.repeat, answer.attempts) == (12, 2, 0)
    assert (answer.latency_s, answer.cost_usd) == (0.5, Decimal(0))
    assert (extractor.contestant.name, extractor.contestant.model) == (
        "regex",
        "regular expressions",
    )


def test_the_baseline_reads_orders_alone() -> None:
    with pytest.raises(InvalidInput) as refused:
        RegexExtractor(SCHEMA, name="regex", now=lambda: 0.0)
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
    few = sample_of(pairs, split="test", limit=10, seed=7)
    more = sample_of(pairs, split=None, limit=None, seed=7)
    assert more[:10] == few
    assert len({(text.twin or text.id) for text in few}) == 5
    assert sample_of(pairs, split="test", limit=10, seed=8) != few
    with pytest.raises(InvalidInput) as refused:
        sample_of(TEXTS, split="dev", limit=None, seed=7)
    assert refused.value.violations[0].detail.endswith("in split 'dev'; its splits: test, train")
