"""Files of labelled texts, NDJSON or CSV: the made ones and a user's own."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Final

from adapters.files.csv_rows import CsvTable
from adapters.files.line_files import LineFile, MalformedRow, unpack_text_file
from domain.comparison.datasets.labels import LabelledTextError, faults_between
from domain.comparison.datasets.lines import line_of, text_of
from domain.comparison.datasets.table import TableHeader, cells_of, columns_of
from domain.comparison.model import LabelledText
from domain.errors import InvalidInput, Violation
from domain.extraction.schema import RecordSchema
from domain.strict_json import LONGEST_LINE, NotStrictJson, read_json_line

DATASET_FORMATS: Final = ("ndjson", "csv")
_MOST_VIOLATIONS: Final = 100


def dataset_format_of(path: Path) -> str:
    """The format that the ending of a file tells: `csv`, else `ndjson`."""
    suffixes = [each.lower() for each in path.suffixes]
    return "csv" if suffixes[-1:] == [".csv"] or suffixes[-2:] == [".csv", ".gz"] else "ndjson"


def read_labelled_texts(
    file: IO[bytes], schema: RecordSchema, *, form: str = "ndjson"
) -> list[LabelledText]:
    """The texts of a file, with or without gold.

    Args:
        file: can be sought; may be packed by gzip.
        schema: whose fields the labels name.
        form: one of `DATASET_FORMATS`.

    Raises:
        InvalidInput: names every bad line by its number, up to 100 of them; or there is no text.
    """
    found: list[tuple[int, LabelledText]] = []
    faults: list[tuple[int, str]] = []
    with unpack_text_file(file, LONGEST_LINE) as content:
        for number, read in (_rows if form == "csv" else _lines)(content, schema):
            if isinstance(read, LabelledText):
                found.append((number, read))
            else:
                faults.append((number, read))
            if len(faults) == _MOST_VIOLATIONS:
                break
    faults = faults or list(islice(faults_between(found), _MOST_VIOLATIONS))
    if faults:
        violations = [
            Violation(pointer=f"/{number}", detail=f"line {number} {fault}")
            for number, fault in faults
        ]
        if len(faults) == _MOST_VIOLATIONS:
            detail = "has more lines; they are looked at once these are mended"
            violations.append(Violation(pointer="", detail=detail))
        raise InvalidInput.of(violations)
    if not found:
        raise InvalidInput.of([Violation(pointer="", detail="must hold a text at least")])
    return [text for _, text in found]


def write_labelled_texts(
    file: IO[bytes], texts: Iterable[LabelledText], schema: RecordSchema, *, form: str = "ndjson"
) -> None:
    """Write texts so that they are read as the same.

    Args:
        file: to write to; it stays open.
        texts: in CSV each with gold, as a row cannot tell unknown from null.
        schema: whose fields the labels name.
        form: one of `DATASET_FORMATS`.
    """
    target = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    if form == "csv":
        writer = csv.writer(target)
        writer.writerow(columns_of(schema))
        writer.writerows(cells_of(text, schema) for text in texts)
    else:
        target.writelines(line_of(text) for text in texts)
    target.detach()


_Read = tuple[int, LabelledText | str]
"""The number of a line, and its text or what is wrong with it."""


def _lines(content: LineFile, schema: RecordSchema) -> Iterator[_Read]:
    for number, line in content.lines():
        if isinstance(line, MalformedRow):
            yield number, line.why
        elif line.strip():
            try:
                yield number, text_of(read_json_line(line, number), schema, number=number)
            except (LabelledTextError, NotStrictJson) as error:
                yield number, str(error)


def _rows(content: LineFile, schema: RecordSchema) -> Iterator[_Read]:
    try:
        table = CsvTable(content, ",")
        heading = TableHeader(schema=schema, names=table.heading)
    except LabelledTextError as error:
        yield 1, str(error)
        return
    except InvalidInput as error:
        yield from ((1, each.detail) for each in error.violations)
        return
    for number, row in table.rows():
        yield number, row.why if isinstance(row, MalformedRow) else _row(heading, row, number)


def _row(heading: TableHeader, cells: Sequence[str], number: int) -> LabelledText | str:
    try:
        return heading.text_of(cells, number=number)
    except LabelledTextError as error:
        return str(error)
