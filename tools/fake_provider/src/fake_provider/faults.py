"""What goes wrong with a call: which fault it meets, how long it takes, what its answer becomes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from fake_provider.calls import (
    CHARACTERS_PER_TOKEN,
    Call,
    Completion,
    count_tokens,
)
from fake_provider.scenario import Fault, Latency


class FaultPlan:
    """The script with what is left of it, and the rates."""

    def __init__(self, script: Iterable[Fault], rates: Iterable[Fault], seed: int) -> None:
        self._script: list[tuple[Fault, int | None]] = []
        self._rates = tuple(rates)
        self._random = random.Random(seed)  # noqa: S311 - simulation, no secret
        self.extend(script)

    def extend(self, script: Iterable[Fault]) -> None:
        """Append steps to the script."""
        self._script.extend((fault, fault.times) for fault in script)

    def clear(self) -> None:
        """Forget the script; rates stay."""
        self._script.clear()

    @property
    def left(self) -> int:
        """Steps of the script that still wait for a call."""
        return len(self._script)

    def choose(self, call: Call) -> Fault | None:
        """The fault that `call` meets; a scripted one is used up by it."""
        scripted = self._taken(lambda fault: _matches(fault, call))
        if scripted is not None:
            return scripted
        if not self._rates:
            return None
        draw = self._random.random()
        for fault in self._rates:
            draw -= fault.probability
            if draw < 0:
                return fault if _matches(fault, call) else None
        return None

    def choose_for_path(self, path: str) -> Fault | None:
        """The scripted fault that any request to `path` meets; it is used up by it."""
        return self._taken(lambda fault: fault.path is not None and fault.path in path)

    def _taken(self, matches: Callable[[Fault], bool]) -> Fault | None:
        for index, (fault, times) in enumerate(self._script):
            if matches(fault):
                if times == 1:
                    del self._script[index]
                elif times is not None:
                    self._script[index] = (fault, times - 1)
                return fault
        return None


def _matches(fault: Fault, call: Call) -> bool:
    if fault.path is not None:
        return False
    if fault.dialect is not None and fault.dialect != call.dialect:
        return False
    if fault.model is not None and fault.model != call.model:
        return False
    return fault.text is None or any(fault.text in text for _, text in call.turns)


class LatencySampler:
    """Draws seconds from a `Latency`, reproducibly for a seed.

    A lognormal with mean m and sigma s has mu = ln(m) - s^2 / 2.
    """

    def __init__(self, latency: Latency, seed: int) -> None:
        self._latency = latency
        self._random = random.Random(seed)  # noqa: S311 - simulation, no secret

    def draw(self) -> float:
        """Seconds, >= 0."""
        latency = self._latency
        if latency.kind == "constant" or latency.mean_s == 0:
            return latency.mean_s
        mu = math.log(latency.mean_s) - latency.sigma**2 / 2
        return self._random.lognormvariate(mu, latency.sigma)


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
