"""From a model's words to the one record that can be believed of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from domain.extraction.calls import ExtractionFailure, FailureKind
from domain.extraction.confidence import AnswerToken, log_probabilities_of
from domain.extraction.evidence import ground
from domain.extraction.matching import Span
from domain.extraction.model import Evidence, ExtractionWarning, WarningKind
from domain.extraction.schema import RecordSchema, Value
from domain.strict_json import NotStrictJson, check_depth, read_json_at
from ports.extraction import MISSING, RecordValidator
from ports.language_models import AnswerShape

_THOUGHT: Final = (
    "(?:seed:)?think(?:ing)?|thoughts?|reasoning|reflection|analysis|scratchpad"  # names of tags
)
_OPENED: Final = rf"<(?:{_THOUGHT})(?:\s[^<>{{}}]*)?>|\[THINK\]|◁think▷"
_CLOSED: Final = rf"</(?:{_THOUGHT})\s*>|\[/THINK\]|◁/think▷"
# A brace that a member in quotes follows, or the end of the answer: others are prose, {like this}.
_OBJECT: Final = r'\{\s*(?:\}|\Z|"[^"\\]*(?:\\.[^"\\]*)*(?:\Z|"\s*(?::|\Z)))'
_MARK: Final = re.compile(
    rf"(?P<opened>{_OPENED})|(?P<closed>{_CLOSED})|(?P<value>\[\s*{_OBJECT}|{_OBJECT})",
    re.IGNORECASE | re.DOTALL,
)
_MOST_BROKEN: Final = 100
_LOOP_LENGTH: Final = 24


class UnreadableAnswer(ValueError):
    """The words hold no record; the message says what stands there instead."""


_Found: TypeAlias = Mapping[str, Any] | UnreadableAnswer


def parse_answer(text: str, members: Set[str]) -> Mapping[str, Any]:
    """The JSON object that `text` gives as the record.

    Thinking between its tags is dropped, and what stands before a tag that closes it or behind one
    that nothing closes. Of several objects the last that has all members counts, else the last
    that has any; an object that has none is looked into, for a record may stand in a wrapper.
    Prose and code fences around are passed over. Nothing inside an object is mended: a guess about
    a bracket may change a value.

    Args:
        text: what the model said.
        members: names of the record's fields.

    Raises:
        UnreadableAnswer: no such object stands there, what begins like one behind it is no strict
            JSON (its end may be missing), or a list holds several.
    """
    found: _Found
    part: Mapping[str, Any] | None = None
    for found in reversed(_found(text, members)):
        if isinstance(found, UnreadableAnswer):
            raise found
        if members <= found.keys():
            return found
        part = part or found
    if part is not None:
        return part
    if not text.strip():
        raise UnreadableAnswer("the answer was empty")
    raise UnreadableAnswer("the answer held no JSON object with the record's fields")


def _found(text: str, members: Set[str]) -> list[_Found]:
    """What stands outside of the thinking, in order: records, and what begins like one."""
    found: list[_Found] = []
    thinking = False
    at = broken = 0
    while mark := _MARK.search(text, at):
        start, at = mark.span()
        if mark.lastgroup == "value":
            if thinking:
                continue
            try:
                value, at = read_json_at(text, start)
                found += _records(value, members)
            except NotStrictJson as error:
                if text[start] == "{":
                    found.append(UnreadableAnswer(f"the answer {error}"))
                    at = _behind(text, start, error)
                else:
                    at = start + 1  # a bracket of prose, perhaps
                broken += 1
                if broken > _MOST_BROKEN:  # each may cost a reading of all that stands before it
                    return found
        else:
            thinking = mark.lastgroup == "opened"
            if not thinking:  # so was all before it, whether a tag opened it or not
                found.clear()
    return found


def _behind(text: str, start: int, error: NotStrictJson) -> int:
    """Where to read on behind the object at `start` that cannot be read."""
    if error.position is not None:
        return error.position
    try:
        return check_depth(text, start)
    except NotStrictJson:
        return len(text)


def _records(value: Any, members: Set[str]) -> list[_Found]:
    if isinstance(value, dict):
        if members & value.keys():
            return [value]
        return [found for each in value.values() for found in _records(each, members)]
    if isinstance(value, list):
        listed = [found for each in value for found in _records(each, members)]
        if len(listed) > 1:
            return [UnreadableAnswer(f"the answer held {len(listed)} records; one is asked for")]
        return listed
    return []


def loops(text: str) -> bool:
    """Whether `text` ends in a loop: a run of white space, or a short piece over and over.

    Grammar-bound models that lost their way produce it until the token limit.
    """
    tail = text[-400:]
    if len(tail) >= _LOOP_LENGTH and not tail[-_LOOP_LENGTH:].strip():
        return True
    return any(
        len(tail) >= 6 * size and tail.endswith(tail[-size:] * 6)
        for size in range(4, min(64, len(tail) // 6) + 1)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatedAnswer:
    """What a text holds, as far as it is known.

    Attributes:
        values: the fields whose value is valid and backed by the text, or absent.
        evidence: where they stand.
        invalid: for other fields, which rule of the schema their value broke.
        ungrounded: for other fields, why the text does not back their value.
        unquoted: judged fields without a passage.
        unreadable: why the answer holds no record at all; None when it holds one.
        log_probabilities: by field, those of the tokens of what the model said for it, whether or
            not it holds; fields of which the server told none are missing, and so are all where
            several windows were read.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    invalid: Mapping[str, str] = field(default_factory=dict)
    ungrounded: Mapping[str, str] = field(default_factory=dict)
    unquoted: tuple[str, ...] = ()
    unreadable: str | None = None
    log_probabilities: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every field has its value."""
        return not (self.invalid or self.ungrounded or self.unreadable)

    def faults(self) -> Mapping[str, str]:
        """What is wrong, by field, in words for the model."""
        if self.unreadable is not None:
            return {"answer": f"- {self.unreadable}"}
        return {**self.invalid, **self.ungrounded}

    def better(self, later: ValidatedAnswer) -> ValidatedAnswer:
        """This reading, completed by a later one of the same text.

        What held already is kept: the later answer was asked for because of the other fields.
        """
        if later.unreadable is not None:
            return self
        values = {**later.values, **self.values}
        evidence = self.evidence + tuple(
            item for item in later.evidence if item.field not in self.values
        )
        return ValidatedAnswer(
            values=values,
            evidence=evidence,
            invalid={k: v for k, v in later.invalid.items() if k not in values},
            ungrounded={k: v for k, v in later.ungrounded.items() if k not in values},
            unquoted=tuple(
                name
                for name in dict.fromkeys(self.unquoted + later.unquoted)
                if name not in {item.field for item in evidence}
            ),
            log_probabilities={
                **{k: v for k, v in later.log_probabilities.items() if k not in self.values},
                **{k: v for k, v in self.log_probabilities.items() if k in self.values},
            },
        )

    def shifted(self, offset: int) -> ValidatedAnswer:
        """The same reading of a window that begins at `offset` of the whole text."""
        return replace(
            self,
            evidence=tuple(
                replace(item, start=item.start + offset, end=item.end + offset)
                for item in self.evidence
            ),
        )


def check_answer(
    answer: str,
    schema: RecordSchema,
    style: AnswerShape,
    text: str,
    validator: RecordValidator,
    *,
    forbidden: Sequence[Span] = (),
    tokens: Sequence[AnswerToken] = (),
) -> ValidatedAnswer:
    """Parse, validate and ground one answer; every field of the schema is accounted for."""
    try:
        record = parse_answer(answer, {item.name for item in schema.fields})
    except UnreadableAnswer as error:
        return ValidatedAnswer(unreadable=str(error))
    quotes: dict[str, list[str | None]] | None = None
    if style is AnswerShape.QUOTED:
        record, quotes = _unquoted(schema, record)
    validation = validator.validate(schema, record)
    grounding = ground(schema, validation.values, quotes, text, forbidden=forbidden)
    return ValidatedAnswer(
        values=grounding.values,
        evidence=grounding.evidence,
        invalid=validation.faults,
        ungrounded=grounding.faults,
        unquoted=grounding.unquoted,
        log_probabilities=log_probabilities_of(answer, tokens),
    )


def failure_of(schema: RecordSchema, reading: ValidatedAnswer) -> ExtractionFailure | None:
    """Why this reading gives no record; None when it gives one.

    A field that must not be null fails the record; so does an answer of which nothing is left.
    """
    if reading.unreadable is not None:
        return ExtractionFailure(
            kind=FailureKind.INVALID_JSON, detail="The model's answer held no usable JSON."
        )
    required = {item.name for item in schema.fields if not item.nullable}
    for kind, faults in (
        (FailureKind.SCHEMA_VIOLATION, reading.invalid),
        (FailureKind.UNGROUNDED, reading.ungrounded),
    ):
        lost = [name for name in faults if name in required]
        if lost:
            return ExtractionFailure(kind=kind, detail=_LOST[kind].format(", ".join(lost)))
    silent = [
        name
        for name in required
        if name not in reading.faults() and reading.values.get(name) in (None, [])
    ]
    if silent:
        return ExtractionFailure(
            kind=FailureKind.SCHEMA_VIOLATION,
            detail=f"No value was found for what the schema requires: {', '.join(sorted(silent))}.",
        )
    if not reading.values and reading.faults():
        kind = FailureKind.UNGROUNDED if reading.ungrounded else FailureKind.SCHEMA_VIOLATION
        return ExtractionFailure(kind=kind, detail=_LOST[kind].format(", ".join(reading.faults())))
    return None


_LOST = {
    FailureKind.SCHEMA_VIOLATION: "The model's values break the schema's rules: {}.",
    FailureKind.UNGROUNDED: "The model's values do not stand in the text: {}.",
}


def flags_of(reading: ValidatedAnswer) -> list[ExtractionWarning]:
    """A flag for each field that was dropped or is not backed by a passage."""
    return [
        *(
            ExtractionWarning(
                kind=WarningKind.INVALID_VALUE,
                field=name,
                detail="The model's answer left the field out."
                if why == MISSING
                else "The value broke the schema's rules.",
            )
            for name, why in reading.invalid.items()
        ),
        *(
            ExtractionWarning(
                kind=WarningKind.UNGROUNDED,
                field=name,
                detail="The value did not stand in the text.",
            )
            for name in reading.ungrounded
        ),
        *(
            ExtractionWarning(
                kind=WarningKind.UNGROUNDED,
                field=name,
                detail="The value is a judgement that no passage of the text states.",
            )
            for name in reading.unquoted
        ),
    ]


def merged(
    schema: RecordSchema, readings: Sequence[ValidatedAnswer]
) -> tuple[ValidatedAnswer, list[ExtractionWarning]]:
    """One reading of a long text from those of its windows, in order, offsets already shifted.

    The first window that states a field counts, and another value in a later one is flagged; the
    items of a list are collected. A fault counts only where no window has a value.
    """
    values: dict[str, Value] = {}
    evidence: list[Evidence] = []
    flags: list[ExtractionWarning] = []
    for item in schema.fields:
        backed = [
            (reading, reading.values[item.name])
            for reading in readings
            if reading.values.get(item.name) not in (None, [])
        ]
        places = [e for reading, _ in backed for e in reading.evidence if e.field == item.name]
        if item.many:
            unique = {(e.start, e.end): e for e in places}
            evidence.extend(unique.values())
            collected = [one for _, value in backed for one in _as_list(value)]
            values[item.name] = list(dict.fromkeys(collected))
        elif backed:
            first, value = backed[0]
            values[item.name] = value
            evidence.extend(e for e in first.evidence if e.field == item.name)
            rival = next((reading for reading, other in backed if other != value), None)
            if rival is not None:
                flags.append(_contradiction(item.name, rival))
        elif any(item.name in reading.values for reading in readings):
            values[item.name] = None
    return (
        ValidatedAnswer(
            values=values,
            evidence=tuple(evidence),
            invalid=_unless(values, *(reading.invalid for reading in readings)),
            ungrounded=_unless(values, *(reading.ungrounded for reading in readings)),
            unquoted=tuple(
                dict.fromkeys(
                    name
                    for reading in readings
                    for name in reading.unquoted
                    if name in values and name not in {e.field for e in evidence}
                )
            ),
        ),
        flags,
    )


def _unless(values: Mapping[str, Value], *faults: Mapping[str, str]) -> dict[str, str]:
    return {name: why for each in faults for name, why in each.items() if name not in values}


def _contradiction(name: str, rival: ValidatedAnswer) -> ExtractionWarning:
    place = next((e for e in rival.evidence if e.field == name), None)
    return ExtractionWarning(
        kind=WarningKind.CONTRADICTION,
        field=name,
        detail="Another part of the text states another value.",
        start=place.start if place else None,
        end=place.end if place else None,
    )


def _as_list(value: Value) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _unquoted(
    schema: RecordSchema, record: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, list[str | None]]]:
    """Bare values and quotes by field, out of `{"quote": ..., "value": ...}` objects."""
    values: dict[str, Any] = {}
    quotes: dict[str, list[str | None]] = {}
    for item in schema.fields:
        if item.name not in record:
            continue
        given = record[item.name]
        if item.many and given is None:
            given = []
        pairs = [_pair(one) for one in (given if isinstance(given, list) else [given])]
        quotes[item.name] = [quote for quote, _ in pairs]
        found = [value for _, value in pairs]
        # None or several where one belongs: the validator says so.
        values[item.name] = found[0] if len(found) == 1 and not item.many else found
    return values, quotes


def _pair(given: Any) -> tuple[str | None, Any]:
    if isinstance(given, Mapping) and "value" in given:
        quote = given.get("quote")
        return (quote if isinstance(quote, str) else None), given["value"]
    return None, given
