"""Language models, asked one prompt at once or many in a batch; what holds calls to them back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NewType, Protocol

from domain.extraction.calls import Attempt, ExtractionFailure, ModelCallFailed
from domain.extraction.confidence import AnswerToken, Calibration


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
        tuned: it is the prompt that the model's adapter was tuned to, and wants the adapter.
        log_probabilities: those of the answer's tokens are wanted with it.
        strings_from: the text in which the answer's strings, but for choices and dates, have to
            stand, for servers that can be told so; None where they may be any.
    """

    messages: tuple[Message, ...]
    json_schema: Mapping[str, object]
    schema_name: str
    max_output_tokens: int
    estimated_tokens: int
    tuned: bool = False
    log_probabilities: bool = False
    strings_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeBudget:
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


class FinishReason(StrEnum):
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
        tokens: those of the text in order, where the prompt wanted their log-probabilities and the
            server gave all of them; else empty.
    """

    text: str
    finish: FinishReason
    attempts: tuple[Attempt, ...]
    tokens: tuple[AnswerToken, ...] = ()


class AnswerShape(StrEnum):
    """The shape in which a model answers.

    QUOTED: each field (each item of a list) is `{"quote": ..., "value": ...}`, the quote first, so
        that the model reads before it decides. VALUES: each field is its bare value, for models too
        small to quote; the evidence is then searched in the text.
    """

    QUOTED = "quoted"
    VALUES = "values"


class ResponseFormat(StrEnum):
    """How a server of OpenAI's protocol is asked for JSON.

    JSON_SCHEMA: by the schema, which most servers turn into a grammar. JSON_OBJECT: for an object,
        with the schema beside it, which some obey. TEXT: by the prompt alone.
    """

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    TEXT = "text"


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
        strings_from_text: and its strings to passages of the text, where it is asked with the
            prompt of its adapter; its server has to be llama.cpp.
        tuned_to: the prompt that its adapter was tuned to (`prompting.TUNED_PROMPT`); None for
            weights as they come. What that prompt cannot ask for is asked without the adapter.
        response_format: how its server is asked for JSON, where that speaks OpenAI's protocol.
        system_role: its chat template knows system messages; False puts them before the first
            message of the user.
        calibration: makes confidence of the log-probabilities of answers to that prompt; None where
            there is none for this model, and then they are not asked for.
    """

    provider: str
    model: str
    style: AnswerShape
    bounded: bool
    context_tokens: int
    max_output_tokens: int
    max_choices: int
    shots: int
    reasks: int
    parameters: Mapping[str, float | int]
    reasoning_tokens: int = 0
    numbers_from_text: bool = False
    strings_from_text: bool = False
    tuned_to: str | None = None
    response_format: ResponseFormat = ResponseFormat.JSON_SCHEMA
    system_role: bool = True
    calibration: Calibration | None = None


class LanguageModel(Protocol):
    """One model at one provider."""

    @property
    @abstractmethod
    def profile(self) -> ModelProfile:
        """What it can do."""
        ...

    @abstractmethod
    async def complete(self, prompt: Prompt, budget: TimeBudget) -> Answer:
        """Answer `prompt`. Cancelling the call ends the provider's work and frees the connection.

        Args:
            prompt: the conversation and the shape of the answer.
            budget: the time that this may take; it reaches the socket.

        Raises:
            ModelCallFailed: no answer came; its failure has a kind from AUTH to TOO_LONG. Answers
                that came but cannot be used (cut, refused, not JSON) do not raise.
        """
        ...


BatchId = NewType("BatchId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """One prompt of a batch.

    Attributes:
        custom_id: the caller's name for it, 1..64 characters, unique in its batch.
        prompt: the conversation and the shape of the answer.
    """

    custom_id: str
    prompt: Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOutcome:
    """What became of one prompt that was executed.

    Attributes:
        custom_id: which.
        result: the answer, or why there is none; the attempts of both are marked as batched.
    """

    custom_id: str
    result: Answer | ModelCallFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """How a batch stands.

    Attributes:
        ended: nothing more will be executed; the outcomes can be fetched.
        failure: why prompts without an outcome have none: the batch expired, was cancelled or was
            never begun; None while it runs and when it was completed.
    """

    ended: bool
    failure: ExtractionFailure | None = None


class BatchLanguageModel(Protocol):
    """One model at one provider, asked in batches. Nothing is tried twice here.

    Raises (each method that asks the provider):
        ModelCallFailed: the provider did not do it; its failure has a kind from AUTH to TOO_LONG.
    """

    @abstractmethod
    def first_batch(self, requests: Sequence[BatchRequest]) -> int:
        """How many of `requests`, from the first on, fit into one batch (>= 1)."""
        ...

    @abstractmethod
    async def submit(self, token: str, requests: Sequence[BatchRequest]) -> BatchId:
        """Start a batch and return the provider's id of it.

        A failure does not mean that there is no batch: `find` it before submitting again.

        Args:
            token: the caller's name for the batch, 1..64 characters, never used for another.
            requests: at least one, and no more than `first_batch` says.
        """
        ...

    @abstractmethod
    async def find(self, token: str) -> BatchId | None:
        """The batch that was submitted as `token`; None when the provider has none."""
        ...

    @abstractmethod
    async def status(self, batch_id: BatchId) -> BatchStatus:
        """How it stands; one that the provider does not know any more has ended with a failure."""
        ...

    @abstractmethod
    def outcomes(self, batch_id: BatchId) -> AsyncIterator[BatchOutcome]:
        """What became of the executed prompts of an ended batch, in any order.

        Prompts that were not executed are left out: they cost nothing.
        """
        ...

    @abstractmethod
    async def cancel(self, batch_id: BatchId) -> None:
        """Execute nothing more; what is executed by then stays. Does nothing to an ended batch."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GateState:
    """How a provider stands; times are seconds from now, 0 where nothing is in the way.

    Attributes:
        gate_s: how long calls wait because the provider refused some.
        hinted: the provider named that wait.
        refusals: rate limits in a row.
        circuit_open: the provider is taken for broken.
        circuit_s: until its next probe; 0 when that is due.
        failures: in a row.
        quota_s: how long the quota counts as used up.
        probes: calls that went out to find out whether the provider is back, since it is known.
    """

    gate_s: float
    hinted: bool
    refusals: int
    circuit_open: bool
    circuit_s: float
    failures: int
    quota_s: float
    probes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderStatus:
    """One provider, with a model that is asked there with one key."""

    name: str
    model: str
    state: GateState


class ProviderGates(Protocol):
    """The gates that all processes share.

    Raises (each method):
        QueueUnavailable: what they share does not answer; each process has gates of its own then.
    """

    @abstractmethod
    async def all(self) -> Sequence[ProviderStatus]:
        """Those configured here, in the order of the settings, then those that others use."""
        ...

    @abstractmethod
    async def reopen(self, name: str) -> None:
        """Forget what holds calls to a provider back, all but its stated limits."""
        ...
