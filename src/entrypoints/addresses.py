"""Addresses to listen on."""

from __future__ import annotations

import socket


class AddressUnusable(Exception):
    """An address cannot be listened on; the message names cause and remedy."""


def refuse_busy_port(host: str, port: int) -> None:
    """Make sure that the address can be listened on.

    Raises:
        AddressUnusable: it is taken, not this machine's, or not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            raise AddressUnusable(
                f"{host}:{port} cannot be listened on ({error.strerror or error}): "
                "choose another --port (or --host)."
            ) from error
