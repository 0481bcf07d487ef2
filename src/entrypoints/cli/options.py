"""Kinds of options that Click lacks."""

from __future__ import annotations

from typing import Any

import click

from domain.strict_json import NotStrictJson, read_number


class FiniteRange(click.FloatRange):
    """A finite number as JSON writes it: `nan`, which no bound stops, and `inf` are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See Click."""
        if isinstance(value, str):
            try:
                value = float(read_number(value))
            except NotStrictJson as error:
                self.fail(f"{value[:40]!r} {error}.", param, ctx)
        return super().convert(value, param, ctx)
