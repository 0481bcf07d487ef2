"""Confidence: tokens become log-probabilities of values, and these a probability."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import log
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.embedded import model_server
from adapters.llm.capabilities import profile_of
from adapters.llm.openai_compatible import read_completion, request_body
from adapters.llm.record_validator import PydanticRecordValidator
from domain.comparison.contestants import read_contestants
from domain.errors import Unavailable
from domain.extraction.answers import ValidatedAnswer
from domain.extraction.calls import FailureKind, PriceTable
from domain.extraction.confidence import (
    FEATURES,
    AnswerToken,
    Calibration,
    confidence_of,
    features_of,
    log_probabilities_of,
    tokens_of,
)
from domain.extraction.model import ExtractionResult, ExtractionStatus
from domain.extraction.prompting import TUNED_PROMPT, build_prompt, prompt_hash
from domain.extraction.schema import ORDER_MESSAGE, Field, FieldType, RecordSchema
from domain.extraction.service import ExtractionService
from entrypoints.container.models import model_configs
from entrypoints.settings import LocalModelAdapter, ModelCommandSettings
from tests.fakes.language_models import Said, ScriptedLanguageModel

TEXT = "Hi, Maria Lopez here. Could we get 24 oat milk cartons by friday?"
RECORD = '{"customer": "Maria Lopez", "product": "oat milk cartons", "quantity": 24}'
MODEL = "smollm2-135m"
WEIGHTS = {"least": 1.0, "silent": 0.0, "dropped": 0.0}
CALIBRATION = Calibration(
    model=MODEL,
    prompt=TUNED_PROMPT,
    types=frozenset({FieldType.STRING, FieldType.INTEGER}),
    intercept=0.0,
    coefficients=WEIGHTS,
)
TUNED = profile_of("local", MODEL, TUNED_PROMPT, calibration=CALIBRATION)


def characters(answer: str, log_probability: float = -0.1) -> tuple[AnswerToken, ...]:
    """A token for each character."""
    return tokens_of([(each.encode(), log_probability) for each in answer], answer)


def spans(tokens: Sequence[AnswerToken]) -> list[tuple[int, int]]:
    return [(token.start, token.end) for token in tokens]


# Tokens


def test_a_token_that_begins_or_ends_inside_a_character_is_of_the_whole_character() -> None:
    pieces = [("né".encode()[:2], -1.0), ("é".encode()[1:], -2.0), ("李".encode(), -3.0)]
    assert spans(tokens_of(pieces, "né李")) == [(0, 2), (1, 2), (2, 3)]
    parts = [(bytes([byte]), -1.0) for byte in "李".encode()]
    assert spans(tokens_of(parts, "李")) == [(0, 1)] * 3


def test_a_token_without_bytes_is_left_out() -> None:
    assert spans(tokens_of([(b"a", -1.0), (b"", -9.0), (b"b", -1.0), (b"", 0.0)], "ab")) == [
        (0, 1),
        (1, 2),
    ]


@pytest.mark.parametrize("said", [b"", b"a", b"abc", b"xb", "a\u0301b".encode()])
def test_tokens_that_do_not_make_up_the_answer_tell_nothing(said: bytes) -> None:
    assert tokens_of([(said, -1.0)], "ab") == ()


@given(st.text(), st.data())
def test_wherever_an_answer_is_cut_its_tokens_cover_it_in_order(
    answer: str, data: st.DataObject
) -> None:
    answer = answer.encode("utf-8", "replace").decode()
    said = answer.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(said)))))
    bounds = [0, *cuts, len(said)]
    pieces = [(said[a:b], -1.0) for a, b in pairwise(bounds)]
    tokens = tokens_of(pieces, answer)
    assert {at for token in tokens for at in range(token.start, token.end)} == set(
        range(len(answer))
    )
    assert spans(tokens) == sorted(spans(tokens))
    assert all(token.start < token.end for token in tokens)


# Stretches of values


def stretch(answer: str, name: str) -> str:
    """The characters of the value's stretch, found by giving each a log-probability of its own."""
    pieces = [(each.encode(), -float(place)) for place, each in enumerate(answer)]
    found = log_probabilities_of(answer, tokens_of(pieces, answer))
    return "".join(answer[int(-place)] for place in found[name])


@pytest.mark.parametrize(
    ("answer", "name", "expected"),
    [
        (RECORD, "customer", ' "Maria Lopez",'),
        (RECORD, "quantity", " 24}"),
        ('{"a":null}', "a", "null}"),
        ('\n {"a" : -1.5e3 , "b":true}\n', "a", " -1.5e3 ,"),
        ('{"a":"}, \\"b\\": 1", "b": 2}', "a", '"}, \\"b\\": 1",'),
        ('{"a\\u00e9": "\\ud83d\\ude00"}', "a\u00e9", ' "\\ud83d\\ude00"}'),
        ('{"a": "\u65af", "b": "\u7530"}', "b", ' "\u7530"}'),
    ],
)
def test_a_values_stretch_reaches_from_the_colon_to_the_mark_behind_it(
    answer: str, name: str, expected: str
) -> None:
    assert stretch(answer, name) == expected


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "null",
        "{}",
        '[{"a": 1}]',
        '{"a": {"b": 1}}',
        '{"a": [1]}',
        '{"a": 1',
        '{"a": 1} {"a": 2}',
        'Sure! {"a": 1}',
        '{"a": 1,}',
        '{"a": "\\q"}',
        '{"a": "\n"}',
        "{'a': 1}",
    ],
)
def test_what_is_no_single_flat_object_has_no_stretches(answer: str) -> None:
    assert log_probabilities_of(answer, characters(answer)) == {}


def test_a_token_over_the_border_of_two_values_is_of_both() -> None:
    answer = '{"a":1,"b":2}'
    pieces = [(b'{"a":', -1.0), (b'1,"b":2', -2.0), (b"}", -4.0)]
    assert log_probabilities_of(answer, tokens_of(pieces, answer)) == {
        "a": (-2.0,),
        "b": (-2.0, -4.0),
    }


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=12)),
        min_size=1,
    ),
    st.booleans(),
)
def test_every_member_of_a_record_has_a_stretch_that_holds_its_value(
    record: dict[str, Any], ascii_only: bool
) -> None:
    try:
        answer = json.dumps(record, ensure_ascii=ascii_only)
        answer.encode()
    except UnicodeEncodeError:
        return
    assert log_probabilities_of(answer, ()) == {}
    for name, value in record.items():
        found = stretch(answer, name)
        assert json.loads(found[:-1]) == value
        assert found[-1] in ",}"


# Features and probability


def test_features_are_log_odds_held_within_bounds() -> None:
    half = features_of([log(0.5)], silent=False, dropped=False)
    assert half == {"least": pytest.approx(0.0), "silent": 0.0, "dropped": 0.0}
    two = features_of([log(0.8), log(0.2), -0.0], silent=True, dropped=False)
    assert two["least"] == pytest.approx(log(0.2 / 0.8))
    assert two["silent"] == 1.0
    sure = features_of([0.0, -1e-12], silent=False, dropped=True)
    assert (sure["least"], sure["dropped"]) == (8.0, 1.0)
    assert features_of([-1e300], silent=False, dropped=False)["least"] == -8.0
    assert list(half) == list(FEATURES)


@given(st.lists(st.floats(max_value=0.0, allow_nan=False), min_size=1))
def test_whatever_a_server_tells_the_features_stay_within_bounds(told: list[float]) -> None:
    features = features_of(told, silent=False, dropped=False)
    assert all(-8.0 <= value <= 8.0 for value in features.values())


@given(
    st.lists(st.floats(-100, 0), min_size=1),
    st.floats(-1e6, 1e6),
    st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3),
)
def test_confidence_is_a_probability_whatever_the_coefficients(
    told: list[float], intercept: float, weights: list[float]
) -> None:
    calibration = replace(
        CALIBRATION, intercept=intercept, coefficients=dict(zip(FEATURES, weights, strict=True))
    )
    [found] = confidence_of(
        calibration, ORDER_MESSAGE, {"customer": "A"}, (), {"customer": told}
    ).values()
    assert 0.0 <= found <= 1.0


def test_a_surer_model_is_the_more_confident() -> None:
    def at(log_probability: float) -> float:
        told = {"customer": [log_probability]}
        return confidence_of(CALIBRATION, ORDER_MESSAGE, {"customer": "A"}, (), told)["customer"]

    found = [at(value) for value in (-5.0, -1.0, -0.1, -0.001)]
    assert found == sorted(set(found))
    assert at(log(0.9)) == pytest.approx(0.9)


def test_null_and_dropped_values_are_weighed_as_such() -> None:
    calibration = replace(CALIBRATION, coefficients={**WEIGHTS, "silent": 1.0, "dropped": -1.0})
    even = {name: [log(0.5)] for name in ("customer", "product", "quantity")}
    found = confidence_of(
        calibration, ORDER_MESSAGE, {"customer": "A", "quantity": None}, {"product"}, even
    )
    assert found["customer"] == 0.5
    assert found["product"] == pytest.approx(1 / (1 + 2.718281828), abs=1e-4)
    assert found["quantity"] == pytest.approx(1 - found["product"], abs=1e-4)


def test_a_type_that_the_calibration_never_saw_has_no_confidence() -> None:
    schema = RecordSchema(
        name="mixed",
        version=1,
        description="",
        fields=(
            Field(name="buyer", type=FieldType.STRING, description=""),
            Field(name="day", type=FieldType.DATE, description=""),
            Field(name="speed", type=FieldType.ENUM, description="", choices=("slow", "fast")),
            Field(name="untold", type=FieldType.STRING, description=""),
        ),
    )
    told = {"buyer": [-0.1], "day": [-0.1], "speed": [-0.1], "untold": []}
    assert list(confidence_of(CALIBRATION, schema, {}, (), told)) == ["buyer"]


# The request and the response


def completion(content: Any, logprobs: Any) -> Any:
    return {"choices": [{"message": {"content": content}, "logprobs": logprobs}]}


def entry(token: str, logprob: Any = -0.5, **more: Any) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode()), **more}


def test_the_tokens_of_a_response_are_read_by_their_bytes() -> None:
    split = [entry("\ufffd", bytes=[0xE6, 0x9D]), entry("\ufffd", -2, bytes=[0x8E])]
    answer = read_completion(completion("a李", {"content": [entry("a"), *split, entry("", 0.0)]}))
    assert answer.tokens == (
        AnswerToken(start=0, end=1, log_probability=-0.5),
        AnswerToken(start=1, end=2, log_probability=-0.5),
        AnswerToken(start=1, end=2, log_probability=-2.0),
    )


def test_a_token_without_bytes_is_read_by_its_text() -> None:
    told = [{"token": "ab", "logprob": -1, "bytes": None}, {"token": "c", "logprob": -1}]
    assert spans(read_completion(completion("abc", {"content": told})).tokens) == [(0, 2), (2, 3)]


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        [],
        "no",
        {},
        {"content": None},
        {"content": "ab"},
        {"content": [None]},
        {"content": [entry("a")]},
        {"content": [entry("a"), entry("b", None)]},
        {"content": [entry("a"), entry("b", 0.5)]},
        {"content": [entry("a"), entry("b", True)]},
        {"content": [entry("a"), entry("b", "-1")]},
        {"content": [entry("a"), entry("b", float("-inf"))]},
        {"content": [entry("a"), entry("b", float("nan"))]},
        {"content": [entry("a"), entry("b", bytes=[256])]},
        {"content": [entry("a"), entry("b", bytes=["b"])]},
        {"content": [entry("a"), entry("b", bytes=[True])]},
        {"content": [entry("a"), entry("b", bytes="b")]},
        {"content": [entry("a"), {"logprob": -1}]},
        {"content": [entry("ab"), entry("<|im_end|>")]},
        {"tokens": ["a", "b"], "token_logprobs": [-1, -1]},
    ],
)
def test_odd_log_probabilities_cost_no_answer(logprobs: Any) -> None:
    answer = read_completion(completion("ab", logprobs))
    assert answer.text == "ab"
    assert answer.tokens == ()


def test_replacement_characters_for_split_tokens_tell_nothing_of_the_answer() -> None:
    """As Ollama sends them: the bytes of U+FFFD, and not those of the token."""
    told = {"content": [entry("a"), entry("\ufffd"), entry("\ufffd"), entry("\ufffd")]}
    assert read_completion(completion("a李", told)).tokens == ()
    assert read_completion(completion("a\ufffd\ufffd\ufffd", told)).tokens != ()


def test_an_answer_in_parts_has_the_tokens_of_the_parts_that_are_its_text() -> None:
    parts = [{"type": "thinking", "thinking": "x"}, {"type": "text", "text": "ab"}]
    whole = [entry("x"), entry("ab")]
    assert read_completion(completion(parts, {"content": whole})).tokens == ()
    assert spans(read_completion(completion(parts, {"content": whole[1:]})).tokens) == [(0, 2)]


def test_the_least_that_openai_tells_of_an_unlikely_token_is_a_log_probability() -> None:
    answer = read_completion(completion("ab", {"content": [entry("ab", -9999.0)]}))
    assert [token.log_probability for token in answer.tokens] == [-9999.0]


def test_an_answer_cut_inside_a_character_has_no_tokens() -> None:
    told = {"content": [entry("a"), entry("\ufffd", bytes=[0xE6, 0x9D])]}
    answer = read_completion(completion("a\ud83d", told))
    assert (answer.text, answer.tokens) == ("a\ufffd", ())


def test_log_probabilities_are_asked_for_with_the_tuned_prompt_of_a_calibrated_model_alone() -> (
    None
):
    plain = profile_of("local", MODEL, TUNED_PROMPT)
    listed = replace(
        ORDER_MESSAGE,
        fields=(
            *ORDER_MESSAGE.fields,
            Field(name="tags", type=FieldType.STRING, description="", many=True),
        ),
        examples=(),
    )
    asked = {
        "tuned": (ORDER_MESSAGE, TUNED),
        "not calibrated": (ORDER_MESSAGE, plain),
        "with a list": (listed, TUNED),
        "untuned": (ORDER_MESSAGE, profile_of("local", MODEL)),
        "cloud": (ORDER_MESSAGE, profile_of("openai", "gpt-5.4-mini", calibration=CALIBRATION)),
    }
    wanted = {
        name: request_body(build_prompt(schema, TEXT, profile, new_mark=lambda: "0"), profile).get(
            "logprobs", False
        )
        for name, (schema, profile) in asked.items()
    }
    assert wanted == dict.fromkeys(asked, False) | {"tuned": True}


def test_a_calibration_changes_nothing_else_that_is_asked() -> None:
    plain = profile_of("local", MODEL, TUNED_PROMPT)
    bodies = [
        request_body(build_prompt(ORDER_MESSAGE, TEXT, each, new_mark=lambda: "0"), each)
        for each in (TUNED, plain)
    ]
    assert bodies[0] == {**bodies[1], "logprobs": True, "top_logprobs": 1}
    assert prompt_hash(ORDER_MESSAGE, TUNED) == prompt_hash(ORDER_MESSAGE, plain)


# Whose calibration it is


@pytest.mark.parametrize(
    ("model", "adapter"), [("other", TUNED_PROMPT), (MODEL, None), (MODEL, "fields-0")]
)
def test_a_calibration_of_another_model_or_prompt_is_not_used(
    model: str, adapter: str | None
) -> None:
    assert profile_of("local", model, adapter, calibration=CALIBRATION).calibration is None


def test_a_calibration_of_a_model_that_a_row_of_ones_own_changes_is_not_used() -> None:
    own = {("local", MODEL): {"shots": 2}}
    changed = profile_of("local", MODEL, TUNED_PROMPT, own=own, calibration=CALIBRATION)
    assert (changed.shots, changed.calibration) == (2, None)
    others = {("local", "other"): {"shots": 2}}
    kept = profile_of("local", MODEL, TUNED_PROMPT, own=others, calibration=CALIBRATION)
    assert kept.calibration == CALIBRATION


def test_a_contestant_that_is_asked_otherwise_has_no_calibration() -> None:
    asked = "same=local,hot=local?temperature=0.7,base=local?adapter=none,free=local?bounded=false"
    for spec in read_contestants(asked, ["local"], "/providers"):
        calibrated = spec.profile(TUNED).calibration
        assert calibrated == (CALIBRATION if spec.name == "same" else None)


def test_the_local_provider_alone_is_given_the_calibration_that_is_shipped() -> None:
    (tuned,) = model_configs(ModelCommandSettings(local_llm_adapter=LocalModelAdapter.FIELDS))
    (plain,) = model_configs(ModelCommandSettings())
    assert tuned.calibration == model_server.read_calibration()
    assert plain.calibration is None


# The file


def test_a_calibration_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    assert model_server.read_calibration(file) is None
    document = {
        "model": MODEL,
        "prompt": TUNED_PROMPT,
        "types": ["integer", "string"],
        "intercept": 0,
        "coefficients": WEIGHTS,
        "fitted": {"values": 600},
    }
    file.write_text(json.dumps(document))
    assert model_server.read_calibration(file) == CALIBRATION


def test_the_calibration_that_is_shipped_is_of_the_adapter_that_is_shipped() -> None:
    """After a new adapter: `make -C tools/tune calibrate`."""
    found = model_server.read_calibration()
    assert found is not None
    document = json.loads(model_server.CALIBRATION.read_bytes())
    assert document["adapter_sha256"] == model_server.ADAPTER_SHA256
    assert found.prompt == TUNED_PROMPT
    assert found.model == ModelCommandSettings().local_llm_model
    assert found.types == {FieldType.STRING, FieldType.INTEGER}
    assert document["fitted_to"]["values"] >= 300
    assert document["judged_on"]["brier"] < document["judged_on"]["right"] * (
        1 - document["judged_on"]["right"]
    ), "better than to say the share of right values of each"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[1]",
        json.dumps({"model": "m", "prompt": "p", "types": [], "intercept": "0"}),
        json.dumps(
            {"model": "m", "prompt": "p", "types": ["text"], "intercept": 0, "coefficients": {}}
        ),
        json.dumps(
            {"model": "m", "prompt": "p", "types": [], "intercept": 0, "coefficients": {"least": 1}}
        ),
    ],
)
def test_what_is_no_calibration_is_refused_with_the_remedy(tmp_path: Path, content: str) -> None:
    file = tmp_path / "c.json"
    file.write_text(content)
    with pytest.raises(Unavailable, match=r"c\.json .*install storekeeper again"):
        model_server.read_calibration(file)


# In a result


async def read(*script: Said, text: str = TEXT, calibrated: bool = True) -> ExtractionResult:
    profile = TUNED if calibrated else replace(TUNED, calibration=None)
    model = ScriptedLanguageModel(script, profile=profile)
    service = ExtractionService(
        models={"local": model},
        chain=("local",),
        validator=PydanticRecordValidator(),
        prices=PriceTable(prices={}),
        monotonic=lambda: 0.0,
        new_mark=lambda: "feedc0de",
    )
    return await service.extract(text, ORDER_MESSAGE, chain=["local"], deadline_s=60)


def told(answer: str, log_probability: float = -0.01) -> Said:
    return answer, characters(answer, log_probability)


async def test_each_field_of_a_result_has_its_confidence_null_values_too() -> None:
    silent = RECORD.replace('"Maria Lopez"', "null")
    result = await read(told(silent))
    assert result.status is ExtractionStatus.VALID
    assert result.fields["customer"] is None
    assert set(result.confidence) == set(result.fields)
    assert result.confidences == result.confidence


async def test_without_log_probabilities_or_a_calibration_there_is_no_confidence() -> None:
    for result in (await read(RECORD), await read(told(RECORD), calibrated=False)):
        assert result.status is ExtractionStatus.VALID
        assert result.confidence == {}
        assert result.confidences == dict.fromkeys(result.fields)


async def test_a_value_that_held_keeps_the_confidence_of_the_answer_that_it_is_from() -> None:
    invented = RECORD.replace('"Maria Lopez"', '"Nina Hall"')
    result = await read(told(invented, -0.05), told(RECORD, -0.0001))
    assert result.fields["customer"] == "Maria Lopez"
    first, second = await read(told(RECORD, -0.05)), await read(told(RECORD, -0.0001))
    assert result.confidence == {
        "customer": second.confidence["customer"],
        "product": first.confidence["product"],
        "quantity": first.confidence["quantity"],
    }


async def test_a_value_of_an_answer_that_told_nothing_has_no_confidence() -> None:
    invented = RECORD.replace('"Maria Lopez"', '"Nina Hall"')
    result = await read(invented, told(RECORD))
    assert set(result.confidence) == {"customer"}


async def test_a_dropped_value_has_a_confidence_too() -> None:
    invented = RECORD.replace('"Maria Lopez"', '"Nina Hall"')
    result = await read(told(invented), told(invented))
    assert result.status is ExtractionStatus.PARTIAL
    assert result.fields["customer"] is None
    assert "customer" in result.confidence


async def test_a_text_that_failed_has_no_confidence() -> None:
    result = await read(FailureKind.SERVER_ERROR)
    assert result.status is ExtractionStatus.FAILED
    assert result.confidence == {}


async def test_a_text_read_in_windows_has_no_confidence() -> None:
    model = ScriptedLanguageModel(profile=TUNED, otherwise=lambda _: told(RECORD))
    service = ExtractionService(
        models={"local": model},
        chain=("local",),
        validator=PydanticRecordValidator(),
        prices=PriceTable(prices={}),
        monotonic=lambda: 0.0,
        new_mark=lambda: "feedc0de",
    )
    long = " ".join([TEXT] * 400)
    result = await service.extract(long, ORDER_MESSAGE, chain=["local"], deadline_s=60)
    assert len(model.prompts) > 1
    assert result.fields["customer"] == "Maria Lopez"
    assert result.confidence == {}


def test_a_reading_of_a_window_keeps_what_its_tokens_say() -> None:
    reading = ValidatedAnswer(values={"a": 1}, log_probabilities={"a": (-1.0,)})
    assert reading.shifted(5) == reading
