"""`storekeeper health`: what a container's health check runs, where there is no curl."""

from __future__ import annotations

import http.client
import ssl
import sys
from typing import Final

import click

from entrypoints.addresses import reachable
from entrypoints.cli.environment import settings_or_exit
from entrypoints.cli.options import help_end
from entrypoints.settings import ServerSettings

_TIMEOUT_S: Final = 4.0


@click.command(
    "health",
    epilog=help_end(
        "storekeeper health",
        "storekeeper health --ready",
        codes={0: "it is well", 1: "it does not answer, or is not well"},
    ),
)
@click.option("--ready", is_flag=True, help="Ask whether database and queue answer, too.")
def command(*, ready: bool) -> None:
    """Ask the server of this machine how it is; exit code 1 if it does not say that it is well.

    The server of HOST and PORT is asked, by HTTPS unless PLAIN_HTTP is set. Its certificate is not
    looked at: it is for another name than this machine's own.
    """
    settings = settings_or_exit(ServerSettings)
    host = reachable(settings.host)
    path = "/health/ready" if ready else "/health/live"
    connection = (
        http.client.HTTPConnection(host, settings.port, timeout=_TIMEOUT_S)
        if settings.plain_http
        else http.client.HTTPSConnection(
            host, settings.port, timeout=_TIMEOUT_S, context=_unverified()
        )
    )
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        said = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        click.echo(
            f"storekeeper health: {host}:{settings.port} does not answer: {error}. Look whether"
            " `storekeeper serve` runs, and at HOST, PORT and PLAIN_HTTP.",
            err=True,
        )
        sys.exit(1)
    finally:
        connection.close()
    click.echo(said)
    sys.exit(0 if answer.status == http.HTTPStatus.OK else 1)


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
