from __future__ import annotations

from collections.abc import Iterator
from typing import Union

import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from domain.access.model import Scope
from entrypoints.http.access.authentication import ANY_CALLER, OPTIONAL, PUBLIC, SCOPE
from entrypoints.http.app import routed_app
from entrypoints.http.protocol.operations import OPERATION, Operation
from entrypoints.settings import load_settings

_PUBLIC = {
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/problems/{code}"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("POST", "/sign-out"),
    ("GET", "/docs/{asset}"),
    ("GET", "/dashboard/assets/{name}"),
}


def _routes(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        assert isinstance(route, HTTPRoute), "nothing but HTTP has scopes"
        for handler in route.route_handlers:
            for method in handler.http_methods - {"OPTIONS"}:  # answered before the routes
                yield method, route.path_format, handler


@pytest.fixture
def app() -> Litestar:
    address = "postgresql://nobody@127.0.0.1:1/none"
    return routed_app(
        load_settings(database_url=address, redis_url="redis://127.0.0.1:1/0", secret_key="s" * 32)
    )


def test_every_route_states_what_its_caller_needs(app: Litestar) -> None:
    for method, path, handler in _routes(app):
        stated = handler.opt.get(SCOPE)
        assert stated in {*Scope, PUBLIC, OPTIONAL, ANY_CALLER}, f"{method} {path} states no scope"


def test_what_is_open_to_everybody_is_stated_here_too(app: Litestar) -> None:
    found = {
        (method, path) for method, path, handler in _routes(app) if handler.opt[SCOPE] == PUBLIC
    }
    assert found == _PUBLIC
    known = [path for _, path, handler in _routes(app) if handler.opt[SCOPE] == OPTIONAL]
    assert known == ["/"], "a page that shows figures to those who may see them, and no others"


def test_no_route_that_writes_is_opened_by_a_scope_to_read(app: Litestar) -> None:
    readers = {Scope.RECORDS_READ, Scope.INSIGHTS_READ, PUBLIC, OPTIONAL, ANY_CALLER}
    for method, path, handler in _routes(app):
        if method != "GET" and path not in {"/sign-in", "/sign-out"}:
            assert handler.opt[SCOPE] not in readers, f"{method} {path}"


def test_every_body_is_described_by_one_type_however_often_it_is_asked(app: Litestar) -> None:
    stated = [handler.opt.get(OPERATION) for *_, handler in _routes(app)]
    for part in [part for each in stated if isinstance(each, Operation) for part in each.parts]:
        first = part.body()
        # typing remembers 128 unions, each of which is one object for so long.
        others = [Union[int, type(f"T{number}", (), {})] for number in range(200)]  # noqa: UP007
        assert len(others) == 200
        again = part.body()
        assert first == again
        assert first is None or (again is not None and first.kind is again.kind)
