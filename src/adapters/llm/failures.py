"""Words for failed calls that leak nothing of the provider's own."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from adapters.llm.admission import LONGEST_HINT_S, LONGEST_QUOTA_HINT_S, bounded_hint_s
from domain.extraction.calls import ExtractionFailure, FailureKind

_log = logging.getLogger(__name__)

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,400}(\.[0-9]*)?([eE][+-]?[0-9]{1,4})?")

DETAILS: Final[Mapping[FailureKind, str]] = {
    FailureKind.AUTH: "{0} refuses the API key. Set {1}_API_KEY to a valid key.",
    FailureKind.UNKNOWN_MODEL: "{0} does not know the model. Set {1}_MODEL to one that it serves.",
    FailureKind.BAD_REQUEST: "{0} refuses the shape of the request; the log has the details.",
    FailureKind.QUOTA_EXHAUSTED: "The quota or credit at {0} is used up.",
    FailureKind.RATE_LIMITED: "{0} asks to send fewer requests.",
    FailureKind.OVERLOADED: "{0} is overloaded.",
    FailureKind.SERVER_ERROR: "{0} failed.",
    FailureKind.TIMEOUT: "{0} did not answer in time.",
    FailureKind.CONNECTION: "The connection to {0} failed.",
    FailureKind.CIRCUIT_OPEN: "{0} failed repeatedly and is not asked for a while.",
    FailureKind.BAD_RESPONSE: "{0} sent something that is not its protocol.",
    FailureKind.TOO_LONG: "The text is too long for the model at {0}.",
    FailureKind.REFUSED: "{0} declines to read this text.",
}


def failure(
    provider: str,
    kind: FailureKind,
    *,
    retry_after_s: float | None = None,
    detail: str | None = None,
) -> ExtractionFailure:
    """A failure of `provider` in words for its user; the wait that it names is bounded here.

    Args:
        provider: its name.
        kind: the class of the failure.
        retry_after_s: the wait that the provider names, in seconds; None for none.
        detail: a template as in `DETAILS` that says more than that of the kind; None for none.
    """
    said = (detail or DETAILS[kind]).format(provider, setting_prefix(provider))
    quota = kind is FailureKind.QUOTA_EXHAUSTED
    most_s = LONGEST_QUOTA_HINT_S if quota else LONGEST_HINT_S
    wait_s = bounded_hint_s(retry_after_s, most_s=most_s)
    return ExtractionFailure(kind=kind, detail=said, retry_after_s=wait_s)


def setting_prefix(provider: str) -> str:
    """What the names of a provider's settings begin with."""
    return "LOCAL_LLM" if provider == "local" else provider.upper()


def unforeseen(provider: str, problem: Exception | None) -> ExtractionFailure:
    """The failure that an exception of no known kind is; its traceback goes to the log."""
    _log.error("a call to %s failed in an unforeseen way", provider, exc_info=problem)
    return ExtractionFailure(
        kind=FailureKind.BAD_RESPONSE,
        detail=f"The call to {provider} failed in an unforeseen way; the log has the details.",
    )


def retry_after_s(headers: Mapping[str, str], *, now_s: float) -> float | None:
    """The wait that `retry-after-ms` or `retry-after` (seconds or a date) asks for, in seconds.

    Args:
        headers: of the response, names without regard to case.
        now_s: the present as a Unix time, for dates.
    """
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        seconds = float(value) / scale if _NUMBER.fullmatch(value) else _until(value, now_s)
        if seconds is not None and math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def _until(date: str, now_s: float) -> float | None:
    """Seconds from `now_s` to an HTTP date; None when it is none."""
    try:
        at = parsedate_to_datetime(date)
        # One without a zone is meant as HTTP means all dates.
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now_s
    except Exception:  # noqa: BLE001 (the standard library's parser raises anything on garbage)
        return None
