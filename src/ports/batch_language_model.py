"""A language model that answers many prompts together, later and for less."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NewType, Protocol

from domain.extraction.calls import CallFailed, Failure
from ports.language_model import Answer, Prompt

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
    result: Answer | CallFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """How a batch stands.

    Attributes:
        ended: nothing more will be executed; the outcomes can be fetched.
        failure: why prompts without an outcome have none: the batch expired, was cancelled or was
            never begun; None while it runs and when it was completed.
    """

    ended: bool
    failure: Failure | None = None


class BatchLanguageModel(Protocol):
    """One model at one provider, asked in batches. Nothing is tried twice here.

    Raises (each method that asks the provider):
        CallFailed: the provider did not do it; its failure has one of the kinds AUTH to TOO_LONG.
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
