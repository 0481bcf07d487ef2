"""A list of contestants is read as people type it, and wrong ones are explained."""

from __future__ import annotations

import pytest

from domain.comparison.contestants import BASELINE, ContestantSpec, read_contestants
from domain.errors import InvalidInput
from ports.language_models import AnswerShape
from tests.fakes.language_models import QUOTING

CONFIGURED = ("openai", "local")


def read(text: str) -> tuple[ContestantSpec, ...]:
    return read_contestants(text, CONFIGURED, "providers")


def refusals(text: str) -> list[str]:
    with pytest.raises(InvalidInput) as refused:
        read(text)
    assert {each.pointer for each in refused.value.violations} == {"providers"}
    return [each.detail for each in refused.value.violations]


def test_a_plain_list_names_providers_and_the_baseline() -> None:
    assert read("openai, local,regex") == (
        ContestantSpec(name="openai", provider="openai"),
        ContestantSpec(name="local", provider="local"),
        ContestantSpec(name="regex", provider=BASELINE),
    )


def test_a_former_name_of_a_provider_means_it_and_stays_the_contestants() -> None:
    (entry,) = read_contestants("vllm?shots=1", ("openai_compatible",), "providers")
    assert (entry.name, entry.provider) == ("vllm shots 1", "openai_compatible")


def test_a_variant_has_overrides_and_a_name_of_its_own() -> None:
    (entry,) = read("no examples=local?shots=0&reasks=2&style=quoted&bounded=false")
    assert entry.name == "no examples"
    assert entry.provider == "local"
    assert entry.overrides == {
        "shots": 0,
        "reasks": 2,
        "style": AnswerShape.QUOTED,
        "bounded": False,
    }


def test_a_variant_without_a_name_gets_a_readable_one() -> None:
    (entry,) = read("local?shots=0&temperature=0.5")
    assert entry.name == "local shots 0 temperature 0.5"


def test_a_variant_changes_the_usual_way_of_asking_and_nothing_else() -> None:
    (entry,) = read("a=openai?model=gpt-x&shots=3&temperature=0.5&seed=1")
    profile = entry.profile(QUOTING)
    assert entry.model == "gpt-x"
    assert (profile.model, profile.shots, profile.reasks) == ("gpt-x", 3, QUOTING.reasks)
    assert profile.parameters == {"temperature": 0.5, "seed": 1}
    assert read("openai")[0].profile(QUOTING) == QUOTING
    assert read("openai")[0].model is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must name 1..8 providers, names 0"),
        (",".join(f"n{n}=local" for n in range(9)), "must name 1..8 providers, names 9"),
        ("gemini", "'gemini': 'gemini' is not configured; there are openai, local, regex"),
        ("regex?shots=1", "regex takes no overrides"),
        ("local?speed=9", "'speed' cannot be overridden; these can: model, style, shots"),
        ("local?shots=-1", "shots must be a whole number >= 0, not '-1'"),
        ("local?style=loud", "style must be quoted or values, not 'loud'"),
        ("local?bounded=yes", "bounded must be true or false, not 'yes'"),
        ("local?temperature=hot", "temperature must be a number such as 0.2, not 'hot'"),
        ("local?model=", "model must be a model's name, not ''"),
        ("local?shots=1&shots=2", "shots is given twice"),
        ("<b>=local", "the name '<b>' must have 1..40 letters"),
        ("local,local", "names 'local' twice: give one of them another name"),
    ],
)
def test_what_cannot_be_read_is_explained(text: str, said: str) -> None:
    assert any(said in detail for detail in refusals(text)), refusals(text)


def test_everything_that_is_wrong_is_named_at_once() -> None:
    assert len(refusals("gemini,local?speed=1&shots=x,local?bounded=1")) == 4
