"""Addresses to listen on."""

from __future__ import annotations

import ipaddress
import socket


class AddressUnusable(Exception):
    """An address cannot be listened on; the message names cause and remedy."""


def is_loopback(host: str) -> bool:
    """Whether a host, as it stands in a URL, is this machine and no other can answer for it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


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
