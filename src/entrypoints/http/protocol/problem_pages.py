"""`/problems/{code}`: where the `type` of a problem document leads."""

from __future__ import annotations

import html
import inspect
from collections.abc import Iterator
from typing import Final

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from domain.errors import AppError
from entrypoints.http.protocol.problems import DEFECT, REFUSED, Kind, kind_of

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{code}</title>
<link rel="icon" href="data:,">
</head>
<body>
<h1>{title}</h1>
<p><code>{code}</code>, status {status}</p>
<p>{text}</p>
</body>
</html>
"""


@get("/problems/{code:str}")
async def problem_page(code: FromPath[str]) -> Response[str]:
    """What one code means."""
    for known, kind, text in explained():
        if known == code:
            page = _PAGE.format(
                code=code,
                title=html.escape(kind.title),
                status=int(kind.status),
                text=html.escape(text),
            )
            headers = {
                "Cache-Control": "public, max-age=3600",
                "Content-Security-Policy": "default-src 'none'; img-src data:",
            }
            return Response(page, media_type="text/html", headers=headers)
    raise NotFoundException


def explained() -> Iterator[tuple[str, Kind, str]]:
    """Every code that an answer can have: code, kind, and what it means."""
    yield from REFUSED.values()
    yield "internal", DEFECT, "The server failed; its log holds the cause under the request's id."
    yield from _below(AppError)


def _below(error: type[AppError]) -> Iterator[tuple[str, Kind, str]]:
    for each in error.__subclasses__():
        kind = kind_of(each)
        if kind is not None:
            yield each.code, kind, (inspect.getdoc(each) or "").split("\n\n", 1)[0]
        yield from _below(each)
