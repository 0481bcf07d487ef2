"""Rows for the dashboard: two fortnights with gaps, what is clicked or not, what is hostile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from domain.insights.model import Period, SearchClickRow

PERIOD: Final = Period(first=date(2026, 11, 1), last=date(2026, 11, 14))
VIEW: Final = f"from={PERIOD.first}&to={PERIOD.last}"
GAPS: Final = {date(2026, 11, 5), date(2026, 11, 6), date(2026, 11, 8)}
HOSTILE: Final = (
    "<script>document.title='taken'</script>",
    "\"><img src=x onerror=alert(1)> & 'single'",
    '=hyperlink("https://example.com","x")',
    "+1",
    "-2+3",
    "@sum(a1)",
    "x" * 255,
    "\u202e\u05ea\u05d5\u05db\u05df \u05e2\u05d1\u05e8\u05d9\u202c",
)
"""As they are stored: normalised already; all low performers of `PERIOD` for `LOW`."""
LOW: Final = f"{VIEW}&low_percentile=0"

_SELLING: Final = {"wool blanket": 62, "oak chair": 55, "desk lamp": 41, "tea pot": 40, "rug": 39}
_FAILING: Final = {"gift card": 0, "delivery status": 2, "sofa bed": 3}


def rows() -> Iterator[SearchClickRow]:
    """Every row; a day has as many clicks of a hundred impressions as the query's number says."""
    for offset in range(28):
        day = PERIOD.first + timedelta(days=offset - 14)
        if day in GAPS:
            continue
        for query, percent in {**_SELLING, **_FAILING}.items():
            yield _row(query, percent + offset % 3, 100 + 10 * (offset % 5), day)
        if day < PERIOD.first:
            yield _row("candle holder", 70, 100, day)  # it leaves the list
    for number, query in enumerate(HOSTILE):
        yield _row(query, 1, 900 + number, PERIOD.last)
    yield _row("", 1, 2, PERIOD.last)
    yield _row("impossible", 5, 2, PERIOD.last)
    yield _row("undated", 1, 2, None)


def _row(query: str, clicks: int, impressions: int, day: date | None) -> SearchClickRow:
    return SearchClickRow(
        search_query=query, clicks=clicks, impressions=impressions, search_date=day
    )


def all_rows() -> Sequence[SearchClickRow]:
    """`rows`, as a sequence."""
    return list(rows())
