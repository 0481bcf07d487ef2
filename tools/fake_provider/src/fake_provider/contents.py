"""What the model's answer looks like once a fault has been at it."""

from __future__ import annotations

from typing import Any

import msgspec

from fake_provider.calls import (
    CHARACTERS_PER_TOKEN,
    Call,
    Completion,
    count_tokens,
)
from fake_provider.scenario import Fault

_LOOP_TOKENS = 1024
_LONGEST_LOOP_TOKENS = 16_384
_NOWHERE = "words that stand nowhere in the given text"
_REFUSAL = "I'm sorry, but I can't help with that request."


def spoiled(answer: Any, fault: Fault, call: Call) -> Completion:
    """The completion for `answer` (an object, or a string as it stands) under `fault`.

    An answer longer than the call's token limit is cut there, fault or not.
    """
    if fault.kind == "schema_violation":
        answer = _violating(answer)
    elif fault.kind == "ungrounded":
        answer = _ungrounded(answer)
    content = answer if isinstance(answer, str) else msgspec.json.encode(answer).decode()
    completion = Completion(content=content, prompt_tokens=call.prompt_tokens)
    match fault.kind:
        case "invalid_json":
            completion.content = f"Sure! Here is what I found in the message: {content[1:-1]}"
        case "fenced":
            completion.content = (
                f"```json\n{content}\n```\n\nLet me know if you need anything else."
            )
        case "truncated":
            completion.content = content[: max(len(content) // 2, 1)]
            completion.finish = "length"
        case "whitespace_loop":
            _loop(completion, content[: content.find(":") + 1], call)
        case "refusal":
            completion.content = _REFUSAL
            completion.finish = "refusal"
        case "content_filter":
            completion.content = content[: len(content) // 3]
            completion.finish = "content_filter"
            completion.reason = fault.reason
    tokens = count_tokens(completion.content)
    if call.max_tokens is not None and tokens > call.max_tokens:
        tokens = call.max_tokens
        completion.content = completion.content[: tokens * CHARACTERS_PER_TOKEN]
        completion.finish = "length" if completion.finish == "stop" else completion.finish
    completion.completion_tokens = tokens
    return completion


def _loop(completion: Completion, start: str, call: Call) -> None:
    """Line feeds after `start`, up to the token limit or until the server notices."""
    tokens = min(call.max_tokens or _LOOP_TOKENS, _LONGEST_LOOP_TOKENS)
    completion.finish = "length"
    if call.stop_after is not None and count_tokens(start) + call.stop_after <= tokens:
        tokens = count_tokens(start) + call.stop_after
        completion.finish = "repetition"
    completion.content = start + "\n" * (tokens * CHARACTERS_PER_TOKEN - len(start))


def _violating(answer: Any) -> Any:
    """`answer` with its first member of a type that no schema here asks for."""
    if not isinstance(answer, dict) or not answer:
        return {"unexpected": [[]]}
    first = next(iter(answer))
    return {**answer, first: {"unexpected": [[]]}}


def _ungrounded(answer: Any) -> Any:
    """`answer` with every text replaced by one that the document does not hold."""
    if isinstance(answer, dict):
        return {key: _ungrounded(value) for key, value in answer.items()}
    if isinstance(answer, list):
        return [_ungrounded(value) for value in answer]
    return _NOWHERE if isinstance(answer, str) else answer
