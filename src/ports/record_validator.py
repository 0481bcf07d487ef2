"""Checks records against a schema's rules."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from domain.extraction.schema import Schema, Value

MISSING: Final = "is missing; give each field, as null where the text does not state it"
"""The fault of a field that a record leaves out, in words for the model."""


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
            InvalidInput: a pattern that the engine of the patterns refuses, with its reason; an
                example that breaks the rules.
        """
        ...

    @abstractmethod
    def validate(self, schema: Schema, record: Mapping[str, Any]) -> Validation:
        """Every field of `schema` ends either in `values` or in `faults`.

        Null says that the text is silent; a field that `record` leaves out is a fault.

        Args:
            schema: a schema that `check` accepted.
            record: any JSON object; members that the schema does not name are left out.
        """
        ...
