"""`/extractions`."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation
from msgspec import UNSET, Meta, Struct, UnsetType

from domain.errors import (
    BadAnswer,
    IdempotencyKeyReused,
    NotFound,
    ProviderMisconfigured,
    ProviderQuotaExhausted,
    ProviderRateLimited,
    ProviderState,
    ProviderUnavailable,
    RequestInProgress,
    TextRefused,
    Unavailable,
)
from domain.extraction.model import Extraction, ExtractionId
from domain.extraction.service import MAX_TEXT_CHARACTERS, SingleExtraction
from entrypoints.http.extraction.extraction_views import (
    EXAMPLE,
    ExtractionView,
    Identity,
    extraction_view,
)
from entrypoints.http.protocol.answers import json_response
from entrypoints.http.protocol.bodies import read_body
from entrypoints.http.protocol.disconnection import ClientLeft, while_connected
from entrypoints.http.protocol.idempotency import answer_of, fingerprint, idempotency_key, replayed
from entrypoints.http.protocol.openapi import contract
from entrypoints.http.protocol.operations import DATABASE_ERRORS
from ports.extraction import ExtractionRepository
from ports.unit_of_work import UnitOfWorkFactory

_CLIENT_CLOSED: Final = 499  # nobody reads it but the access log


class ExtractionBody(Struct, forbid_unknown_fields=True):
    """A text to read."""

    text: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_TEXT_CHARACTERS,
            description="What a customer wrote, not blank",
            examples=["Hi, Maria Lopez here. Could we get 24 oat milk cartons by friday?"],
        ),
    ]
    schema: (
        Annotated[str, Meta(min_length=1, max_length=63, description="Name of a schema")]
        | UnsetType
    ) = UNSET
    provider: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=100,
                description="openai, gemini, vllm or local; a list falls back in order:"
                " `openai,local`. Must be configured",
            ),
        ]
        | UnsetType
    ) = UNSET


_PROVIDER_ERRORS: Final = (
    TextRefused,
    ProviderRateLimited,
    ProviderUnavailable,
    ProviderQuotaExhausted,
    ProviderMisconfigured,
    BadAnswer,
)

Single = NamedDependency[SkipValidation[SingleExtraction]]
Extractions = NamedDependency[SkipValidation[ExtractionRepository]]
Units = NamedDependency[SkipValidation[UnitOfWorkFactory]]


class ExtractionController(Controller):
    """Texts that became records."""

    path = "/extractions"

    @post(
        opt=contract(
            summary="Read a text into a record, now",
            tag="extraction",
            returns=ExtractionView,
            example=EXAMPLE,
            body=ExtractionBody,
            body_example={"text": EXAMPLE["text"]},
            errors=(
                *_PROVIDER_ERRORS,
                RequestInProgress,
                IdempotencyKeyReused,
                *DATABASE_ERRORS,
            ),
            request_headers=("Idempotency-Key",),
            response_headers=("Idempotency-Replayed",),
        ),
        status_code=200,
    )
    async def extract(
        self,
        request: Request[Any, Any, Any],
        single_extraction: Single,
        extractions: Extractions,
        open_unit: Units,
    ) -> Response[bytes]:
        """Read one text; what a model failed at is stored too, and answered as a problem."""
        key = idempotency_key(request)
        body = await read_body(request, ExtractionBody)
        read = partial(
            single_extraction.read,
            body.text,
            schema="default" if body.schema is UNSET else body.schema,
            provider=None if body.provider is UNSET else body.provider,
        )
        if key is None:
            try:
                extraction = await while_connected(request, read())
            except ClientLeft:
                return Response(b"", status_code=_CLIENT_CLOSED)
            await extractions.add(extraction)
            return _answer(extraction)

        # The provider is called between two units: no transaction waits for a model.
        digest = await fingerprint(request)
        async with open_unit() as unit:
            kept = await unit.answers.claim(key, digest)
            if kept is not None:
                return replayed(kept)
            await unit.answers.reserve(key, digest, hold_s=single_extraction.deadline_s + 30)
            await unit.commit()
        done = False
        try:
            # Not cancelled when the client leaves: it comes back with the key for the answer.
            extraction = await read()
            async with open_unit() as unit:
                await unit.extractions.add(extraction)
                if extraction.result.failure is None:
                    await unit.answers.keep(key, digest, answer_of(_answer(extraction)))
                    done = True
                await unit.commit()
        finally:
            if not done:
                async with open_unit() as unit:
                    await unit.answers.release(key)
                    await unit.commit()
        return _answer(extraction)

    @get(
        "/{extraction_id:str}",
        opt=contract(
            summary="Fetch a stored extraction",
            tag="extraction",
            returns=ExtractionView,
            example=EXAMPLE,
            path={"extraction_id": Identity},
            errors=(NotFound, *DATABASE_ERRORS),
        ),
    )
    async def get_extraction(
        self, extraction_id: FromPath[str], extractions: Extractions
    ) -> Response[bytes]:
        """Fetch one."""
        return json_response(extraction_view(await extractions.get(_id(extraction_id))))


def _id(raw: str) -> ExtractionId:
    try:
        identity = UUID(raw)
    except ValueError:
        identity = None
    if identity is None or str(identity) != raw.lower():
        raise NotFound("There is no extraction with this id.")
    return ExtractionId(identity)


def _answer(extraction: Extraction) -> Response[bytes]:
    """The stored result.

    Raises:
        AppError: the result is a failure, in the terms of who waits for it.
    """
    result = extraction.result
    if result.failure is not None:
        error = result.failure.as_error()
        if isinstance(error, Unavailable):
            wait_s, until = result.failure.retry_after_s, None
            if wait_s is not None:
                until = extraction.created_at + timedelta(seconds=wait_s)
            error.provider = ProviderState(
                name=result.provider, state=result.failure.kind, until=until
            )
            if result.retry_after_s is not None:  # another of the chain may be back sooner
                error.retry_after_s = result.retry_after_s
        raise error
    return json_response(extraction_view(extraction))
