"""The OpenAPI 3.1 document, made from the contract that each handler declares.

Litestar's own generator knows types, not refusals: here every answer of every operation is stated,
errors included, each with an example.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.routes import HTTPRoute

from domain.errors import (
    AppError,
    ChangesCollided,
    DatabaseBusy,
    DatabaseReadOnly,
    DatabaseUnavailable,
    DatabaseUnfit,
    InvalidInput,
    StatementTimedOut,
)
from entrypoints.http.protocol.bodies import JSON
from entrypoints.http.protocol.openapi_answers import SCHEMA_REF, headers_of, refusals
from entrypoints.http.protocol.problems import (
    MalformedRequest,
    Problem,
    UnsupportedMediaType,
)

DATABASE_ERRORS: Final = (
    DatabaseUnavailable,
    DatabaseBusy,
    ChangesCollided,
    DatabaseReadOnly,
    DatabaseUnfit,
    StatementTimedOut,
)
"""What anything that reads or writes rows may raise."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What one operation takes and answers.

    Attributes:
        summary: what it does, in a few words.
        tag: the group that it stands in.
        status: of success.
        returns: type of the success body; None for none.
        media: media type of the success body.
        body: type of the request body; None for none.
        body_required: whether a request without a body is refused.
        body_types: media types that it may have.
        more_bodies, more_media: further forms of the request and of the success body, as text:
            media type -> example.
        query: struct of the query parameters.
        path: types of the path parameters, by name.
        errors: what the use case may raise, beyond what follows from the shape.
        request_headers, response_headers: names of those that it knows.
        example, body_example: one success body, one request body.
        more: further answers that are no problem documents: status -> (type, description), or
            (type, description, example) when `example` does not fit it.
    """

    summary: str
    tag: str
    status: int = 200
    returns: Any = None
    media: str = JSON
    body: Any = None
    body_required: bool = True
    body_types: Sequence[str] = (JSON,)
    more_bodies: Mapping[str, str] = field(default_factory=dict)
    more_media: Mapping[str, str] = field(default_factory=dict)
    query: type[msgspec.Struct] | None = None
    path: Mapping[str, Any] = field(default_factory=dict)
    errors: Sequence[type[AppError]] = ()
    request_headers: Sequence[str] = ()
    response_headers: Sequence[str] = ()
    example: Any = None
    body_example: Any = None
    more: Mapping[int, tuple[Any, str] | tuple[Any, str, Any]] = field(default_factory=dict)

    def __deepcopy__(self, _: object) -> Contract:
        # Litestar copies a controller's handlers; the types in here cannot be, and need not be.
        return self

    @property
    def all_errors(self) -> Sequence[type[AppError]]:
        """`errors` and those that every operation of this shape has."""
        shaped: list[type[AppError]] = list(self.errors)
        if self.body is not None:
            shaped += [MalformedRequest, UnsupportedMediaType]
        if self.body is not None or self.query is not None or self.request_headers:
            shaped.append(InvalidInput)
        return shaped


def contract(**parts: Any) -> dict[str, Any]:
    """`opt` of a handler; the arguments are those of `Contract`."""
    return {"contract": Contract(**parts)}


def document(app: Litestar, *, version: str) -> dict[str, Any]:
    """The whole document; handlers without a contract are left out."""
    operations = sorted(_operations(app), key=lambda each: (each[0], each[1]))
    types: list[Any] = [Problem]
    for _, _, _, stated in operations:
        queried = stated.query
        in_query = [each.type for each in msgspec.structs.fields(queried)] if queried else []
        more = [kind for kind, *_ in stated.more.values()]
        types += [stated.returns, stated.body, *stated.path.values(), *in_query, *more]
    schemas, components = msgspec.json.schema_components(types, ref_template=SCHEMA_REF)
    found = dict(zip(map(id, types), schemas, strict=True))

    paths: dict[str, dict[str, Any]] = {}
    for path, method, name, stated in operations:
        paths.setdefault(path, {})[method] = _operation(name, stated, found)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Storekeeper",
            "version": version,
            "description": "The back office of an online shop over its own PostgreSQL.",
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def _operations(app: Litestar) -> Iterator[tuple[str, str, str, Contract]]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            stated = handler.opt.get("contract")
            if not isinstance(stated, Contract):
                continue
            for method in sorted(handler.http_methods - {"OPTIONS"}):
                yield route.path_format, method.lower(), handler.handler_name, stated


def _operation(name: str, stated: Contract, found: Mapping[int, Any]) -> dict[str, Any]:
    parameters = [
        {"name": each, "in": "path", "required": True, "schema": found[id(kind)]}
        for each, kind in stated.path.items()
    ]
    if stated.query is not None:
        for member in msgspec.structs.fields(stated.query):
            schema = dict(found[id(member.type)])
            described = schema.pop("description", None)
            parameters.append(
                {
                    "name": member.encode_name,
                    "in": "query",
                    "required": member.required,
                    "schema": schema,
                    **({"description": described} if described else {}),
                }
            )
    for each in stated.request_headers:
        description, schema = REQUEST_HEADERS[each]
        parameters.append(
            {
                "name": each,
                "in": "header",
                "required": False,
                "schema": schema,
                "description": description,
            }
        )
    refused = refusals(stated.all_errors, has_body=stated.body is not None)
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": stated.summary,
        "tags": [stated.tag],
        "parameters": parameters,
        "responses": {str(stated.status): _success(stated, found), **refused},
    }
    for status, (kind, description, *example) in stated.more.items():
        operation["responses"][str(status)] = {
            "description": description,
            "headers": headers_of(("Retry-After",) if status == 503 else ()),
            "content": {JSON: _content(found[id(kind)], *(example or [stated.example]))},
        }
    if "If-None-Match" in stated.request_headers and stated.status == 200 and not stated.body:
        operation["responses"]["304"] = {
            "description": "The caller's copy is still right",
            "headers": headers_of(("ETag",)),
        }
    if stated.body is not None:
        content = _content(found[id(stated.body)], stated.body_example)
        operation["requestBody"] = {
            "required": stated.body_required,
            "content": {**dict.fromkeys(stated.body_types, content), **_texts(stated.more_bodies)},
        }
    return operation


def _success(stated: Contract, found: Mapping[int, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": stated.summary,
        "headers": headers_of(stated.response_headers),
    }
    if stated.returns is not None:
        response["content"] = {
            stated.media: _content(found[id(stated.returns)], stated.example),
            **_texts(stated.more_media),
        }
    return response


def _texts(examples: Mapping[str, str]) -> dict[str, Any]:
    return {media: _content({"type": "string"}, text) for media, text in examples.items()}


def _content(schema: Any, example: Any) -> dict[str, Any]:
    examples = {} if example is None else {"examples": {"typical": {"value": example}}}
    return {"schema": schema, **examples}
