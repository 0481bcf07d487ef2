"""`storekeeper serve`."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Final

import click
import uvicorn

from domain.errors import DependencyError, Unavailable
from entrypoints.addresses import (
    NOBODY,
    AddressUnusable,
    in_either_form,
    opens_locally,
    refuse_busy_port,
)
from entrypoints.cli.environment import settings_or_exit, warn_of_exposure
from entrypoints.cli.options import help_end
from entrypoints.container.access import knows_nobody
from entrypoints.container.models import model_configs
from entrypoints.container.services import end_with_parent
from entrypoints.http.app import build_app
from entrypoints.http.protocol.connection import HttpProtocol
from entrypoints.http.protocol.prefork import PreforkServer
from entrypoints.logs import configure_logging
from entrypoints.settings import Settings

_log = logging.getLogger(__name__)

_KEEP_ALIVE_S: Final = 30
_PROXY_HERE: Final = ("127.0.0.1", "::1")


@click.command(
    "serve",
    epilog=help_end(
        "TLS_CERT_FILE=chain.pem TLS_KEY_FILE=key.pem storekeeper serve --host 0.0.0.0",
        "PLAIN_HTTP=true storekeeper serve --port 8000 --workers 4",
        codes={
            0: "it was told to stop",
            1: "it could not start",
            2: "bad usage or settings, or nobody could come in: no key was made yet",
        },
    ),
)
@click.option("--host", help="Address to listen on (HOST).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (PORT).")
@click.option("--workers", type=click.IntRange(1, 64), help="HTTP processes (WORKERS).")
def command(*, host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the API over HTTPS with TLS_CERT_FILE and TLS_KEY_FILE.

    PLAIN_HTTP=true serves without TLS, behind a proxy that serves HTTPS. DATABASE_URL and REDIS_URL
    name the servers; `storekeeper db migrate` brings the database to this version first.
    SIGHUP reads the certificate anew.

    Before the first key is made, this machine alone may use it, without one; so any other address,
    or PLAIN_HTTP, wants a key first: `storekeeper keys create`.
    """
    settings = settings_or_exit(Settings, host=host, port=port, workers=workers)
    if settings.tls_cert_file is None and not settings.plain_http:
        click.echo(
            "The settings cannot be used:\nTLS_CERT_FILE and TLS_KEY_FILE are missing: name a "
            "certificate and its key, or say PLAIN_HTTP=true behind a proxy that serves HTTPS.",
            err=True,
        )
        sys.exit(2)
    try:
        model_configs(settings)
    except Unavailable as error:
        click.echo(f"storekeeper serve: {error}", err=True)
        sys.exit(1)
    secure = not settings.plain_http
    if secure and settings.tls_key_file is not None:
        warn_of_exposure(settings.tls_key_file.absolute())
    configure_logging(settings.log_level, settings.log_format)
    app = build_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=HttpProtocol,
        ws="none",
        ssl_certfile=settings.tls_cert_file if secure else None,
        ssl_keyfile=settings.tls_key_file if secure else None,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.plain_http or bool(settings.trusted_proxies),
        forwarded_allow_ips=in_either_form(settings.trusted_proxies or _PROXY_HERE),
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.shutdown_grace_s,
    )
    try:
        refuse_busy_port(settings.host, settings.port)
    except AddressUnusable as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    _refuse_to_serve_nobody(settings)
    listening = config.bind_socket()
    listening.listen(config.backlog)

    def serve(number: int) -> None:
        app.statistics.enter(number)
        uvicorn.Server(config).run(sockets=[listening])

    server = PreforkServer(
        serve, settings.workers, end_with_parent, grace_s=settings.shutdown_grace_s
    )
    sys.exit(server.run())


def _refuse_to_serve_nobody(settings: Settings) -> None:
    """End the process where nobody could come in; say so where anybody on this machine can."""
    try:
        nobody = asyncio.run(knows_nobody(settings))
    except DependencyError as error:
        # Whoever comes is asked for a key or, on this machine, told to try again.
        _log.warning("whether a key was made cannot be asked: %s", error)
        return
    if nobody and opens_locally(settings):
        _log.warning(
            "open to this machine without a key, until the first is made: storekeeper keys create"
        )
    elif nobody:
        click.echo(f"storekeeper serve: {NOBODY}", err=True)
        sys.exit(2)
