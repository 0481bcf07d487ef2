"""What calls cost, by a table that its reader can edit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from domain.errors import InvalidInput
from domain.extraction.calls import Attempt, FailureKind, TokenUsage
from entrypoints.prices import read_prices


def spent(provider: str, model: str, **usage: int) -> Attempt:
    return Attempt(provider=provider, model=model, outcome=None, usage=TokenUsage(**usage))


def test_cached_tokens_cost_less_and_every_attempt_counts() -> None:
    attempts = [
        spent("openai", "gpt-5.4-mini", input_tokens=1_000_000, cached_tokens=400_000),
        spent("openai", "gpt-5.4-mini", output_tokens=1_000_000),
    ]
    expected = Decimal("0.6") * Decimal("0.75") + Decimal("0.4") * Decimal("0.075") + Decimal("4.5")
    assert read_prices().cost(attempts) == expected


def test_the_longest_name_that_fits_counts() -> None:
    prices = read_prices()
    lite = prices.price("gemini", "gemini-2.5-flash-lite-001")
    flash = prices.price("gemini", "gemini-2.5-flash-001")
    assert lite is not None
    assert flash is not None
    assert lite.input < flash.input


def test_an_unknown_price_makes_the_cost_unknown_not_zero() -> None:
    prices = read_prices()
    assert prices.cost([spent("openai", "gpt-9", input_tokens=1)]) is None
    free = Attempt(provider="openai", model="gpt-9", outcome=FailureKind.TIMEOUT)
    assert prices.cost([free]) == 0


def test_your_own_machine_sends_no_bill() -> None:
    assert read_prices().cost([spent("local", "smollm2-135m", input_tokens=10**6)]) == 0


def test_a_users_own_table_replaces_the_shipped_one(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("prices: {openai: {gpt-9: {input: 1, cached: 0.5, output: 2}}}")
    assert read_prices(file).cost([spent("openai", "gpt-9", input_tokens=10**6)]) == 1


def test_a_table_from_before_names_a_provider_by_its_former_name(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("prices: {vllm: {m: {input: 1, cached: 0.5, output: 2}}}")
    assert read_prices(file).cost([spent("openai_compatible", "m", output_tokens=10**6)]) == 2


def test_a_model_under_two_names_of_its_provider_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    row = "{m: {input: 1, cached: 1, output: 1}}"
    file.write_text(f"prices: {{vllm: {row}, openai_compatible: {row}}}")
    with pytest.raises(InvalidInput, match="/prices/openai_compatible/m is there twice"):
        read_prices(file)


@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "gpt-5.4-mini"), ("gemini", "gemini-3-flash")]
)
def test_a_batch_costs_half(provider: str, model: str) -> None:
    direct = spent(provider, model, input_tokens=1000, output_tokens=100)
    batched = replace(direct, batched=True)
    prices = read_prices()
    cost, half = prices.cost([direct]), prices.cost([batched])
    assert cost is not None
    assert half is not None
    assert half == cost / 2
    assert prices.cost([direct, batched]) == cost + half


def test_a_batch_without_a_price_of_its_own_is_of_unknown_cost(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("prices: {openai: {gpt-9: {input: 1, cached: 0.5, output: 2}}}")
    batched = replace(spent("openai", "gpt-9", input_tokens=1), batched=True)
    assert read_prices(file).cost([batched]) is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("- a", "prices"),
        ("a: [", "read"),
        ("prices: {}\nprices: {}", "line 2 has the field 'prices' twice"),
        ("prices: {openai: 5}", "/prices/openai must be a mapping"),
        ("prices: {openai: {m: {input: 1e300, cached: 0, output: 0}}}", "/prices/openai/m/input"),
        ("prices: {openai: {m: {input: true, cached: 0, output: 0}}}", "/prices/openai/m/input"),
        ("prices: {openai: {m: {input: .nan, cached: 0, output: 0}}}", "line 1 has .nan"),
        ("prices: {openai: {m: {input: 1}}}", "/prices/openai/m"),
        ("prices: {openai: {m: {input: x, cached: 0, output: -1}}}", "/prices/openai/m/input"),
        ("prices: {openai: {m: {input: 0, cached: 0, output: -1}}}", "/prices/openai/m/output"),
        ("{prices: {}, batch: {openai: half}}", "/batch/openai"),
        ("{prices: {}, batch: {openai: -1}}", "/batch/openai"),
        ("{prices: {}, batch: 0.5}", "/batch must be a mapping"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_the_place(
    tmp_path: Path, text: str, place: str
) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=place):
        read_prices(file)
