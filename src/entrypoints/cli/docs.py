"""`storekeeper docs`: the documentation of this version, on this machine and without a network."""

from __future__ import annotations

import difflib
import os
import shutil
import sys
import webbrowser
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from entrypoints.cli.options import help_end

SITE: Final = Path(__file__).parents[1] / "site"
"""What `make docs` builds; the wheel carries it."""
_HOST: Final = "127.0.0.1"
_FIRST: Final = "docs/README"
_NO_PAGES: Final = {"index", "search"}
_NAMED: Final = 8
"""So many pages are named where one is not found."""


@click.command(
    "docs",
    epilog=help_end(
        "storekeeper docs", "storekeeper docs how-to/backup", "storekeeper docs --out pages"
    ),
)
@click.argument("page", required=False)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="any that is free",
    help="Where to serve the pages.",
)
@click.option("--no-browser", is_flag=True, help="Open no browser, also where there is one.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the pages into this new or empty folder instead.",
)
def command(*, page: str | None, port: int, no_browser: bool, out: Path | None) -> None:
    """Read the documentation of this version in a browser; it needs no network.

    PAGE is its name, or a part of it: `settings`, `how-to/backup`, `0043`. The pages are served to
    this machine alone, until Ctrl-C.
    """
    pages = page_names(SITE)
    if not pages:
        _fail(
            "this installation comes without the documentation. Install the wheel of a release,"
            " or run `make docs` in a checkout."
        )
    if out is not None:
        if page is not None or port:
            raise click.UsageError("--out writes all pages: leave PAGE and --port out.")
        _write(out, len(pages))
        return
    try:
        path = address(pages, page)
    except LookupError as error:
        _fail(str(error))
    try:
        server = _Server((_HOST, port), partial(_Handler, directory=str(SITE)))
    except OSError as error:
        _fail(f"port {port} cannot be used: {error.strerror}. Name another by --port, or none.")
    with server:
        url = f"http://{_HOST}:{server.server_address[1]}/{path}"
        click.echo(f"The documentation is at {url}\nCtrl-C ends it.")
        if not no_browser and has_display():
            webbrowser.open(url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("")


def page_names(site: Path) -> Sequence[str]:
    """Every page by its path without the suffix, such as `docs/how-to/backup`."""
    found = (file.relative_to(site).with_suffix("").as_posix() for file in site.rglob("*.html"))
    return sorted(name for name in found if name not in _NO_PAGES)


def address(pages: Sequence[str], wanted: str | None) -> str:
    """The path of the page that somebody means, with their `#anchor`.

    Args:
        pages: see `page_names`.
        wanted: a page's name or a part of it, with or without a suffix; None for the first page.

    Raises:
        LookupError: none is called so, or several are; it names them.
    """
    name, mark, anchor = (wanted or "").strip().partition("#")
    name = name.removesuffix(".md").removesuffix(".html").strip("./").lower()
    if not name:
        return f"{_FIRST}.html{mark}{anchor}"
    found = (
        [page for page in pages if page.lower() == name]
        or [page for page in pages if page.lower().endswith(f"/{name}")]
        or [page for page in pages if name in page.lower()]
    )
    if not found:
        close = difflib.get_close_matches(name, [page.rpartition("/")[2] for page in pages])
        meant = f" Did you mean {' or '.join(close)}?" if close else ""
        raise LookupError(f"no page is called {name!r}.{meant} Without a name, all are listed.")
    if len(found) > 1:
        more = f", and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise LookupError(f"{name!r} may be {', '.join(found[:_NAMED])}{more}: say which.")
    return f"{found[0]}.html{mark}{anchor}"


def _write(folder: Path, count: int) -> None:
    try:
        if folder.exists() and any(folder.iterdir()):
            _fail(f"{folder} is not empty. Name a new folder.")
        shutil.copytree(SITE, folder, dirs_exist_ok=True)
    except OSError as error:
        # copytree goes on after a failure, and raises all of them at its end.
        why = error.strerror or "not every page could be copied"
        _fail(f"{folder} cannot be written: {why}. What is there is not whole.")
    click.echo(f"Wrote {count} pages. Begin at {folder / 'index.html'}")


def has_display() -> bool:
    """Whether a browser would have a window. One in the terminal would hide what is said there."""
    return sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )


def _fail(why: str) -> NoReturn:
    click.echo(f"storekeeper docs: {why}", err=True)
    sys.exit(1)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that went away before it had all."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name there)
        """Keep the terminal for the address."""

    def list_directory(self, path: Any) -> None:  # noqa: ARG002 (the server calls it so)
        """Folders are no pages."""
        self.send_error(404)
