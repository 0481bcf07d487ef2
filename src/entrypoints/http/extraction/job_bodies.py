"""The bodies that make extraction jobs: small ones as JSON, large ones as lines of it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, Any, Final, Literal

from litestar import Request
from litestar.exceptions import ClientException, InternalServerException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from msgspec import UNSET, Meta, Struct, UnsetType

from domain.errors import InvalidInput, Violation
from domain.extraction.jobs.items import MAX_DOCUMENT_ID, Document
from domain.extraction.jobs.model import JobCaps, ProviderMode
from domain.extraction.jobs.service import check_document
from domain.extraction.service import MAX_TEXT_CHARACTERS
from entrypoints.documents import check_lines, documents_of
from entrypoints.http.protocol.bodies import (
    JSON,
    check_encoding,
    content_type,
    object_violations,
    parse_json,
    query_pairs,
    read_object,
    read_query,
)
from entrypoints.http.protocol.problems import UnsupportedMediaType

NDJSON: Final = "application/x-ndjson"
MAX_JSON_BYTES: Final = 16_777_216
MAX_JSON_DOCUMENTS: Final = 10_000
_IN_MEMORY_BYTES: Final = 1_048_576

Text = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_TEXT_CHARACTERS,
        description="What a customer wrote, not blank",
        examples=["Hi, Maria Lopez here. Could we get 24 oat milk cartons by friday?"],
    ),
]
SchemaName = Annotated[
    str, Meta(min_length=1, max_length=63, description="Name of a schema; `default` if not given")
]
ProviderChain = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        description="openai, gemini, vllm or local; a list falls back in order: `openai,local`."
        " Must be configured",
    ),
]
MaxTokens = Annotated[
    int,
    Meta(ge=1, le=2**62, description="The job pauses once it used so many tokens"),
]
_COST: Final = "The job pauses once it used so many US dollars by the price table"
JobMode = Annotated[
    Literal["direct", "batch"],
    Meta(
        description="`batch`: the first provider is asked by its batch API, at its batch price and"
        " within 24 hours; openai and gemini have one"
    ),
]
_REUSE: Final = "Whether a stored result of the same text, schema, prompt and model answers"


class DocumentBody(Struct, forbid_unknown_fields=True):
    """One text with your own name for it."""

    text: Text
    id: Annotated[str, Meta(min_length=1, max_length=MAX_DOCUMENT_ID)] | UnsetType = UNSET


class _Shape(Struct, forbid_unknown_fields=True):
    """A `DocumentBody` without its bounds: `check_document` holds those."""

    text: str
    id: str | UnsetType = UNSET


class JobOptions(Struct, forbid_unknown_fields=True):
    """How the texts are read."""

    schema: SchemaName | UnsetType = UNSET
    provider: ProviderChain | UnsetType = UNSET
    reuse: Annotated[bool, Meta(description=_REUSE)] = True
    mode: JobMode = "direct"
    max_cost_usd: Annotated[float, Meta(gt=0, le=1e9, description=_COST)] | UnsetType = UNSET
    max_tokens: MaxTokens | UnsetType = UNSET


class JobBody(JobOptions, forbid_unknown_fields=True):
    """A job to make: `texts` or `documents`, at most 10,000; send more as lines (NDJSON)."""

    texts: Annotated[list[Text], Meta(min_length=1, max_length=MAX_JSON_DOCUMENTS)] | UnsetType = (
        UNSET
    )
    documents: (
        Annotated[list[DocumentBody], Meta(min_length=1, max_length=MAX_JSON_DOCUMENTS)] | UnsetType
    ) = UNSET


class JobQuery(Struct, forbid_unknown_fields=True):
    """The options when the body is NDJSON; with a JSON body they stand in it."""

    schema: SchemaName | None = None
    provider: ProviderChain | None = None
    reuse: Annotated[Literal["true", "false"], Meta(description=_REUSE)] = "true"
    mode: JobMode = "direct"
    max_cost_usd: (
        Annotated[str, Meta(pattern=r"^[0-9]{1,10}(\.[0-9]{1,9})?$", description=_COST)] | None
    ) = None
    max_tokens: MaxTokens | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A job as it was asked for.

    Attributes:
        schema: name of the schema.
        provider: provider or chain; None for the configured one.
        reuse: whether stored results answer.
        mode: how providers are asked.
        caps: what it may use.
        documents: starts the stream of its documents, each time from the first.
        digest: of everything above, to tell requests apart.
    """

    schema: str
    provider: str | None
    reuse: bool
    mode: ProviderMode
    caps: JobCaps
    documents: Callable[[], AsyncIterator[Document]]
    digest: bytes


@asynccontextmanager
async def read_job(request: Request[Any, Any, Any]) -> AsyncIterator[JobRequest]:
    """The request's job, checked whole; its documents can be read while the block runs.

    A large body waits in a temporary file, so that a slow sender holds neither memory nor a
    database connection.

    Raises:
        UnsupportedMediaType: neither JSON nor NDJSON, not UTF-8, or compressed.
        MalformedRequest: not JSON.
        InvalidInput: names every bad member, or the bad lines.
        RequestEntityTooLarge: beyond the limit of the form.
    """
    kind, _ = content_type(request)
    if kind not in {JSON, NDJSON}:
        raise UnsupportedMediaType(f"Send the body as {JSON} or {NDJSON}.")
    check_encoding(request)
    with SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as file:
        query = request.scope["query_string"]
        head = f"{request.method} {request.scope['path']} {kind}\n".encode() + query + b"\n"
        digest = await _spool(request, file, head, MAX_JSON_BYTES if kind == JSON else None)
        if kind == JSON:
            yield _from_json(request, file, digest)
        else:
            options = read_query(request, JobQuery)
            await asyncio.to_thread(check_lines, file)
            yield JobRequest(
                schema=options.schema or "default",
                provider=options.provider,
                reuse=options.reuse == "true",
                mode=ProviderMode(options.mode),
                caps=JobCaps(
                    max_cost_usd=Decimal(options.max_cost_usd) if options.max_cost_usd else None,
                    max_tokens=options.max_tokens,
                ),
                documents=lambda: _stream(documents_of(file)),
                digest=digest,
            )


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


def _from_json(request: Request[Any, Any, Any], file: IO[bytes], digest: bytes) -> JobRequest:
    if query_pairs(request):
        detail = "goes with lines of JSON only; put the options into the body"
        name = query_pairs(request)[0][0].encode(errors="backslashreplace").decode()
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
    return JobRequest(
        schema="default" if options.schema is UNSET else options.schema,
        provider=None if options.provider is UNSET else options.provider,
        reuse=options.reuse,
        mode=ProviderMode(options.mode),
        caps=JobCaps(
            max_cost_usd=None if cost is UNSET else round(Decimal(str(cost)), 9),
            max_tokens=None if options.max_tokens is UNSET else options.max_tokens,
        ),
        documents=lambda: _stream(documents),
        digest=digest,
    )


async def _stream(documents: Iterable[Document]) -> AsyncIterator[Document]:
    for document in documents:
        yield document


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
        found = object_violations(member, _Shape, at=at)
        if not found:
            document = Document(text=member["text"], id=member.get("id"))
            found = check_document(document, at)
            documents.append(document)
        if name == "texts":
            found = [Violation(pointer=at, detail=violation.detail) for violation in found]
        violations += found
    return documents
