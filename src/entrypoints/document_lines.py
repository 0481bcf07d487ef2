"""Documents of a job as lines of JSON, for HTTP and for the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, Final

from domain.errors import InvalidInput, Violation
from domain.extraction.jobs.items import Document
from domain.extraction.jobs.service import check_document
from domain.strict_json import LONGEST_LINE, NotStrictJson, printable, read_json_line

_MOST_VIOLATIONS: Final = 100
_MEMBERS: Final = ("id", "text")


def check_lines(file: IO[bytes], *, others: bool = False) -> int:
    """How many documents a file of lines holds; blank lines are none.

    Args:
        file: one JSON document a line.
        others: whether a document may have other members than `id` and `text`.

    Raises:
        InvalidInput: names the bad lines, up to 100 of them; or there is no document.
    """
    violations: list[Violation] = []
    count = 0
    for found in _read(file, others=others):
        if isinstance(found, Document):
            count += 1
        else:
            violations += found
        if len(violations) >= _MOST_VIOLATIONS:
            detail = "has more bad lines; they are named once these are mended"
            violations.append(Violation(pointer="", detail=detail))
            break
    if violations:
        raise InvalidInput.of(violations)
    if not count:
        raise InvalidInput.of([Violation(pointer="", detail="must hold a document at least")])
    return count


def documents_of(file: IO[bytes]) -> Iterator[Document]:
    """The documents of a file that `check_lines` passed, from its start."""
    # What it may hold besides has been checked.
    return (found for found in _read(file, others=True) if isinstance(found, Document))


def _read(file: IO[bytes], *, others: bool) -> Iterator[Document | list[Violation]]:
    file.seek(0)
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if not line.endswith(b"\n") and len(line) == LONGEST_LINE:
            detail = f"line {number} is longer than {LONGEST_LINE} bytes"
            yield [Violation(pointer=f"/{number}", detail=detail)]
            return
        if line.strip():
            yield _document(line, number, others=others)


class _Misshapen(ValueError):
    """A line that is JSON, but no document."""


def _document(line: bytes, number: int, *, others: bool) -> Document | list[Violation]:
    """One line: `{"text": ..., "id": ...}`, or a string that is the text."""
    at = f"/{number}"
    try:
        raw = read_json_line(line, number)
        document = _shaped({"text": raw} if isinstance(raw, str) else raw, others=others)
    except (NotStrictJson, _Misshapen) as error:
        return [Violation(pointer=at, detail=f"line {number} {error}")]
    found = check_document(document, at)
    if not found:
        return document
    return [
        Violation(pointer=each.pointer, detail=f"line {number}: {each.detail}") for each in found
    ]


def _shaped(raw: Any, *, others: bool) -> Document:
    """A document of the right shape, with any text.

    Raises:
        _Misshapen: says why not.
    """
    if not isinstance(raw, dict):
        raise _Misshapen("must be a string, or an object with `text`")
    unknown = [name for name in raw if name not in _MEMBERS]
    if unknown and not others:
        raise _Misshapen(f"has the unknown field {printable(unknown[0])!r}; known are id and text")
    text, name = raw.get("text"), raw.get("id")
    if not isinstance(text, str):
        raise _Misshapen("must have a `text` that is a string")
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if name is not None and not isinstance(name, str):
        raise _Misshapen("must have an `id` that is a string or an integer, if any")
    return Document(text=text, id=name)
