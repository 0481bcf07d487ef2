from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator

import pytest

from adapters.charts import vega
from adapters.charts.vega import VegaChartRenderer, open_chart_renderer
from domain.errors import ChartFailed
from ports.reports import Chart
from tests.contracts.charts import HOSTILE, ChartRendererContract, Elements, bars
from tests.integration.stack import descendants


@pytest.fixture(scope="module")
async def renderer() -> AsyncIterator[VegaChartRenderer]:
    async with open_chart_renderer() as opened:
        yield opened


def drawing_processes() -> list[int]:
    """Those of this run: other programs on the machine may draw too."""
    return [each.pid for each in descendants(os.getpid()) if "adapters.charts.drawing" in each.args]


class TestVegaChartRenderer(ChartRendererContract):
    """The module's renderer."""


async def test_marks_carry_their_tips_and_lead_to_paths_of_this_server(
    renderer: VegaChartRenderer,
) -> None:
    path = "/dashboard/query?query=%3Cb%3E&from=2026-11-01"
    svg = await renderer.render(Chart(spec=bars((HOSTILE, 1), ("b", 2), href=path), label="two"))
    tags = Elements(svg).tags
    assert tags[0][1]["role"] == "group"
    assert [each["aria-label"] for name, each in tags if name == "a"][1] == "b"
    assert [each["href"] for name, each in tags if name == "a"] == [path, path]
    assert {each["tabindex"] for name, each in tags if name == "a"} == {"-1"}
    tips = [each["data-tip"] for name, each in tags if "data-tip" in each]
    assert all(each["pointer-events"] == "all" for _, each in tags if "data-tip" in each)
    assert tips == [re.sub("[\x01\ud800]", "\ufffd", HOSTILE), "b"]


async def test_a_link_to_anywhere_else_is_left_out(renderer: VegaChartRenderer) -> None:
    spec = bars(("a", 1))
    spec["encoding"]["href"] = {"value": "https://example.com/"}
    svg = await renderer.render(Chart(spec=spec, label="one"))
    assert "example" not in svg


async def test_a_picture_has_nothing_that_a_strict_policy_forbids(
    renderer: VegaChartRenderer,
) -> None:
    spec = bars(("a", 1))
    spec["mark"] |= {"cornerRadius": 3, "clip": True, "tooltip": True, "cursor": "pointer"}
    svg = await renderer.render(Chart(spec=spec, label="one"))
    names = {name for _, each in Elements(svg).tags for name in each}
    assert not {each for each in names if each.startswith("on")}
    assert not names & {"style", "id", "clip-path", "xlink:href", "font-family"}
    assert {tag for tag, _ in Elements(svg).tags} <= {"svg", "g", "a", "path", "line", "text"}
    assert "var(--chart-1)" in svg


async def test_data_from_elsewhere_is_not_loaded(renderer: VegaChartRenderer) -> None:
    spec = {**bars(("a", 1)), "data": {"url": "http://127.0.0.1:9/x.json"}}
    with pytest.raises(ChartFailed) as failed:
        await renderer.render(Chart(spec=spec, label="one"))
    assert "not allowed" in str(failed.value.__cause__)


async def test_the_same_chart_is_drawn_once(renderer: VegaChartRenderer) -> None:
    chart = Chart(spec=bars(("same", 1)), label="same")
    first = await renderer.render(chart)
    assert await renderer.render(chart) is first
    for number in range(65):
        renderer._kept[str(number).encode()] = ""
    await renderer.render(Chart(spec=bars(("other", 1)), label="other"))
    assert await renderer.render(chart) is not first


async def test_a_drawing_process_that_dies_is_replaced_and_none_outlives_its_renderer() -> None:
    before = set(drawing_processes())
    async with open_chart_renderer() as renderer:
        assert set(drawing_processes()) == before
        await renderer.render(Chart(spec=bars(("a", 1)), label="a"))
        assert renderer._process is not None
        assert set(drawing_processes()) - before == {renderer._process.pid}
        renderer._process.kill()
        await renderer._process.wait()
        assert await renderer.render(Chart(spec=bars(("b", 1)), label="b"))
    assert set(drawing_processes()) == before


async def test_a_drawing_process_that_hangs_or_babbles_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_chart_renderer() as renderer:
        for program in ("import sys; sys.stdin.read()", "print('no JSON', flush=True)"):
            monkeypatch.setattr(vega, "_DEADLINE_S", 1.0)
            renderer._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", program),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            with pytest.raises(ChartFailed):
                await renderer.render(Chart(spec=bars(("b", 1)), label="b"))
            assert renderer._process is None
        monkeypatch.undo()
        assert await renderer.render(Chart(spec=bars(("b", 1)), label="b"))


async def test_giving_up_on_a_chart_does_not_mix_up_the_next() -> None:
    async with open_chart_renderer() as renderer:
        given_up = asyncio.create_task(
            renderer.render(Chart(spec=bars(("a", 1)), label="given up"))
        )
        await asyncio.sleep(0.05)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        svg = await renderer.render(Chart(spec=bars(("b", 1)), label="wanted"))
        assert Elements(svg).tags[0][1]["aria-label"] == "wanted"
