"""How commands read the settings."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from domain.access.audit import Actor
from domain.access.model import CallerKind
from domain.text import closest
from entrypoints.env_file import EnvFileError, file_and_environment, read_env_file
from entrypoints.private_files import exposure
from entrypoints.settings import (
    DatabaseSettings,
    Environment,
    ModelCommandSettings,
    Settings,
    SettingsError,
    is_secret,
    load_some_settings,
)
from entrypoints.up.state import (
    StateDirectory,
    StateDirectoryError,
    default_state_directory,
)

S = TypeVar("S", bound=Environment)

_REMEDY: Final = "Set them in the environment or in .env."
_CLOSE: Final = 0.82
"""DATABSE_URL and OPENAI_KEY are as close to a setting of their first letter, HOSTNAME is not."""


def environment() -> Mapping[str, str]:
    """What `.env` and the environment say, by names in capitals; empty values say nothing.

    Raises:
        SettingsError: `.env` cannot be read.
    """
    file = _env_file()
    if any(value and is_secret(name) for name, value in file.items()):
        warn_of_exposure(Path(".env").absolute())
    return file_and_environment(file)


@cache
def warn_of_exposure(path: Path) -> None:
    """Say, once, which other accounts may read or change a file that holds secrets."""
    if (why := exposure(path)) is not None:
        click.echo(f"Warning: {why}", err=True)


def read_settings(kind: type[S], state_dir: Path | None = None, **overrides: Any) -> S:
    """Settings; where they name no server at all, those of the stack that `up` runs here.

    Args:
        kind: those that the command uses; no other is looked at.
        state_dir: that stack's folder; None means the default one.
        overrides: values that come before all else, unless they are None.

    Raises:
        SettingsError: a value is missing or bad, a table that is named cannot be read, or nothing
            runs here.
    """
    settings = _read_settings(kind, state_dir, overrides)
    if isinstance(settings, ModelCommandSettings):
        # Commands that ask no model start without what reads the tables.
        from entrypoints.container.model_rows import check_tables  # noqa: PLC0415

        check_tables(settings)
    return settings


def _read_settings(kind: type[S], state_dir: Path | None, overrides: Mapping[str, Any]) -> S:
    chosen = {name: value for name, value in overrides.items() if value is not None}
    given = environment()
    _warn_of_misspelt_names()
    if given.keys() & {"DATABASE_URL", "REDIS_URL"}:
        return load_some_settings(kind, **chosen)
    try:
        stack = StateDirectory(state_dir or default_state_directory(given))
    except StateDirectoryError as error:
        raise SettingsError(f"{error} Or name servers of your own, by DATABASE_URL.") from None
    why_not = _why_not(stack)
    if why_not is None:
        click.echo(f"Using the running stack of {stack.path}.", err=True)
        return load_some_settings(kind, _env_file=(stack.env_file, ".env"), **chosen)
    try:
        return load_some_settings(kind, **chosen)
    except SettingsError as error:
        if not issubclass(kind, DatabaseSettings):
            raise
        bad = [line for line in str(error).splitlines() if " is missing. " not in line]
        raise SettingsError("\n".join([why_not, *bad])) from None


def settings_or_exit(kind: type[S], **overrides: Any) -> S:
    """As `read_settings`, but ends the process (2) with a clear block if they are bad."""
    try:
        return read_settings(kind, **overrides)
    except SettingsError as error:
        click.echo(f"The settings cannot be used:\n{remedied(error)}", err=True)
        sys.exit(2)


def remedied(error: SettingsError) -> str:
    """What is wrong with the settings, and where they are set."""
    return f"{error}\n{_REMEDY}" if " is missing. " in str(error) else str(error)


def database_url_or_exit() -> str:
    """Where the database is."""
    return settings_or_exit(DatabaseSettings).database_url.get_secret_value()


def command_actor() -> Actor:
    """Who runs this command, for the audit log: the account of the operating system."""
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        account = f"uid {os.getuid()}"
    return Actor(kind=CallerKind.COMMAND, subject=f"command:{account}")


def _why_not(stack: StateDirectory) -> str | None:
    """Why the stack of a folder cannot be used; None where it runs and can be."""
    path = stack.path
    own = (
        "or name servers of your own: DATABASE_URL, and for `serve` and `worker` REDIS_URL, in the"
        " environment or in .env."
    )
    start = f"`storekeeper up{stack.option}`"
    if stack.is_held():
        if os.access(stack.env_file, os.R_OK):
            return None
        if os.access(stack.env_file, os.F_OK):
            return f"The stack of {path} is another account's: run this as that account, {own}"
        return f"The stack of {path} is not ready: wait until `storekeeper up` says so."
    if stack.was_used():
        return f"The stack of {path} has stopped: start it again with {start}, {own}"
    return f"Nothing runs here: start {start}, {own}"


def _env_file() -> Mapping[str, str | None]:
    """What the file `.env` says.

    Raises:
        SettingsError: it cannot be read; names the line.
    """
    try:
        return read_env_file()
    except EnvFileError as error:
        raise SettingsError(str(error)) from error


@cache
def _warn_of_misspelt_names() -> None:
    """Say which names are almost a setting's, where that setting is not given.

    A warning and no refusal: a file and an environment may serve other programs too.
    """
    known = {name.upper() for name in Settings.model_fields} | {"STATE_DIR"}
    given = environment().keys()
    for place, names in ((".env", _env_file()), ("the environment", os.environ)):
        for name in names:
            near = {each for each in known - given if each[0] == name.upper()[:1]}
            close = closest(name.upper(), near, likeness=_CLOSE)
            if close is not None and name.upper() not in known:
                click.echo(
                    f"Warning: {name} in {place} is not a setting; did you mean {close}?",
                    err=True,
                )
