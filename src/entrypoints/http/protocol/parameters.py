"""What a handler may take of a request: each parameter's type says what it is, and documents it.

    async def replace_user(
        self,
        user_id: UserIdInPath,
        conditions: WritesVersion,
        body: Body[UserReplacement],
        user_service: Service,
    ) -> JsonAnswer[UserView]:

`protocol.operations` reads them, one after the other in the order of the signature, so that of two
faults of a request always the same one is told; what is no `ParameterMetadata` is a dependency,
which Litestar gives. `protocol.openapi` writes the document from them. What reads a form of its own
(lines, uploads) is a further subclass of `ParameterMetadata`, beside its resource.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar, get_args

import msgspec
from litestar import Request

from domain.errors import (
    AppError,
    IdempotencyKeyReused,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    RequestInProgress,
    Violation,
)
from entrypoints.http.protocol.bodies import JSON, MERGE_PATCH, read_body, read_query
from entrypoints.http.protocol.idempotency import IdempotentExecution, idempotency_key
from entrypoints.http.protocol.pages import PageRequest, read_page
from entrypoints.http.protocol.preconditions import (
    ExistenceConditions,
    ReadConditions,
    VersionConditions,
    conditions,
    existence,
)
from entrypoints.http.protocol.problems import MalformedRequest, UnsupportedMediaType

T = TypeVar("T")

Asked: TypeAlias = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentedBody:
    """A request's body in the document.

    Attributes:
        kind: its type.
        required: whether a request without one is refused.
        media_types: those that `kind` may come as.
        texts: further forms, as text: media type -> example.
    """

    kind: Any
    required: bool = True
    media_types: Sequence[str] = (JSON,)
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ParameterMetadata:
    """A part of the request that a parameter stands for, as the metadata of its `Annotated` type.

    Attributes:
        name, kind: the parameter's name and type; set when the handler is made.
        needs: dependencies that `read` asks for, by name.
        errors: what `read` raises, or what the answer made with it does.
        request_headers, response_headers: names of those that it knows.
        not_modified: whether a GET with it may be answered by 304.
    """

    name: str = ""
    kind: Any = None

    needs: ClassVar[Sequence[str]] = ()
    errors: ClassVar[Sequence[type[AppError]]] = ()
    request_headers: ClassVar[Sequence[str]] = ()
    response_headers: ClassVar[Sequence[str]] = ()
    not_modified: ClassVar[bool] = False

    @abstractmethod
    async def read(self, request: Asked, given: Mapping[str, Any]) -> Any:
        """The parameter's value; `given` holds what it `needs`.

        Raises:
            AppError: one of `errors`.
        """

    def path_schema(self) -> Any:
        """The type of the path parameter that it reads; None if it reads none."""
        return None

    def query_struct(self) -> type[msgspec.Struct] | None:
        """The struct of the query that it reads; None if it reads none."""
        return None

    def body(self) -> DocumentedBody | None:
        """The body that it reads; None if it reads none."""
        return None


@dataclass(frozen=True)
class InPath(ParameterMetadata):
    """A part of the path that has the parameter's name.

    Attributes:
        parse: makes the value, or raises `NotFound`.
        schema: its type in the document.
    """

    parse: Callable[[str], Any]
    schema: Any
    errors: ClassVar[Sequence[type[AppError]]] = (NotFound,)

    async def read(self, request: Asked, given: Mapping[str, Any]) -> Any:  # noqa: ARG002
        """See `ParameterMetadata`."""
        return self.parse(request.path_params[self.name])

    def path_schema(self) -> Any:
        """See `ParameterMetadata`."""
        return self.schema


@dataclass(frozen=True, kw_only=True)
class JsonBody(ParameterMetadata):
    """The body as the parameter's struct; with `X | None` a request without a body is None.

    What the dependency `rules` says of it is told together with what its fields say.
    """

    media_types: Sequence[str] = (JSON,)
    needs = ("rules",)
    errors = (MalformedRequest, UnsupportedMediaType, InvalidInput)

    @property
    def _struct(self) -> type[msgspec.Struct]:
        found: type[msgspec.Struct] = next(iter(get_args(self.kind)), self.kind)
        return found

    async def read(self, request: Asked, given: Mapping[str, Any]) -> Any:
        """See `ParameterMetadata`."""
        if self._struct is not self.kind and not await request.body():
            return None
        return await read_body(request, self._struct, given["rules"], self.media_types)

    def body(self) -> DocumentedBody:
        """See `ParameterMetadata`."""
        return DocumentedBody(
            kind=self._struct, required=self._struct is self.kind, media_types=self.media_types
        )


@dataclass(frozen=True, kw_only=True)
class QueryString(ParameterMetadata):
    """The query as the parameter's struct."""

    errors = (InvalidInput,)

    async def read(self, request: Asked, given: Mapping[str, Any]) -> Any:  # noqa: ARG002
        """See `ParameterMetadata`."""
        return read_query(request, self.kind)

    def query_struct(self) -> type[msgspec.Struct]:
        """See `ParameterMetadata`."""
        found: type[msgspec.Struct] = self.kind
        return found


@dataclass(frozen=True, kw_only=True)
class ListQueryString(ParameterMetadata):
    """The query of a list: which page of it, and by which filters."""

    needs = ("cursors",)
    errors = (InvalidInput,)
    response_headers = ("Link",)

    async def read(self, request: Asked, given: Mapping[str, Any]) -> Any:
        """See `ParameterMetadata`."""
        return read_page(request, self.query_struct(), given["cursors"])

    def query_struct(self) -> type[msgspec.Struct]:
        """See `ParameterMetadata`."""
        (found,) = get_args(self.kind)
        struct: type[msgspec.Struct] = found
        return struct


@dataclass(frozen=True, kw_only=True)
class IdempotencyKeyHeader(ParameterMetadata):
    """`Idempotency-Key`."""

    needs = ("open_unit",)
    errors = (RequestInProgress, IdempotencyKeyReused, InvalidInput)
    request_headers = ("Idempotency-Key",)
    response_headers = ("Idempotency-Replayed",)

    async def read(self, request: Asked, given: Mapping[str, Any]) -> Any:
        """See `ParameterMetadata`."""
        return IdempotentExecution(request, idempotency_key(request), given["open_unit"])


@dataclass(frozen=True)
class NothingIsReplayed(ParameterMetadata):
    """An answer that holds a secret is not kept, so it cannot be given again.

    Attributes:
        remedy: what to do when no answer came, the end of a sentence.
    """

    remedy: str
    errors: ClassVar[Sequence[type[AppError]]] = (InvalidInput,)

    async def read(self, request: Asked, given: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Nothing.

        Raises:
            InvalidInput: the request has an idempotency key.
        """
        if "idempotency-key" in request.headers:
            detail = (
                "is not taken here: the answer holds a secret and is not kept. If no answer came,"
                f" {self.remedy}"
            )
            raise InvalidInput.of([Violation(pointer="Idempotency-Key", detail=detail)])


@dataclass(frozen=True)
class PreconditionHeaders(ParameterMetadata):
    """`If-Match` and `If-None-Match`."""

    parse: Callable[[Asked], Any]
    errors = (PreconditionFailed, InvalidInput)
    request_headers = ("If-Match", "If-None-Match")

    async def read(self, request: Asked, given: Mapping[str, Any]) -> Any:  # noqa: ARG002
        """See `ParameterMetadata`."""
        return self.parse(request)


class _TagHeaders(PreconditionHeaders):
    response_headers = ("ETag",)


class _ReadHeaders(_TagHeaders):
    not_modified = True


Body: TypeAlias = Annotated[T, JsonBody()]
MergePatch: TypeAlias = Annotated[T, JsonBody(media_types=(MERGE_PATCH, JSON))]
Query: TypeAlias = Annotated[T, QueryString()]
PageOf: TypeAlias = Annotated[PageRequest[T], ListQueryString()]
IdempotentWork: TypeAlias = Annotated[IdempotentExecution, IdempotencyKeyHeader()]
ReadsVersion: TypeAlias = Annotated[ReadConditions, _ReadHeaders(ReadConditions)]
WritesVersion: TypeAlias = Annotated[VersionConditions, _TagHeaders(conditions)]
WritesExistence: TypeAlias = Annotated[ExistenceConditions, PreconditionHeaders(existence)]
