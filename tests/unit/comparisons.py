"""Small comparisons that the tests of their rules share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

from domain.comparison.figures import Rate, rate_of
from domain.comparison.marking import Marked, mark
from domain.comparison.model import Contestant, LabelledText, Outcome
from domain.extraction.calls import FailureKind
from domain.extraction.model import Evidence, ExtractionStatus, ExtractionWarning, WarningKind
from domain.extraction.schema import Field, FieldType, Schema, Value


def field(name: str, kind: FieldType = FieldType.STRING, **members: Any) -> Field:
    choices = ("high", "low") if kind is FieldType.ENUM else ()
    return Field(name=name, type=kind, description=name, choices=choices, **members)


CUSTOMER = field("customer")
QUANTITY = field("quantity", FieldType.INTEGER)
SCHEMA = Schema(name="small", version=1, description="", fields=(CUSTOMER, QUANTITY))


def text(text_id: str, gold: Mapping[str, Value] | None = None, **members: Any) -> LabelledText:
    return LabelledText(id=text_id, text=f"Text {text_id}", gold=gold, **members)


def contestant(name: str, **members: Any) -> Contestant:
    return Contestant(name=name, provider=name, model="m", prompt_hash="h", **members)


def outcome(text_id: str, contestant: str = "a", **members: Any) -> Outcome:
    """A valid outcome; other members than those of `Outcome` are its fields."""
    own = {name: members.pop(name) for name in list(members) if name in Outcome.__slots__}
    own.setdefault("fields", members)
    own.setdefault("status", ExtractionStatus.VALID)
    return Outcome(contestant=contestant, text_id=text_id, **own)


def failed(text_id: str, kind: FailureKind, contestant: str = "a", **members: Any) -> Outcome:
    return Outcome(
        contestant=contestant,
        text_id=text_id,
        status=ExtractionStatus.FAILED,
        fields={},
        failure=kind,
        **members,
    )


def flag(kind: WarningKind) -> ExtractionWarning:
    return ExtractionWarning(kind=kind, detail="see there")


def found(name: str, start: int, end: int) -> Evidence:
    return Evidence(field=name, quote="x" * (end - start), start=start, end=end)


def marked(known: LabelledText, what: Outcome, schema: Schema = SCHEMA) -> Marked:
    """Of a text that no other is like."""
    return mark(schema, known, what, cluster=crc32(known.id.encode()))


def rate(count: int, total: int) -> Rate:
    """Of texts none of which is like another."""
    return rate_of((place, place < count) for place in range(total))
