"""Which URLs webhooks may go to: their form, and the addresses that their hosts lead to.

A URL comes from a caller, and what is sent to it is sent from inside. So it may lead to no address
that the outside cannot reach, unless a setting names its network.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

MAX_URL: Final = 2048

_URL: Final = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>(?:[/?][!\"$-\[\]-~]*)?)",  # printable ASCII but for # and \
    re.IGNORECASE | re.ASCII,
)
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
# A last label that programs read as a part of an IPv4 address, as in 127.1 and 0x7f.1.
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_PORTS: Final = {"https": 443, "http": 80}
_FIRST_USER_PORT: Final = 1024

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
# Public by its number, but the host's own agent answers there on Azure.
_OF_THE_HOST: Final = IPv4Address("168.63.129.16")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookUrl:
    """The parts of a URL that events may be sent to.

    Attributes:
        scheme: `https` or `http`.
        host: a name in small letters, or an address without brackets.
        port: 1..65535.
        target: path and query, as given; `/` at least.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def address(self) -> Address | None:
        """The host as an address; None for a name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    @property
    def authority(self) -> str:
        """Host and port as the header `Host` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def read_webhook_url(url: str) -> WebhookUrl:
    """The parts of `url`.

    It is read strictly: what programs read in different ways is refused.

    Raises:
        ValueError: what is wrong with it and what is allowed, a sentence for the caller.
    """
    if len(url) > MAX_URL:
        raise ValueError(f"must have at most {MAX_URL} characters, has {len(url)}")
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(_fault(url))
    scheme = found["scheme"].lower()
    port = int(found["port"] or _PORTS[scheme])
    if port not in _PORTS.values() and not _FIRST_USER_PORT <= port <= 65_535:
        raise ValueError("must have the port 443, 80 or one of 1024..65535")
    target = found["target"]
    return WebhookUrl(
        scheme=scheme,
        host=_host(found["host"].lower()),
        port=port,
        target=target if target.startswith("/") else f"/{target}",
    )


def _fault(url: str) -> str:
    """What is wrong with a URL that has not the form of one."""
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    if "@" in authority:
        return "must not hold a user or password: put a token into the path or the query"
    if not authority.isascii():
        return "must have a name in ASCII: write its xn-- form"
    if "#" in url:
        return "must not have a fragment (#...)"
    return "must be a URL such as https://shop.example/hooks, in printable ASCII characters"


def _host(given: str) -> str:
    """A host without brackets.

    Raises:
        ValueError: it is neither a name nor an address in its usual form.
    """
    if given.startswith("["):
        try:
            return str(IPv6Address(given[1:-1]))
        except ValueError:
            raise ValueError("has no IPv6 address between the brackets") from None
    labels = given.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(given))
        except ValueError:
            raise ValueError("must write an IPv4 address as four numbers: 203.0.113.7") from None
    if len(given) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("must have a host of letters, digits, - and dots, with no dot at its end")
    return given


def url_problem(url: str, allowed: Sequence[Network]) -> str | None:
    """Why nothing may be sent to `url`, as far as it can be told without asking for its address.

    Args:
        url: of a caller.
        allowed: networks that are let in though they are not public.
    """
    try:
        parts = read_webhook_url(url)
    except ValueError as error:
        return str(error)
    if parts.scheme == "http" and not allowed:
        return "must be an https:// URL: http is for networks of WEBHOOK_ALLOWED_NETWORKS alone"
    is_this_machine = parts.host == "localhost" or parts.host.endswith(".localhost")
    address = IPv4Address("127.0.0.1") if is_this_machine else parts.address
    return None if address is None else address_problem(address, parts.scheme, allowed)


def address_problem(address: Address, scheme: str, allowed: Sequence[Network]) -> str | None:
    """Why nothing may be sent to `address`; None when it may.

    Args:
        address: that a connection would be made to.
        scheme: `https` or `http`.
        allowed: networks that are let in though they are not public.
    """
    inner = _embedded(address)
    if any(each in network for each in (address, inner) for network in allowed):
        return None
    if scheme == "http":
        return "must be an https:// URL: its address is in no network of WEBHOOK_ALLOWED_NETWORKS"
    if not _is_public(inner):
        return (
            "leads to an address that is not public; WEBHOOK_ALLOWED_NETWORKS lets networks of"
            " your own in"
        )
    return None


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    """Whether anybody on the internet reaches it, and so nothing of the inside is reached."""
    if isinstance(address, IPv6Address):
        return address in _GLOBAL_UNICAST and address.is_global
    return address.is_global and not address.is_multicast and address != _OF_THE_HOST
