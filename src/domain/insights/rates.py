"""The key under which spellings of a query meet, and when a stated rate is not its counts'."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

CTR_TOLERANCE: Final = 0.005
"""How far a stored rate may be from clicks / impressions: it was rounded to two decimals."""

# Spelled out, because what a database calls a space depends on its locale. NFKC has turned the
# other spaces of Unicode into plain ones.
_SPACES: Final = re.compile("[ \t\n\v\f\r\u0085\u1680\u2028\u2029]+")


def normalised_query(text: str) -> str:
    """The key under which spellings of one query meet: NFKC, lower case, single spaces, trimmed.

    Normalised again after lower case, because some letters compose in lower case only. So the key
    of a key is itself. Letter case goes one character at a time, as in PostgreSQL: a final sigma
    stays a sigma.
    """
    lowered = "".join(
        "i" if character == "\u0130" else character.lower()
        for character in unicodedata.normalize("NFKC", text)
    )
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", lowered)).strip(" ")


def contradicts(click_through_rate: float | None, clicks: int, impressions: int) -> bool:
    """Whether a stated rate is not that of its counts; None states nothing.

    Without impressions there is no rate, so that any is a contradiction; NaN always is.
    """
    if click_through_rate is None:
        return False
    if impressions == 0:
        return True
    return not abs(click_through_rate - clicks / impressions) <= CTR_TOLERANCE
