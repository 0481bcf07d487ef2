"""Gemini's batch mode: half the price, within 24 hours."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import httpx2
from google import genai
from google.genai import errors, types
from pydantic import ValidationError

from adapters.llm.batch_lines import fitting, line_attempt, lines_of, marked_failure, written
from adapters.llm.errors import failure
from adapters.llm.gemini_wire import answer_of, hint_s, kind_of, usage_of
from domain.extraction.calls import CallFailed, Failure, FailureKind
from ports.batch_language_model import (
    BatchId,
    BatchLanguageModel,
    BatchOutcome,
    BatchRequest,
    BatchStatus,
)
from ports.language_model import Answer, ModelProfile, Prompt

_log = logging.getLogger(__name__)

_ROLES: Final = {"user": "user", "assistant": "model"}
# HTTP statuses of google.rpc.Code, in which lines state their errors.
_HTTP: Final[Mapping[int, int]] = {
    3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400, 11: 400, 13: 500, 14: 503, 16: 401,
}  # fmt: skip
_UNDONE: Final[Mapping[str, tuple[FailureKind, str]]] = {
    "JOB_STATE_FAILED": (FailureKind.SERVER_ERROR, "gemini failed at the batch of this text."),
    "JOB_STATE_EXPIRED": (FailureKind.TIMEOUT, "gemini did not get to this text in time."),
    "JOB_STATE_CANCELLED": (
        FailureKind.SERVER_ERROR,
        "The batch was cancelled at gemini before this text was its turn.",
    ),
}
_ENDED: Final = frozenset({"JOB_STATE_SUCCEEDED", "JOB_STATE_PARTIALLY_SUCCEEDED", *_UNDONE})


class GeminiBatchLanguageModel(BatchLanguageModel):
    """One Gemini model in batches; a batch carries its token as display name.

    Args:
        client: made without `retry_options`, so that it does not retry.
        profile: provider, model and how it is asked.
        call_timeout_s: longest wait for one answer about a batch, in seconds.
        transfer_timeout_s: longest time for sending or fetching a file, in seconds.
    """

    def __init__(
        self,
        client: genai.Client,
        *,
        profile: ModelProfile,
        call_timeout_s: float,
        transfer_timeout_s: float = 600.0,
    ) -> None:
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
                file = await self._client.aio.files.upload(
                    file=io.BytesIO(content),
                    config=types.UploadFileConfig(
                        display_name=token,
                        mime_type="application/jsonl",
                        http_options=_within(self._transfer_timeout_s),
                    ),
                )
                batch = await self._client.aio.batches.create(
                    model=self._profile.model,
                    src=file.name or "",
                    config=types.CreateBatchJobConfig(
                        display_name=token, http_options=_within(self._call_timeout_s)
                    ),
                )
        return self._id(batch)

    async def find(self, token: str) -> BatchId | None:
        """See the port; goes through the list, because it cannot be searched."""
        with self._translated():
            async with asyncio.timeout(self._transfer_timeout_s):
                pages = await self._client.aio.batches.list(
                    config=types.ListBatchJobsConfig(
                        page_size=100, http_options=_within(self._call_timeout_s)
                    )
                )
                async for batch in pages:
                    if batch.display_name == token:
                        return self._id(batch)
        return None

    async def status(self, batch_id: BatchId) -> BatchStatus:
        """See the port."""
        batch = await self._batch(batch_id)
        if batch is None:
            detail = "gemini does not know the batch."
            unknown = Failure(kind=FailureKind.SERVER_ERROR, detail=detail)
            return BatchStatus(ended=True, failure=unknown)
        state = batch.state.value if batch.state is not None else ""
        if state not in _ENDED:
            return BatchStatus(ended=False)
        if state not in _UNDONE:
            return BatchStatus(ended=True)
        kind, detail = _UNDONE[state]
        return BatchStatus(ended=True, failure=Failure(kind=kind, detail=detail))

    async def outcomes(self, batch_id: BatchId) -> AsyncIterator[BatchOutcome]:
        """See the port."""
        batch = await self._batch(batch_id)
        if batch is None or batch.dest is None or not batch.dest.file_name:
            return
        with self._translated():
            async with asyncio.timeout(self._transfer_timeout_s):
                content = await self._client.aio.files.download(
                    file=batch.dest.file_name,
                    config=types.DownloadFileConfig(http_options=_within(self._transfer_timeout_s)),
                )
        for row in lines_of(content):
            yield BatchOutcome(custom_id=str(row.get("key")), result=self._result(row))

    async def cancel(self, batch_id: BatchId) -> None:
        """See the port."""
        batch = await self._batch(batch_id)
        if batch is None or batch.done:
            return
        with self._translated():
            await self._client.aio.batches.cancel(
                name=batch_id,
                config=types.CancelBatchJobConfig(http_options=_within(self._call_timeout_s)),
            )

    async def _batch(self, batch_id: BatchId) -> types.BatchJob | None:
        with self._translated():
            try:
                async with asyncio.timeout(self._call_timeout_s):
                    return await self._client.aio.batches.get(
                        name=batch_id,
                        config=types.GetBatchJobConfig(http_options=_within(self._call_timeout_s)),
                    )
            except errors.ClientError as error:
                if error.code == HTTPStatus.NOT_FOUND:
                    return None
                raise

    def _id(self, batch: types.BatchJob) -> BatchId:
        if not batch.name:
            raise CallFailed(failure(self._profile.provider, FailureKind.BAD_RESPONSE))
        return BatchId(batch.name)

    def _line(self, request: BatchRequest) -> bytes:
        line = {"key": request.custom_id, "request": _body(request.prompt, self._profile)}
        return json.dumps(line, ensure_ascii=False).encode()

    def _result(self, row: Mapping[str, Any]) -> Answer | CallFailed:
        error = row.get("error")
        if isinstance(error, Mapping):
            status = _HTTP.get(error.get("code", 0), HTTPStatus.INTERNAL_SERVER_ERROR)
            return marked_failure(
                self._profile, kind_of(errors.APIError(status, {"error": dict(error)}))
            )
        try:
            response = _response(row["response"])
        except (KeyError, TypeError, AttributeError, ValidationError):
            return marked_failure(self._profile, FailureKind.BAD_RESPONSE)
        usage = usage_of(response)
        answer = answer_of(response, line_attempt(self._profile, None, usage))
        return answer or marked_failure(self._profile, FailureKind.BAD_RESPONSE, usage)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        provider = self._profile.provider
        try:
            yield
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise CallFailed(failure(provider, FailureKind.TIMEOUT)) from error
        except httpx2.TransportError as error:
            raise CallFailed(failure(provider, FailureKind.CONNECTION)) from error
        except errors.APIError as error:
            kind = kind_of(error)
            _log.info("gemini answered %s about a batch (%s)", error.code, kind)
            raise CallFailed(failure(provider, kind, retry_after_s=hint_s(error))) from error
        except (json.JSONDecodeError, ValidationError, httpx2.DecodingError, KeyError) as error:
            raise CallFailed(failure(provider, FailureKind.BAD_RESPONSE)) from error


def _within(seconds: float) -> types.HttpOptions:
    # The SDK writes into the options that it is given: new ones for each call.
    return types.HttpOptions(timeout=max(1, round(seconds * 1000)))


def _body(prompt: Prompt, profile: ModelProfile) -> dict[str, Any]:
    """A `GenerateContentRequest` as its REST route takes it."""
    return {
        "systemInstruction": {
            "parts": [{"text": m.content} for m in prompt.messages if m.role == "system"]
        },
        "contents": [
            {"role": _ROLES[message.role], "parts": [{"text": message.content}]}
            for message in prompt.messages
            if message.role != "system"
        ],
        "generationConfig": {
            "responseMimeType": "application/json",
            "responseJsonSchema": dict(prompt.json_schema),
            "maxOutputTokens": prompt.max_output_tokens,
            **profile.parameters,
        },
    }


def _response(body: Mapping[str, Any]) -> types.GenerateContentResponse:
    """The members that are read: the SDK's type takes no member that it does not know.

    Raises:
        KeyError, TypeError, AttributeError, ValidationError: not a response.
    """
    candidates = [
        {
            "finishReason": each.get("finishReason"),
            "content": {
                "parts": [
                    {name: part[name] for name in ("text", "thought") if name in part}
                    for part in (each.get("content") or {}).get("parts") or []
                ]
            },
        }
        for each in (body.get("candidates") or [])[:1]
    ]
    usage = body.get("usageMetadata") or {}
    feedback = body.get("promptFeedback") or {}
    return types.GenerateContentResponse.model_validate(
        {
            "candidates": candidates,
            "promptFeedback": {"blockReason": feedback["blockReason"]}
            if "blockReason" in feedback
            else None,
            "usageMetadata": {name: usage[name] for name in _COUNTS if name in usage},
        }
    )


_COUNTS: Final = (
    "promptTokenCount",
    "cachedContentTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
)
