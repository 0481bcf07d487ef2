"""The page of the tables, made from `sql/schema.sql` with the comments that stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.postgres.queries import SQL_DIR
from adapters.postgres.schema import HISTORY, Table, tables

_COMMENTS: Final = r"(?P<above>(?:^--[^\n]*\n)*)"
_STATEMENT: Final = re.compile(
    rf"^-- (?P<section>\w[\w ]*) -{{9,}}$"
    rf"|{_COMMENTS}^CREATE TABLE (?P<table>\w+) \(\n(?P<body>.*?)\n\)"
    rf"|{_COMMENTS.replace('above', 'why')}^CREATE (?P<unique>UNIQUE )?INDEX (?P<index>\w+) ON"
    r" (?P<of>\w+) (?P<on>[^;]+);(?: -- (?P<after>[^\n]*))?$",
    re.MULTILINE | re.DOTALL,
)
_CONSTRAINT: Final = re.compile(r"CONSTRAINT (\w+) (.+)")
_FOREIGN: Final = re.compile(r"FOREIGN KEY \(([\w, ]+)\) REFERENCES (\w+) ")
_PRIMARY: Final = re.compile(r"PRIMARY KEY \(([\w, ]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedTable:
    """A table as the file tells it to people.

    Attributes:
        section: the heading that it stands under.
        table: its columns and keys.
        meaning: the comment above it.
        meanings: the comments of columns that have one, by name.
        constraints: SQL of all by name, in the order of the file.
        indexes: what is indexed, and the comment, by name.
    """

    section: str
    table: Table
    meaning: str
    meanings: Mapping[str, str]
    constraints: Mapping[str, str]
    indexes: dict[str, tuple[str, str]]


def described_tables() -> Mapping[str, DescribedTable]:
    """All tables by name, but that of the migrations."""
    section = ""
    found: dict[str, DescribedTable] = {}
    for match in _STATEMENT.finditer((SQL_DIR / "schema.sql").read_text(encoding="utf-8")):
        if match["section"]:
            section = match["section"]
        elif match["table"] and match["table"] != HISTORY:
            parts = list(_parts(match["body"]))
            found[match["table"]] = DescribedTable(
                section=section,
                table=tables()[match["table"]],
                meaning=_words(match["above"]),
                meanings={
                    sql.split()[0]: comment
                    for sql, comment in parts
                    if comment and not sql.startswith("CONSTRAINT ")
                },
                constraints={
                    each[1]: each[2] for sql, _ in parts if (each := _CONSTRAINT.search(sql))
                },
                indexes={},
            )
        elif match["index"]:
            what = (
                f"{'unique ' if match['unique'] else ''}index on `{' '.join(match['on'].split())}`"
            )
            comment = " ".join(filter(None, [_words(match["why"]), match["after"]]))
            found[match["of"]].indexes[match["index"]] = (what, comment)
    return found


def _parts(body: str) -> Iterator[tuple[str, str]]:
    """Columns and constraints, each in one line, with the comments above and beside it."""
    depth, sql, comments = 0, "", list[str]()
    for line in [*body.splitlines(), ","]:
        code, _, comment = line.partition("--")
        sql += f"{code.strip()} "
        comments += [comment.strip()] if comment else []
        depth += code.count("(") - code.count(")")
        if code.rstrip().endswith(",") and not depth:
            yield sql.strip(" ,"), " ".join(comments)
            sql, comments = "", []


def _words(comments: str) -> str:
    """Lines of comments as a paragraph."""
    return " ".join(line.removeprefix("--").strip() for line in comments.splitlines()).strip()


def database_tables() -> str:
    """Every table with its columns, constraints and indexes, under the headings of the file."""
    lines: list[str] = []
    section = ""
    for name, described in described_tables().items():
        if described.section != section:
            section = described.section
            lines += [f"## {section}", ""]
        lines += [f"### `{name}`", ""]
        if described.meaning:
            lines += [_markdown(described.meaning), ""]
        lines += [*_columns(described), ""]
        rows = [
            *(f"- `{key}`: `{sql}`" for key, sql in described.constraints.items()),
            *(
                f"- `{index}`: {what}{f': {_markdown(why)}' if why else ''}"
                for index, (what, why) in described.indexes.items()
            ),
        ]
        lines += [*rows, *([""] if rows else [])]
    return "\n".join(lines).strip()


def _columns(described: DescribedTable) -> Iterator[str]:
    yield "| column | type | null | default | meaning |"
    yield "| --- | --- | --- | --- | --- |"
    for column in described.table.columns.values():
        default = f"`{column.default}`" if column.default else "-"
        if column.is_numbered:
            default = "the next number"
        elif column.is_computed:
            default = "computed"
        null = "no" if column.not_null else "yes"
        meaning = _markdown(described.meanings.get(column.name, ""))
        yield f"| `{column.name}` | {column.type} | {null} | {default} | {meaning} |"


def _markdown(comment: str) -> str:
    """A comment as text: `|` would end a cell, and names with `_` or `*` are code."""
    text = comment.replace("|", "\\|")
    return re.sub(r"(?<![`\w.])((?:\w+\.)?\w*_\w*(?:\.\w+)?)(?![`\w])", r"`\1`", text)


def database_picture() -> str:
    """Which table refers to which, for Mermaid, with the columns that are keys."""
    lines = ["```mermaid", "erDiagram"]
    drawn: dict[str, Sequence[str]] = {}
    for name, described in described_tables().items():
        columns = described.table.columns
        for sql in described.constraints.values():
            if (key := _FOREIGN.match(f"{sql} ")) is None:
                continue
            names = key[1].split(", ")
            always = all(columns[each].not_null for each in names)
            lines.append(
                f'    {key[2]} {"||" if always else "|o"}--o{{ {name} : "{", ".join(names)}"'
            )
            drawn |= dict.fromkeys((key[2], name), ())
    for name in drawn:
        described = described_tables()[name]
        primary, foreign = set[str](), set[str]()
        for sql in described.constraints.values():
            if key := _PRIMARY.match(sql):
                primary |= set(key[1].split(", "))
            elif key := _FOREIGN.match(f"{sql} "):
                foreign |= set(key[1].split(", "))
        lines.append(f"    {name} {{")
        for column in described.table.columns.values():
            kinds = [
                kind for kind, names in (("PK", primary), ("FK", foreign)) if column.name in names
            ]
            if kinds:
                lines.append(f"        {column.type} {column.name} {', '.join(kinds)}")
        lines.append("    }")
    return "\n".join([*lines, "```"])
