"""How commands run over the container."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from domain.errors import AppError, InvalidInput
from entrypoints.cli.reading import database_settings_or_exit, settings_or_exit
from entrypoints.container import Container, open_container, over_database

T = TypeVar("T")


def over_container(name: str, work: Callable[[Container], Awaitable[T]]) -> T:
    """Run `work` over the real parts; ends the process (1) with a clear line when it is refused."""
    settings = settings_or_exit()

    async def run() -> T:
        async with open_container(settings) as container:
            return await work(container)

    return or_exit(name, run)


def over_the_database(name: str, work: Callable[[Container], Awaitable[T]]) -> T:
    """The same for work that needs the database alone, and no other setting."""
    settings = database_settings_or_exit()

    async def run() -> T:
        async with over_database(settings) as container:
            return await work(container)

    return or_exit(name, run)


def or_exit(name: str, work: Callable[[], Awaitable[T]]) -> T:
    """Run `work`; ends the process (1) with a line for each thing that is wrong."""

    async def run() -> T:
        return await work()

    try:
        return asyncio.run(run())
    except InvalidInput as error:
        lines = [f"{_place(each.pointer)} {each.detail}" for each in error.violations]
        reason = "\n".join(lines or [str(error)])
    except (AppError, OSError) as error:
        reason = str(error)
    click.echo(f"storekeeper {name}: {reason}", err=True)
    sys.exit(1)


def _place(pointer: str) -> str:
    """A member without its slash; a file by the path that was given."""
    return pointer if Path(pointer).is_file() else pointer.lstrip("/")
