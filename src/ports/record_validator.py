"""Checks records against a schema's rules."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from domain.extraction.schema import Schema, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What became of a record.

    Attributes:
        values: the fields that hold, in canonical form (numbers as numbers, dates as
            `YYYY-MM-DD`).
        faults: for each other field, what is wrong with it, in words for the model.
    """

    values: Mapping[str, Value]
    faults: Mapping[str, str]


class RecordValidator(Protocol):
    """Turns what a model said into typed values."""

    @abstractmethod
    def check(self, schema: Schema) -> None:
        """Refuse a schema whose rules cannot be compiled.

        Raises:
            InvalidInput: a pattern that needs look-around or back-references.
        """
        ...

    @abstractmethod
    def validate(self, schema: Schema, record: Mapping[str, Any]) -> Validation:
        """Every field of `schema` ends either in `values` or in `faults`.

        Args:
            schema: a schema that `check` accepted.
            record: any JSON object; members that the schema does not name are left out.
        """
        ...
