"""Operations: handlers whose signature says what they take of a request and what they answer.

    @get("/{order_id:str}", scope=Scope.RECORDS_READ)
    async def get_order(
        self, order_id: OrderIdInPath, known: ReadsVersion, orders: Orders
    ) -> JsonAnswer[OrderView]:
        \"\"\"Fetch an order.\"\"\"
        return known.answer(await orders.get(order_id), order_view)

The decorators of this module stand for Litestar's. Parameters of the types of `protocol.parameters`
are read from the request, the others are Litestar's dependencies. The document (`protocol.openapi`)
takes the rest from there too: what the docstring says first is the summary, the type of the answer
and those of the parameters are the schemas, a struct's `EXAMPLE` is its example, and the refusals
are those of the parameters, of the database, and the `errors` that the use case itself may raise.
Only what can be seen nowhere else is an argument of the decorator, first of all the scope that a
caller needs.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from typing import Any, Final, TypeAlias, get_args, get_origin, get_type_hints

from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import SkipValidation

from domain.errors import (
    AppError,
    DatabaseBusy,
    DatabaseReadOnly,
    DatabaseUnavailable,
    DatabaseUnfit,
    LimitReached,
    NotAuthenticated,
    ScopeMissing,
    StatementTimedOut,
    WriteConflict,
)
from entrypoints.http.access.authentication import PUBLIC, SCOPE, Needed
from entrypoints.http.access.limits import COST
from entrypoints.http.protocol.answers import JsonAnswer
from entrypoints.http.protocol.bodies import JSON
from entrypoints.http.protocol.parameters import ParameterMetadata

_Given = NamedDependency[SkipValidation[Any]]

Handler: TypeAlias = Callable[..., Awaitable[Any]]

DATABASE_ERRORS: Final = (
    DatabaseUnavailable,
    DatabaseBusy,
    WriteConflict,
    DatabaseReadOnly,
    DatabaseUnfit,
    StatementTimedOut,
)
"""What anything that reads or writes rows may raise."""

ACCESS_ERRORS: Final = (NotAuthenticated, ScopeMissing, LimitReached)
"""What anything that is not public may raise; the callers are found in the database, too."""

OPERATION: Final = "operation"
"""Where a handler's `opt` holds its `Operation`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What the document says of a handler.

    Attributes:
        summary: what it does, in a few words.
        scope: what the caller needs.
        cost: in units of the caller's limit; None for what its method and its list cost.
        parts: what it takes of the request.
        returns: type of the success body; None for none.
        errors: what the use case may raise, beyond what its parts do.
        headers: names of headers of a success, beyond those of its parts.
        media: media type of the success body.
        more_media: further forms of it, as text: media type -> example.
        example, body_example: one success body, one request body; None for the `EXAMPLE` of their
            structs.
        more: further answers that are no problem documents: status -> (type, description), or
            (type, description, example) when `example` does not fit it.
    """

    summary: str
    scope: Needed
    cost: int | None = None
    parts: Sequence[ParameterMetadata] = ()
    returns: Any = None
    errors: Sequence[type[AppError]] = ()
    headers: Sequence[str] = ()
    media: str = JSON
    more_media: Mapping[str, str] = field(default_factory=dict)
    example: Any = None
    body_example: Any = None
    more: Mapping[int, tuple[Any, str] | tuple[Any, str, Any]] = field(default_factory=dict)

    def __deepcopy__(self, _: object) -> Operation:
        # Litestar copies a controller's handlers; the types in here cannot be, and need not be.
        return self


def operation(
    path: str | None = None,
    *,
    method: str,
    scope: Needed,
    cost: int | None = None,
    status: int | None = None,
    tags: Sequence[str] | None = None,
    errors: Sequence[type[AppError]] = (),
    stored: bool = True,
    **documented: Any,
) -> Callable[[Handler], HTTPRouteHandler]:
    """Make a handler of a function; see the head of this module.

    Args:
        path: below the controller's; None for the same.
        method: of HTTP.
        scope: what the caller needs.
        cost: see `Operation`.
        status: of success; None for the method's own: 201 of POST, 204 of DELETE, else 200.
        tags: the group that it stands in, where no controller states one.
        errors: what the use case may raise, beyond what its parts and the database do.
        stored: whether it reads or writes rows.
        documented: further attributes of its `Operation`.
    """

    def decorate(function: Handler) -> HTTPRouteHandler:
        hints = get_type_hints(function, include_extras=True)
        parts = list(_parts(hints))
        taken = [error for part in parts for error in part.errors]
        stated = Operation(
            summary=" ".join(
                inspect.cleandoc(function.__doc__ or "").split("\n\n")[0].split()
            ).removesuffix("."),
            scope=scope,
            cost=cost,
            parts=parts,
            errors=(
                *(ACCESS_ERRORS if scope != PUBLIC else ()),
                *errors,
                *taken,
                *(DATABASE_ERRORS if stored or scope != PUBLIC else ()),
            ),
            **{"returns": _answer(hints["return"]), **documented},
        )
        return HTTPRouteHandler(
            path,
            http_method=method,  # type: ignore[arg-type]  # one of the partials below
            status_code=status,
            tags=tags,
            opt={OPERATION: stated, SCOPE: scope, COST: cost},
        )(_reading(function, parts, hints))

    return decorate


get = partial(operation, method="GET")
post = partial(operation, method="POST")
put = partial(operation, method="PUT")
patch = partial(operation, method="PATCH")
delete = partial(operation, method="DELETE")


def _parts(hints: Mapping[str, Any]) -> Iterator[ParameterMetadata]:
    for name, hint in hints.items():
        for mark in getattr(hint, "__metadata__", ()):
            if isinstance(mark, ParameterMetadata):
                yield replace(mark, name=name, kind=hint.__origin__)


def _answer(returned: Any) -> Any:
    """The type of the JSON body of what a handler returns; None for another or none."""
    for kind in (returned, *get_args(returned)):
        if get_origin(kind) is JsonAnswer:
            (body,) = get_args(kind)
            return body
    return None


def _reading(
    function: Handler, parts: Sequence[ParameterMetadata], hints: Mapping[str, Any]
) -> Handler:
    """`function` as Litestar calls it: its parts are read from the request.

    Not dependencies of Litestar's: it resolves those of a handler at once and in no order, so that
    of two bad parts now one, now the other would be told; and it keeps the names `body` and `query`
    to itself.
    """
    signature = inspect.signature(function)
    read = {part.name for part in parts}
    own = [name for name in signature.parameters if name not in read and name != "self"]

    @wraps(function)
    async def handler(*args: Any, **given: Any) -> Any:
        values = {name: given[name] for name in own}
        for part in parts:
            values[part.name] = await part.read(given["request"], given)
        return await function(*args, **values)

    needed = {name: _Given for part in parts for name in part.needs}
    if parts:
        needed["request"] = Request[Any, Any, Any]
    types = {**needed, **{name: hints[name] for name in own if name in hints}}
    returned = None if hints["return"] is type(None) else Response[Any]
    handler.__annotations__ = {**types, "return": returned}
    named = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    handler.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[
            *(named if "self" in signature.parameters else ()),
            *(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind)
                for name, kind in types.items()
            ),
        ],
        return_annotation=returned,
    )
    return handler
