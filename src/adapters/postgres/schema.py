"""The tables that `sql/schema.sql` makes, read from it: what a database is held to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from adapters.postgres.queries import SQL_DIR

HISTORY: Final = "schema_migrations"
"""The table of the migrations themselves."""

_TABLE: Final = re.compile(r"^CREATE TABLE (\w+) \(\n(.*?)\n\)", re.MULTILINE | re.DOTALL)
_COMMENT: Final = re.compile(r" *--.*$", re.MULTILINE)
_COLUMN: Final = re.compile(
    r"""
    (?P<name>\w+)
    \ (?P<type>DOUBLE\ PRECISION|\w+(?:\(\d+(?:,\ \d+)?\))?(?:\[\])?)
    (?:\ COLLATE\ "C")?
    (?P<not_null>\ NOT\ NULL)?
    (?:\ DEFAULT\ (?P<default>.+))?
    (?P<made>\ GENERATED\ ALWAYS\ AS\ .+)?
    (?:\ CONSTRAINT\ .+)?
    """,
    re.VERBOSE,
)
_KEY: Final = re.compile(r"CONSTRAINT (\w+) ((?:PRIMARY|FOREIGN) KEY .+)")
_TYPES: Final = {
    "serial": "integer",
    "int": "integer",
    "float": "double precision",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as the file says it.

    Attributes:
        name: its name.
        type: as `format_type` of PostgreSQL spells it, without a collation.
        not_null: whether it always has a value.
        default: the SQL of its default; None without one.
        is_numbered: a sequence of its own gives its values.
        is_computed: it is made of other columns.
        definition: as ADD COLUMN takes it.
    """

    name: str
    type: str
    not_null: bool
    default: str | None
    is_numbered: bool
    is_computed: bool
    definition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as the file says it.

    Attributes:
        name: its name.
        columns: by name.
        keys: the primary and foreign keys by name, as ADD CONSTRAINT takes them.
    """

    name: str
    columns: Mapping[str, Column]
    keys: Mapping[str, str]


@cache
def tables() -> Mapping[str, Table]:
    """Our tables by name, each after those that it refers to; not that of the migrations."""
    made = {}
    text = (SQL_DIR / "schema.sql").read_text(encoding="utf-8")
    for name, body in _TABLE.findall(text):
        if name == HISTORY:
            continue
        parts = list(_parts(_COMMENT.sub("", body)))
        columns = [_column(part) for part in parts if not part.startswith("CONSTRAINT ")]
        keys = {found[1]: found[2] for part in parts if (found := _KEY.fullmatch(part))}
        made[name] = Table(name=name, columns={each.name: each for each in columns}, keys=keys)
    return made


@cache
def numbered() -> Mapping[str, tuple[str, str]]:
    """Table and column of each id that a sequence gives, by the name of the table's key."""
    return {
        f"{table.name}_pkey": (table.name, column.name)
        for table in tables().values()
        for column in table.columns.values()
        if column.is_numbered
    }


def _parts(body: str) -> Iterator[str]:
    """What commas outside of brackets divide, each in one line."""
    depth, part = 0, ""
    for letter in body:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            yield " ".join(part.split())
            part = ""
        else:
            part += letter
    yield " ".join(part.split())


def _column(part: str) -> Column:
    found = _COLUMN.fullmatch(part)
    assert found is not None, part
    spelt, made = found["type"].lower(), found["made"] or ""
    is_numbered = spelt == "serial" or made.endswith("IDENTITY")
    return Column(
        name=found["name"],
        type=_TYPES.get(spelt, spelt.replace("varchar", "character varying").replace(", ", ",")),
        not_null=found["not_null"] is not None or is_numbered,
        default=found["default"],
        is_numbered=is_numbered,
        is_computed=made.endswith("STORED"),
        definition=part,
    )
