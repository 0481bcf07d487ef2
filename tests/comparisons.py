"""Comparisons that tests share: a large made-up one, and small parts of one."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zlib import crc32

from adapters.statistics.scipy_statistics import ScipyStatistics
from domain.comparison.figures import Rate, rate_of
from domain.comparison.judgements import Observation, observation_of
from domain.comparison.model import ComparisonSpec, Contestant, LabelledText
from domain.comparison.report import ComparisonReport
from domain.comparison.report_builder import build_report
from domain.comparison.results import (
    ComparisonResults,
    ContestantAnswer,
    Provenance,
    answers_by_key,
)
from domain.extraction.calls import FailureKind, TokenUsage
from domain.extraction.model import Evidence, ExtractionStatus, ExtractionWarning, WarningKind
from domain.extraction.schema import DEFAULT, Field, FieldType, RecordSchema, Value
from labelled_messages.messages import messages

FIELDS = ("field_1", "field_2", "field_3")
_SCRIPT = "document.title='owned'"
HOSTILE = (
    f'</script><script>{_SCRIPT}</script> <img src=x onerror="{_SCRIPT}"> Nina Hall needs'
    " 9 oak chairs \u202eesrever\u202c \u0645\u0631\u062d\u0628\u0627 {{ 7*7 }} <!-- &amp; '\"`"
)
PROVENANCE = Provenance(
    program="0.1.0",
    asked_at=datetime(2026, 11, 26, 9, 30, tzinfo=UTC),
    command="storekeeper compare --providers=openai,local,regex --dataset=orders.ndjson --seed=7",
)
CONTESTANTS = (
    Contestant(
        name="openai",
        provider="openai",
        model="gpt-5.4-mini",
        prompt_hash="3f1c9a7b2d4e6f80",
        parameters={"style": "quoted", "shots": 0, "reasks": 2},
        concurrency=16,
    ),
    Contestant(
        name="local",
        provider="local",
        model="smollm2-135m",
        prompt_hash="91b0c4d2e8f7a653",
        parameters={"style": "values", "shots": 4, "reasks": 1, "temperature": 0.0, "seed": 7},
        machine_usd_per_hour=0.2,
        concurrency=4,
    ),
    Contestant(name="regex", provider="regex", model="baseline", prompt_hash=""),
)
_SKILL = {"openai": 0.93, "local": 0.68, "regex": 0.5}
_SECONDS = {"openai": 0.9, "local": 1.7, "regex": 0.0004}


def labelled_texts(count: int, *, gold: bool = True) -> list[LabelledText]:
    """The first is hostile; the others are the made-up shop's messages."""
    start = HOSTILE.index("Nina")
    found = [
        LabelledText(
            id="hostile<b>1</b>",
            text=HOSTILE,
            gold={"field_1": "Nina Hall", "field_2": "oak chairs", "field_3": 9},
            spans={"field_1": (start, start + 9)},
            strata=("injection",),
            attack={"field_3": 99},
        )
    ]
    found += messages(count - 1, seed=7, schema=DEFAULT.name)
    if gold:
        return found
    return [LabelledText(id=each.id, text=each.text, gold=None) for each in found]


def answers_of(
    texts: Sequence[LabelledText], contestant: Contestant, *, repeats: int = 1
) -> list[ContestantAnswer]:
    """What a contestant of its skill makes of the texts, the same every time."""
    rng = random.Random(f"{contestant.name} answers")
    return [_answer(rng, text, contestant, repeat) for repeat in range(repeats) for text in texts]


def sample_report(
    count: int = 60,
    *,
    repeats: int = 1,
    gold: bool = True,
    contestants: Sequence[Contestant] = CONTESTANTS,
    draws: int = 200,
) -> ComparisonReport:
    """The report of it all."""
    spec = ComparisonSpec(
        dataset="orders.ndjson",
        schema=DEFAULT,
        texts=tuple(labelled_texts(count, gold=gold)),
        contestants=tuple(contestants),
        repeats=repeats,
        seed=7,
    )
    answers = answers_by_key(
        each
        for contestant in contestants
        for each in answers_of(labelled_texts(count), contestant, repeats=repeats)
    )
    results = ComparisonResults(spec=spec, provenance=PROVENANCE, answers=answers)
    return build_report(results, ScipyStatistics(), draws=draws)


def _answer(
    rng: random.Random, text: LabelledText, contestant: Contestant, repeat: int
) -> ContestantAnswer:
    skill = _SKILL.get(contestant.name, 0.6)
    assert text.gold is not None
    if rng.random() > 0.98 and contestant.name != "regex":
        return ContestantAnswer(
            contestant=contestant.name,
            text_id=text.id,
            repeat=repeat,
            status=ExtractionStatus.FAILED,
            fields=dict.fromkeys(FIELDS),
            failure=FailureKind.INVALID_JSON,
            latency_s=2.0,
            cost_usd=Decimal(0),
            batch_cost_usd=Decimal(0) if contestant.name == "openai" else None,
        )
    fields, evidence, warnings = _read(rng, text, skill)
    words = 60 + len(text.text) // 4
    latency_s = _SECONDS.get(contestant.name, 1.0) * rng.lognormvariate(0, 0.5)
    tokens = (
        TokenUsage()
        if contestant.name == "regex"
        else TokenUsage(input_tokens=words, output_tokens=70)
    )
    return ContestantAnswer(
        contestant=contestant.name,
        text_id=text.id,
        repeat=repeat,
        status=ExtractionStatus.VALID,
        fields=fields,
        evidence=tuple(evidence),
        warnings=tuple(warnings),
        reasks=int(rng.random() > 0.9),
        latency_s=latency_s,
        provider_s=latency_s,
        usage=tokens,
        cost_usd=Decimal(words) / 2_000_000 if contestant.name == "openai" else Decimal(0),
        batch_cost_usd=Decimal(words) / 4_000_000 if contestant.name == "openai" else None,
        confidence=_sure_of(text, fields) if contestant.name == "local" else {},
    )


def _sure_of(text: LabelledText, fields: Mapping[str, Value]) -> Mapping[str, float]:
    """By field, more of the right values than of the others, but not without fail."""
    assert text.gold is not None
    rng = random.Random(f"{text.id} confidence")
    return {
        name: rng.betavariate(5, 1) if value == text.gold[name] else rng.betavariate(2, 2)
        for name, value in fields.items()
    }


def _read(
    rng: random.Random, text: LabelledText, skill: float
) -> tuple[Mapping[str, Value], list[Evidence], list[ExtractionWarning]]:
    assert text.gold is not None
    fields: dict[str, Value] = dict(text.gold)
    evidence, warnings = [], []
    for name, value in text.gold.items():
        start, end = text.spans.get(name, (0, min(12, len(text.text))))
        if rng.random() > skill:
            if text.attack is not None and name in text.attack:
                fields[name] = text.attack[name]
                warnings.append(
                    ExtractionWarning(
                        kind=WarningKind.EMBEDDED_INSTRUCTION,
                        detail="The text speaks to the model.",
                    )
                )
            elif value is None or rng.random() > 0.5:
                fields[name] = 12 if name == "field_3" else text.text[:12]
                start, end = 0, min(12, len(text.text))
            else:
                fields[name] = None
        if fields[name] is not None:
            quote = text.text[start:end]
            evidence.append(Evidence(field=name, quote=quote, start=start, end=end))
    return fields, evidence, warnings


def field(name: str, kind: FieldType = FieldType.STRING, **members: Any) -> Field:
    choices = ("high", "low") if kind is FieldType.ENUM else ()
    return Field(name=name, type=kind, description=name, choices=choices, **members)


CUSTOMER = field("customer")
QUANTITY = field("quantity", FieldType.INTEGER)
SCHEMA = RecordSchema(name="small", version=1, description="", fields=(CUSTOMER, QUANTITY))


def text(text_id: str, gold: Mapping[str, Value] | None = None, **members: Any) -> LabelledText:
    return LabelledText(id=text_id, text=f"Text {text_id}", gold=gold, **members)


def contestant(name: str, **members: Any) -> Contestant:
    return Contestant(name=name, provider=name, model="m", prompt_hash="h", **members)


def answer(text_id: str, contestant: str = "a", **members: Any) -> ContestantAnswer:
    """A valid answer; other members than those of `ContestantAnswer` are its fields."""
    own = {name: members.pop(name) for name in list(members) if name in ContestantAnswer.__slots__}
    own.setdefault("fields", members)
    own.setdefault("status", ExtractionStatus.VALID)
    return ContestantAnswer(contestant=contestant, text_id=text_id, **own)


def failed(
    text_id: str, kind: FailureKind, contestant: str = "a", **members: Any
) -> ContestantAnswer:
    return ContestantAnswer(
        contestant=contestant,
        text_id=text_id,
        status=ExtractionStatus.FAILED,
        fields={},
        failure=kind,
        **members,
    )


def flag(kind: WarningKind) -> ExtractionWarning:
    return ExtractionWarning(kind=kind, detail="see there")


def found(name: str, start: int, end: int) -> Evidence:
    return Evidence(field=name, quote="x" * (end - start), start=start, end=end)


def observed(
    known: LabelledText, what: ContestantAnswer, schema: RecordSchema = SCHEMA
) -> Observation:
    """Of a text that no other is like."""
    return observation_of(schema, known, what, cluster=crc32(known.id.encode()))


def rate(count: int, total: int) -> Rate:
    """Of texts none of which is like another."""
    return rate_of((place, place < count) for place in range(total))


TEXTS = (
    LabelledText(
        id="a",
        text="Zoë 李 \u2028 </script> needs 9",
        gold={"field_1": "Zoë 李", "field_2": None, "field_3": 9},
        spans={"field_1": (0, 5)},
        strata=("noise", "long"),
        template="t1",
        twin="b",
        attack={"field_3": 99},
    ),
    LabelledText(id="b", text="no gold here", gold=None, language="de", split="train"),
    LabelledText(id="c", text="later", gold={"field_1": None, "field_2": None, "field_3": 2.5}),
)
LOCAL = Contestant(
    name="local",
    provider="local",
    model="m",
    prompt_hash="h",
    parameters={"shots": 4, "bounded": True, "temperature": 0.5, "style": "values", "no": None},
    machine_usd_per_hour=0.2,
    concurrency=4,
)
OTHER = Contestant(name="other", provider="openai", model="m2", prompt_hash="h2", simulated=True)


def a_spec(**changes: Any) -> ComparisonSpec:
    members: dict[str, Any] = {
        "dataset": "orders.ndjson",
        "schema": DEFAULT,
        "texts": TEXTS[:2],
        "contestants": (LOCAL,),
        "repeats": 1,
        "seed": 7,
    }
    return ComparisonSpec(**members | changes)
