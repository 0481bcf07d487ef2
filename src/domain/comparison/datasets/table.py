"""Labelled texts as rows of a table, written and read strictly.

Columns: `id`, `text`, `strata` (divided by `;`), `language`, `template`, `split`, `twin`, and for
each field `gold.<field>`, `span.<field>` (`12-25`) and `attack.<field>`; only `text` must be there.
An empty cell is null, or absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain.comparison.datasets.labels import PLAIN, LabelledTextError, check_names, checked
from domain.comparison.datasets.values import value_of
from domain.comparison.model import LabelledText
from domain.extraction.schema import RecordSchema, Value
from domain.text import inert_cell, plain_cell, suggestion

_GOLD, _SPAN, _ATTACK = "gold", "span", "attack"
_OFFSETS: Final = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")


def columns_of(schema: RecordSchema) -> tuple[str, ...]:
    """The columns of a table of labelled texts."""
    kinds = (_GOLD, _SPAN, _ATTACK)
    labels = (f"{kind}.{field.name}" for kind in kinds for field in schema.fields)
    return ("id", "text", "strata", *PLAIN, *labels)


def cells_of(text: LabelledText, schema: RecordSchema) -> tuple[str, ...]:
    """A text with gold as a row under `columns_of`.

    What a spreadsheet would run as a formula is led by an apostrophe, which reading takes away.
    """
    names = [field.name for field in schema.fields]
    spans = [text.spans.get(name) for name in names]
    return (
        *map(
            inert_cell,
            (
                *(text.id, text.text, ";".join(text.strata)),
                *(text.language, text.template, text.split, text.twin or ""),
            ),
        ),
        *(_cell((text.gold or {}).get(name)) for name in names),
        *("" if span is None else f"{span[0]}-{span[1]}" for span in spans),
        *(_cell((text.attack or {}).get(name)) for name in names),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHeader:
    """The columns that a table has.

    Attributes:
        schema: whose fields the labels name.
        names: of the columns, in order; others than `columns_of` are left alone.

    Raises:
        LabelledTextError: a column is missing, stands twice, looks misspelt or names no field.
    """

    schema: RecordSchema
    names: Sequence[str]

    def __post_init__(self) -> None:
        known = columns_of(self.schema)
        for name in self.names:
            if self.names.count(name) > 1:
                raise LabelledTextError(f"has the column {name!r} twice")
            if name.partition(".")[0] in (_GOLD, _SPAN, _ATTACK) and name not in known:
                raise LabelledTextError(
                    f"has the unknown column {name!r}; {suggestion(name, known, repr)}"
                )
        check_names(self.names, known)
        if "text" not in self.names:
            raise LabelledTextError(
                f"has no column 'text'; it has {', '.join(self.names) or 'none'}"
            )
        missing = [name for name in self._gold_names if name not in self.names]
        if 0 < len(missing) < len(self._gold_names):
            raise LabelledTextError(f"has gold of some fields only: it lacks {', '.join(missing)}")

    @property
    def _gold_names(self) -> list[str]:
        return [f"{_GOLD}.{field.name}" for field in self.schema.fields]

    def text_of(self, cells: Sequence[str], *, number: int) -> LabelledText:
        """The labelled text of a row.

        Args:
            cells: in the order of the columns, one for each.
            number: of the row's line, which names a text without an id.

        Raises:
            LabelledTextError: says what is wrong with it.
        """
        row = dict(zip(self.names, map(plain_cell, cells), strict=True))
        given = {name: row[name] for name in ("id", "text", *PLAIN) if row.get(name)}
        attack = {name: v for name, v in self._values(row, _ATTACK).items() if v is not None}
        spans = {field.name: row.get(f"{_SPAN}.{field.name}", "") for field in self.schema.fields}
        return checked(
            given,
            self.schema,
            number,
            strata=[each.strip() for each in row.get("strata", "").split(";") if each.strip()],
            gold=self._values(row, _GOLD) if self._gold_names[0] in row else None,
            attack=attack or None,
            spans={name: _span(name, cell) for name, cell in spans.items() if cell.strip()},
        )

    def _values(self, row: Mapping[str, str], kind: str) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for field in self.schema.fields:
            try:
                found[field.name] = value_of(field, row.get(f"{kind}.{field.name}", ""))
            except ValueError as error:
                raise LabelledTextError(f"has `{kind}.{field.name}` that {error}") from None
        return found


def _span(name: str, cell: str) -> tuple[int, int]:
    match = _OFFSETS.fullmatch(cell.strip())
    if match is None:
        raise LabelledTextError(f"must have start and end, such as 12-25, as `{_SPAN}.{name}`")
    return int(match[1]), int(match[2])


def _cell(value: Any) -> str:
    if isinstance(value, list | bool):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        return inert_cell(value)
    return "" if value is None else str(value)
