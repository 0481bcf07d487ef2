"""Where charts stand on the dashboard, and what they share.

Each is made for the width of its place: a picture that shrinks takes its letters with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a chart stands.

    Attributes:
        name: class of the element that shows it.
        width: in CSS pixels.
    """

    name: str
    width: int

    @property
    def narrow(self) -> bool:
        """Whether it is the screen of a phone."""
        return self.width < 500


WIDE: Final = Place(name="wide", width=900)
HALF: Final = Place(name="wide", width=500)
PHONE: Final = Place(name="phone", width=350)

PERCENT_AXIS: Final[Mapping[str, Any]] = {"format": "~%", "title": None, "tickCount": 5}


def layered(
    rows: Sequence[Mapping[str, Any]], layers: Sequence[Any], width: int, height: int
) -> dict[str, Any]:
    """A specification of layers over the same rows."""
    return {"width": width, "height": height, "data": {"values": list(rows)}, "layer": list(layers)}
