"""`storekeeper extraction-schemas`: the named record shapes, as files.

And the schemas that other commands name.
"""

from __future__ import annotations

import codecs
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NoReturn

import click
import msgspec
import yaml

from domain.errors import InvalidInput, Violation
from domain.extraction.definition import definition_of, schema_from
from domain.extraction.schema import BUILT_IN, RecordSchema
from domain.extraction.schema_service import is_built_in
from domain.records.orders import MAX_INT
from domain.strict_json import NotStrictJson, read_json
from entrypoints.cli.environment import settings_or_exit
from entrypoints.cli.options import examples, help_end, one_of
from entrypoints.cli.running import over_container
from entrypoints.cli.tables import echo_json
from entrypoints.container.services import Container, open_container
from entrypoints.http.extraction.schemas import schema_view
from entrypoints.settings import DatabaseSettings, SchemaCommandSettings
from entrypoints.strict_yaml import read_yaml

_ENDINGS: Final = frozenset({".yaml", ".yml", ".json"})


@click.group("extraction-schemas", epilog=examples("storekeeper extraction-schemas list"))
def command() -> None:
    """Define, show and delete the records that texts become."""


@command.command(
    "list",
    epilog=help_end(
        "storekeeper extraction-schemas list", "storekeeper extraction-schemas list --json"
    ),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_command(*, as_json: bool) -> None:
    """List the schemas with their newest version."""

    async def work(container: Container) -> None:
        schemas = await container.extraction_schemas().list()
        if as_json:
            echo_json({"schemas": [msgspec.to_builtins(schema_view(each)) for each in schemas]})
            return
        for schema in schemas:
            origin = "built in" if is_built_in(schema.name) else "yours"
            names = ", ".join(field.name for field in schema.fields)
            click.echo(f"{schema.name:<24} v{schema.version:<3} {origin:<8}  {names}")

    _run(work)


@command.command(
    "show",
    epilog=help_end(
        "storekeeper extraction-schemas show order_message",
        "storekeeper extraction-schemas show order_message --version 1 > order.yaml",
    ),
)
@click.argument("name", shell_complete=one_of(*(each.name for each in BUILT_IN)))
@click.option(
    "--version", type=click.IntRange(1, MAX_INT), help="An older version; the newest if not given."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def show_command(*, name: str, version: int | None, as_json: bool) -> None:
    """Print a schema as YAML that `put` takes, as it takes JSON too."""

    async def work(container: Container) -> None:
        schema = await container.extraction_schemas().get(name, version)
        document = {"name": schema.name, "version": schema.version, **definition_of(schema)}
        if as_json:
            echo_json(document)
            return
        click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)

    _run(work)


@command.command(
    "put",
    epilog=help_end("storekeeper extraction-schemas put complaint.yaml"),
)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
def put_command(*, files: tuple[Path, ...]) -> None:
    """Define schemas by YAML or JSON files, each with `name` and `fields`.

    All files are read before the first one is stored. A changed definition becomes the schema's
    next version; results keep the version that they were made with.
    """
    schemas = [_read(file) for file in files]

    async def work(container: Container) -> None:
        for schema in schemas:
            stored, new = await container.schema_registry().register(schema)
            what = "stored" if new else "is unchanged"
            click.echo(f"{stored.name} v{stored.version} {what}")

    _run(work, SchemaCommandSettings, kept="Schemas named above are stored.")


@command.command("delete", epilog=help_end("storekeeper extraction-schemas delete complaint"))
@click.argument("name")
def delete_command(*, name: str) -> None:
    """Delete a schema that no result names, with all its versions."""

    async def work(container: Container) -> None:
        await container.schema_registry(models={}).remove(name)  # models matter to definitions
        click.echo(f"{name} deleted")

    _run(work)


def _read(file: Path) -> RecordSchema:
    """The schema in a file; ends the process (1) with every fault of a bad one."""
    try:
        return read_schema(file)
    except InvalidInput as error:
        _fail(f"{file} cannot be used", error)


def _run(
    work: Callable[[Container], Awaitable[None]],
    kind: type[DatabaseSettings] = DatabaseSettings,
    *,
    kept: str = "Nothing was changed.",
) -> None:
    async def whole(container: Container) -> None:
        try:
            await work(container)
        except InvalidInput as error:
            _fail("storekeeper extraction-schemas", error)

    over_container("extraction-schemas", whole, kind, kept=kept)


def _fail(where: str, error: InvalidInput) -> NoReturn:
    click.echo(f"{where}: {error}", err=True)
    for each in error.violations:
        click.echo(f"  {each.pointer or '/'} {each.detail}", err=True)
    sys.exit(1)


def read_schema(file: Path) -> RecordSchema:
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


async def find_schema(name: str) -> RecordSchema:
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
        found: RecordSchema = await container.extraction_schemas().get(name)
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
