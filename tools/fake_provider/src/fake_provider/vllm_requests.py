"""What vLLM reads in a chat completions request, and how it words what it cannot read."""

from __future__ import annotations

import json
from typing import Any

from fake_provider.calls import Call, Refused
from fake_provider.openai import turns_of

DEFAULT_MODEL = "fake-model"
_NO_CONSTRAINT = (
    "You must use one kind of structured outputs constraint but none are specified: {'json': None, "
    "'regex': None, 'choice': None, 'grammar': None, 'json_object': None, "
    "'disable_any_whitespace': False, 'disable_additional_properties': False, "
    "'whitespace_pattern': None, 'structural_tag': None, '_backend': None, "
    "'_backend_was_auto': False}"
)


def vllm_error(
    message: str, type_: str, status: int, param: str | None = None
) -> tuple[int, dict[str, Any]]:
    """Status and vLLM's error envelope."""
    return status, {"error": {"message": message, "type": type_, "param": param, "code": status}}


def invalid(message: str, param: str | None = None) -> Refused:
    """A refusal by vLLM's own checks."""
    return Refused(*vllm_error(message, "BadRequestError", 400, param))


def read_object(body: bytes) -> dict[str, Any]:
    """The request as a JSON object.

    Raises:
        Refused: it is none.
    """
    if not body:
        raise _unreadable("missing", "body", "Field required", "None")
    try:
        raw = json.loads(body)
    except json.JSONDecodeError as error:
        where = f"body.{error.pos}"
        raise _unreadable(
            "json_invalid", where, "JSON decode error", "<dict of 0 items>", error.msg
        ) from error
    except UnicodeDecodeError as error:
        raise invalid(str(error)) from error
    if not isinstance(raw, dict):
        detail = "Input should be a valid dictionary or object to extract fields from"
        raise _unreadable("model_attributes_type", "body", detail, _shown(raw))
    return raw


def read_call(body: bytes) -> Call:
    """The call in a chat completions request.

    The schema stands in `response_format` or in vLLM's own `structured_outputs`; the former wins.

    Raises:
        Refused: the body is no such request.
    """
    raw = read_object(body)
    if "messages" not in raw:
        raise _unreadable("missing", "body.messages", "Field required", _shown(raw))
    messages = raw["messages"]
    if not isinstance(messages, list):
        detail = "Input should be a valid list"
        raise _unreadable("list_type", "body.messages", detail, _shown(messages))
    if not messages:
        raise invalid(
            "Cannot apply chat template to an empty conversation. Provide at least one message."
        )
    if raw.get("stream"):
        raise invalid("this fake provider does not stream; leave 'stream' out.", "stream")
    call = Call(
        dialect="vllm", model=str(raw.get("model") or DEFAULT_MODEL), turns=turns_of(messages)
    )
    call.max_tokens = raw.get("max_completion_tokens") or raw.get("max_tokens")
    call.temperature = raw.get("temperature")
    call.stop_after = (raw.get("repetition_detection") or {}).get("min_count")
    structured = raw.get("structured_outputs") or {}
    if isinstance(structured.get("json"), dict):
        call.schema = structured["json"]
    call.json_mode = bool(structured.get("json_object"))
    _read_format(call, raw.get("response_format") or {})
    return call


def _read_format(call: Call, response_format: dict[str, Any]) -> None:
    match response_format.get("type"):
        case "json_schema":
            wanted = response_format.get("json_schema")
            if wanted is None:
                raise invalid(
                    "When response_format type is 'json_schema', the 'json_schema' field must be "
                    "provided. (parameter=response_format)",
                    "response_format",
                )
            if not isinstance(wanted.get("schema"), dict):
                raise invalid(_NO_CONSTRAINT)
            call.schema, call.schema_name = wanted["schema"], str(wanted.get("name", ""))
        case "json_object":
            call.json_mode = True


def _unreadable(kind: str, where: str, detail: str, given: str, reason: str = "") -> Refused:
    """A refusal by the layer before vLLM's own checks, which words it in another way."""
    error: dict[str, Any] = {"type": kind, "loc": where, "msg": detail, "input": given}
    if reason:
        error["ctx"] = {"error": reason}
    return Refused(*vllm_error(f"1 validation error:\n  {error}", "Bad Request", 400, where))


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"<{type(value).__name__} of {len(value)} items>"
    return str(value)
