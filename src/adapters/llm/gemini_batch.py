"""Gemini's batch mode: half the price, within 24 hours."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from google import genai
from google.genai import types

from adapters.llm.batch_files import BatchApi, fitting, outcomes_of, written
from adapters.llm.gemini import hint_s, kind_of, kind_of_reply, read_completion
from adapters.llm.replies import ModelCall, members, word
from domain.extraction.calls import ExtractionFailure, FailureKind
from ports.language_models import (
    Answer,
    BatchId,
    BatchLanguageModel,
    BatchOutcome,
    BatchRequest,
    BatchStatus,
    ModelProfile,
    Prompt,
)

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
        self._api = BatchApi(
            profile.provider,
            kind_of=kind_of_reply,
            hint_s=hint_s,
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
            self._client.aio.files.upload(
                file=io.BytesIO(content),
                config=types.UploadFileConfig(
                    display_name=token,
                    mime_type="application/jsonl",
                    http_options=_within(self._transfer_timeout_s),
                ),
            ),
            timeout_s=self._transfer_timeout_s,
        )
        batch = await self._api.ask(
            self._client.aio.batches.create(
                model=self._profile.model,
                src=self._api.name_in(members(sent.document()).get("file"), "name"),
                config=types.CreateBatchJobConfig(
                    display_name=token, http_options=_within(self._call_timeout_s)
                ),
            ),
            timeout_s=self._call_timeout_s,
        )
        return BatchId(self._api.name_in(batch.document(), "name"))

    async def find(self, token: str) -> BatchId | None:
        """See the port; goes through the list, because it cannot be searched."""
        return await self._api.search(self._found(token), timeout_s=self._transfer_timeout_s)

    async def _found(self, token: str) -> BatchId | None:
        page_token: str | None = None
        while True:
            page = await self._api.ask(
                self._client.aio.batches.list(
                    config=types.ListBatchJobsConfig(
                        page_size=100,
                        page_token=page_token,
                        http_options=_within(self._call_timeout_s),
                    )
                ),
                timeout_s=self._call_timeout_s,
            )
            listed = page.document()
            batches = members(listed).get("operations", [])  # left out when there are none
            if not isinstance(listed, Mapping) or not isinstance(batches, list):
                raise self._api.failed(FailureKind.BAD_RESPONSE)
            for batch in batches:
                if members(members(batch).get("metadata")).get("displayName") == token:
                    return BatchId(self._api.name_in(batch, "name"))
            before, page_token = page_token, listed.get("nextPageToken") or None
            if page_token is None:
                return None
            if not isinstance(page_token, str) or page_token == before:
                raise self._api.failed(FailureKind.BAD_RESPONSE)

    async def status(self, batch_id: BatchId) -> BatchStatus:
        """See the port."""
        batch = await self._batch(batch_id)
        if batch is None:
            detail = "gemini does not know the batch."
            unknown = ExtractionFailure(kind=FailureKind.SERVER_ERROR, detail=detail)
            return BatchStatus(ended=True, failure=unknown)
        state = _state(batch)
        if not state:
            raise self._api.failed(FailureKind.BAD_RESPONSE)
        if state not in _ENDED:
            return BatchStatus(ended=False)
        if state not in _UNDONE:
            return BatchStatus(ended=True)
        kind, detail = _UNDONE[state]
        return BatchStatus(ended=True, failure=ExtractionFailure(kind=kind, detail=detail))

    async def outcomes(self, batch_id: BatchId) -> AsyncIterator[BatchOutcome]:
        """See the port."""
        metadata = members((await self._batch(batch_id) or {}).get("metadata"))
        output = members(metadata.get("output"))
        if output.get("responsesFile") is None:
            return
        content = await self._api.ask(
            self._client.aio.files.download(
                file=self._api.name_in(output, "responsesFile"),
                config=types.DownloadFileConfig(http_options=_within(self._transfer_timeout_s)),
            ),
            timeout_s=self._transfer_timeout_s,
        )
        for outcome in outcomes_of(content.body, self._profile, name="key", read=_answer):
            yield outcome

    async def cancel(self, batch_id: BatchId) -> None:
        """See the port."""
        batch = await self._batch(batch_id)
        if batch is None or batch.get("done") is True:
            return
        await self._api.ask(
            self._client.aio.batches.cancel(
                name=batch_id,
                config=types.CancelBatchJobConfig(http_options=_within(self._call_timeout_s)),
            ),
            timeout_s=self._call_timeout_s,
        )

    async def _batch(self, batch_id: BatchId) -> Mapping[str, Any] | None:
        """The batch's operation; None when the provider does not know it."""
        reply = await self._api.ask(
            self._client.aio.batches.get(
                name=batch_id,
                config=types.GetBatchJobConfig(http_options=_within(self._call_timeout_s)),
            ),
            timeout_s=self._call_timeout_s,
            but={HTTPStatus.NOT_FOUND},
        )
        if not reply.good:
            return None
        document = reply.document()
        self._api.name_in(document, "name")
        return members(document)

    def _line(self, request: BatchRequest) -> bytes:
        line = {"key": request.custom_id, "request": _body(request.prompt, self._profile)}
        return json.dumps(line, ensure_ascii=False).encode()


def _answer(call: ModelCall, row: Mapping[str, Any]) -> Answer:
    """The answer in one line.

    Raises:
        ModelCallFailed: there is none.
    """
    error = row.get("error")
    if not isinstance(error, Mapping):
        return call.answer(read_completion(row.get("response")))
    code = error.get("code")
    status = _HTTP.get(code, 500) if isinstance(code, int) else HTTPStatus.INTERNAL_SERVER_ERROR
    raise call.failed(kind_of(status, {"error": error}, json.dumps(error)))


def _state(batch: Mapping[str, Any]) -> str:
    """The state of a batch, which the API has called by two names; empty when it has none."""
    state = word(members(batch.get("metadata")).get("state"))
    return state.replace("BATCH_STATE_", "JOB_STATE_", 1)


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
