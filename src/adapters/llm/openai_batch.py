"""OpenAI's Batch API: half the price, within 24 hours."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import openai

from adapters.llm.batch_files import BatchApi, fitting, outcomes_of, written
from adapters.llm.failures import failure, retry_after_s
from adapters.llm.openai_compatible import read_completion, request_body
from adapters.llm.openai_refusals import kind_of, kind_of_reply
from adapters.llm.replies import ModelCall, elements, members, word
from domain.extraction.calls import ExtractionFailure, FailureKind
from ports.language_models import (
    Answer,
    BatchId,
    BatchLanguageModel,
    BatchOutcome,
    BatchRequest,
    BatchStatus,
    ModelProfile,
)

_log = logging.getLogger(__name__)

_ENDPOINT: Final = "/v1/chat/completions"
_TOKEN: Final = "storekeeper_batch"  # noqa: S105 (the name of a label, not a secret)
_UNDONE: Final = frozenset({"batch_expired", "batch_cancelled"})
_BUSY: Final = frozenset({"token_limit_exceeded", "batch_limit_exceeded"})
_BUSY_WAIT_S: Final = 900.0


class OpenAIBatchLanguageModel(BatchLanguageModel):
    """One model behind `/v1/batches`; a batch carries its token as metadata.

    Args:
        client: its retries are off.
        profile: provider, model and how it is asked.
        call_timeout_s: longest wait for one answer about a batch, in seconds.
        transfer_timeout_s: longest time for sending or fetching a file, in seconds.
    """

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        *,
        profile: ModelProfile,
        call_timeout_s: float,
        transfer_timeout_s: float = 600.0,
    ) -> None:
        if client.max_retries:
            raise ValueError("the client must not retry: give it max_retries=0")
        self._client = client
        self._profile = profile
        self._api = BatchApi(
            profile.provider,
            kind_of=kind_of_reply,
            hint_s=lambda reply: retry_after_s(reply.headers, now_s=time.time()),
        )
        self._call_timeout_s = call_timeout_s
        self._transfer_timeout_s = transfer_timeout_s

    def first_batch(self, requests: Sequence[BatchRequest]) -> int:
        """See the port."""
        return fitting(map(self._line, requests))

    async def submit(self, token: str, requests: Sequence[BatchRequest]) -> BatchId:
        """See the port."""
        content = await asyncio.to_thread(written, map(self._line, requests))
        sent = await self._api.ask(
            self._client.files.with_raw_response.create(
                file=(f"{token}.jsonl", content),
                purpose="batch",
                timeout=self._transfer_timeout_s,
            ),
            timeout_s=self._transfer_timeout_s,
        )
        batch = await self._api.ask(
            self._client.batches.with_raw_response.create(
                input_file_id=self._api.name_in(sent.document(), "id"),
                endpoint=_ENDPOINT,
                completion_window="24h",
                metadata={_TOKEN: token},
                timeout=self._call_timeout_s,
            ),
            timeout_s=self._call_timeout_s,
        )
        return BatchId(self._api.name_in(batch.document(), "id"))

    async def find(self, token: str) -> BatchId | None:
        """See the port; goes through the list, because it cannot be searched."""
        return await self._api.search(self._found(token), timeout_s=self._transfer_timeout_s)

    async def _found(self, token: str) -> BatchId | None:
        last: str | openai.Omit = openai.omit
        while True:
            page = await self._api.ask(
                self._client.batches.with_raw_response.list(
                    after=last, limit=100, timeout=self._call_timeout_s
                ),
                timeout_s=self._call_timeout_s,
            )
            listed = members(page.document())
            batches = listed.get("data")
            more = listed.get("has_more", False)
            if not isinstance(batches, list) or not isinstance(more, bool):
                raise self._api.failed(FailureKind.BAD_RESPONSE)
            for batch in batches:
                if members(members(batch).get("metadata")).get(_TOKEN) == token:
                    return BatchId(self._api.name_in(batch, "id"))
            if not batches or not more:
                return None
            before, last = last, self._api.name_in(batches[-1], "id")
            if last == before:
                raise self._api.failed(FailureKind.BAD_RESPONSE)

    async def status(self, batch_id: BatchId) -> BatchStatus:
        """See the port."""
        batch = await self._batch(batch_id)
        if batch is None:
            return BatchStatus(ended=True, failure=_failure("{0} does not know the batch."))
        match word(batch.get("status")):
            case "completed":
                return BatchStatus(ended=True)
            case "expired":
                detail = "{0} did not get to this text within 24 hours."
                return BatchStatus(ended=True, failure=_failure(detail, FailureKind.TIMEOUT))
            case "cancelled":
                detail = "The batch was cancelled at {0} before this text was its turn."
                return BatchStatus(ended=True, failure=_failure(detail))
            case "failed":
                return BatchStatus(ended=True, failure=_rejection(batch_id, batch))
            case "":
                raise self._api.failed(FailureKind.BAD_RESPONSE)
            case _:
                return BatchStatus(ended=False)

    async def outcomes(self, batch_id: BatchId) -> AsyncIterator[BatchOutcome]:
        """See the port; the file of answers and the file of errors."""
        batch = await self._batch(batch_id)
        for member in ("output_file_id", "error_file_id"):
            if batch is None or batch.get(member) is None:
                continue
            file = await self._api.ask(
                self._client.files.with_raw_response.content(
                    self._api.name_in(batch, member), timeout=self._transfer_timeout_s
                ),
                timeout_s=self._transfer_timeout_s,
            )
            outcomes = outcomes_of(file.body, self._profile, name="custom_id", read=_answer)
            for outcome in outcomes:
                yield outcome

    async def cancel(self, batch_id: BatchId) -> None:
        """See the port."""
        ended = frozenset({HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND})
        reply = await self._api.ask(
            self._client.batches.with_raw_response.cancel(batch_id, timeout=self._call_timeout_s),
            timeout_s=self._call_timeout_s,
            but=ended,
        )
        if reply.status in ended:
            _log.info("batch %s had ended before it was cancelled", batch_id)

    async def _batch(self, batch_id: BatchId) -> Mapping[str, Any] | None:
        """The batch; None when the provider does not know it."""
        reply = await self._api.ask(
            self._client.batches.with_raw_response.retrieve(batch_id, timeout=self._call_timeout_s),
            timeout_s=self._call_timeout_s,
            but={HTTPStatus.NOT_FOUND},
        )
        if not reply.good:
            return None
        document = reply.document()
        self._api.name_in(document, "id")
        return members(document)

    def _line(self, request: BatchRequest) -> bytes:
        line = {
            "custom_id": request.custom_id,
            "method": "POST",
            "url": _ENDPOINT,
            "body": request_body(request.prompt, self._profile),
        }
        return json.dumps(line, ensure_ascii=False).encode()


def _answer(call: ModelCall, row: Mapping[str, Any]) -> Answer | None:
    """The answer in one line; None when the batch ended before it.

    Raises:
        ModelCallFailed: there is none.
    """
    if word(members(row.get("error")).get("code")) in _UNDONE:
        return None
    response = row.get("response")
    if not isinstance(response, Mapping):
        raise call.failed(FailureKind.SERVER_ERROR)
    status, body = response.get("status_code"), response.get("body")
    if status == HTTPStatus.OK:
        return call.answer(read_completion(body))
    code = status if isinstance(status, int) else HTTPStatus.INTERNAL_SERVER_ERROR
    raise call.failed(kind_of(code, members(body).get("error"), json.dumps(body)))


def _failure(detail: str, kind: FailureKind = FailureKind.SERVER_ERROR) -> ExtractionFailure:
    return ExtractionFailure(kind=kind, detail=detail.format("openai"))


def _rejection(batch_id: BatchId, batch: Mapping[str, Any]) -> ExtractionFailure:
    """Why a batch was never begun."""
    reasons = elements(members(batch.get("errors")).get("data"))
    codes = {word(members(each).get("code")) for each in reasons}
    if codes & _BUSY:
        # Tokens that wait in other batches count; they get fewer by themselves.
        detail = "openai has no room for another batch now: too many tokens wait already."
        return ExtractionFailure(
            kind=FailureKind.RATE_LIMITED, detail=detail, retry_after_s=_BUSY_WAIT_S
        )
    if "model_not_found" in codes:
        return failure("openai", FailureKind.UNKNOWN_MODEL)
    _log.error("openai refused batch %s: %s", batch_id, sorted(codes))
    return failure("openai", FailureKind.BAD_REQUEST)
