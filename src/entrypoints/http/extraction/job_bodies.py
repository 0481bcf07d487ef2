"""The bodies that make extraction jobs: small ones as JSON, large ones as lines of it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, Any, ClassVar, Final, Literal, TypeAlias

from litestar import Request
from litestar.exceptions import ClientException, InternalServerException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from msgspec import UNSET, Meta, Struct, UnsetType

from domain.errors import InvalidInput, Violation
from domain.extraction.jobs.items import MAX_DOCUMENT_ID, Document
from domain.extraction.jobs.model import (
    MAX_COST_USD,
    MAX_TOKENS,
    JobCaps,
    JobPriority,
    ProviderMode,
)
from domain.extraction.jobs.service import check_document
from entrypoints.document_lines import check_lines, documents_of
from entrypoints.http.extraction.extractions import ProviderChain, SchemaName, Text
from entrypoints.http.protocol.bodies import (
    JSON,
    NDJSON,
    check_media_type,
    object_violations,
    parse_json,
    query_pairs,
    read_object,
    read_query,
)
from entrypoints.http.protocol.parameters import DocumentedBody, ParameterMetadata
from entrypoints.http.protocol.problems import MalformedRequest, UnsupportedMediaType

MAX_JSON_BYTES: Final = 16_777_216
MAX_JSON_DOCUMENTS: Final = 10_000
_LINES: Final = (
    '{"id": "mail-1", "text": "Maria Lopez here, 24 oat milk cartons please"}\n'
    '"We need nine oak chairs. Nina Hall"\n'
)
_IN_MEMORY_BYTES: Final = 1_048_576

MaxTokens = Annotated[
    int,
    Meta(ge=1, le=MAX_TOKENS, description="The job pauses once it used so many tokens"),
]
_COST: Final = "The job pauses once it used so many US dollars by the price table"
JobMode = Annotated[
    ProviderMode,
    Meta(
        description="`batch`: the first provider is asked by its batch API, at its batch price and"
        " within 24 hours; openai and gemini have one"
    ),
]
Priority = Annotated[
    JobPriority,
    Meta(
        description="Your own jobs of a higher priority are read first; among callers it weighs:"
        " a document of `high` counts half as much as one of `normal`, and one of `low` twice"
    ),
]
_REUSE: Final = "Whether a stored result of the same text, schema, prompt and model answers"


class DocumentBody(Struct, forbid_unknown_fields=True):
    """One text with your own name for it."""

    text: Text
    id: Annotated[str, Meta(min_length=1, max_length=MAX_DOCUMENT_ID)] | UnsetType = UNSET


class JobOptions(Struct, forbid_unknown_fields=True):
    """How the texts are read."""

    schema: SchemaName | UnsetType = UNSET
    provider: ProviderChain | UnsetType = UNSET
    reuse: Annotated[bool, Meta(description=_REUSE)] = True
    mode: JobMode = ProviderMode.DIRECT
    priority: Priority = JobPriority.NORMAL
    max_cost_usd: Annotated[float, Meta(gt=0, le=MAX_COST_USD, description=_COST)] | UnsetType = (
        UNSET
    )
    max_tokens: MaxTokens | UnsetType = UNSET


class JobBody(JobOptions, forbid_unknown_fields=True):
    """A job to make: `texts` or `documents`, at most 10,000; send more as lines (NDJSON)."""

    EXAMPLE: ClassVar = {
        "texts": ["Maria Lopez here, 24 oat milk cartons please"],
        "max_cost_usd": 5,
    }

    texts: Annotated[list[Text], Meta(min_length=1, max_length=MAX_JSON_DOCUMENTS)] | UnsetType = (
        UNSET
    )
    documents: (
        Annotated[list[DocumentBody], Meta(min_length=1, max_length=MAX_JSON_DOCUMENTS)] | UnsetType
    ) = UNSET


class JobOptionsQuery(Struct, forbid_unknown_fields=True):
    """The options when the body is NDJSON; with a JSON body they stand in it."""

    schema: SchemaName | UnsetType = UNSET
    provider: ProviderChain | UnsetType = UNSET
    reuse: Annotated[Literal["true", "false"], Meta(description=_REUSE)] = "true"
    mode: JobMode = ProviderMode.DIRECT
    priority: Priority = JobPriority.NORMAL
    max_cost_usd: (
        Annotated[str, Meta(pattern=r"^[0-9]{1,10}(\.[0-9]{1,9})?$", description=_COST)] | UnsetType
    ) = UNSET
    max_tokens: MaxTokens | UnsetType = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedJob:
    """A job as it was asked for.

    Attributes:
        schema: name of the schema.
        provider: provider or chain; None for the configured one.
        reuse: whether stored results answer.
        mode: how providers are asked.
        priority: how soon.
        caps: what it may use.
        documents: starts the stream of its documents, each time from the first.
        digest: of everything above, to tell requests apart.
    """

    schema: str
    provider: str | None
    reuse: bool
    mode: ProviderMode
    priority: JobPriority
    caps: JobCaps
    documents: Callable[[], AsyncIterator[Document]]
    digest: bytes


@asynccontextmanager
async def read_job(request: Request[Any, Any, Any]) -> AsyncIterator[RequestedJob]:
    """The request's job, checked whole; its documents can be read while the block runs.

    A large body waits in a temporary file, so that a slow sender holds neither memory nor a
    database connection.

    Raises:
        UnsupportedMediaType: neither JSON nor NDJSON, not UTF-8, or compressed.
        MalformedRequest: not JSON.
        InvalidInput: names every bad member, or the bad lines.
        RequestEntityTooLarge: beyond the limit of the form.
    """
    kind = check_media_type(request, (JSON, NDJSON))
    with SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as file:
        query = request.scope["query_string"]
        head = f"{request.method} {request.scope['path']} {kind}\n".encode() + query + b"\n"
        digest = await _spool(request, file, head, MAX_JSON_BYTES if kind == JSON else None)
        if kind == JSON:
            yield _from_json(request, file, digest)
        else:
            options = read_query(request, JobOptionsQuery)
            await asyncio.to_thread(check_lines, file)
            cost = None if options.max_cost_usd is UNSET else Decimal(options.max_cost_usd)
            yield _asked(
                options, options.reuse == "true", cost, partial(documents_of, file), digest
            )


@dataclass(frozen=True, kw_only=True)
class _JobInBody(ParameterMetadata):
    errors = (MalformedRequest, UnsupportedMediaType, InvalidInput)

    async def read(self, request: Request[Any, Any, Any], given: Mapping[str, Any]) -> Any:  # noqa: ARG002
        """The job, which is read once the handler enters it."""
        return read_job(request)

    def query_struct(self) -> type[Struct]:
        """The options beside lines."""
        return JobOptionsQuery

    def body(self) -> DocumentedBody:
        """JSON, or lines of it."""
        return DocumentedBody(kind=JobBody, texts={NDJSON: _LINES})


JobToMake: TypeAlias = Annotated[AbstractAsyncContextManager[RequestedJob], _JobInBody()]


async def _spool(
    request: Request[Any, Any, Any], file: IO[bytes], head: bytes, limit: int | None
) -> bytes:
    digest = hashlib.sha256(head)
    size = 0
    try:
        async for piece in request.stream():
            size += len(piece)
            if limit is not None and size > limit:
                raise RequestEntityTooLarge
            digest.update(piece)
            file.write(piece)
    except InternalServerException as error:  # how Litestar says that the sender went away
        raise ClientException("The body broke off.") from error
    return digest.digest()


def _from_json(request: Request[Any, Any, Any], file: IO[bytes], digest: bytes) -> RequestedJob:
    if pairs := query_pairs(request.scope["query_string"]):
        detail = "goes with lines of JSON only; put the options into the body"
        name = pairs[0][0].encode(errors="backslashreplace").decode()
        raise InvalidInput.of([Violation(pointer=name, detail=detail)])
    file.seek(0)
    raw = parse_json(file.read())
    if not isinstance(raw, dict):
        read_object(raw, JobOptions)
    given = {name: raw.pop(name) for name in ("texts", "documents") if name in raw}
    violations = list(object_violations(raw, JobOptions))
    documents: list[Document] = []
    if len(given) == 1:
        [(name, found)] = given.items()
        documents = _documents(name, found, violations)
    else:
        violations.append(Violation(pointer="/documents", detail="give `texts` or `documents`"))
    if violations:
        raise InvalidInput.of(violations)
    options = read_object(raw, JobOptions)
    cost = options.max_cost_usd
    dollars = None if cost is UNSET else round(Decimal(str(cost)), 9)
    return _asked(options, options.reuse, dollars, lambda: documents, digest)


def _asked(
    options: JobOptions | JobOptionsQuery,
    reuse: bool,
    max_cost_usd: Decimal | None,
    documents: Callable[[], Iterable[Document]],
    digest: bytes,
) -> RequestedJob:
    async def stream() -> AsyncIterator[Document]:
        for document in documents():
            yield document

    return RequestedJob(
        schema="default" if options.schema is UNSET else options.schema,
        provider=None if options.provider is UNSET else options.provider,
        reuse=reuse,
        mode=options.mode,
        priority=options.priority,
        caps=JobCaps(
            max_cost_usd=max_cost_usd,
            max_tokens=None if options.max_tokens is UNSET else options.max_tokens,
        ),
        documents=stream,
        digest=digest,
    )


def _documents(name: str, raw: Any, violations: list[Violation]) -> list[Document]:
    """The documents of a JSON body; what is wrong with them goes to `violations`."""
    if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_JSON_DOCUMENTS:
        detail = f"must be an array of 1..{MAX_JSON_DOCUMENTS}; send more as {NDJSON}"
        violations.append(Violation(pointer=f"/{name}", detail=detail))
        return []
    documents = []
    for place, each in enumerate(raw):
        at = f"/{name}/{place}"
        member = {"text": each} if name == "texts" else each
        found = object_violations(member, DocumentBody, _document_violations, at)
        if not found:
            documents.append(Document(text=member["text"], id=member.get("id")))
        if name == "texts":
            found = [Violation(pointer=at, detail=violation.detail) for violation in found]
        violations += found
    return documents


def _document_violations(members: Mapping[str, Any]) -> list[Violation]:
    if "text" not in members:
        return []
    name = members.get("id")
    document = Document(text=members["text"], id=name if isinstance(name, str) else None)
    return check_document(document, "")
