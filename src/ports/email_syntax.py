"""Whether a text can be an e-mail address."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol


class EmailSyntax(Protocol):
    """The syntax alone: no DNS, no mail is sent."""

    @abstractmethod
    def problem(self, address: str) -> str | None:
        """Why `address` cannot be one, in a sentence for who typed it; None if it can."""
        ...
