"""The OpenAPI 3.1 document, made from what each handler takes and answers.

Litestar's own generator knows types, not refusals: here every answer of every operation is stated,
errors included, each with an example.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, get_args

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from domain.access.model import Scope
from domain.errors import AppError, InvalidInput
from entrypoints.http.access.authentication import PUBLIC, SESSION_COOKIE
from entrypoints.http.protocol.bodies import JSON
from entrypoints.http.protocol.operations import OPERATION, Operation
from entrypoints.http.protocol.pages import Page
from entrypoints.http.protocol.parameters import ParameterMetadata
from entrypoints.http.protocol.problems import (
    DEFECT,
    MEDIA_TYPE,
    TOO_LARGE,
    InvalidMember,
    Problem,
    ProblemKind,
    kind_of,
)

SCHEMA_REF: Final = "#/components/schemas/{name}"

GROUPS: Final[Mapping[str, str]] = {
    "users": "Customers of the shop",
    "orders": "What they bought",
    "extractions": "One text becomes a record, now",
    "jobs": "Many texts, read by workers",
    "schemas": "The shapes of records",
    "comparisons": "Providers on the same texts",
    "webhooks": "Who is told when a job is done, and what was sent",
    "clicks": "What was searched, shown and clicked",
    "insights": "What becomes of the clicks, by day and over any period",
    "keys": "Who may call",
    "audit": "Who did what",
    "health": "Whether the service can do its work",
}
"""The groups (`tags`) of operations in the order in which one comes to need them."""

REQUEST_HEADERS: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "If-Match": (
        "ETags of which the resource must still have one, or `*`; else 412",
        {"type": "string", "examples": ['"1"']},
    ),
    "If-None-Match": (
        "ETags that the resource must not have, or `*`; else a GET is 304, a write 412",
        {"type": "string", "examples": ['"7"']},
    ),
    "Idempotency-Key": (
        "Makes a retry safe: the first answer is replayed for 24 hours",
        {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
    ),
}

BEARER: Final = "bearer"
"""The name of the security scheme that every client can use: a key."""
TOKEN: Final = "token"  # noqa: S105 (a name)
SESSION: Final = "session"
FORM_TOKEN: Final = "formToken"  # noqa: S105 (a name)

SECURITY_SCHEMES: Final[Mapping[str, Mapping[str, str]]] = {
    BEARER: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "stk_(live|test)_...",
        "description": "A key. From this machine none is needed before the first is made.",
    },
    TOKEN: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of the identity provider, where one is configured.",
    },
    SESSION: {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": "A browser that signed in at `/sign-in`. `Authorization` comes first.",
    },
    FORM_TOKEN: {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRF-Token",
        "description": "The token of a form of the session's own pages, without which a session"
        " changes nothing.",
    },
}

RESPONSE_HEADERS: Final[Mapping[str, str]] = {
    "ETag": "The version of the resource, for If-Match",
    "Location": "The path of the new resource",
    "Link": 'The next page, rel="next"; absent on the last',
    "Retry-After": "Seconds to wait before a new try",
    "Idempotency-Replayed": "`true` when this is a kept answer",
    "WWW-Authenticate": "How to prove who calls, and what is wrong with what came (RFC 6750)",
}


def document(app: Litestar, *, version: str) -> dict[str, Any]:
    """The whole document; handlers that are no operations are left out."""
    handlers = sorted(_handlers(app), key=lambda each: (each[0], each[1]))
    types: list[Any] = [Problem, *(kind for *_, handler in handlers for kind in _types(handler))]
    schemas, components = msgspec.json.schema_components(types, ref_template=SCHEMA_REF)
    found = dict(zip(map(id, types), schemas, strict=True))

    paths: dict[str, dict[str, Any]] = {}
    for path, method, handler in handlers:
        paths.setdefault(path, {})[method] = _described(handler, found)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Storekeeper",
            "version": version,
            "description": "The back office of an online shop over its own PostgreSQL.",
        },
        "tags": [{"name": name, "description": text} for name, text in GROUPS.items()],
        "paths": paths,
        "components": {
            "schemas": {n: _as_values(each) for n, each in components.items()},
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _as_values(component: dict[str, Any]) -> dict[str, Any]:
    """An enumeration's docstring speaks of members by their names in Python, a client of values."""
    if "enum" not in component:
        return component
    text = " ".join(component["description"].split())
    for value in component["enum"]:
        text = re.sub(rf"\b{value.upper()}\b", f"`{value}`", text)
    return {**component, "description": text}


def _handlers(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """Path, method and handler of each operation."""
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            if OPERATION in handler.opt:
                for method in sorted(handler.http_methods - {"OPTIONS"}):
                    yield route.path_format, method.lower(), handler


@cache
def _members(struct: type[msgspec.Struct]) -> Sequence[msgspec.structs.FieldInfo]:
    """Always the same, so that their types can be known again by identity."""
    return msgspec.structs.fields(struct)


def _types(handler: HTTPRouteHandler) -> Iterator[Any]:
    """Every type that the description of an operation has a schema of."""
    stated: Operation = handler.opt[OPERATION]
    yield stated.returns
    for part in stated.parts:
        yield part.path_schema()
        if (struct := part.query_struct()) is not None:
            yield from (member.type for member in _members(struct))
        if (body := part.body()) is not None:
            yield body.kind
    yield from (kind for kind, *_ in stated.more.values())


def _described(handler: HTTPRouteHandler, found: Mapping[int, Any]) -> dict[str, Any]:
    stated: Operation = handler.opt[OPERATION]
    bodies = [body for part in stated.parts if (body := part.body()) is not None]
    operation: dict[str, Any] = {
        "operationId": handler.handler_name,
        "summary": stated.summary,
        **_access(stated, reads=handler.http_methods <= {"GET", "HEAD"}),
        "tags": handler.resolve_tags(),
        "parameters": list(_parameters(stated.parts, found)),
        "responses": {
            str(handler.status_code): _success(stated, found),
            **refusals(stated.errors, has_body=bool(bodies)),
        },
    }
    for status, (kind, description, *example) in stated.more.items():
        operation["responses"][str(status)] = {
            "description": description,
            "headers": headers_of(("Retry-After",) if status == 503 else ()),
            "content": {JSON: _content(found[id(kind)], *(example or [_example(stated)]))},
        }
    if any(part.not_modified for part in stated.parts):
        operation["responses"]["304"] = {
            "description": "The caller's copy is still right",
            "headers": headers_of(("ETag",)),
        }
    for body in bodies:
        example = stated.body_example or example_of(body.kind)
        content = _content(found[id(body.kind)], example)
        operation["requestBody"] = {
            "required": body.required,
            "content": {**dict.fromkeys(body.media_types, content), **_texts(body.texts)},
        }
    return operation


def _access(stated: Operation, *, reads: bool) -> dict[str, Any]:
    """What a caller needs, for programs and in words: one of the ways to prove who it is."""
    if stated.scope == PUBLIC:
        return {"security": []}
    scopes = [stated.scope.value] if isinstance(stated.scope, Scope) else []
    words = "".join(f" with the scope `{scope}`" for scope in scopes)
    session = {SESSION: scopes} if reads else {SESSION: scopes, FORM_TOKEN: []}
    return {
        "security": [{BEARER: scopes}, {TOKEN: scopes}, session],
        "description": f"Needs a key{words}.",
    }


def _parameters(
    parts: Sequence[ParameterMetadata], found: Mapping[int, Any]
) -> Iterator[dict[str, Any]]:
    """Those in the path, in the query, in headers."""
    for part in parts:
        if (kind := part.path_schema()) is not None:
            yield {"name": part.name, "in": "path", "required": True, "schema": found[id(kind)]}
    for part in parts:
        struct = part.query_struct()
        for member in () if struct is None else _members(struct):
            schema = dict(found[id(member.type)])
            described = schema.pop("description", None)
            yield {
                "name": member.encode_name,
                "in": "query",
                "required": member.required,
                "schema": schema,
                **({"description": described} if described else {}),
            }
    for name in (name for part in parts for name in part.request_headers):
        description, schema = REQUEST_HEADERS[name]
        yield {
            "name": name,
            "in": "header",
            "required": False,
            "schema": schema,
            "description": description,
        }


def _success(stated: Operation, found: Mapping[int, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": stated.summary, "headers": headers_of(())}
    if stated.returns is not None:
        of_parts = [name for part in stated.parts for name in part.response_headers]
        response["headers"] = headers_of([*stated.headers, *of_parts])
        response["content"] = {
            stated.media: _content(found[id(stated.returns)], _example(stated)),
            **_texts(stated.more_media),
        }
    return response


def _example(stated: Operation) -> Any:
    return stated.example or example_of(stated.returns)


def example_of(kind: Any) -> Any:
    """The example that a struct states for itself, or that a page's rows do; None without one."""
    if isinstance(kind, type) and issubclass(kind, Page):
        items = next(each for each in msgspec.structs.fields(kind) if each.name == "items")
        (row,) = get_args(items.type)
        return {"items": [example_of(row)], "next": None}
    return getattr(kind, "EXAMPLE", None)


_REFUSAL_HEADERS: Final[Mapping[int, Sequence[str]]] = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    409: ("Retry-After",),
    429: ("Retry-After",),
    503: ("Retry-After",),
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
            _REFUSAL_HEADERS.get(status, ()),
        )
    if has_body:
        found["413"] = _problems([("body_too_large", TOO_LARGE)])
    found["500"] = _problems([("internal", DEFECT)])
    return found


def _problems(
    kinds: Sequence[tuple[str, ProblemKind]], headers: Sequence[str] = ()
) -> dict[str, Any]:
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


def _problem(code: str, kind: ProblemKind) -> Any:
    named = code == InvalidInput.code
    return msgspec.to_builtins(
        Problem(
            type=f"/problems/{code}",
            code=code,
            title=kind.title,
            status=kind.status,
            detail="1 field is invalid." if named else f"{kind.title}.",
            instance="3f2a8c1e5b7d4a60",
            errors=[InvalidMember(pointer="/name", detail="must not be blank")] if named else [],
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


def _texts(examples: Mapping[str, str]) -> dict[str, Any]:
    return {media: _content({"type": "string"}, text) for media, text in examples.items()}


def _content(schema: Any, example: Any) -> dict[str, Any]:
    examples = {} if example is None else {"examples": {"typical": {"value": example}}}
    return {"schema": schema, **examples}
