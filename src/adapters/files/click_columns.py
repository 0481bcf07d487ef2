"""Which columns of a file hold the searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.files.content import unfit
from domain.insights.bulk import COLUMNS, REQUIRED
from domain.text import closest


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickColumns:
    """The names of the columns in a file.

    Attributes:
        named: the file's name for a column of `COLUMNS`, where it is another.
        dated: whether the rows name their day; if not, one is given for all.
    """

    named: Mapping[str, str]
    dated: bool

    def name(self, column: str) -> str:
        """What the file calls `column`."""
        return self.named.get(column, column)

    def among(self, heading: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        """The columns of `COLUMNS` that are in the file, and its names of what is not read.

        Raises:
            InvalidInput: names every column that is missing or there twice.
        """
        wanted = {column: self.name(column) for column in COLUMNS}
        needed = {*REQUIRED, *self.named, *(["search_date"] if self.dated else [])}
        missing = [column for column in COLUMNS if column in needed]
        missing = [column for column in missing if wanted[column] not in heading]
        if missing:
            raise unfit("; ".join(self._missing(column, heading) for column in missing))
        if len(set(wanted.values())) < len(wanted):
            raise unfit("cannot have one column for two: see --column")
        twice = [name for name in wanted.values() if heading.count(name) > 1]
        if twice:
            raise unfit(f"has the column {twice[0]!r} twice")
        found = [column for column, name in wanted.items() if name in heading]
        read = {wanted[column] for column in found}
        return found, [name for name in heading if name and name not in read]

    def _missing(self, column: str, heading: Sequence[str]) -> str:
        shown = ", ".join(map(repr, heading[:20])) or "none"
        others = [name for name in heading if name not in map(self.name, COLUMNS)]
        folded = {name.casefold(): name for name in others}
        close = closest(self.name(column).casefold(), folded, likeness=0.5)
        example = "NAME" if close is None else folded[close]
        remedy = f"name it by --column {column}={example}"
        if column == "search_date":
            remedy += ", or give all rows a day by --date"
        return f"has no column {self.name(column)!r} (it has {shown}): {remedy}"

    def __str__(self) -> str:
        """In a line that is the same each time."""
        renamed = [f"{column}={self.named[column]}" for column in COLUMNS if column in self.named]
        return ", ".join(["", *renamed]) if renamed else ""
