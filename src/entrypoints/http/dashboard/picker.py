"""The choice of a period."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from domain.insights.model import Period
from entrypoints.http.dashboard.links import Links

PRESETS: Final = (7, 28, 90)
"""Days, all up to yesterday."""


def picker(links: Links, standard: Period, *, page: str) -> Mapping[str, Any]:
    """What the forms of `page` need.

    Args:
        links: from the view that is shown.
        standard: the period of who names none.
        page: where the forms lead.
    """
    shown = links.period
    return {
        "presets": [
            {
                "days": days,
                "href": links.preset(days, page=page),
                "current": shown.days == days and shown.last == standard.last,
            }
            for days in PRESETS
        ],
        "yesterday": standard.last,
        # What a form takes along because it has no field for it.
        "kept": [(name, value) for name, value in links.given.items()],
    }
