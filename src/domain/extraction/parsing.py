"""From a model's words to the one record that they end in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Any, Final, TypeAlias

from domain.strict_json import NotStrictJson, check_depth, read_json_at

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
