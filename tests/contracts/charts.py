"""What every renderer of charts does."""

from __future__ import annotations

import asyncio
from html.parser import HTMLParser
from typing import Any

import pytest

from domain.errors import ChartFailed
from ports.reports import Chart, ChartRenderer
from tests.contracts.contract import Contract

HOSTILE = "<script>alert('\"1\"')</script> & =1+1 \u202eabc \x01 \ud800 " + "x" * 255


def bars(*values: tuple[str, float], href: str | None = None) -> dict[str, Any]:
    """A specification of a bar for each value."""
    rows = [{"name": name, "value": value, "href": href} for name, value in values]
    links = {} if href is None else {"href": {"field": "href"}}
    return {
        "width": 300,
        "height": 100,
        "data": {"values": rows},
        "mark": {"type": "bar", "aria": True, "fill": "var(--chart-1)"},
        "encoding": {
            "x": {"field": "value", "type": "quantitative", "title": None},
            "y": {"field": "name", "type": "nominal", "title": None},
            "description": {"field": "name"},
            **links,
        },
    }


class Elements(HTMLParser):
    """The elements and texts of a piece of HTML as a browser reads it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


class ChartRendererContract(Contract):
    """Give `renderer`."""

    async def test_a_chart_is_one_image_that_its_label_names(self, renderer: ChartRenderer) -> None:
        svg = await renderer.render(Chart(spec=bars(("a", 1), ("b", 2)), label='b is "twice" a'))
        (tag, attributes), *_ = Elements(svg).tags
        assert tag == "svg"
        assert attributes["role"] == "img"
        assert attributes["aria-label"] == 'b is "twice" a'
        assert "viewbox" in attributes
        assert [name for name, _ in Elements(svg).tags].count("svg") == 1

    async def test_no_text_becomes_an_element_or_an_attribute(
        self, renderer: ChartRenderer
    ) -> None:
        hostile = await renderer.render(Chart(spec=bars((HOSTILE, 1)), label=HOSTILE))
        plain = await renderer.render(Chart(spec=bars(("q", 1)), label="label"))
        allowed = {(tag, *attributes) for tag, attributes in Elements(plain).tags}
        assert {(tag, *attributes) for tag, attributes in Elements(hostile).tags} <= allowed
        hostile.encode()

    async def test_charts_asked_for_at_once_are_each_their_own(
        self, renderer: ChartRenderer
    ) -> None:
        labels = [f"number {number}" for number in range(5)]
        drawn = await asyncio.gather(
            *(renderer.render(Chart(spec=bars((label, 1)), label=label)) for label in labels)
        )
        assert [Elements(svg).tags[0][1]["aria-label"] for svg in drawn] == labels

    async def test_a_specification_without_marks_fails_and_the_next_one_does_not(
        self, renderer: ChartRenderer
    ) -> None:
        with pytest.raises(ChartFailed):
            await renderer.render(Chart(spec={"data": {"values": []}}, label=""))
        assert await renderer.render(Chart(spec=bars(("a", 1)), label="a"))

    async def test_the_stylesheet_has_every_colour(self, renderer: ChartRenderer) -> None:
        series = [f"--chart-{number}" for number in range(1, 5)]
        others = [f"--chart-{name}" for name in ("quiet", "good", "bad", "text", "axis", "grid")]
        for name in [*series, *others, "--chart-surface"]:
            assert f"{name}:" in renderer.stylesheet
