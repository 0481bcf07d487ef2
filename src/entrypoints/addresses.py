"""Addresses to listen on."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    # Settings ask here what an address means.
    from entrypoints.settings import ServerSettings


@lru_cache(maxsize=1024)  # each request asks for its own, and few addresses ask often
def read_address(written: str) -> IPv4Address | IPv6Address | None:
    """The IP address that a text is; None when it is none.

    IPv4 written as IPv6 is IPv4. The zone of an IPv6 address is left out: it names an interface of
    the machine that wrote it, and no network nor the database knows it.
    """
    try:
        address = ip_address(written.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def in_either_form(networks: Iterable[str]) -> list[str]:
    """Addresses and networks, those of IPv4 also as IPv6 writes them.

    Who listens on `::` sees an IPv4 proxy as `::ffff:10.0.0.7`, and some proxies write others so.
    """
    found = []
    for each in map(ip_network, networks):
        found.append(str(each))
        if isinstance(each, IPv4Network):
            found.append(f"::ffff:{each.network_address}/{96 + each.prefixlen}")
    return found


def is_this_machine(host: str) -> bool:
    """Whether a name or address, without port and brackets, can only mean this machine."""
    address = read_address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


_INSIDE: Final = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".svc")


def is_inside(host: str) -> bool:
    """Whether a name or address, without port and brackets, can only mean a network of one's own.

    That is an address that the internet does not route, a name without dots, and a name below a
    domain that is kept for such networks.
    """
    address = read_address(host)
    if address is not None:
        return not address.is_global
    name = host.lower().removesuffix(".").removesuffix(".cluster.local")
    return "." not in name or name.endswith(_INSIDE)


def opens_locally(settings: ServerSettings) -> bool:
    """Whether this machine may come in without a key while nobody has one.

    The server then listens on a loopback address, and no proxy is said to stand before it: behind
    one everything comes from this machine, wherever it was sent.
    """
    behind_proxy = settings.plain_http or bool(settings.trusted_proxies)
    return is_this_machine(settings.host) and not behind_proxy


def reachable(host: str) -> str:
    """Where a server that listens on `host` is met on its own machine."""
    address = read_address(host)
    if address is None or not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"


NOBODY: Final = (
    "nobody could come in: no key was made yet, and without one only a server on a loopback address"
    " answers, and no proxy. Make the first with\n"
    "  storekeeper keys create --name first --scopes admin"
)
"""Why a server does not start."""


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
