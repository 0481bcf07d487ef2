"""The service's own role: what is under test has it, while tests set up and look as the owner."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from adapters.postgres.grants import GrantError, address_for, grant

# Of this run alone: several may share a server.
ROLE = f"storekeeper_service_{secrets.token_hex(4)}"
_PASSWORD = secrets.token_hex(16)

_addresses: dict[str, str] = {}


async def let_in(owners_url: str) -> None:
    """Give the role its rights in a migrated database; without CREATEROLE the owner serves."""
    try:
        await grant(owners_url, ROLE, password=_PASSWORD)
    except GrantError as error:
        if "CREATEROLE" not in str(error) and "to create role" not in str(error):
            raise
    else:
        serve(owners_url)


def serve(owners_url: str) -> None:
    """Take the role for what is served from a database, in which it has its rights already."""
    _addresses[owners_url] = address_for(owners_url, ROLE, _PASSWORD)


def is_served(owners_url: str) -> bool:
    """Whether the service has a role of its own there."""
    return owners_url in _addresses


def service_url(url: str) -> str:
    """The address for the service, of a database whose owner's address is `url`.

    The same where the test has made the database itself: it says itself who serves.
    """
    place, mark, query = url.partition("?")
    return _addresses.get(place, place) + mark + query


def for_command(arguments: tuple[str, ...], variables: Mapping[str, str]) -> Mapping[str, str]:
    """The variables of a command: the owner's address for `db`, the service's for all others."""
    if "DATABASE_URL" not in variables or arguments[:1] == ("db",):
        return variables
    return {**variables, "DATABASE_URL": service_url(variables["DATABASE_URL"])}
