"""How commands read the settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from dotenv import dotenv_values

from entrypoints.settings import (
    DatabaseSettings,
    Environment,
    ModelSettings,
    Settings,
    SettingsError,
    load_settings,
    load_some_settings,
)
from entrypoints.up.state import StateDirectory, default_state_directory

S = TypeVar("S", bound=Environment)

REMEDY = (
    "Set them in the environment or in .env; for a stack that `storekeeper up` runs on this "
    "machine, STATE_DIR names its folder."
)


def environment() -> Mapping[str, str]:
    """What `.env` and the environment say, by names in capitals; empty values say nothing."""
    given = {**dotenv_values(".env"), **{name: v for name, v in os.environ.items() if v}}
    return {name.upper(): value for name, value in given.items() if value}


def read_settings(state_dir: Path | None = None, **overrides: Any) -> Settings:
    """The settings; where they name no server at all, those of the stack that `up` runs here.

    Args:
        state_dir: that stack's folder; None means the default one.
        overrides: values that come before all else, unless they are None.

    Raises:
        SettingsError: a value is missing or bad.
    """
    chosen = {name: value for name, value in overrides.items() if value is not None}
    return load_settings(_env_file=_env_files(state_dir), **chosen)


def settings_or_exit(state_dir: Path | None = None, **overrides: Any) -> Settings:
    """As `read_settings`, but ends the process (2) with a clear block if they are bad."""
    return _or_exit(lambda: read_settings(state_dir, **overrides))


def database_settings_or_exit() -> DatabaseSettings:
    """Where the database is and how it is used; no other setting is looked at."""
    files = _env_files(None)
    return _or_exit(lambda: load_some_settings(DatabaseSettings, _env_file=files))


def database_url_or_exit() -> str:
    """Where the database is."""
    return database_settings_or_exit().database_url.get_secret_value()


def model_settings_or_exit() -> ModelSettings:
    """Which models there are; no other setting is looked at."""
    files = _env_files(None)
    return _or_exit(lambda: load_some_settings(ModelSettings, _env_file=files))


def _env_files(state_dir: Path | None) -> tuple[Path | str, ...]:
    given = environment()
    if not given.keys() & {"DATABASE_URL", "REDIS_URL"}:
        running = StateDirectory(state_dir or default_state_directory(given)).env_file
        if os.access(running, os.R_OK):
            click.echo(f"Using the running stack of {running.parent}.", err=True)
            return running, ".env"
    return (".env",)


def _or_exit(read: Callable[[], S]) -> S:
    try:
        return read()
    except SettingsError as error:
        click.echo(f"The settings cannot be used:\n{error}\n{REMEDY}", err=True)
        sys.exit(2)
