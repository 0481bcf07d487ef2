"""Schemas that commands name, and the files that hold them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import yaml

from domain.errors import InvalidInput, Violation
from domain.extraction.builtin import BUILT_IN
from domain.extraction.definition import schema_from
from domain.extraction.schema import Schema
from entrypoints.cli.reading import settings_or_exit
from entrypoints.container import open_container
from entrypoints.settings import DatabaseSettings

_ENDINGS: Final = frozenset({".yaml", ".yml", ".json"})


def read_schema(file: Path) -> Schema:
    """The schema in a YAML or JSON file.

    Raises:
        InvalidInput: it cannot be parsed, or is no schema; names every fault.
        OSError: it cannot be read.
    """
    document = _parse(file)
    name = document.get("name") if isinstance(document, dict) else None
    if not isinstance(name, str):
        raise InvalidInput.of([Violation(pointer="/name", detail="is missing")])
    return schema_from(name, document)


async def find_schema(name: str) -> Schema:
    """A built-in schema, one of a file, or one of the database, which is asked last.

    Raises:
        InvalidInput, OSError: as `read_schema`.
        NotFound: the database has no such schema.
    """
    for schema in BUILT_IN:
        if schema.name == name:
            return schema
    if Path(name).suffix.lower() in _ENDINGS:
        return read_schema(Path(name))
    async with open_container(settings_or_exit(DatabaseSettings)) as container:
        found: Schema = await container.extraction_schemas().get(name)
        return found


def _parse(file: Path) -> Any:
    """The document in a file.

    Raises:
        InvalidInput: not UTF-8, or neither YAML nor JSON.
    """
    try:
        text = file.read_text(encoding="utf-8")
        return json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except (UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        raise InvalidInput(f"it cannot be parsed: {error}") from error
