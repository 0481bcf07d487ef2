"""A language model that answers in JSON."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from domain.extraction.calls import Attempt
from domain.extraction.wire import AnswerStyle


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of the conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a model is asked.

    Attributes:
        messages: a system message, then user and assistant in turn, a user message last.
        json_schema: the shape that the answer must have.
        schema_name: a name for that shape, lower snake case.
        max_output_tokens: the answer is cut there (>= 1).
        estimated_tokens: what the call may use of a tokens-a-minute limit, input and output.
    """

    messages: tuple[Message, ...]
    json_schema: Mapping[str, object]
    schema_name: str
    max_output_tokens: int
    estimated_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The time that a call may take.

    Attributes:
        timeout_s: everything, waits and retries included, in seconds (> 0).
        wait_s: of it, waiting for a rate limit or a failing provider (>= 0): short where another
            provider can be asked instead, or somebody waits for the answer.
        probes: the call may be the one that finds out whether a provider that failed is back, and
            goes out although its quota was used up. Who waits for an answer leaves that to others.
    """

    timeout_s: float
    wait_s: float
    probes: bool = True


class Finish(StrEnum):
    """Why a model stopped."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said.

    Attributes:
        text: its words, not yet parsed; empty when it refused.
        finish: why it stopped.
        attempts: the calls behind it in order, the one that answered last.
    """

    text: str
    finish: Finish
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProfile:
    """What a model can do, and how it is best asked.

    Attributes:
        provider: the provider's name, such as `openai`.
        model: the model's name at that provider.
        style: the shape in which it answers best.
        bounded: its server enforces lengths and needs them against rambling.
        context_tokens: prompt and answer together, at most.
        max_output_tokens: longest answer.
        reasoning_tokens: room for hidden reasoning, which providers count as output; 0 for models
            that do not reason.
        max_choices: enum choices of a whole schema, at most.
        shots: how many of the schema's own examples are shown, the nearest to the text.
        reasks: how often an unusable answer is asked again with the error.
        parameters: sampling parameters that are sent, such as `{"temperature": 0}`.
        numbers_from_text: its bare numbers are held to those that the text names, for models that
            copy badly; its server has to enforce choices.
    """

    provider: str
    model: str
    style: AnswerStyle
    bounded: bool
    context_tokens: int
    max_output_tokens: int
    max_choices: int
    shots: int
    reasks: int
    parameters: Mapping[str, float | int]
    reasoning_tokens: int = 0
    numbers_from_text: bool = False


class LanguageModel(Protocol):
    """One model at one provider."""

    @property
    @abstractmethod
    def profile(self) -> ModelProfile:
        """What it can do."""
        ...

    @abstractmethod
    async def complete(self, prompt: Prompt, budget: Budget) -> Answer:
        """Answer `prompt`. Cancelling the call ends the provider's work and frees the connection.

        Args:
            prompt: the conversation and the shape of the answer.
            budget: the time that this may take; it reaches the socket.

        Raises:
            CallFailed: no answer came; its failure has one of the kinds AUTH to TOO_LONG. Answers
                that came but cannot be used (cut, refused, not JSON) do not raise.
        """
        ...
