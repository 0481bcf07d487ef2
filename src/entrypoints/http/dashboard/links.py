"""Where the links of a page lead: the same view, changed in one thing, such as its period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from domain.insights.model import Period, RankBy

_PERIOD: Final = {"days": None, "from": None, "to": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardLinks:
    """Links from the view of `period` that the parameters `given` asked for."""

    given: Mapping[str, str]
    period: Period

    def overview(self) -> str:
        """All queries."""
        return self._path("/dashboard", query=None)

    def preset(self, days: int, *, page: str) -> str:
        """The last so many days, whenever the link is followed."""
        return self._path(page, **{**_PERIOD, "days": str(days)})

    def ranked_by(self, rank_by: RankBy) -> str:
        """The top queries in another order."""
        return f"{self._path('/dashboard', rank_by=rank_by.value)}#top"

    def standard(self) -> str:
        """The same period by the standard rules."""
        return _path("/dashboard", {name: self.given.get(name) for name in _PERIOD})

    def query(self, query: str) -> str:
        """One query's history."""
        return self._path("/dashboard/query", query=query)

    def export(self, table: str) -> str:
        """A table as CSV; the days are named, so that it stays what is shown."""
        return self._dated(f"/dashboard/export/{table}.csv")

    def export_json(self) -> str:
        """The whole page as JSON."""
        return self._dated("/dashboard/export/overview.json")

    def api(self) -> str:
        """The operation with the same figures."""
        return self._dated("/search-insights/live", compare="previous")

    def export_query(self) -> str:
        """One query's history as CSV."""
        return self._dated("/dashboard/export/query.csv")

    def api_history(self) -> str:
        """The operation with the same history."""
        only = {"query": self.given["query"], **self._days()}
        return _path("/search-insights/history", only)

    def _days(self) -> Mapping[str, str]:
        return {"from": str(self.period.first), "to": str(self.period.last)}

    def _dated(self, page: str, **more: str) -> str:
        return self._path(page, **{"days": None, **self._days(), **more})

    def _path(self, page: str, **changes: str | None) -> str:
        return _path(page, {**self.given, **changes})


def _path(page: str, parameters: Mapping[str, str | None]) -> str:
    stated = {name: value for name, value in parameters.items() if value is not None}
    return f"{page}?{urlencode(stated)}" if stated else page


PRESETS: Final = (7, 28, 90)
"""Days, all up to yesterday."""


def picker(links: DashboardLinks, standard: Period, *, page: str) -> Mapping[str, Any]:
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
