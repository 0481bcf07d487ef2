"""Named statements from `sql/queries/*.sql`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from adapters.postgres.files import SQL_DIR

_HEADER = re.compile(r"^-- name: (?P<name>[a-z_]+)$", re.MULTILINE)
_QUOTED = re.compile(r"^ *@(?P<name>[a-z_]+)$", re.MULTILINE)
_COMMENT = re.compile(r"--.*$", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w]):(?P<name>[a-z_]+)")


class Query:
    """A statement with parameters written `:name`.

    Attributes:
        sql: the text with `$1`, `$2`, ... in order of first appearance.
    """

    def __init__(self, text: str) -> None:
        plain = _COMMENT.sub("", text)
        self._names = tuple(dict.fromkeys(_PARAMETER.findall(plain)))
        self.sql = _PARAMETER.sub(lambda found: f"${self._names.index(found['name']) + 1}", plain)

    def args(self, **values: Any) -> tuple[Any, ...]:
        """The arguments in the order of the text; values that it does not name are left out.

        Raises:
            KeyError: a parameter has no value.
        """
        return tuple(values[name] for name in self._names)


@cache
def load_queries(area: str) -> Mapping[str, Query]:
    """The statements of `sql/queries/<area>.sql` by name.

    A line `@other` stands for the statement `other` of the same file, which comes before it.

    Raises:
        ValueError: a name occurs twice.
        KeyError: `@other` names no statement before it.
    """
    parts = _HEADER.split((SQL_DIR / "queries" / f"{area}.sql").read_text(encoding="utf-8"))
    texts: dict[str, str] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        if name in texts:
            raise ValueError(f"{area}.sql names {name} twice")
        text = _COMMENT.sub("", body).strip().rstrip(";")
        texts[name] = _QUOTED.sub(lambda found: texts[found["name"]], text)
    return {name: Query(text) for name, text in texts.items()}
