"""Schemas that commands name, and the files that hold them."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any, Final

from domain.errors import InvalidInput, Violation
from domain.extraction.definition import schema_from
from domain.extraction.schema import BUILT_IN, Schema
from domain.strict_json import NotStrictJson, read_json
from entrypoints.cli.reading import settings_or_exit
from entrypoints.container import open_container
from entrypoints.settings import DatabaseSettings
from entrypoints.yaml_documents import read_yaml

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
        InvalidInput: see `read_yaml` and `strict_json.read_json`.
    """
    content = file.read_bytes()
    if file.suffix.lower() != ".json":
        return read_yaml(content)
    try:
        return read_json(content.removeprefix(codecs.BOM_UTF8))
    except NotStrictJson as error:
        raise InvalidInput(f"it {error}") from None
