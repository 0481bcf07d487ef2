"""Answers in the OpenAPI document: their headers, and the refusals with an example of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from domain.errors import AppError, InvalidInput
from entrypoints.http.protocol.problems import (
    DEFECT,
    MEDIA_TYPE,
    TOO_LARGE,
    Kind,
    Problem,
    ProblemError,
    kind_of,
)

SCHEMA_REF: Final = "#/components/schemas/{name}"

RESPONSE_HEADERS: Final[Mapping[str, str]] = {
    "ETag": "The version of the resource, for If-Match",
    "Location": "The path of the new resource",
    "Link": 'The next page, rel="next"; absent on the last',
    "Retry-After": "Seconds to wait before a new try",
    "Idempotency-Replayed": "`true` when this is a kept answer",
}


def refusals(errors: Sequence[type[AppError]], *, has_body: bool) -> dict[str, Any]:
    """What an operation refuses, by status: `errors`, and what every operation has."""
    by_status: dict[int, list[type[AppError]]] = {}
    for error in dict.fromkeys(errors):
        kind = kind_of(error)
        assert kind is not None, error
        by_status.setdefault(kind.status, []).append(error)
    found: dict[str, Any] = {}
    for status, alike in sorted(by_status.items()):
        described = [(each.code, kind_of(each)) for each in alike]
        found[str(int(status))] = _problems(
            [(code, kind) for code, kind in described if kind is not None],
            ("Retry-After",) if status in {409, 503} else (),
        )
    if has_body:
        found["413"] = _problems([("body_too_large", TOO_LARGE)])
    found["500"] = _problems([("internal", DEFECT)])
    return found


def _problems(kinds: Sequence[tuple[str, Kind]], headers: Sequence[str] = ()) -> dict[str, Any]:
    """One status, with an example for each of its codes."""
    return {
        "description": ", or ".join(kind.title for _, kind in kinds),
        "headers": headers_of(headers),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": SCHEMA_REF.format(name="Problem")},
                "examples": {code: {"value": _problem(code, kind)} for code, kind in kinds},
            }
        },
    }


def _problem(code: str, kind: Kind) -> Any:
    named = code == InvalidInput.code
    return msgspec.to_builtins(
        Problem(
            type=f"/problems/{code}",
            code=code,
            title=kind.title,
            status=kind.status,
            detail="1 member is invalid." if named else f"{kind.title}.",
            instance="3f2a8c1e5b7d4a60",
            errors=[ProblemError(pointer="/name", detail="must not be blank")] if named else [],
        )
    )


def headers_of(names: Sequence[str]) -> dict[str, Any]:
    """The headers of an answer, by name."""
    described = {name: RESPONSE_HEADERS[name] for name in names}
    found = {
        name: {"description": text, "schema": {"type": "string"}}
        for name, text in described.items()
    }
    found["X-Request-Id"] = {
        "description": "The id of this exchange, in the logs too",
        "schema": {"type": "string"},
    }
    return found
