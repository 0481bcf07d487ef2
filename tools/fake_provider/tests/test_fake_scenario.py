"""Scenario files, and what a scenario makes of the calls: faults and latency."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from fake_provider.calls import Call
from fake_provider.command import command
from fake_provider.faults import FaultPlan, LatencySampler
from fake_provider.scenario import (
    ERROR_KINDS,
    WIRE_KINDS,
    ContentKind,
    Fault,
    Latency,
    Scenario,
    ScenarioRefused,
    parse_scenario,
    read_scenario,
)


def call(text: str = "hello", model: str = "m", tokens: int = 10) -> Call:
    return Call(
        dialect="openai",
        model=model,
        turns=(("user", text),),
        document=text,
        prompt_tokens=tokens,
        key="k",
    )


def test_a_script_is_taken_in_order_by_the_calls_that_match() -> None:
    plan = FaultPlan(
        [
            Fault(kind="reset", text="bad", times=None),
            Fault(kind="overloaded", times=2),
            Fault(kind="html", model="other"),
        ],
        [],
        seed=0,
    )

    def kinds(*calls: Call) -> list[str | None]:
        faults = [plan.choose(one) for one in calls]
        return [fault.kind if fault else None for fault in faults]

    assert kinds(call(), call("a bad one"), call(), call()) == [
        "overloaded",
        "reset",
        "overloaded",
        None,
    ]
    assert kinds(call(model="other"), call(model="other"), call("bad")) == ["html", None, "reset"]
    assert plan.left == 1


def test_rates_hit_their_share_and_repeat_for_a_seed() -> None:
    rates = [Fault(kind="reset", probability=0.2), Fault(kind="html", probability=0.1)]

    def drawn(seed: int) -> list[str]:
        plan = FaultPlan([], rates, seed)
        return [fault.kind if (fault := plan.choose(call())) else "" for _ in range(5000)]

    kinds = drawn(1)
    assert kinds == drawn(1)
    assert kinds != drawn(2)
    assert kinds.count("reset") / 5000 == pytest.approx(0.2, abs=0.03)
    assert kinds.count("html") / 5000 == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("sigma", [0.3, 0.8])
def test_lognormal_latency_has_the_mean_asked_for(sigma: float) -> None:
    sampler = LatencySampler(Latency(kind="lognormal", mean_s=0.2, sigma=sigma), seed=3)
    draws = [sampler.draw() for _ in range(20_000)]
    assert statistics.mean(draws) == pytest.approx(0.2, rel=0.05)
    assert min(draws) > 0


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ({"latencies": {}}, "latencies"),
        ({"latency": {"mean_s": -1}}, "mean_s"),
        ({"script": [{"kind": "explode"}]}, r"script\[0\]\.kind"),
        ({"script": [{"kind": "reset", "times": 0}]}, "times"),
        ({"script": [{"kind": "reset", "path": "/v1/files"}]}, "path"),
        ({"limits": [{"rpm": 0}]}, "rpm"),
        ({"rates": [{"kind": "reset", "probability": 0.6}] * 2}, "add up to 1"),
        ({"document_pattern": "("}, "no regular expression"),
        ({"document_pattern": "x"}, "needs a group"),
    ],
)
def test_a_bad_scenario_is_refused_with_its_place(raw: object, place: str) -> None:
    with pytest.raises(ScenarioRefused, match=place):
        parse_scenario(raw)


def test_a_scenario_is_read_from_yaml_and_json(tmp_path: Path) -> None:
    yaml, json = tmp_path / "s.yaml", tmp_path / "s.json"
    yaml.write_text("seed: 7\nscript:\n  - {kind: rate_limited, retry_after_s: 1.5, times: 2}\n")
    json.write_bytes(msgspec.json.encode(read_scenario(yaml)))
    assert read_scenario(json) == read_scenario(yaml)
    assert read_scenario(yaml).script[0].retry_after_s == 1.5
    with pytest.raises(ScenarioRefused, match=r"\.json, \.yaml"):
        read_scenario(tmp_path / "s.toml")
    yaml.write_text("seed: [")
    with pytest.raises(ScenarioRefused, match=r"s\.yaml"):
        read_scenario(yaml)


def test_the_reference_page_shows_every_fault_and_option_and_a_scenario_that_is_accepted() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/fake-provider.md").read_text()
    for kind in {*ERROR_KINDS, *WIRE_KINDS, *get_args(ContentKind)}:
        assert f"`{kind}`" in page, kind
    for option in command.params:
        assert f"`{option.opts[0]}" in page, option.opts
    shown = page.partition("```yaml\n")[2].partition("```")[0]
    assert set(msgspec.yaml.decode(shown)) == set(Scenario.__struct_fields__)
    assert parse_scenario(msgspec.yaml.decode(shown)).seed == 7
