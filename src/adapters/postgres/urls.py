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
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

_HOST: Final = r"(\[[0-9A-Fa-f:.]+\]|[^\[\],:@/]*)(:[0-9]{1,5})?"
_NETLOC: Final = re.compile(f"([^@]*@)?{_HOST}(,(?=[^,]){_HOST})*")

# Of libpq; asyncpg reads them from the URL and obeys them alike.
_DRIVER: Final = frozenset({
    "host", "port", "dbname", "user", "password", "passfile", "service", "sslmode",
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
        dsn: the URL with the parameters that asyncpg and libpq obey alike.
        pooled: a pooler in transaction mode stands between.
        keeps_statements: whether prepared statements may be kept; never behind such a pooler.
        connect_timeout_s: longest wait for a connection; None where the URL does not say.
        startup: parameters of the session by name, such as `application_name`.
        system_authorities: the server's certificate is checked against those of this machine.
        parameters: those of libpq by name, without host, user and password of the URL's head:
            for psql and pg_dump, which refuse all others.
        dropped: names of those that have no effect, sorted.
    """

    dsn: str
    pooled: bool
    keeps_statements: bool
    connect_timeout_s: float | None
    startup: Mapping[str, str]
    system_authorities: bool
    parameters: Mapping[str, str]
    dropped: tuple[str, ...]

    def connect_arguments(self) -> dict[str, Any]:
        """Where and how securely `asyncpg.connect` connects."""
        if not self.system_authorities:
            return {"dsn": self.dsn}
        context = ssl.create_default_context()
        context.set_alpn_protocols(["postgresql"])
        if "sslcert" in self.parameters:
            context.load_cert_chain(
                self.parameters["sslcert"],
                self.parameters.get("sslkey"),
                lambda: self.parameters.get("sslpassword", ""),
            )
        return {"dsn": self.dsn, "ssl": context}


def read_database_url(url: str) -> DatabaseUrl:
    """Read a URL of PostgreSQL.

    Raises:
        DatabaseUrlError: it is none, or holds a parameter that cannot be obeyed.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"postgresql", "postgres"}:
        raise DatabaseUrlError("must start with postgresql:// (no +driver)")
    if not _NETLOC.fullmatch(parts.netloc) or parts.fragment:
        raise DatabaseUrlError("is not a URL; percent-encode special characters of the password")
    given = _parameters(parts.query)
    pooled = given.get("pooler") == "transaction" or given.get("pgbouncer") == "true"
    startup = _startup(given, pooled=pooled)
    system = given.get("sslrootcert") == "system"
    libpq = {name: value for name, value in given.items() if name in _DRIVER}
    ours = {"sslmode", *_FILES} if system else set()
    driver = {name: value for name, value in libpq.items() if name not in ours}
    return DatabaseUrl(
        dsn=urlunsplit(parts._replace(query=urlencode(driver, quote_via=quote))),
        pooled=pooled,
        keeps_statements=not pooled and all(given.get(name) != "0" for name in _STATEMENTS),
        connect_timeout_s=_connect_timeout(given),
        startup=startup,
        system_authorities=system,
        parameters={
            **libpq,
            **{k: v for k, v in given.items() if k in _DROPPED | _STARTUP | {"connect_timeout"}},
        },
        dropped=tuple(sorted(given.keys() & (_DROPPED | _OTHERS))),
    )


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
    _check_tls(given)
    if not re.fullmatch(r"[0-9]+(,[0-9]+)*", given.get("port", "5432")):
        raise DatabaseUrlError("parameter port must be a number")
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
