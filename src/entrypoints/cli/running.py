"""How commands run over the container."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from domain.access.audit import acting_as
from domain.errors import AppError, InvalidInput
from entrypoints.cli.environment import command_actor, settings_or_exit
from entrypoints.cli.process import end_interrupted, run_interruptibly
from entrypoints.container.services import Container, open_container
from entrypoints.settings import DatabaseSettings

T = TypeVar("T")


def over_container(
    name: str,
    work: Callable[[Container], Awaitable[T]],
    kind: type[DatabaseSettings] = DatabaseSettings,
    *,
    kept: str = "Nothing was changed.",
) -> T:
    """Run `work` over the real parts; ends the process (1) with a clear line when it is refused.

    Args:
        name: of the command, as it is typed.
        work: what it does.
        kind: the settings that it uses: no other is wanted, and no other part can be had.
        kept: as of `or_exit`.
    """
    settings = settings_or_exit(kind)

    async def run() -> T:
        async with open_container(settings) as container:
            return await work(container)

    return or_exit(name, run, kept=kept)


def or_exit(
    name: str, work: Callable[[], Awaitable[T]], *, kept: str = "Nothing was changed."
) -> T:
    """Run `work`; ends the process (1) with a line for each thing that is wrong.

    Args:
        name: of the command, as it is typed.
        work: what it does.
        kept: what is left when it is interrupted, and how to go on, in a sentence: the process
            then ends with 130 or 143.
    """
    try:
        with acting_as(command_actor()):
            return run_interruptibly(work)
    except KeyboardInterrupt:
        end_interrupted(name, kept)
    except InvalidInput as error:
        lines = [f"{_place(each.pointer)} {each.detail}" for each in error.violations]
        reason = "\n".join(lines or [str(error)])
    except AppError as error:
        reason = str(error)
    except OSError as error:
        named = error.filename is not None and error.strerror is not None
        reason = f"{error.filename}: {error.strerror}." if named else str(error)
    click.echo(f"storekeeper {name}: {reason}", err=True)
    sys.exit(1)


def _place(pointer: str) -> str:
    """A member without its slash; a file by the path that was given."""
    return pointer if Path(pointer).is_file() else pointer.lstrip("/")
