"""`python -m adapters.charts.drawing`: a line with a chart in, a line with its SVG out.

A process of its own, because the library that draws holds Python's lock for as long as it draws,
takes some 130 MB, and is of no use after an error.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Mapping
from typing import Any, Final
from xml.etree import ElementTree

from adapters.charts.theme import CONFIG

PLACEHOLDER_ORIGIN: Final = "https://paths.invalid"
"""Stands before a `href`: Vega refuses paths."""

_SHAPES: Final = frozenset({"svg", "g", "a", "path", "line", "rect", "circle", "text", "tspan"})
_GEOMETRY: Final = frozenset(
    {"d", "transform", "x", "y", "x1", "x2", "y1", "y2", "width", "height"}
)
_KEPT: Final = _GEOMETRY | {
    *("viewBox", "fill", "stroke", "opacity", "display", "pointer-events", "text-anchor"),
    *("fill-opacity", "stroke-opacity", "stroke-width", "stroke-dasharray", "stroke-linecap"),
    *("stroke-linejoin", "stroke-miterlimit", "font-size", "font-weight"),
    *("dx", "dy", "r", "cx", "cy"),
}
_LONG_FRACTION: Final = re.compile(r"(\.[0-9]{2})[0-9]+")


def draw(spec: Mapping[str, Any], label: str) -> str:
    """See `ports.reports.ChartRenderer.render`.

    Raises:
        ValueError: the specification is wrong.
    """
    import vl_convert  # noqa: PLC0415 (it takes its time; the process is ready before it)

    svg = vl_convert.vegalite_to_svg(dict(spec), config=CONFIG, allowed_base_urls=[])
    return inlined(svg, label)


def inlined(svg: str, label: str) -> str:
    """A picture fit for the inside of an HTML page: named by `label`, with tips, paths for links.

    Only shapes, their geometry and their colours pass: no style, script, font, id or reference.

    Args:
        svg: what Vega made of a specification whose texts are free of control characters.
        label: see `ports.reports.Chart`.
    """
    root = ElementTree.fromstring(svg)  # noqa: S314 (our own renderer made it)
    _clean(root)
    # Its size is its place's; the view box keeps the proportions.
    del root.attrib["width"], root.attrib["height"]
    role = "img" if root.find(".//a") is None else "group"
    root.attrib.update({"class": "chart", "role": role, "aria-label": label})
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _clean(element: ElementTree.Element) -> None:
    element.tag = _local(element.tag)
    given = {_local(name): value for name, value in element.attrib.items()}
    element.attrib.clear()
    for name, value in given.items():
        _take(element, name, value)
    for child in list(element):
        if _is_seen(child):
            _clean(child)
        else:
            element.remove(child)
    if "data-tip" in element.attrib:
        element.set("pointer-events", "all")  # an unfilled shape too
    elif element.tag == "text":
        # What lies below is what is pointed at, and the label says it all.
        element.attrib.update({"pointer-events": "none", "aria-hidden": "true"})
    elif element.tag == "a":
        tips = [child.get("data-tip", "") for child in element]
        element.set("aria-label", "".join(tips) or element.get("href", ""))


def _take(element: ElementTree.Element, name: str, value: str) -> None:
    """An attribute as the page may have it; others are left out."""
    if name in _GEOMETRY:
        element.set(name, _LONG_FRACTION.sub(r"\1", value))
    elif name in _KEPT:
        element.set(name, value)
    elif name == "aria-label":
        element.set("data-tip", value)
    elif name == "href" and value.startswith(f"{PLACEHOLDER_ORIGIN}/"):
        # The keyboard reaches the same page from the table beside the chart, without a stop at
        # every mark.
        element.attrib.update({"href": value.removeprefix(PLACEHOLDER_ORIGIN), "tabindex": "-1"})


def _is_seen(element: ElementTree.Element) -> bool:
    """Whether it is a shape, and neither hidden nor a label that Vega left out for want of room."""
    name = _local(element.tag)
    empty = name == "text" and not element.text and len(element) == 0
    hidden = element.get("display") == "none" or element.get("opacity") == "0"
    return name in _SHAPES and not empty and not hidden


def _local(name: str) -> str:
    """Without its namespace, which HTML gives by itself."""
    return name.rpartition("}")[2]


def main() -> None:
    """Answer each line until standard input ends, which it does with the process that asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asks
    for line in sys.stdin:
        try:
            answer = {"svg": draw(**json.loads(line))}
        except ValueError as error:
            answer = {"error": str(error)}
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
