"""From templates to pages: escaping, charts, and problems."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Request, Response
from litestar.exceptions import HTTPException
from markupsafe import Markup

from domain.errors import AppError, ChartFailed, Unavailable
from entrypoints.http.access.authentication import takes_page
from entrypoints.http.dashboard import figures
from entrypoints.http.dashboard.charts import ChartSlot
from entrypoints.http.protocol.problems import Problem, on_app_error, on_http_error, on_unexpected
from entrypoints.http.protocol.security_headers import DASHBOARD_POLICY
from ports.reports import Chart, ChartRenderer

_log = logging.getLogger(__name__)
_HERE: Final = Path(__file__).parent
MEDIA_TYPES: Final = {"dashboard.css": "text/css", "dashboard.js": "text/javascript"}

DrawnChart = Sequence[tuple[str, Markup | None, str]]
"""A chart in each of its slots; None where it could not be drawn, and then why."""
_FAILED: Final = (
    "This chart could not be drawn; the table has its figures. The server’s log holds the cause."  # noqa: RUF001
)


def page(template: str, names: Mapping[str, Any], *, status: int = 200) -> Response[str]:
    """A page as a response."""
    return Response(
        _environment().get_template(template).render(names),
        status_code=status,
        media_type="text/html",
        headers={"Content-Security-Policy": DASHBOARD_POLICY},
    )


async def drawn(
    renderer: ChartRenderer, chart_for: Callable[[ChartSlot], Chart], slots: Sequence[ChartSlot]
) -> DrawnChart:
    """A chart for each slot. One that fails leaves the page as it is, but for a note there."""
    found: list[tuple[str, Markup | None, str]] = []
    for slot in slots:
        try:
            svg = await renderer.render(chart_for(slot))
        except ChartFailed as error:
            _log.error("no chart: %s", error, exc_info=error.__cause__)
            found.append((slot.name, None, _FAILED))
        except Unavailable as error:
            found.append((slot.name, None, f"{error} The table has the figures."))
        else:
            picture = Markup(svg)  # noqa: S704 (the port makes it fit for a page)
            found.append((slot.name, picture, ""))
    return found


@cache
def asset(name: str) -> bytes:
    """A file that pages load; of `MEDIA_TYPES`."""
    return (_HERE / "assets" / name).read_bytes()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        asset=_address,
        **{
            name: getattr(figures, name)
            for name in (
                "count",
                "day",
                "percent",
                "share",
                "span",
                "short_day",
                "times",
                "weekday",
            )
        },
    )
    return environment


def _address(name: str) -> str:
    """With the release, so that a browser may keep it and yet not mix it with the next one's."""
    return f"/dashboard/assets/{name}?v={version('storekeeper')}"


def on_dashboard_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The problem document; a page if the caller says that it takes HTML, as browsers do."""
    if isinstance(error, AppError):
        answer = on_app_error(request, error)
    elif isinstance(error, HTTPException):
        answer = on_http_error(request, error)
    else:
        answer = on_unexpected(request, error)
    if answer.status_code == HTTPStatus.SEE_OTHER or not takes_page(request):
        return answer
    problem = msgspec.json.decode(answer.content, type=Problem)
    retry_after_s = answer.headers.get("Retry-After")
    names = {"problem": problem, "retry_after_s": retry_after_s}
    shown = page("problem.html", names, status=problem.status)
    for name in ("Retry-After", "WWW-Authenticate"):
        if name in answer.headers:
            shown.headers[name] = answer.headers[name]
    return shown
