"""`/docs`: the interactive page over the OpenAPI document; every byte comes from this server."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from entrypoints.http.access.authentication import ANY_CALLER, PUBLIC
from entrypoints.http.protocol.security_headers import ASSET, DOCS_POLICY

_PAGE: Final = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Storekeeper API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<main id="swagger-ui"></main>
<noscript>This page needs JavaScript; the document itself is at /schema/openapi.json.</noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START: Final = b"""window.ui = SwaggerUIBundle({
  url: "/schema/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""
_ASSETS: Final = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}


@get("/docs", scope=ANY_CALLER)
async def docs_page() -> Response[bytes]:
    """The page."""
    return Response(_PAGE, media_type="text/html", headers={"Content-Security-Policy": DOCS_POLICY})


@get("/docs/{asset:str}", scope=PUBLIC)
async def docs_asset(asset: FromPath[str]) -> Response[bytes]:
    """What the page loads."""
    if asset == "start.js":
        return _cached(_START, "text/javascript")
    if asset not in _ASSETS:
        raise NotFoundException
    return _cached(_asset(asset), _ASSETS[asset])


def _cached(content: bytes, media_type: str) -> Response[bytes]:
    headers = {"Cache-Control": ASSET}
    return Response(content, media_type=media_type, headers=headers)


@cache
def _asset(name: str) -> bytes:
    """A file of the Swagger UI distribution that the flask-swagger-ui wheel carries."""
    spec = find_spec("flask_swagger_ui")  # its code, which needs Flask, is not run
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "dist" / name).read_bytes()
