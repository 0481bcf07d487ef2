"""The service's own role: what is under test has it, while tests set up and look as the owner."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from adapters.postgres.grants import GrantError, address_for, grant

# Of this run alone: several may share a server.
ROLE = f"storekeeper_service_{secrets.token_hex(4)}"
PASSWORD = secrets.token_hex(16)

_addresses: dict[str, str] = {}
_poolers: dict[str, str] = {}
"""By server, where its transaction pooler listens."""


async def let_in(owners_url: str) -> None:
    """Give the role its rights in a migrated database; without CREATEROLE the owner serves."""
    try:
        await grant(owners_url, ROLE, password=PASSWORD)
    except GrantError as error:
        if "CREATEROLE" not in str(error) and "to create role" not in str(error):
            raise
    else:
        serve(owners_url)


def serve(owners_url: str) -> None:
    """Take the role for what is served from a database, in which it has its rights already."""
    _addresses[owners_url] = address_for(owners_url, ROLE, PASSWORD)


def pool(server: str, pooler: str) -> None:
    """Have the role come through a pooler in transaction mode: both as host and port."""
    _poolers[server] = pooler


def is_served(owners_url: str) -> bool:
    """Whether the service has a role of its own there."""
    return owners_url in _addresses


def service_url(url: str, *, pooled: bool = True) -> str:
    """The address for the service, of a database whose owner's address is `url`.

    The same where the test has made the database itself: it says itself who serves.

    Args:
        url: with parameters or without.
        pooled: whether it leads through a pooler, where the tests have one.
    """
    place, _, query = url.partition("?")
    if place in _addresses:
        place = _addresses[place]
        credentials, _, server = urlsplit(place).netloc.rpartition("@")
        if pooled and server in _poolers:
            place = urlunsplit(urlsplit(place)._replace(netloc=f"{credentials}@{_poolers[server]}"))
            query = "&".join((*query.split("&"), "pooler=transaction")).lstrip("&")
    return f"{place}?{query}" if query else place


def for_command(arguments: tuple[str, ...], variables: Mapping[str, str]) -> Mapping[str, str]:
    """The variables of a command: the owner's address for `db`, the service's for all others."""
    if "DATABASE_URL" not in variables or arguments[:1] == ("db",):
        return variables
    return {**variables, "DATABASE_URL": service_url(variables["DATABASE_URL"])}
