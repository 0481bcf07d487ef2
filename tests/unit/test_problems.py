from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.exceptions import HTTPException, InternalServerException, MethodNotAllowedException

from domain import errors
from domain.errors import AppError, InvalidInput, RequestInProgress, Unavailable, Violation
from entrypoints.http.protocol.problems import (
    ASK_ALLOWED,
    KINDS,
    MalformedRequest,
    UnsupportedMediaType,
    kind_of,
    on_app_error,
    on_http_error,
    on_unexpected,
)
from tests.unit.http_requests import a_request

STATUSES = {
    "MalformedRequest": 400,
    "NotFound": 404,
    "Conflict": 409,
    "EmailTaken": 409,
    "UserHasOrders": 409,
    "SchemaInUse": 409,
    "RequestInProgress": 409,
    "PreconditionFailed": 412,
    "UnsupportedMediaType": 415,
    "InvalidInput": 422,
    "UnknownUser": 422,
    "IdempotencyKeyReused": 422,
    "ModelRefusedText": 422,
    "DependencyError": 502,
    "BadAnswer": 502,
    "Unavailable": 503,
    "DatabaseUnavailable": 503,
    "DatabaseBusy": 503,
    "WriteConflict": 503,
    "DatabaseReadOnly": 503,
    "DatabaseUnfit": 503,
    "QueueUnavailable": 503,
    "ProviderUnavailable": 503,
    "ProviderRateLimited": 503,
    "ProviderQuotaExhausted": 503,
    "ProviderMisconfigured": 503,
    "StatementTimedOut": 504,
}


def tree(root: type[AppError]) -> Iterator[type[AppError]]:
    for child in root.__subclasses__():
        if child.__module__ in {errors.__name__, KINDS_MODULE}:
            yield child
            yield from tree(child)


KINDS_MODULE = MalformedRequest.__module__


def problem_of(response: Any) -> dict[str, Any]:
    assert response.media_type == "application/problem+json"
    document: dict[str, Any] = json.loads(response.content)
    assert document["status"] == response.status_code
    assert document["type"] == f"/problems/{document['code']}"
    assert document["instance"] == "request-1"
    assert document["title"]
    assert document["detail"]
    return document


@pytest.mark.parametrize("error", list(tree(AppError)), ids=lambda error: error.__name__)
def test_every_error_of_the_tree_has_the_status_of_the_contract(error: type[AppError]) -> None:
    response = on_app_error(a_request(), error("In words."))
    document = problem_of(response)
    assert (document["code"], document["detail"]) == (error.code, "In words.")
    if error.__name__ in STATUSES:
        assert response.status_code == STATUSES[error.__name__]
    kind = kind_of(error)
    assert kind is not None
    assert 400 <= kind.status < 600
    assert kind.status != 500


def test_the_contract_names_no_error_that_is_gone() -> None:
    assert STATUSES.keys() <= {error.__name__ for error in tree(AppError)}


def test_the_table_names_no_error_twice() -> None:
    titles = [kind.title for kind in KINDS.values()]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize(
    ("asked", "told"), [(None, "1"), (0, "1"), (0.2, "1"), (1, "1"), (2.1, "3"), (30, "30")]
)
def test_unavailability_says_in_whole_seconds_when_to_try_again(
    asked: float | None, told: str
) -> None:
    error = errors.DatabaseBusy("Busy.", retry_after_s=asked)
    assert on_app_error(a_request(), error).headers["Retry-After"] == told


@pytest.mark.parametrize("error", list(tree(Unavailable)), ids=lambda error: error.__name__)
def test_every_unavailability_says_so(error: type[Unavailable]) -> None:
    assert on_app_error(a_request(), error("Down.")).headers["Retry-After"] == "1"


def test_a_request_in_progress_says_when_to_try_again() -> None:
    assert on_app_error(a_request(), RequestInProgress("Wait.")).headers["Retry-After"] == "1"


def test_all_violations_stand_in_the_document_in_order() -> None:
    violations = [Violation(pointer=f"/{n}", detail=f"is {n}") for n in range(3)]
    document = problem_of(on_app_error(a_request(), InvalidInput.of(violations)))
    assert document["errors"] == [{"pointer": f"/{n}", "detail": f"is {n}"} for n in range(3)]


def test_without_violations_there_is_no_list_of_them() -> None:
    assert "errors" not in problem_of(on_app_error(a_request(), UnsupportedMediaType("No.")))


@given(st.text())
def test_of_an_unexpected_error_nothing_is_told(secret: str) -> None:
    logging.getLogger("entrypoints.http.protocol.problems").disabled = True
    try:
        one = on_unexpected(a_request(), RuntimeError(f"password={secret}"))
        other = on_unexpected(a_request(), KeyError())
    finally:
        logging.getLogger("entrypoints.http.protocol.problems").disabled = False
    assert one.content == other.content
    assert problem_of(one)["status"] == 500


def test_an_unexpected_error_is_logged_whole(caplog: pytest.LogCaptureFixture) -> None:
    on_unexpected(a_request(), RuntimeError("the cause"))
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert "the cause" in str(record.exc_info[1])


def test_the_cause_of_a_failed_dependency_is_logged_and_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = errors.DatabaseUnavailable("The database cannot be reached.")
    error.__cause__ = OSError("connect to 10.0.0.7 failed")
    response = on_app_error(a_request(), error)
    assert "10.0.0.7" not in response.content.decode()
    (record,) = caplog.records
    assert record.getMessage().endswith("(OSError: connect to 10.0.0.7 failed)")
    assert record.exc_info is None  # what comes with each request while a server is away is a line


def test_the_whole_story_of_another_failure_is_logged_and_a_quoted_row_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = errors.BadAnswer("It cannot be used.")
    error.__cause__ = ValueError("of the inside")
    on_app_error(a_request(), error)
    unfit = errors.DatabaseUnfit("It lacks something.")
    unfit.__cause__ = ValueError("null value\nDETAIL: Failing row contains (ann@example.com)")
    on_app_error(a_request(), unfit)
    story, line = caplog.records
    assert story.exc_info is not None
    assert "of the inside" in str(story.exc_info[1])
    assert line.getMessage().endswith("(ValueError: null value)")


def test_an_error_without_a_status_is_a_defect(caplog: pytest.LogCaptureFixture) -> None:
    assert kind_of(AppError) is None
    assert on_app_error(a_request(), AppError("inner words")).status_code == 500
    assert "inner words" not in on_app_error(a_request(), AppError("inner words")).content.decode()
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "malformed_request"),
        (404, "not_found"),
        (405, "method_not_allowed"),
        (413, "body_too_large"),
        (415, "unsupported_media_type"),
        (418, "refused"),
    ],
)
def test_what_the_framework_refuses_is_told_in_our_words(status: int, code: str) -> None:
    error = HTTPException(status_code=status, detail="inner words of litestar")
    response = on_http_error(a_request(), error)
    document = problem_of(response)
    assert (document["code"], document["status"]) == (code, status)
    assert "litestar" not in response.content.decode()


def test_a_code_has_one_title_whoever_refuses() -> None:
    ours = problem_of(on_app_error(a_request(), errors.NotFound("There is no user 1.")))
    theirs = problem_of(on_http_error(a_request(), HTTPException(status_code=404)))
    assert ours["title"] == theirs["title"]


def test_a_failure_of_the_framework_is_a_defect(caplog: pytest.LogCaptureFixture) -> None:
    response = on_http_error(a_request(), InternalServerException("inner words"))
    assert problem_of(response)["code"] == "internal"
    assert "inner words" not in response.content.decode()
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ("POST, GET", "GET, HEAD, OPTIONS, POST"),
        ("POST", "OPTIONS, POST"),
        ("DELETE, OPTIONS, PATCH", "DELETE, OPTIONS, PATCH"),
    ],
)
def test_a_refused_method_and_options_are_told_all_methods(known: str, told: str) -> None:
    error = MethodNotAllowedException(headers={"allow": known})
    refused = on_http_error(a_request(method="BREW"), error)
    assert (refused.status_code, refused.headers["Allow"]) == (405, told)
    asked = on_http_error(a_request(method=ASK_ALLOWED), error)
    assert (asked.status_code, asked.headers["Allow"], asked.content) == (204, told, b"")
