"""The file `.env` of the working directory; read without what knows the settings."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream


class EnvFileError(Exception):
    """`.env` cannot be read; names the line."""


def read_env_file() -> Mapping[str, str | None]:
    """What the file `.env` says; nothing where there is none.

    Raises:
        EnvFileError: it cannot be read.
    """
    path = Path(".env")
    if not path.is_file():  # a virtual environment may have that name
        return {}
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise EnvFileError(f".env, line {line}: is not UTF-8. Save the file as UTF-8.") from None
    except OSError as error:
        raise EnvFileError(f".env: cannot be read ({error.strerror}).") from error
    bad = [each.original.line for each in parse_stream(io.StringIO(text)) if each.error]
    if bad:
        lines = [f".env, line {line}: is not NAME=value, or a quote stays open." for line in bad]
        raise EnvFileError("\n".join(lines))
    return dotenv_values(stream=io.StringIO(text))


def file_and_environment(file: Mapping[str, str | None]) -> Mapping[str, str]:
    """What `.env` and the environment say, by names in capitals; empty values say nothing.

    Args:
        file: what `read_env_file` returned.
    """
    given = {**file, **{name: value for name, value in os.environ.items() if value}}
    return {name.upper(): value for name, value in given.items() if value}
