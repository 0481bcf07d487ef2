"""`storekeeper extraction-schemas`: the named record shapes, as files."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn

import click
import yaml

from domain.errors import InvalidInput
from domain.extraction.definition import definition_of
from domain.extraction.schema import Schema
from domain.extraction.schema_service import is_built_in
from domain.orders.model import MAX_INT
from entrypoints.cli.running import over_container
from entrypoints.cli.schema_files import read_schema
from entrypoints.container import Container
from entrypoints.settings import DatabaseSettings, SchemaSettings


@click.group("extraction-schemas")
def command() -> None:
    """Define, show and delete the records that texts become."""


@command.command("list")
def list_command() -> None:
    """List the schemas with their newest version."""

    async def work(container: Container) -> None:
        for schema in await container.extraction_schemas().list():
            origin = "built in" if is_built_in(schema.name) else "yours"
            names = ", ".join(field.name for field in schema.fields)
            click.echo(f"{schema.name:<24} v{schema.version:<3} {origin:<8}  {names}")

    _run(work)


@command.command("show")
@click.argument("name")
@click.option(
    "--version", type=click.IntRange(1, MAX_INT), help="An older version; the newest if not given."
)
def show_command(*, name: str, version: int | None) -> None:
    """Print a schema as YAML that `put` takes."""

    async def work(container: Container) -> None:
        schema = await container.extraction_schemas().get(name, version)
        document = {"name": schema.name, "version": schema.version, **definition_of(schema)}
        click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)

    _run(work)


@command.command("put")
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

    _run(work, SchemaSettings, kept="Schemas named above are stored.")


@command.command("delete")
@click.argument("name")
def delete_command(*, name: str) -> None:
    """Delete a schema that no result names, with all its versions."""

    async def work(container: Container) -> None:
        await container.schema_registry(models={}).remove(name)  # models matter to definitions
        click.echo(f"{name} deleted")

    _run(work)


def _read(file: Path) -> Schema:
    """The schema in a file; ends the process (2) with every fault of a bad one."""
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
    sys.exit(2)
