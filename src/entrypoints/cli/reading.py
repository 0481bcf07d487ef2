"""How commands read the settings."""

from __future__ import annotations

import sys
from typing import Any

import click

from entrypoints.settings import Settings, SettingsError, load_settings


def settings_or_exit(**overrides: Any) -> Settings:
    """The settings, with `overrides` before all else; ends the process (2) if they are bad."""
    try:
        return load_settings(**{name: v for name, v in overrides.items() if v is not None})
    except SettingsError as error:
        click.echo(f"The settings cannot be used:\n{error}", err=True)
        sys.exit(2)
