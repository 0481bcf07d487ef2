"""OpenAI's responses API."""

from __future__ import annotations

import time
from typing import Any

from fake_provider.calls import Call, Completion, Dialect, Problem
from fake_provider.openai import (
    invalid_request,
    openai_error,
    read_json,
    turns_of,
)
from fake_provider.scenario import DialectName
from fake_provider.schemas import strictness_fault


class OpenAIResponses(Dialect):
    """`POST /v1/responses`."""

    name: DialectName = "responses"

    def read(self, body: bytes, model: str) -> Call:  # noqa: ARG002 - the body names the model
        """`text.format` carries the schema."""
        raw = read_json(body)
        named = raw.get("model")
        if not isinstance(named, str):
            raise invalid_request(
                "Missing required parameter: 'model'.",
                code="missing_required_parameter",
                param="model",
            )
        given = raw.get("input")
        if not isinstance(given, str | list):
            raise invalid_request(
                "Missing required parameter: 'input'.",
                code="missing_required_parameter",
                param="input",
            )
        turns = (("user", given),) if isinstance(given, str) else turns_of(given)
        instructions = raw.get("instructions")
        if isinstance(instructions, str):
            turns = (("system", instructions), *turns)
        wanted = (raw.get("text") or {}).get("format") or {"type": "text"}
        call = Call(dialect=self.name, model=named, turns=turns)
        if wanted.get("type") == "json_schema":
            if not isinstance(wanted.get("schema"), dict):
                raise invalid_request(
                    "Missing required parameter: 'text.format.schema'.",
                    code="missing_required_parameter",
                    param="text.format.schema",
                )
            call.schema, call.schema_name = wanted["schema"], str(wanted.get("name", ""))
        call.json_mode = wanted.get("type") == "json_object"
        call.max_tokens = raw.get("max_output_tokens")
        call.temperature = raw.get("temperature")
        call.extra = {
            "strict": wanted.get("strict") is True,
            "format": wanted,
            "instructions": instructions,
        }
        return call

    def schema_fault(self, call: Call) -> str | None:
        """Checked in strict mode alone."""
        if call.schema is None or not call.extra["strict"]:
            return None
        return strictness_fault(call.schema)

    def answer(self, call: Call, completion: Completion, request_id: str) -> Any:
        """A cut answer is `incomplete`; a refusal is a content part of its own."""
        reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
        cut = reasons.get(completion.finish)
        status = "incomplete" if cut else "completed"
        part = (
            {"type": "refusal", "refusal": completion.content}
            if completion.finish == "refusal"
            else {
                "type": "output_text",
                "text": completion.content,
                "annotations": [],
                "logprobs": [],
            }
        )
        return {
            "id": f"resp_{request_id[4:]}",
            "object": "response",
            "created_at": int(time.time()),
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": {"reason": cut} if cut else None,
            "instructions": call.extra["instructions"],
            "max_output_tokens": call.max_tokens,
            "model": call.model,
            "output": [
                {
                    "id": f"msg_{request_id[4:]}",
                    "type": "message",
                    "status": status,
                    "role": "assistant",
                    "content": [part],
                }
            ],
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "service_tier": "default",
            "store": True,
            "temperature": 1.0 if call.temperature is None else call.temperature,
            "text": {"format": call.extra["format"]},
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": {
                "input_tokens": completion.prompt_tokens,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens": completion.completion_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": completion.prompt_tokens + completion.completion_tokens,
            },
            "user": None,
            "metadata": {},
        }

    def error(self, problem: Problem) -> tuple[int, Any]:
        """As in chat completions, with this API's parameter names."""
        status, body = openai_error(problem)
        if problem.kind == "bad_schema":
            body["error"] |= {"param": "text.format.schema", "code": "invalid_json_schema"}
        elif problem.kind == "context_too_long":
            body["error"]["param"] = "input"
        return status, body
