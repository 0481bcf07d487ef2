"""The SQL files, and the named statements of `sql/queries/*.sql`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

_PACKAGED = Path(__file__).with_name("sql")

SQL_DIR = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parents[3] / "sql"
"""In the installed package, or beside `src/` in a checkout."""

_HEADER = re.compile(r"^-- name: (?P<name>[a-z_]+)$", re.MULTILINE)
_QUOTED = re.compile(r"^ *@(?:(?P<area>[a-z_]+)\.)?(?P<name>[a-z_]+)$", re.MULTILINE)
_COMMENT = re.compile(r"--.*$", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w]):(?P<name>[a-z_]+)")


class NamedParameterQuery:
    """A statement with parameters written `:name`.

    Attributes:
        text: as written, without comments.
        sql: the text with `$1`, `$2`, ... in order of first appearance.
    """

    def __init__(self, text: str) -> None:
        self.text = _COMMENT.sub("", text)
        self._names = tuple(dict.fromkeys(_PARAMETER.findall(self.text)))
        self.sql = _PARAMETER.sub(
            lambda found: f"${self._names.index(found['name']) + 1}", self.text
        )

    def args(self, **values: Any) -> tuple[Any, ...]:
        """The arguments in the order of the text; values that it does not name are left out.

        Raises:
            KeyError: a parameter has no value.
        """
        return tuple(values[name] for name in self._names)

    def filled(self, texts: Mapping[str, str]) -> str:
        """The statement with a piece of SQL in place of each parameter, for a script.

        Raises:
            KeyError: a parameter has no text.
        """
        return _PARAMETER.sub(lambda found: f"({texts[found['name']]})", self.text)


@cache
def load_queries(area: str) -> Mapping[str, NamedParameterQuery]:
    """The statements of `sql/queries/<area>.sql` by name.

    A line `@other` stands for the statement `other` of the same file, which comes before it, and
    `@area.other` for one of another file.

    Raises:
        ValueError: a name occurs twice.
        KeyError: `@other` names no statement there, or none before it.
    """
    parts = _HEADER.split((SQL_DIR / "queries" / f"{area}.sql").read_text(encoding="utf-8"))
    found: dict[str, NamedParameterQuery] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        if name in found:
            raise ValueError(f"{area}.sql names {name} twice")
        text = _COMMENT.sub("", body).strip().rstrip(";")
        found[name] = NamedParameterQuery(_QUOTED.sub(partial(_text, here=found), text))
    return found


def _text(quoted: re.Match[str], here: Mapping[str, NamedParameterQuery]) -> str:
    queries = here if quoted["area"] is None else load_queries(quoted["area"])
    return queries[quoted["name"]].text
