"""Schemas: which record a text becomes. Their rules, and those that are there from the start."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

from domain.errors import Violation

Scalar: TypeAlias = str | int | float | bool | None
Value: TypeAlias = Scalar | list[Scalar]
"""A field's value as JSON holds it; a date is `YYYY-MM-DD`."""

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NAME_RULE: Final = "must be lower snake case, start with a letter and have 1..63 characters"
MAX_NUMBER: Final = 2**53
"""Beyond it, readers of JSON in other languages lose digits."""
MAX_FIELDS: Final = 60
MAX_CHOICES: Final = 200
MAX_ITEMS: Final = 100
"""Of a list."""
MAX_VALUES: Final = 10
"""Examples of a field's values."""
MAX_EXAMPLES: Final = 20
MAX_TEXT_LENGTH: Final = 2_000
MAX_PATTERN_LENGTH: Final = 500
MAX_CHOICE_LENGTH: Final = 200


class FieldType(StrEnum):
    """What one value of a field is."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    ENUM = "enum"

    @property
    def numeric(self) -> bool:
        """Whether values have a size that bounds can limit."""
        return self in {FieldType.INTEGER, FieldType.NUMBER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One member of the record.

    Attributes:
        name: lower snake case, 1..63 characters.
        type: type of the value, or of each item when `many`.
        description: what belongs here, in words for the model, 1..2,000 characters.
        many: the value is a list.
        nullable: null stands for "the text does not say"; else a missing value fails the record.
        pattern: a regular expression without look-around that a string must match somewhere, at
            most 500 characters; whether it is one, the engine says (`RecordValidator.check`).
        minimum: smallest number allowed.
        maximum: largest number allowed.
        max_length: longest string allowed, in characters, 1..2,000.
        max_items: longest list allowed, 1..100.
        choices: the values of an enum, 1..200, each once.
        examples: values as they may look, at most 10.
    """

    name: str
    type: FieldType
    description: str
    many: bool = False
    nullable: bool = True
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    max_length: int = 200
    max_items: int = 20
    choices: tuple[str, ...] = ()
    examples: tuple[str | int | float | bool, ...] = ()

    def violations(self, pointer: str) -> Iterator[Violation]:
        """What is wrong with this definition, standing at `pointer`."""
        if not NAME.fullmatch(self.name):
            yield Violation(
                pointer=f"{pointer}/name",
                detail=_NAME_RULE,
            )
        if not 1 <= len(self.description.strip()) <= MAX_TEXT_LENGTH:
            yield Violation(
                pointer=f"{pointer}/description",
                detail=f"must say what belongs here, in 1..{MAX_TEXT_LENGTH} characters",
            )
        yield from self._misplaced(pointer)
        if self.pattern is not None and len(self.pattern) > MAX_PATTERN_LENGTH:
            yield Violation(
                pointer=f"{pointer}/pattern",
                detail=f"must have at most {MAX_PATTERN_LENGTH} characters",
            )
        if None not in (self.minimum, self.maximum) and self.minimum > self.maximum:  # type: ignore[operator]
            yield Violation(pointer=f"{pointer}/minimum", detail="must not exceed maximum")
        if not 1 <= self.max_length <= MAX_TEXT_LENGTH:
            yield Violation(pointer=f"{pointer}/max_length", detail=f"must be 1..{MAX_TEXT_LENGTH}")
        if not 1 <= self.max_items <= MAX_ITEMS:
            yield Violation(pointer=f"{pointer}/max_items", detail=f"must be 1..{MAX_ITEMS}")
        if self.type is FieldType.ENUM:
            yield from self._choice_violations(f"{pointer}/choices")
        if len(self.examples) > MAX_VALUES:
            yield Violation(pointer=f"{pointer}/examples", detail=f"must be at most {MAX_VALUES}")

    def _misplaced(self, pointer: str) -> Iterator[Violation]:
        """Limits that this type cannot have."""
        if self.pattern is not None and self.type is not FieldType.STRING:
            yield Violation(pointer=f"{pointer}/pattern", detail="is for type string only")
        if self.choices and self.type is not FieldType.ENUM:
            yield Violation(pointer=f"{pointer}/choices", detail="is for type enum only")
        for name, bound in (("minimum", self.minimum), ("maximum", self.maximum)):
            if bound is not None and not self.type.numeric:
                yield Violation(
                    pointer=f"{pointer}/{name}", detail="is for types integer and number only"
                )
            elif bound is not None and not abs(bound) <= MAX_NUMBER:
                yield Violation(pointer=f"{pointer}/{name}", detail="must be within +-2**53")

    def _choice_violations(self, pointer: str) -> Iterator[Violation]:
        if not 1 <= len(self.choices) <= MAX_CHOICES:
            yield Violation(pointer=pointer, detail=f"an enum needs 1..{MAX_CHOICES} choices")
        if len(set(self.choices)) != len(self.choices):
            yield Violation(pointer=pointer, detail="must name each choice once")
        if any(not 1 <= len(choice) <= MAX_CHOICE_LENGTH for choice in self.choices):
            detail = f"each choice has 1..{MAX_CHOICE_LENGTH} characters"
            yield Violation(pointer=pointer, detail=detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A text with the record that it holds; shown to models that learn from examples.

    Attributes:
        text: 1..2,000 characters.
        record: field name to value, as pairs in the order of the fields.
    """

    text: str
    record: tuple[tuple[str, Scalar | tuple[Scalar, ...]], ...]

    def values(self) -> dict[str, Value]:
        """The record as JSON holds it."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in self.record
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSchema:
    """A named record shape; a version never changes, a new definition is a new version.

    Attributes:
        name: lower snake case, 1..63 characters.
        version: 1, 2, ...; each result names the one it was made with.
        description: what kind of text it is for, at most 2,000 characters.
        fields: 1..60, each name once.
        examples: at most 20.
    """

    name: str
    version: int
    description: str
    fields: tuple[Field, ...]
    examples: tuple[Example, ...] = ()

    def violations(self) -> list[Violation]:
        """What is wrong with this definition, in reading order; empty when it can be used."""
        found: list[Violation] = []
        if not NAME.fullmatch(self.name):
            found.append(Violation(pointer="/name", detail=_NAME_RULE))
        if len(self.description) > MAX_TEXT_LENGTH:
            found.append(
                Violation(
                    pointer="/description",
                    detail=f"must have at most {MAX_TEXT_LENGTH} characters",
                )
            )
        if not 1 <= len(self.fields) <= MAX_FIELDS:
            found.append(
                Violation(pointer="/fields", detail=f"a record has 1..{MAX_FIELDS} fields")
            )
        seen: set[str] = set()
        for index, field in enumerate(self.fields):
            found.extend(field.violations(f"/fields/{index}"))
            if field.name in seen:
                found.append(
                    Violation(
                        pointer=f"/fields/{index}/name", detail=f"{field.name!r} stands twice"
                    )
                )
            seen.add(field.name)
        found.extend(self._example_violations())
        return found

    def _example_violations(self) -> Iterator[Violation]:
        if len(self.examples) > MAX_EXAMPLES:
            yield Violation(pointer="/examples", detail=f"must be at most {MAX_EXAMPLES}")
        names = {field.name for field in self.fields}
        for index, example in enumerate(self.examples):
            if not 1 <= len(example.text) <= MAX_TEXT_LENGTH:
                yield Violation(
                    pointer=f"/examples/{index}/text",
                    detail=f"must have 1..{MAX_TEXT_LENGTH} characters",
                )
            given = {name for name, _ in example.record}
            if given != names:
                wrong = ", ".join(sorted(given ^ names))
                yield Violation(
                    pointer=f"/examples/{index}/record",
                    detail=f"must have exactly the schema's fields; differs in: {wrong}",
                )

    def same_definition(self, other: RecordSchema) -> bool:
        """Whether both mean the same, whatever their versions."""
        return (self.name, self.description, self.fields, self.examples) == (
            other.name,
            other.description,
            other.fields,
            other.examples,
        )


def relaxed(schema: RecordSchema) -> RecordSchema:
    """The same record with every field nullable: a part of a text need not state them all."""
    return replace(schema, fields=tuple(replace(field, nullable=True) for field in schema.fields))


_CUSTOMER: Final = "Name of the person or company that places the order"
_PRODUCT: Final = "What is ordered, in the words of the text, without the number"
_QUANTITY: Final = "How many are ordered, as a whole number"

_MESSAGES: Final[tuple[tuple[str, str | None, str | None, int | None], ...]] = (
    (
        "Hello, we need 9 oak chairs please. Kind regards, Nina Hall",
        "Nina Hall",
        "oak chairs",
        9,
    ),
    ("URGENT - Baxter Ltd wants twenty rolls of tape!!", "Baxter Ltd", "rolls of tape", 20),
    ("hi its omar, send 1 coffee grinder thx", "omar", "coffee grinder", 1),
    (
        "Subject: order\nclient: Pine Clinic\nitem: latex gloves box\nqty: 45",
        "Pine Clinic",
        "latex gloves box",
        45,
    ),
    (
        "Good day, Sara Vogel from Vogel Interiors here - could you send us 14 linen curtains?",
        "Sara Vogel",
        "linen curtains",
        14,
    ),
    (
        "FWD: request from Ben Ortiz >> half a dozen garden hoses, leave at the shed",
        "Ben Ortiz",
        "garden hoses",
        6,
    ),
    ("please ship 120 envelopes asap\n--\nLena Fox\nFox & Co", "Lena Fox", "envelopes", 120),
    (
        "Offer 310 accepted. Deliver 3 heat pumps to Alpine Hotel.",
        "Alpine Hotel",
        "heat pumps",
        3,
    ),
)


def _order_schema(name: str, customer: str, product: str, quantity: str) -> RecordSchema:
    return RecordSchema(
        name=name,
        version=1,
        description="A message of a customer who orders something from a shop",
        fields=(
            Field(name=customer, type=FieldType.STRING, description=_CUSTOMER, max_length=120),
            Field(name=product, type=FieldType.STRING, description=_PRODUCT, max_length=200),
            Field(
                name=quantity,
                type=FieldType.INTEGER,
                description=_QUANTITY,
                minimum=1,
                maximum=1_000_000,
            ),
        ),
        examples=tuple(
            Example(text=text, record=((customer, who), (product, what), (quantity, many)))
            for text, who, what, many in _MESSAGES
        ),
    )


DEFAULT: Final = _order_schema("default", "field_1", "field_2", "field_3")
ORDER_MESSAGE: Final = _order_schema("order_message", "customer", "product", "quantity")
BUILT_IN: Final = (DEFAULT, ORDER_MESSAGE)
