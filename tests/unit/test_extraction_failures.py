"""Each kind of failure becomes the error that its remedy asks for."""

from __future__ import annotations

import pytest

from domain.errors import (
    AppError,
    BadAnswer,
    ProviderMisconfigured,
    ProviderQuotaExhausted,
    ProviderUnavailable,
)
from domain.extraction.calls import ExtractionFailure, FailureKind


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FailureKind.AUTH, ProviderMisconfigured),
        (FailureKind.UNKNOWN_MODEL, ProviderMisconfigured),
        (FailureKind.BAD_REQUEST, ProviderMisconfigured),
        (FailureKind.QUOTA_EXHAUSTED, ProviderQuotaExhausted),
        (FailureKind.TIMEOUT, ProviderUnavailable),
        (FailureKind.CIRCUIT_OPEN, ProviderUnavailable),
        (FailureKind.TOO_LONG, BadAnswer),
    ],
)
def test_each_failure_is_the_error_that_its_remedy_asks_for(
    kind: FailureKind, error: type[AppError]
) -> None:
    raised = ExtractionFailure(kind=kind, detail="what happened").as_error()
    assert type(raised) is error
    assert str(raised) == "what happened"


def test_a_provider_that_names_a_time_is_asked_again_then() -> None:
    raised = ExtractionFailure(
        kind=FailureKind.OVERLOADED, detail="busy", retry_after_s=42
    ).as_error()
    assert isinstance(raised, ProviderUnavailable)
    assert raised.retry_after_s == 42
