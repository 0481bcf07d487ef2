"""The documents that `storekeeper extract` is given."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Final, cast

from domain.errors import InvalidInput, Violation
from domain.jobs.items import Document
from domain.jobs.service import check_document
from entrypoints.documents import check_lines, documents_of

FORMS: Final = ("text", "lines", "ndjson", "csv")
STDIN: Final = "-"
_BY_SUFFIX: Final = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
}
_IN_MEMORY_BYTES: Final = 1_048_576
_MOST_VIOLATIONS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file of documents, or the standard input.

    Attributes:
        name: the file's name, or how the standard input is called towards people.
        spool: what came from the standard input; None for a file, opened each time it is read.
        form: one of `FORMS`.
        text_column, id_column: of a CSV file; without the latter documents are named by line.
    """

    name: str
    spool: IO[bytes] | None
    form: str
    text_column: str
    id_column: str

    def check(self) -> int:
        """How many documents it holds.

        Raises:
            InvalidInput: names what is wrong, and where.
            OSError: the file cannot be read.
        """
        try:
            if self.form == "ndjson":
                with self._opened() as file:
                    # As with the columns of a CSV file, what else is there is left alone.
                    return check_lines(file, others=True)
            violations: list[Violation] = []
            count = 0
            for count, document in enumerate(self.documents(), start=1):  # noqa: B007 (the last)
                violations += check_document(document, document.id or "")
                if len(violations) >= _MOST_VIOLATIONS:
                    break
            if violations:
                raise InvalidInput.of(violations)
            if not count:
                raise InvalidInput.of([Violation(pointer="", detail="holds no document")])
        except InvalidInput as error:
            raise InvalidInput.of([self._named(each) for each in error.violations]) from None
        except UnicodeDecodeError:
            raise InvalidInput.of([Violation(pointer=self.name, detail="is not UTF-8")]) from None
        return count

    def _named(self, violation: Violation) -> Violation:
        # Lines of JSON name their line in the detail, other documents have it in their id.
        place = violation.pointer.removesuffix("/text").removesuffix("/id")
        inner = "" if self.form == "ndjson" or place == self.name else place
        detail = f"{inner.removeprefix(self.name).lstrip(':')} {violation.detail}".strip()
        return Violation(pointer=self.name, detail=detail)

    def documents(self) -> Iterator[Document]:
        """Its documents, from the first.

        Raises:
            InvalidInput: a CSV file without the text column.
            UnicodeDecodeError: not UTF-8.
        """
        with self._opened() as file:
            if self.form == "ndjson":
                yield from documents_of(file)
            elif self.form == "text":
                yield Document(text=file.read().decode("utf-8-sig"), id=self.name)
            else:
                reader = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
                try:
                    yield from self._rows(reader) if self.form == "csv" else self._lines(reader)
                finally:
                    reader.detach()  # the spool stays open

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        if self.spool is None:
            with Path(self.name).open("rb") as file:
                yield file
        else:
            self.spool.seek(0)
            yield self.spool

    def _lines(self, reader: IO[str]) -> Iterator[Document]:
        for number, line in enumerate(reader, start=1):
            if text := line.strip():
                yield Document(text=text, id=f"{self.name}:{number}")

    def _rows(self, reader: IO[str]) -> Iterator[Document]:
        rows = csv.DictReader(reader)
        heading = rows.fieldnames or ()
        if self.text_column not in heading:
            detail = (
                f"has no column {self.text_column!r}; it has {', '.join(heading) or 'none'}."
                " Name the right one by --text-column"
            )
            raise InvalidInput.of([Violation(pointer="", detail=detail)])
        for row in rows:
            own = row.get(self.id_column) or f"{self.name}:{rows.line_num}"
            yield Document(text=row[self.text_column] or "", id=own)


def open_sources(
    paths: Sequence[str], *, form: str | None, text_column: str, id_column: str
) -> list[Source]:
    """The sources; the standard input is read to its end.

    Args:
        paths: names of files; `-` for the standard input.
        form: one of `FORMS`; None goes by the file's ending, and by a look at standard input.
        text_column: column of a CSV file that holds the text.
        id_column: column that names it, if there is such a column.
    """
    found = []
    for path in paths:
        spool: IO[bytes] | None = None
        guess = _BY_SUFFIX.get(Path(path).suffix.lower(), "text")
        if path == STDIN:
            spool = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 (ends with us)
            # One piece at a time: read() would not look for a signal between two.
            stdin = cast(BufferedReader, sys.stdin.buffer)
            while piece := stdin.read1(_IN_MEMORY_BYTES):
                spool.write(piece)
            guess = _look_at(spool)
        found.append(
            Source(
                name="stdin" if spool else path,
                spool=spool,
                form=form or guess,
                text_column=text_column,
                id_column=id_column,
            )
        )
    return found


def _look_at(file: IO[bytes]) -> str:
    file.seek(0)
    start = file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    return "ndjson" if start.startswith((b"{", b'"')) else "text"
