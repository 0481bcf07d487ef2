"""The colours of charts can be told from their ground (WCAG 2.2, 1.4.3 and 1.4.11)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from adapters.charts.theme import CONFIG, stylesheet

LIGHT, DARK = stylesheet().split("@media (prefers-color-scheme: dark)")
TEXT_AND_SERIES = [f"--chart-{name}" for name in ("text", "good", "bad", "1", "2", "3", "4")]


def colours(css: str) -> Mapping[str, str]:
    return dict(re.findall(r"(--chart-[a-z0-9]+): (#[0-9a-f]{6});", css))


def luminance(colour: str) -> float:
    """Relative luminance, 0..1."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """1..21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("css", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_series_stand_out_and_axes_can_be_seen(css: str) -> None:
    found = colours(css)
    ground = found["--chart-surface"]
    for name in TEXT_AND_SERIES:
        assert contrast(found[name], ground) >= 4.5, name
    assert contrast(found["--chart-axis"], ground) >= 3


def test_light_and_dark_name_the_same_colours_and_every_chart_uses_named_ones_alone() -> None:
    assert colours(LIGHT).keys() == colours(DARK).keys()
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", str(CONFIG)))
    assert used <= colours(LIGHT).keys()
    assert "#" not in str(CONFIG)
