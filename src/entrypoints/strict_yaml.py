"""YAML read by the rules of JSON: what could be taken for another thing is refused."""

from __future__ import annotations

import codecs
import re
from typing import Any, Final

import yaml

from domain.errors import InvalidInput
from domain.strict_json import DEEPEST, NotStrictJson, printable, read_number

_NUMBER: Final = re.compile(r"[-+]?(\.[0-9]|[0-9])[0-9]*(\.[0-9]*)?([eE][-+]?[0-9]+)?")
_NO_NUMBER: Final = re.compile(r"[-+]?\.inf|\.nan", re.IGNORECASE)
_WORDS: Final = {"": None, "~": None, "null": None, "true": True, "false": False}


def read_yaml(document: bytes) -> Any:
    """The value of a YAML document, of the kinds that JSON has.

    Words without quotes are read as YAML 1.2 has it: `true`, `false`, `null` and decimal numbers
    are no text, everything else is (`no`, `12:30`, `2026-12-01`). Names of members are text.

    Raises:
        InvalidInput: not UTF-8, not YAML, several documents, a member twice, an alias, a tag, a
            number that `strict_json` refuses, nested more than 100 deep; names the line.
    """
    try:
        text = document.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"it is not UTF-8 (byte {error.start})") from None
    try:
        return _Builder().value_of(text)
    except yaml.YAMLError as error:
        raise InvalidInput(f"it is not YAML: {error}") from None
    except (ValueError, OverflowError) as error:  # an escape or a version that PyYAML lets through
        raise InvalidInput(f"it is not YAML: {printable(str(error))}") from None


class _Builder:
    """Makes the value out of the parser's events, so that no depth exhausts the stack."""

    def __init__(self) -> None:
        self._open: list[list[Any] | dict[str, Any]] = []
        self._names: list[str | None] = []  # of the member that waits for its value, by `_open`
        self._value: Any = None
        self._documents = 0

    def value_of(self, text: str) -> Any:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            assert event.start_mark is not None, "a parser of text marks its events"
            line = event.start_mark.line + 1
            if isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    raise _refused(line, "begins a second document; give one a file")
            elif isinstance(event, yaml.AliasEvent):
                raise _refused(
                    line, f"has the alias *{printable(str(event.anchor))}; write its value"
                )
            elif isinstance(event, yaml.ScalarEvent):
                self._add(self._scalar(event, line), line)
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                self._begin({} if isinstance(event, yaml.MappingStartEvent) else [], event, line)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                self._open.pop()
                self._names.pop()
        return self._value

    def _begin(self, value: list[Any] | dict[str, Any], event: Any, line: int) -> None:
        if event.tag is not None:
            raise _refused(line, f"has the tag {printable(event.tag)}; leave it out")
        if self._names and isinstance(self._open[-1], dict) and self._names[-1] is None:
            raise _refused(line, "has a field whose name is no text")
        if len(self._open) == DEEPEST:
            raise _refused(line, f"is nested more than {DEEPEST} deep")
        self._add(value, line)
        self._open.append(value)
        self._names.append(None)

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> Any:
        if event.tag is not None:
            raise _refused(line, f"has the tag {printable(event.tag)}; leave it out")
        named = self._names and isinstance(self._open[-1], dict) and self._names[-1] is None
        if named or not event.implicit[0]:  # in quotes, or a block of text
            return event.value
        word = event.value
        if word in (word.lower(), word.upper(), word.capitalize()) and word.lower() in _WORDS:
            return _WORDS[word.lower()]
        if _NO_NUMBER.fullmatch(word):
            raise _refused(line, f"has {word}, which is no number; put text into quotes")
        if not _NUMBER.fullmatch(word):
            return word
        try:
            return read_number(_as_json(word))
        except NotStrictJson as error:
            raise _refused(line, f"{error}; put text into quotes") from None

    def _add(self, value: Any, line: int) -> None:
        if not self._open:
            self._value = value
            return
        within, name = self._open[-1], self._names[-1]
        if isinstance(within, list):
            within.append(value)
        elif name is None:
            if value in within:
                raise _refused(line, f"has the field {printable(value)!r} twice")
            self._names[-1] = value
        else:
            within[name] = value
            self._names[-1] = None


def _as_json(number: str) -> str:
    """`+.5`, `5.` and `5.e3` as JSON spells them."""
    number = re.sub(r"^\+", "", number)
    number = re.sub(r"^(-?)\.", r"\g<1>0.", number)
    return re.sub(r"\.(?=[eE]|$)", "", number)


def _refused(line: int, detail: str) -> InvalidInput:
    return InvalidInput(f"line {line} {detail}")
