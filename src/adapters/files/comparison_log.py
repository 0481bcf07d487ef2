"""A comparison as lines of JSON in a file, each written when it happens."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Literal

import msgspec

from domain.comparison.model import ComparisonSpec, Contestant, LabelledText
from domain.comparison.results import ComparisonResults, ContestantAnswer, Provenance, resumed
from domain.errors import Conflict, InvalidInput, Violation
from domain.extraction.definition import definition_of, schema_from
from domain.strict_json import NotStrictJson, read_json
from ports.comparison import ComparisonResultLog

FORMAT: Final = "storekeeper-comparison/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class _RunLine:
    """A line that begins a run: what is asked, but for the texts, which have lines of their own."""

    format: Literal["storekeeper-comparison/1"]
    program: str
    command: str
    started_at: datetime
    dataset: str
    texts: int
    schema: dict[str, Any]
    schema_version: int
    seed: int
    repeats: int
    contestants: tuple[Contestant, ...]


class FileComparisonResultLog(ComparisonResultLog):
    """One file: a line `{"run": ...}`, a line `{"text": ...}` each, a line `{"outcome": ...}` each.

    A run that is gone on with adds a line `{"run": ...}` and what is new. A last line that a killed
    process did not finish is dropped. One process at a time holds the file.

    Args:
        path: of the file, made with its folder if missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._texts: set[str] = set()

    def __enter__(self) -> FileComparisonResultLog:
        """Open the file and lock it.

        Raises:
            Conflict: another process holds it.
            OSError: it cannot be opened.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise Conflict(
                f"{self._path} is held by another comparison; wait for it, or name another file."
            ) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it, which gives it free."""
        assert self._file is not None
        self._file.close()

    def read(self) -> ComparisonResults | None:
        """See the port."""
        assert self._file is not None
        whole = _whole_bytes(self._file)
        found = _recorded(self._file, whole, self._path)
        self._texts = set() if found is None else {text.id for text in found.spec.texts}
        self._file.truncate(whole)
        return found

    def begin(self, spec: ComparisonSpec, provenance: Provenance) -> None:
        """See the port."""
        head = _RunLine(
            format=FORMAT,
            program=provenance.program,
            command=provenance.command,
            started_at=provenance.asked_at,
            dataset=spec.dataset,
            texts=len(spec.texts),
            schema={"name": spec.schema.name, **definition_of(spec.schema)},
            schema_version=spec.schema.version,
            seed=spec.seed,
            repeats=spec.repeats,
            contestants=spec.contestants,
        )
        new = [text for text in spec.texts if text.id not in self._texts]
        self._write([{"run": head}, *({"text": text} for text in new)])
        self._texts |= {text.id for text in new}

    def append(self, answer: ContestantAnswer) -> None:
        """See the port."""
        self._write([{"outcome": answer}])

    def _write(self, lines: list[dict[str, Any]]) -> None:
        """Hand whole lines to the system at once: a kill behind this loses none of them."""
        assert self._file is not None
        self._file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        self._file.flush()


def read_results(path: Path) -> ComparisonResults:
    """What a results file holds, whoever writes to it meanwhile.

    Raises:
        InvalidInput: it is no results file, or damaged; names the line.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        found = _recorded(file, _whole_bytes(file), path)
    if found is None:
        raise InvalidInput.of([Violation(pointer=str(path), detail="is empty")])
    return found


def _whole_bytes(file: IO[bytes]) -> int:
    """Length of the file up to its last whole line."""
    file.seek(0)
    return sum(len(line) for line in file if line.endswith(b"\n"))


def _recorded(file: IO[bytes], whole: int, path: Path) -> ComparisonResults | None:
    """What stands in the first `whole` bytes.

    Raises:
        InvalidInput: a line is not what it should be.
    """
    found: ComparisonResults | None = None
    texts: dict[str, LabelledText] = {}
    answers = {}
    for number, kind, value in _lines(file, whole, path):
        try:
            if kind == "run":
                head = msgspec.convert(value, _RunLine)
                now = _results_of(head)
                found = now if found is None else resumed(found, now.spec, now.provenance)
            elif kind == "text":
                text = msgspec.convert(value, LabelledText)
                texts[text.id] = text
            else:
                answer = msgspec.convert(value, ContestantAnswer)
                answers[answer.key] = answer
        except (msgspec.ValidationError, InvalidInput) as error:
            raise _bad(path, number, str(error)) from None
        if found is None:
            raise _bad(path, number, "no line before it says what was asked")
    if found is None:
        return None
    return replace(found, spec=replace(found.spec, texts=tuple(texts.values())), answers=answers)


def _lines(file: IO[bytes], whole: int, path: Path) -> Iterator[tuple[int, str, Any]]:
    file.seek(0)
    number = 0
    while file.tell() < whole:
        number += 1
        try:
            line = read_json(file.readline())
        except NotStrictJson as error:
            raise _bad(path, number, str(error)) from None
        members = list(line.items()) if isinstance(line, Mapping) else []
        if len(members) != 1 or members[0][0] not in {"run", "text", "outcome"}:
            raise _bad(path, number, "is none of a results file: run, text or outcome")
        yield number, *members[0]


def _results_of(head: _RunLine) -> ComparisonResults:
    spec = ComparisonSpec(
        dataset=head.dataset,
        schema=schema_from(str(head.schema.get("name")), head.schema, version=head.schema_version),
        texts=(),
        contestants=head.contestants,
        repeats=head.repeats,
        seed=head.seed,
    )
    provenance = Provenance(program=head.program, asked_at=head.started_at, command=head.command)
    return ComparisonResults(spec=spec, provenance=provenance)


def _bad(path: Path, number: int, detail: str) -> InvalidInput:
    return InvalidInput.of([Violation(pointer=str(path), detail=f"line {number}: {detail}")])
