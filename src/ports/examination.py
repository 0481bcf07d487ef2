"""A close look at one part, for the person who has to mend it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what it is, in a word or two, such as `database version`.
        good: whether it is as it should be.
        detail: what was found; if that is not good, what to do too. Holds no secret.
    """

    subject: str
    good: bool
    detail: str


class Examination(Protocol):
    """One part: the database, the queue, a model, a certificate."""

    @abstractmethod
    async def findings(self) -> Sequence[Finding]:
        """Look; at least one finding. What is wrong is a finding, never an error."""
