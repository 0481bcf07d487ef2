"""OpenAI's Batch API: half the price, within 24 hours."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import openai
from openai.types import Batch
from openai.types.chat import ChatCompletion
from pydantic import ValidationError

from adapters.llm.batch_lines import fitting, line_attempt, lines_of, marked_failure, written
from adapters.llm.errors import failure, retry_after_s
from adapters.llm.openai_wire import (
    answer_of,
    kind_of,
    kind_of_status,
    request_body,
    usage_of,
)
from domain.extraction.calls import CallFailed, Failure, FailureKind
from ports.batch_language_model import (
    BatchId,
    BatchLanguageModel,
    BatchOutcome,
    BatchRequest,
    BatchStatus,
)
from ports.language_model import Answer, ModelProfile

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
        self._call_timeout_s = call_timeout_s
        self._transfer_timeout_s = transfer_timeout_s

    def first_batch(self, requests: Sequence[BatchRequest]) -> int:
        """See the port."""
        return fitting(map(self._line, requests))

    async def submit(self, token: str, requests: Sequence[BatchRequest]) -> BatchId:
        """See the port."""
        content = await asyncio.to_thread(written, map(self._line, requests))
        with self._translated():
            async with asyncio.timeout(self._transfer_timeout_s):
                file = await self._client.files.create(
                    file=(f"{token}.jsonl", content),
                    purpose="batch",
                    timeout=self._transfer_timeout_s,
                )
                batch = await self._client.batches.create(
                    input_file_id=file.id,
                    endpoint=_ENDPOINT,
                    completion_window="24h",
                    metadata={_TOKEN: token},
                    timeout=self._call_timeout_s,
                )
        return BatchId(batch.id)

    async def find(self, token: str) -> BatchId | None:
        """See the port; goes through the list, because it cannot be searched."""
        with self._translated():
            async with asyncio.timeout(self._transfer_timeout_s):
                async for batch in self._client.batches.list(
                    limit=100, timeout=self._call_timeout_s
                ):
                    if (batch.metadata or {}).get(_TOKEN) == token:
                        return BatchId(batch.id)
        return None

    async def status(self, batch_id: BatchId) -> BatchStatus:
        """See the port."""
        try:
            batch = await self._batch(batch_id)
        except openai.NotFoundError:
            return BatchStatus(ended=True, failure=_failure("{0} does not know the batch."))
        match batch.status:
            case "completed":
                return BatchStatus(ended=True)
            case "expired":
                detail = "{0} did not get to this text within 24 hours."
                return BatchStatus(ended=True, failure=_failure(detail, FailureKind.TIMEOUT))
            case "cancelled":
                detail = "The batch was cancelled at {0} before this text was its turn."
                return BatchStatus(ended=True, failure=_failure(detail))
            case "failed":
                return BatchStatus(ended=True, failure=_rejection(batch))
            case _:
                return BatchStatus(ended=False)

    async def outcomes(self, batch_id: BatchId) -> AsyncIterator[BatchOutcome]:
        """See the port; the file of answers and the file of errors."""
        with self._translated():
            batch = await self._batch(batch_id)
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id is None:
                continue
            with self._translated():
                async with asyncio.timeout(self._transfer_timeout_s):
                    file = await self._client.files.content(
                        file_id, timeout=self._transfer_timeout_s
                    )
            for row in lines_of(file.content):
                outcome = self._outcome(row)
                if outcome is not None:
                    yield outcome

    async def cancel(self, batch_id: BatchId) -> None:
        """See the port."""
        try:
            with self._translated(but=(openai.ConflictError, openai.NotFoundError)):
                await self._client.batches.cancel(batch_id, timeout=self._call_timeout_s)
        except (openai.ConflictError, openai.NotFoundError):
            _log.info("batch %s had ended before it was cancelled", batch_id)

    async def _batch(self, batch_id: BatchId) -> Batch:
        with self._translated(but=(openai.NotFoundError,)):
            async with asyncio.timeout(self._call_timeout_s):
                return await self._client.batches.retrieve(batch_id, timeout=self._call_timeout_s)

    def _line(self, request: BatchRequest) -> bytes:
        line = {
            "custom_id": request.custom_id,
            "method": "POST",
            "url": _ENDPOINT,
            "body": request_body(request.prompt, self._profile),
        }
        return json.dumps(line, ensure_ascii=False).encode()

    def _outcome(self, row: Mapping[str, Any]) -> BatchOutcome | None:
        error, response = row.get("error"), row.get("response")
        if isinstance(error, Mapping) and error.get("code") in _UNDONE:
            return None
        return BatchOutcome(custom_id=str(row.get("custom_id")), result=self._result(response))

    def _result(self, response: Any) -> Answer | CallFailed:
        if not isinstance(response, Mapping):
            return marked_failure(self._profile, FailureKind.SERVER_ERROR)
        status, body = response.get("status_code"), response.get("body")
        if status != HTTPStatus.OK:
            error = body.get("error") if isinstance(body, Mapping) else None
            described = error if isinstance(error, Mapping) else {}
            code = status if isinstance(status, int) else HTTPStatus.INTERNAL_SERVER_ERROR
            return marked_failure(self._profile, kind_of(code, described))
        try:
            completion = ChatCompletion.model_validate(body)
        except ValidationError:
            return marked_failure(self._profile, FailureKind.BAD_RESPONSE)
        usage = usage_of(completion)
        answer = answer_of(completion, line_attempt(self._profile, None, usage))
        return answer or marked_failure(self._profile, FailureKind.BAD_RESPONSE, usage)

    @contextmanager
    def _translated(self, *, but: tuple[type[openai.APIError], ...] = ()) -> Iterator[None]:
        provider = self._profile.provider
        try:
            yield
        except but:
            raise
        except (TimeoutError, openai.APITimeoutError) as error:
            raise CallFailed(failure(provider, FailureKind.TIMEOUT)) from error
        except openai.APIConnectionError as error:
            raise CallFailed(failure(provider, FailureKind.CONNECTION)) from error
        except openai.APIStatusError as error:
            hint_s = retry_after_s(error.response.headers, now_s=time.time())
            kind = kind_of_status(error)
            _log.info("%s answered %s about a batch (%s)", provider, error.status_code, kind)
            raise CallFailed(failure(provider, kind, retry_after_s=hint_s)) from error
        except (json.JSONDecodeError, openai.APIError) as error:
            raise CallFailed(failure(provider, FailureKind.BAD_RESPONSE)) from error


def _failure(detail: str, kind: FailureKind = FailureKind.SERVER_ERROR) -> Failure:
    return Failure(kind=kind, detail=detail.format("openai"))


def _rejection(batch: Batch) -> Failure:
    """Why a batch was never begun."""
    codes = {error.code for error in ((batch.errors and batch.errors.data) or [])}
    if codes & _BUSY:
        # Tokens that wait in other batches count; they get fewer by themselves.
        detail = "openai has no room for another batch now: too many tokens wait already."
        return Failure(kind=FailureKind.RATE_LIMITED, detail=detail, retry_after_s=_BUSY_WAIT_S)
    if "model_not_found" in codes:
        return failure("openai", FailureKind.UNKNOWN_MODEL)
    _log.error("openai refused batch %s: %s", batch.id, sorted(map(str, codes)))
    return failure("openai", FailureKind.BAD_REQUEST)
