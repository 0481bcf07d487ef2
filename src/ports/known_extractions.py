"""What was asked before, and what is being asked now."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from domain.extraction.model import ExtractionId, Status
from domain.jobs.model import WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a text.

    Attributes:
        schema: name of the schema.
        schema_version: its version.
        prompts: (provider, prompt hash) of each provider that may answer, the preferred first;
            the hash stands for prompt, model and parameters.
    """

    schema: str
    schema_version: int
    prompts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownExtraction:
    """A stored record: VALID or PARTIAL, for what failed may be asked again."""

    id: ExtractionId
    status: Status


class KnownExtractions(Protocol):
    """Answers questions from the store, and keeps two workers from asking the same at once.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def recall(
        self, texts: Sequence[str], question: Question
    ) -> Mapping[str, KnownExtraction]:
        """The newest stored record of each text that has one, by the first provider that has."""
        ...

    @abstractmethod
    async def reserve(self, worker: WorkerId, keys: Collection[bytes]) -> Set[bytes]:
        """Mark questions as asked by `worker`; returns those that no other worker asks now.

        A reservation ends with its settlement, with `release`, and with the worker's lease.

        Raises:
            LeaseLost: the worker is not known.
        """
        ...

    @abstractmethod
    async def release(self, worker: WorkerId, keys: Collection[bytes]) -> None:
        """End reservations of the worker."""
        ...
