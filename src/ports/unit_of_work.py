"""One business transaction over several statements."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ports.access import ModelSpendingReader
from ports.comparison import ComparisonRepository
from ports.extraction import ExtractionRepository
from ports.extraction_jobs import ExtractionJobCreator
from ports.idempotency import IdempotencyStore
from ports.insights import SearchClickWriter
from ports.records import OrderRepository, UserRepository


class UnitOfWork(Protocol):
    """What is done through its members becomes durable together, by `commit()`."""

    @property
    @abstractmethod
    def users(self) -> UserRepository:
        """Users, inside this unit."""
        ...

    @property
    @abstractmethod
    def orders(self) -> OrderRepository:
        """Orders, inside this unit."""
        ...

    @property
    @abstractmethod
    def search_clicks(self) -> SearchClickWriter:
        """The log of searches, inside this unit."""
        ...

    @property
    @abstractmethod
    def extraction_jobs(self) -> ExtractionJobCreator:
        """New extraction jobs, inside this unit."""
        ...

    @property
    @abstractmethod
    def comparisons(self) -> ComparisonRepository:
        """Comparisons, inside this unit."""
        ...

    @property
    @abstractmethod
    def extractions(self) -> ExtractionRepository:
        """Extraction results, inside this unit."""
        ...

    @property
    @abstractmethod
    def model_spending(self) -> ModelSpendingReader:
        """What keys spent on language models, inside this unit."""
        ...

    @property
    @abstractmethod
    def answers(self) -> IdempotencyStore:
        """Kept answers, inside this unit."""
        ...

    @abstractmethod
    async def commit(self) -> None:
        """Make everything durable; the last call on a unit."""
        ...


class UnitOfWorkFactory(Protocol):
    """Opens a new unit on each call; units are never shared."""

    @abstractmethod
    def __call__(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A unit for the block; leaving it without `commit()` undoes everything done inside."""
        ...
