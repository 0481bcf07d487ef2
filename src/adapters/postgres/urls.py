"""DATABASE_URL: the one place that reads it.

Hosts hand out addresses made for libpq, and for drivers that have parameters of their own. Each
parameter is obeyed, dropped because nothing is lost without it, or refused by its name: asyncpg
would send what it does not know to the server, which then refuses every connection.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode

# Not urlsplit: newer ones, and those of Debian's security updates, take an address in brackets for
# no URL unless it is the only host, and a bracket in a password for none at all.
_URL: Final = re.compile(
    r"(?i:postgres(?:ql)?)://(?:(?P<user>[^@/?#:]*)(?::(?P<password>[^@/?#]*))?@)?"
    r"(?P<hosts>[^@/?#]*)(?:/(?P<dbname>[^?#]*))?(?:\?(?P<query>[^#]*))?"
)
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\],:@/]*)(?::([0-9]{1,5}))?")
_MAX_PORT: Final = 65535
_DEFAULT_PORT: Final = "5432"

_HEAD: Final = ("host", "port", "dbname", "user", "password")
"""What may stand before the question mark too."""
# Of libpq; asyncpg reads them from the URL and obeys them alike.
_DRIVER: Final = frozenset({
    *_HEAD, "passfile", "service", "sslmode",
    "sslnegotiation", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl",
    "ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs", "krbsrvname",
    "gsslib",
})  # fmt: skip
_STARTUP: Final = frozenset({"application_name", "fallback_application_name", "options"})
# Of libpq; the driver cannot do as they say, and nobody is harmed without.
_DROPPED: Final = frozenset({
    "channel_binding", "client_encoding", "keepalives", "keepalives_idle", "keepalives_interval",
    "keepalives_count", "tcp_user_timeout", "gssencmode", "gssdelegation", "sslcompression",
    "sslsni", "load_balance_hosts", "min_protocol_version", "max_protocol_version",
})  # fmt: skip
# Of Prisma, node-postgres and hosts: about pools of their own, or of no meaning.
_OTHERS: Final = frozenset({
    "connection_limit", "pool_timeout", "pool_size", "max_idle_connection_lifetime",
    "socket_timeout", "supa", "workaround", "uselibpqcompat",
})  # fmt: skip
_STATEMENTS: Final = frozenset({
    "statement_cache_size", "prepared_statement_cache_size", "prepareThreshold",
    "prepare_threshold",
})  # fmt: skip
_NO_URL: Final = "is not a URL; percent-encode special characters of the password"
_OURS: Final = frozenset({"pooler", "pgbouncer", "schema", "ssl", "sslaccept", "connect_timeout"})
_KNOWN: Final = _DRIVER | _STARTUP | _DROPPED | _OTHERS | _STATEMENTS | _OURS
_VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "pooler": ("none", "transaction"),
    "pgbouncer": ("true", "false"),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "sslaccept": ("accept_invalid_certs",),
    "target_session_attrs": (
        "any", "primary", "standby", "read-write", "read-only", "prefer-standby",
    ),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer"),
    "client_encoding": ("auto", "utf8", "utf-8"),
}  # fmt: skip
"""What a parameter may be; another value would be a wish that cannot be met, or a slip."""
_SSL: Final = {"true": "require", "1": "require", "no-verify": "require", "false": "disable"}
"""`ssl` of node-postgres as `sslmode`."""
_VERIFYING: Final = ("verify-ca", "verify-full")
_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")


class DatabaseUrlError(ValueError):
    """The URL cannot be used; the message names the parameter, and holds no part of a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrl:
    """What a DATABASE_URL says.

    Attributes:
        pooled: a pooler in transaction mode stands between.
        keeps_statements: whether prepared statements may be kept; never behind such a pooler.
        connect_timeout_s: longest wait for a connection; None where the URL does not say.
        startup: parameters of the session by name, such as `application_name`.
        system_authorities: the server's certificate is checked against those of this machine.
        parameters: those of libpq by name, with `host`, `port`, `dbname`, `user` and `password`
            wherever the URL says them: for psql and pg_dump, which refuse all others. Several
            hosts, and their ports, are one text with commas.
        dropped: names of those that have no effect, sorted.
    """

    pooled: bool
    keeps_statements: bool
    connect_timeout_s: float | None
    startup: Mapping[str, str]
    system_authorities: bool
    parameters: Mapping[str, str]
    dropped: tuple[str, ...]

    def connect_arguments(self) -> dict[str, Any]:
        """Where and how securely `asyncpg.connect` connects."""
        said = self.parameters
        apart = {*_HEAD, *({"sslmode", *_FILES} if self.system_authorities else ())}
        query = {name: said[name] for name in said if name in _DRIVER and name not in apart}
        arguments: dict[str, Any] = {
            # What it takes from a URL alone; as it would read the rest, it is not libpq's way.
            "dsn": f"postgresql:///?{urlencode(query, quote_via=quote)}",
            "host": said["host"].split(",") if "host" in said else None,
            "port": [int(port) for port in said["port"].split(",")] if "port" in said else None,
            "database": said.get("dbname"),
            "user": said.get("user"),
            "password": said.get("password"),
        }
        if self.system_authorities:
            context = ssl.create_default_context()
            context.set_alpn_protocols(["postgresql"])
            if "sslcert" in said:
                context.load_cert_chain(
                    said["sslcert"], said.get("sslkey"), lambda: said.get("sslpassword", "")
                )
            arguments["ssl"] = context
        return arguments

    @property
    def servers(self) -> str:
        """The hosts and ports, for people: nothing of a password is in it."""
        hosts = self.parameters.get("host", "").split(",")
        ports = self.parameters.get("port", "").split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        shown = [f"[{host}]" if ":" in host and host[0] != "/" else host for host in hosts]
        return ",".join(
            f"{host or 'the local server'}{f':{port}' if port else ''}"
            for host, port in zip(shown, ports, strict=True)
        )


def read_database_url(url: str) -> DatabaseUrl:
    """Read a URL of PostgreSQL.

    What stands in its head and as a parameter too is what the parameter says, as in libpq.

    Raises:
        DatabaseUrlError: it is none, or holds a parameter that cannot be obeyed.
    """
    if not re.match("(?i:postgres(ql)?)://", url):
        raise DatabaseUrlError("must start with postgresql:// (no +driver)")
    parts = _URL.fullmatch(url)
    if parts is None:
        raise DatabaseUrlError(_NO_URL)
    given = {**_head(parts), **_parameters(parts["query"] or "")}
    for name, value in given.items():
        if not value.isprintable():
            raise DatabaseUrlError(f"parameter {name} holds a control character")
    _check_hosts(given)
    _check_tls(given)
    pooled = given.get("pooler") == "transaction" or given.get("pgbouncer") == "true"
    return DatabaseUrl(
        pooled=pooled,
        keeps_statements=not pooled and all(given.get(name) != "0" for name in _STATEMENTS),
        connect_timeout_s=_connect_timeout(given),
        startup=_startup(given, pooled=pooled),
        system_authorities=given.get("sslrootcert") == "system",
        parameters={
            name: value
            for name, value in given.items()
            if name in _DRIVER | _DROPPED | _STARTUP | {"connect_timeout"}
        },
        dropped=tuple(sorted(given.keys() & (_DROPPED | _OTHERS))),
    )


def _head(parts: re.Match[str]) -> dict[str, str]:
    """What stands before the question mark, by libpq's names; nothing of what is empty."""
    written = parts["hosts"].split(",")
    hosts = [_HOST.fullmatch(each) for each in written]
    if None in hosts or (len(written) > 1 and "" in written):
        raise DatabaseUrlError(_NO_URL)
    ports = [host[2] or "" for host in hosts if host]
    said = {
        "host": ",".join(unquote(host[1]).strip("[]") for host in hosts if host),
        "port": ",".join(port or _DEFAULT_PORT for port in ports) if any(ports) else "",
        **{name: unquote(parts[name] or "") for name in ("dbname", "user", "password")},
    }
    return {name: value for name, value in said.items() if value}


def _check_hosts(given: Mapping[str, str]) -> None:
    """Refuse what is no list of hosts, with one port for all or one for each."""
    hosts = given.get("host", "").split(",")
    if any(re.fullmatch(r"[^:/]*:[0-9]+|\[.*", host) for host in hosts):
        raise DatabaseUrlError("parameter host holds names alone: say port=... beside it")
    ports = given.get("port", _DEFAULT_PORT).split(",")
    if not all(re.fullmatch("[0-9]{1,5}", port) for port in ports):
        raise DatabaseUrlError("parameter port must be a number")
    if not all(0 < int(port) <= _MAX_PORT for port in ports):
        raise DatabaseUrlError(f"parameter port must be 1 to {_MAX_PORT}")
    if len(ports) not in (1, len(hosts)):
        raise DatabaseUrlError("parameter port must be one number, or one for each host")


def _parameters(query: str) -> dict[str, str]:
    """The parameters that say something, by libpq's names; a later one wins.

    As libpq reads them: `+` is itself, not a blank.
    """
    given: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = (unquote(part) for part in pair.partition("="))
        if name not in _KNOWN:
            raise DatabaseUrlError(_unknown(name))
        if value:
            given[name] = value
    if "ssl" in given:
        said = given.pop("ssl")
        given.setdefault("sslmode", _SSL.get(said, said))
    if given.get("sslmode") == "no-verify":
        given["sslmode"] = "require"
    for name, allowed in _VALUES.items():
        if name in given and given[name].lower() not in allowed:
            raise DatabaseUrlError(f"parameter {name} must be {' or '.join(allowed)}")
    return given


def _unknown(name: str) -> str:
    shown = name if re.fullmatch(r"\w{1,40}", name) else "one that is not a name"
    return (
        f"parameter {shown} cannot be obeyed: take it out. Settings of the server go as"
        " options=-c%20NAME=VALUE; docs/reference/settings.md lists what is known"
    )


def _check_tls(given: Mapping[str, str]) -> None:
    mode = given.get("sslmode", "prefer")
    root = given.get("sslrootcert")
    if root == "system":
        if given.get("sslmode", "verify-full") != "verify-full":
            raise DatabaseUrlError(
                "parameter sslrootcert=system goes with sslmode=verify-full alone"
            )
        mode = "verify-full"
    elif mode in _VERIFYING and root is None and "service" not in given and not _own_authority():
        raise DatabaseUrlError(
            f"parameter sslmode={mode} needs sslrootcert=FILE, or sslrootcert=system for the"
            " authorities that this machine trusts"
        )
    if given.get("sslnegotiation") == "direct" and mode not in ("require", *_VERIFYING):
        raise DatabaseUrlError("parameter sslnegotiation=direct needs sslmode=require or stronger")
    for name in _FILES:
        file = given.get(name)
        if file is not None and file != "system" and not os.access(file, os.R_OK):
            raise DatabaseUrlError(f"parameter {name} does not name a file that can be read")


def _own_authority() -> bool:
    """Whether libpq's other places hold an authority."""
    if os.environ.get("PGSSLROOTCERT"):
        return True
    try:
        return (Path.home() / ".postgresql" / "root.crt").is_file()
    except RuntimeError:  # there is no home
        return False


def _startup(given: Mapping[str, str], *, pooled: bool) -> dict[str, str]:
    name = given.get("application_name", given.get("fallback_application_name", "storekeeper"))
    startup = {"application_name": name}
    if "options" in given:
        startup["options"] = given["options"]
    schema = given.get("schema", "public")
    if schema != "public":  # where tables are looked for in any case
        if pooled:
            raise DatabaseUrlError(
                "parameter schema is not kept by a pooler in transaction mode: say"
                " ALTER ROLE ... SET search_path = ... instead"
            )
        startup["search_path"] = '"' + schema.replace('"', '""') + '"'
    return startup


def _connect_timeout(given: Mapping[str, str]) -> float | None:
    said = given.get("connect_timeout", "0")
    if not re.fullmatch(r"-?[0-9]{1,9}", said):
        raise DatabaseUrlError("parameter connect_timeout must be a whole number of seconds")
    # As in libpq: 0 and below say nothing, and a second is too short.
    return float(max(2, int(said))) if int(said) > 0 else None
