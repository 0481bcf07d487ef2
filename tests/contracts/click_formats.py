"""Rows of searches that every format carries, and what each format promises."""

from __future__ import annotations

from datetime import date

from hypothesis import strategies as st

from domain.insights.click_rows import AcceptedRow
from domain.insights.model import FIRST_DAY, LAST_DAY, MAX_COUNT

_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
_FORMULAS = st.text(st.sampled_from("' =+-@\uff1d\ufeff\u00a0\t\""), min_size=1, max_size=4)
QUERIES = _TEXTS | st.builds(str.__add__, _FORMULAS, _TEXTS)


def record(
    query: str, clicks: int, impressions: int, day: date = date(2026, 11, 20)
) -> AcceptedRow:
    """A row as it is stored."""
    return query, clicks, impressions, clicks / impressions if impressions else None, day


ROWS = st.builds(
    lambda query, counts, day: record(query, min(counts), max(counts), day),
    QUERIES.filter(lambda query: bool(query.strip())),
    st.tuples(*[st.integers(0, 9) | st.integers(0, MAX_COUNT)] * 2),
    st.dates(FIRST_DAY, LAST_DAY),
)
"""Any row that can be stored."""
