"""A made-up comparison: texts with gold, and three contestants that err in their own ways."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from adapters.statistics.scipy_statistics import ScipyStatistics
from domain.comparison.building import build_report
from domain.comparison.model import Contestant, LabelledText, Outcome
from domain.comparison.report import ComparisonReport
from domain.extraction.builtin import DEFAULT
from domain.extraction.calls import FailureKind, Usage
from domain.extraction.model import Evidence, Flag, FlagKind, Status
from domain.extraction.schema import Value
from labelled_messages.messages import messages
from ports.comparison_writer import Provenance

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


def outcomes(
    texts: Sequence[LabelledText], contestant: Contestant, *, repeats: int = 1
) -> list[Outcome]:
    """What a contestant of its skill makes of the texts, the same every time."""
    rng = random.Random(f"{contestant.name} answers")
    return [_outcome(rng, text, contestant, repeat) for repeat in range(repeats) for text in texts]


def sample_report(
    count: int = 60,
    *,
    repeats: int = 1,
    gold: bool = True,
    contestants: Sequence[Contestant] = CONTESTANTS,
    draws: int = 200,
) -> ComparisonReport:
    """The report of it all."""
    texts = labelled_texts(count, gold=gold)
    return build_report(
        dataset="orders.ndjson",
        schema=DEFAULT,
        texts=texts,
        contestants=contestants,
        outcomes=[
            each
            for contestant in contestants
            for each in outcomes(labelled_texts(count), contestant, repeats=repeats)
        ],
        statistics=ScipyStatistics(),
        draws=draws,
    )


def _outcome(
    rng: random.Random, text: LabelledText, contestant: Contestant, repeat: int
) -> Outcome:
    skill = _SKILL.get(contestant.name, 0.6)
    assert text.gold is not None
    if rng.random() > 0.98 and contestant.name != "regex":
        return Outcome(
            contestant=contestant.name,
            text_id=text.id,
            repeat=repeat,
            status=Status.FAILED,
            fields=dict.fromkeys(FIELDS),
            failure=FailureKind.INVALID_JSON,
            latency_s=2.0,
            cost_usd=Decimal(0),
            batch_cost_usd=Decimal(0) if contestant.name == "openai" else None,
        )
    fields, evidence, warnings = _read(rng, text, skill)
    words = 60 + len(text.text) // 4
    latency_s = _SECONDS.get(contestant.name, 1.0) * rng.lognormvariate(0, 0.5)
    tokens = Usage() if contestant.name == "regex" else Usage(input_tokens=words, output_tokens=70)
    return Outcome(
        contestant=contestant.name,
        text_id=text.id,
        repeat=repeat,
        status=Status.VALID,
        fields=fields,
        evidence=tuple(evidence),
        warnings=tuple(warnings),
        reasks=int(rng.random() > 0.9),
        latency_s=latency_s,
        provider_s=latency_s,
        usage=tokens,
        cost_usd=Decimal(words) / 2_000_000 if contestant.name == "openai" else Decimal(0),
        batch_cost_usd=Decimal(words) / 4_000_000 if contestant.name == "openai" else None,
    )


def _read(
    rng: random.Random, text: LabelledText, skill: float
) -> tuple[Mapping[str, Value], list[Evidence], list[Flag]]:
    assert text.gold is not None
    fields: dict[str, Value] = dict(text.gold)
    evidence, warnings = [], []
    for name, value in text.gold.items():
        start, end = text.spans.get(name, (0, min(12, len(text.text))))
        if rng.random() > skill:
            if text.attack is not None and name in text.attack:
                fields[name] = text.attack[name]
                warnings.append(
                    Flag(kind=FlagKind.EMBEDDED_INSTRUCTION, detail="The text speaks to the model.")
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
