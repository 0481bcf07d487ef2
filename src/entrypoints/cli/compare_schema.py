"""The schema that a command names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import yaml

from domain.extraction.builtin import BUILT_IN
from domain.extraction.definition import schema_from
from domain.extraction.schema import Schema
from entrypoints.cli.reading import settings_or_exit
from entrypoints.container import open_container

_FILES: Final = frozenset({".yaml", ".yml", ".json"})


async def find_schema(name: str) -> Schema:
    """A built-in schema, one of a file, or one of the database, which is asked last.

    Raises:
        InvalidInput: the file holds no schema; names everything that is wrong.
        NotFound: the database has no such schema.
    """
    for schema in BUILT_IN:
        if schema.name == name:
            return schema
    path = Path(name)
    if path.suffix.lower() in _FILES:
        return _of_file(path)
    async with open_container(settings_or_exit()) as container:
        found: Schema = await container.extraction_schemas().get(name)
        return found


def _of_file(path: Path) -> Schema:
    try:
        document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise click.UsageError(f"--schema: {path} cannot be read: {error}") from error
    name = document.get("name") if isinstance(document, dict) else None
    return schema_from(name if isinstance(name, str) else path.stem, document)
