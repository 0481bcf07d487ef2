"""Files and pictures that are made for people and programs outside: results, charts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from domain.extraction.jobs.items import ItemResult
from domain.extraction.schema import RecordSchema


class ResultFormat(Protocol):
    """One form of a results file."""

    @property
    @abstractmethod
    def media_type(self) -> str:
        """Such as `text/csv`."""
        ...

    @abstractmethod
    def check(self) -> None:
        """Make sure that this form can be written here.

        Raises:
            InvalidInput: a library is not installed; says how to install it.
        """
        ...

    @abstractmethod
    def encode(
        self, results: AsyncIterable[ItemResult], schema: RecordSchema
    ) -> AsyncIterator[bytes]:
        """The file, piece by piece: never more than a bounded part of it is in memory."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What to draw, and what it says.

    Attributes:
        spec: a Vega-Lite 6 specification with its data in it. Size it for the place where it will
            stand (`width` and `height` in CSS pixels, axes included). Leave fonts, axes and
            background to the renderer; name colours by the variables of `stylesheet`, such as
            `var(--chart-1)`. A mark whose `aria` is true gets its `description` as `data-tip`; a
            `href` is an absolute path of this server.
        label: what somebody who cannot see it should know, in a sentence or two.
    """

    spec: Mapping[str, Any]
    label: str


class ChartRenderer(Protocol):
    """Draws charts."""

    @property
    @abstractmethod
    def stylesheet(self) -> str:
        """CSS that a page with charts needs: the colours, light and dark, and the way they scale.

        `--chart-1` .. `--chart-4` are for series, `--chart-quiet` for what stands behind them,
        `--chart-good` and `--chart-bad` for judgements, `--chart-text`, `--chart-axis`,
        `--chart-grid` and `--chart-surface` for the rest.
        """
        ...

    @abstractmethod
    async def render(self, chart: Chart) -> str:
        """One `<svg>` element for the inside of an HTML page, as wide as its place.

        To a screen reader it is an image named by the label, or a group of links where it has
        some. It runs nothing, loads nothing and has no style of its own, so that the strictest
        Content-Security-Policy holds.

        Raises:
            ChartFailed: the specification is wrong, or its drawing takes too long.
            Unavailable: the library that draws is not installed; says how to get it.
        """
        ...
