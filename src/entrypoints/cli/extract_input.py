"""The documents that `storekeeper extract` is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from domain.errors import InvalidInput, Violation
from domain.extraction.jobs.items import Document
from domain.extraction.jobs.service import check_document
from domain.strict_json import LONGEST_LINE
from entrypoints.cli.options import delimiter_of, inner_suffix, keep, pipe_name
from entrypoints.container.commands import (
    CsvTable,
    LineFile,
    MalformedRow,
    open_text_file,
    unpack_text_file,
)
from entrypoints.document_lines import check_lines, documents_of

FORMS: Final = ("text", "lines", "ndjson", "csv")
ID_COLUMN: Final = "id"
_BY_SUFFIX: Final = {
    **dict.fromkeys((".ndjson", ".jsonl"), "ndjson"),
    **dict.fromkeys((".csv", ".tsv", ".tab"), "csv"),
}
_IN_MEMORY_BYTES: Final = 1_048_576
_MOST_VIOLATIONS: Final = 100
_Read = tuple[int, Document | str]
"""The number of a line, and the document there or what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSource:
    """One file of documents, or what came by a pipe.

    Attributes:
        name: the file's name, or how the standard input is called towards people.
        spool: what came by a pipe; None for a file, opened each time it is read.
        form: one of `FORMS`.
        text_column, id_column: of a CSV file; without the latter documents are named by line.
        delimiter: between the fields of a CSV file.
    """

    name: str
    spool: IO[bytes] | None
    form: str
    text_column: str
    id_column: str
    delimiter: str

    def check(self) -> int:
        """How many documents it holds.

        Raises:
            InvalidInput: names what is wrong, and where.
            OSError: the file cannot be read.
        """
        try:
            with self._opened() as content:
                if self.form == "ndjson":
                    # As with the columns of a CSV file, what else is there is left alone.
                    return check_lines(content.file, others=True)
                return self._check(content)
        except InvalidInput as error:
            raise InvalidInput.of(
                [Violation(pointer=self.name, detail=each.detail) for each in error.violations]
            ) from None

    def _check(self, content: LineFile) -> int:
        violations: list[Violation] = []
        count = 0
        for line, found in self._read(content):
            count += 1
            where = f"line {line} " if self.form != "text" else ""
            faults = [found] if isinstance(found, str) else _faults(found)
            violations += (Violation(pointer="", detail=where + fault) for fault in faults)
            if len(violations) >= _MOST_VIOLATIONS:
                detail = "has more bad lines; they are named once these are mended"
                violations.append(Violation(pointer="", detail=detail))
                break
        if violations:
            raise InvalidInput.of(violations)
        if not count:
            raise InvalidInput.of([Violation(pointer="", detail="holds no document")])
        return count

    def documents(self) -> Iterator[Document]:
        """The documents of a file that `check` passed, from the first.

        Raises:
            InvalidInput, OSError: it cannot be read any more.
        """
        with self._opened() as content:
            if self.form == "ndjson":
                yield from documents_of(content.file)
            else:
                for _, found in self._read(content):
                    if isinstance(found, Document):
                        yield found

    @contextmanager
    def _opened(self) -> Iterator[LineFile]:
        longest = LONGEST_LINE
        with (
            open_text_file(Path(self.name), longest)
            if self.spool is None
            else unpack_text_file(self.spool, longest)
        ) as content:
            yield content

    def _read(self, content: LineFile) -> Iterator[_Read]:
        if self.form == "csv":
            yield from self._rows(content)
        elif self.form == "lines":
            yield from self._lines(content)
        else:
            data = content.file.read(content.longest + 1)
            much = len(data) > content.longest
            fault = f"has more than {content.longest} bytes"
            yield 1, fault if much else _text_of(data, self.name)

    def _lines(self, content: LineFile) -> Iterator[_Read]:
        for number, line in content.lines():
            if isinstance(line, MalformedRow):
                yield number, line.why
            elif line.strip():
                found = _text_of(line, f"{self.name}:{number}")
                yield number, found

    def _rows(self, content: LineFile) -> Iterator[_Read]:
        table = CsvTable(content, self.delimiter)
        text, own = self._place(table, self.text_column), None
        if self.id_column in table.heading or self.id_column != ID_COLUMN:
            own = self._place(table, self.id_column)
        for number, row in table.rows():
            if isinstance(row, MalformedRow):
                yield number, row.why
            else:
                name = (own is not None and row[own]) or f"{self.name}:{number}"
                yield number, Document(text=row[text], id=name)

    def _place(self, table: CsvTable, column: str) -> int:
        detail = ""
        if column not in table.heading:
            option = "--text-column" if column == self.text_column else "--id-column"
            found = ", ".join(table.heading) or "none"
            detail = f"has no column {column!r}; it has {found}. Name the right one by {option}"
        elif table.heading.count(column) > 1:
            detail = f"has the column {column!r} twice"
        if detail:
            raise InvalidInput.of([Violation(pointer="", detail=detail)])
        return table.heading.index(column)


def open_sources(
    paths: Sequence[str],
    *,
    form: str | None,
    text_column: str,
    id_column: str,
    delimiter: str | None = None,
) -> list[DocumentSource]:
    """The sources; what comes by a pipe is read to its end.

    Args:
        paths: names of files; `-` for the standard input.
        form: one of `FORMS`; None goes by the file's ending, and by a look at a pipe.
        text_column: column of a CSV file that holds the text.
        id_column: column that names it, if there is such a column.
        delimiter: between the fields of a CSV file; None goes by the file's ending.
    """
    found = []
    for path in paths:
        spool: IO[bytes] | None = None
        guess = _BY_SUFFIX.get(inner_suffix(path), "text")
        pipe = pipe_name(path)
        if pipe is not None:
            spool = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 (ends with us)
            keep(path, spool)
            guess = _look_at(spool, pipe) if form is None else form
        found.append(
            DocumentSource(
                name=pipe or path,
                spool=spool,
                form=form or guess,
                text_column=text_column,
                id_column=id_column,
                delimiter=delimiter_of(delimiter, path),
            )
        )
    return found


def _look_at(file: IO[bytes], name: str) -> str:
    try:
        with unpack_text_file(file, LONGEST_LINE) as content:
            start = content.file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    except InvalidInput as error:
        raise InvalidInput.of(
            [Violation(pointer=name, detail=each.detail) for each in error.violations]
        ) from None
    return "ndjson" if start.startswith((b"{", b'"')) else "text"


def _text_of(data: bytes, name: str) -> Document | str:
    try:
        return Document(text=data.decode("utf-8-sig"), id=name)
    except UnicodeDecodeError as error:
        return f"is not UTF-8 (byte {error.start}): iconv -f WINDOWS-1252 -t UTF-8"


def _faults(document: Document) -> Iterator[str]:
    for violation in check_document(document, ""):
        named = "id " if violation.pointer == "/id" else ""
        yield f"{named}{violation.detail}"
