"""`storekeeper keys`: who may come in, and with which rights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from typing import IO, Final

import click
import msgspec

from domain.access.keys import (
    DEFAULT_LIFETIME,
    KEY_PATTERN,
    MAX_NAME_LENGTH,
    MAX_REQUESTS_PER_MINUTE,
    MAX_TOKENS,
    MAX_USD,
    ApiKey,
    ApiKeyDraft,
    KeyEnvironment,
    key_networks,
)
from domain.access.model import ApiKeyId, BudgetChanges, ModelBudget, Scope
from domain.access.service import DEFAULT_OVERLAP, MAX_OVERLAP, IssuedKey, KeyService, RevokedKey
from domain.records.orders import MAX_INT
from domain.text import suggestion
from entrypoints.cli.environment import command_actor
from entrypoints.cli.options import examples, help_end, one_of, span_of
from entrypoints.cli.running import over_container
from entrypoints.cli.tables import echo_json
from entrypoints.container.commands import now
from entrypoints.container.services import Container
from entrypoints.http.access.key_views import (
    KeyDetailView,
    issued_key_view,
    key_detail_view,
    key_view,
)
from entrypoints.settings import ConnectionSettings

_PAGE: Final = 200
_FILE_BYTES: Final = 1_048_576
_AMOUNT: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)
_WHOLE: Final = re.compile(r"[0-9]{1,16}", re.ASCII)
_NEVER: Final = "never"
_NONE: Final = "none"


@click.group("keys", epilog=examples("storekeeper keys create --name Ada --scopes admin"))
def command() -> None:
    """Make, list, replace and revoke the keys of programs and people.

    A key is printed once, when it is made, to stdout alone; what is stored cannot be turned back
    into it.
    """


def _parts(values: Sequence[str]) -> list[str]:
    """What commas and repeated options divide."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def _scopes(_: click.Context, __: click.Parameter, values: Sequence[str]) -> frozenset[Scope]:
    known = [scope.value for scope in Scope]
    for part in _parts(values):
        if part not in known:
            raise click.BadParameter(f"{part!r} is no scope; {suggestion(part, known)}")
    if not _parts(values):
        raise click.BadParameter(f"names no scope; known are {', '.join(known)}")
    return frozenset(map(Scope, _parts(values)))


def _networks(
    _: click.Context, __: click.Parameter, values: Sequence[str]
) -> tuple[IPv4Network | IPv6Network, ...]:
    parts = _parts(values)
    networks, faults = key_networks(parts)
    for fault in faults:
        place = fault.pointer.rpartition("/")[2]
        named = f"{parts[int(place)]!r} " if place.isdecimal() else ""
        raise click.BadParameter(f"{named}{fault.detail}")
    return networks


def _expiry(_: click.Context, __: click.Parameter, value: str) -> datetime | None:
    if value == _NEVER:
        return None
    span = span_of(value)
    if span is not None:
        return now() + span
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        with suppress(ValueError):
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
    raise click.BadParameter(
        f"{value!r} is no time: write 30d, 12h, a day such as 2027-01-31 (its begin in UTC), or"
        f" {_NEVER}"
    )


def _overlap(_: click.Context, __: click.Parameter, value: str) -> timedelta:
    span = timedelta(0) if value == "0" else span_of(value)
    if span is None or span > MAX_OVERLAP:
        raise click.BadParameter(
            f"{value!r} is none: write 24h, 30m, 7d, or 0; at most {MAX_OVERLAP.days}d"
        )
    return span


def _amount(_: click.Context, __: click.Parameter, value: str | None) -> Decimal | None:
    if value is None:
        return None
    if not _AMOUNT.fullmatch(value) or Decimal(value) > MAX_USD:
        raise click.BadParameter(f"{value!r} is no amount: write one such as 2.50, up to {MAX_USD}")
    return Decimal(value)


def _new_amount(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[Decimal | None] | None:
    """The new limit; None where it stays as it is."""
    if value is None:
        return None
    return (None if value == _NONE else _amount(context, parameter, value),)


def _new_tokens(
    _: click.Context, __: click.Parameter, value: str | None
) -> tuple[int | None] | None:
    if value is None:
        return None
    if value == _NONE:
        return (None,)
    if not _WHOLE.fullmatch(value) or int(value) > MAX_TOKENS:
        raise click.BadParameter(f"{value!r} is none: write 0..{MAX_TOKENS}, or {_NONE}")
    return (int(value),)


_as_json = click.option("--json", "as_json", is_flag=True, help="As the API gives it.")
_key_id = click.argument("key_id", metavar="ID", type=click.IntRange(1, MAX_INT))


@command.command(
    "create",
    epilog=help_end(
        "storekeeper keys create --name 'the shop' --scopes records:write",
        "storekeeper keys create --name Ada --scopes admin --expires never",
        "storekeeper keys create --name nightly --scopes extract,records:read --budget-usd 2.50",
    ),
)
@click.option("--name", required=True, help=f"For people, 1..{MAX_NAME_LENGTH} characters.")
@click.option(
    "--scopes",
    multiple=True,
    required=True,
    callback=_scopes,
    shell_complete=one_of(*Scope),
    help=f"A list with commas of {', '.join(Scope)}. admin has all; write has read.",
)
@click.option(
    "--expires",
    default=f"{DEFAULT_LIFETIME.days}d",
    show_default=True,
    callback=_expiry,
    help="30d, 12h, a day (UTC) such as 2027-01-31, or never.",
)
@click.option(
    "--networks",
    multiple=True,
    callback=_networks,
    help="Accepted only from these: 10.0.0.0/8,2001:db8::/32. [default: from everywhere]",
)
@click.option("--budget-usd", callback=_amount, help="What it may spend on models in a UTC day.")
@click.option(
    "--budget-tokens",
    type=click.IntRange(0, MAX_TOKENS),
    help="The same in tokens, those in and out added.",
)
@click.option(
    "--rate",
    type=click.IntRange(1, MAX_REQUESTS_PER_MINUTE),
    help="Requests a minute, in place of the limit of the settings.",
)
@click.option(
    "--env",
    type=click.Choice([each.value for each in KeyEnvironment]),
    default=KeyEnvironment.LIVE.value,
    show_default=True,
    help="What it is for, as everybody who sees it can read; changes no right.",
)
@_as_json
def create_command(
    *,
    name: str,
    scopes: frozenset[Scope],
    expires: datetime | None,
    networks: tuple[IPv4Network | IPv6Network, ...],
    budget_usd: Decimal | None,
    budget_tokens: int | None,
    rate: int | None,
    env: str,
    as_json: bool,
) -> None:
    """Make a key, and print it, once."""
    draft = ApiKeyDraft(
        name=name,
        environment=KeyEnvironment(env),
        scopes=scopes,
        networks=networks,
        requests_per_minute=rate,
        budget=ModelBudget(usd=budget_usd, tokens=budget_tokens),
        expires_at=expires,
        created_by=command_actor().subject,
    )

    async def work(container: Container) -> IssuedKey:
        service: KeyService = container.key_service()
        return await service.create(draft)

    issued = over_container("keys create", work, ConnectionSettings)
    _say_issued(issued, "made", as_json=as_json)


@command.command("list", epilog=help_end("storekeeper keys list", "storekeeper keys list --json"))
@click.option("--json", "as_json", is_flag=True, help="One JSON document, keys as in the API.")
def list_command(*, as_json: bool) -> None:
    """List all keys, newest first, those that are revoked and expired too."""

    async def work(container: Container) -> Sequence[ApiKey]:
        found: list[ApiKey] = []
        page: Sequence[ApiKey] = ()
        while not found or len(page) == _PAGE:
            before = found[-1].id if found else None
            page = await container.api_keys().page(limit=_PAGE, before=before)
            if not page:
                break
            found += page
        return found

    keys = over_container("keys list", work)
    at = now()
    if as_json:
        echo_json({"keys": [msgspec.to_builtins(key_view(key, at)) for key in keys]})
        return
    for key in keys:
        click.echo(_line(key, at))
    if not keys:
        click.echo("No key is made yet; `storekeeper keys create` makes one.", err=True)


@command.command("show", epilog=help_end("storekeeper keys show 3"))
@_key_id
@_as_json
def show_command(*, key_id: int, as_json: bool) -> None:
    """Show a key, without its secret, and what it spent on models today (UTC)."""

    async def work(container: Container) -> KeyDetailView:
        return await _detail(container, await container.api_keys().get(ApiKeyId(key_id)))

    _say_detail(over_container("keys show", work), as_json=as_json)


@command.command(
    "update",
    epilog=help_end(
        "storekeeper keys update 3 --budget-usd 5",
        "storekeeper keys update 3 --budget-usd none --budget-tokens none",
    ),
)
@_key_id
@click.option(
    "--budget-usd", callback=_new_amount, help="What it may spend on models in a UTC day, or none."
)
@click.option(
    "--budget-tokens", callback=_new_tokens, help="The same in tokens, those in and out added."
)
@_as_json
def update_command(
    *,
    key_id: int,
    budget_usd: tuple[Decimal | None] | None,
    budget_tokens: tuple[int | None] | None,
    as_json: bool,
) -> None:
    """Change the model budget of key ID, and so of those it replaced; it holds at once."""
    given = {"usd": budget_usd, "tokens": budget_tokens}
    members = {name: value[0] for name, value in given.items() if value is not None}
    if not members:
        raise click.UsageError("give --budget-usd, --budget-tokens, or both")
    changes = BudgetChanges(members=frozenset(members), **members)  # type: ignore[arg-type]

    async def work(container: Container) -> tuple[KeyDetailView, bool]:
        service: KeyService = container.key_service()
        changed = await service.change_budget(ApiKeyId(key_id), changes)
        return await _detail(container, changed.key), changed.announced

    view, announced = over_container("keys update", work, ConnectionSettings)
    _say_detail(view, as_json=as_json)
    _warn_unannounced(announced)


async def _detail(container: Container, key: ApiKey) -> KeyDetailView:
    return key_detail_view(key, await container.model_spending().today(key.id), now())


def _say_detail(view: KeyDetailView, *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(view))
        return
    for member, value in msgspec.to_builtins(view).items():
        click.echo(f"{member:<20} {_shown(value)}")


@command.command(
    "rotate", epilog=help_end("storekeeper keys rotate 3", "storekeeper keys rotate 3 --overlap 0")
)
@_key_id
@click.option(
    "--overlap",
    default=f"{DEFAULT_OVERLAP // timedelta(hours=1)}h",
    show_default=True,
    callback=_overlap,
    help="How long the old key is accepted beside the new one: 24h, 30m, 7d, or 0.",
)
@_as_json
def rotate_command(*, key_id: int, overlap: timedelta, as_json: bool) -> None:
    """Make a key in the place of key ID, with all that it has, and print it, once."""

    async def work(container: Container) -> IssuedKey:
        service: KeyService = container.key_service()
        by = command_actor().subject
        return await service.rotate(ApiKeyId(key_id), created_by=by, overlap=overlap)

    issued = over_container("keys rotate", work, ConnectionSettings)
    until = "is refused now" if not overlap else f"is accepted for {_words(overlap)} more, at most"
    _say_issued(issued, f"made in the place of key {key_id}, which {until}", as_json=as_json)


@command.command(
    "revoke",
    epilog=help_end("storekeeper keys revoke 3", "storekeeper keys revoke --token-from leaked.txt"),
)
@click.argument("key_id", metavar="ID", type=click.IntRange(1, MAX_INT), required=False)
@click.option(
    "--token-from",
    type=click.File("r", encoding="utf-8", errors="replace"),
    metavar="FILE",
    help="The key itself stands in FILE, or comes from stdin (-); never give it as an argument.",
)
@_as_json
def revoke_command(*, key_id: int | None, token_from: IO[str] | None, as_json: bool) -> None:
    """Refuse key ID from now on, in every process; a key that is revoked stays so."""
    if (key_id is None) == (token_from is None):
        raise click.UsageError("give an ID, or --token-from FILE")
    secret = None if token_from is None else _secret_in(token_from)

    async def work(container: Container) -> RevokedKey:
        service: KeyService = container.key_service()
        if secret is not None:
            return await service.revoke_secret(secret)
        assert key_id is not None
        return await service.revoke(ApiKeyId(key_id))

    revoked = over_container("keys revoke", work, ConnectionSettings)
    key = revoked.key
    if as_json:
        click.echo(msgspec.json.encode(key_view(key, now())))
    else:
        click.echo(f"Key {key.id} ({key.name}, ...{key.hint}) is revoked since {_revoked_at(key)}.")
    _warn_unannounced(revoked.announced)
    if revoked.is_last_admin:
        click.echo(
            "No key with the scope admin is left: only `storekeeper keys create` can make one.",
            err=True,
        )


def _secret_in(file: IO[str]) -> str:
    """The one key that stands in a file, whatever stands around it."""
    text = file.read(_FILE_BYTES)
    found = re.finditer(rf"(?<![0-9A-Za-z]){KEY_PATTERN}(?![0-9A-Za-z])", text)
    keys = list(dict.fromkeys(each[0] for each in found))
    if len(keys) != 1:
        what = "no key" if not keys else f"{len(keys)} keys"
        name = getattr(file, "name", "stdin")
        detail = f"{name} holds {what}; one is wanted, such as stk_live_ and 43 characters"
        raise click.BadParameter(detail, param_hint="--token-from")
    return keys[0]


def _say_issued(issued: IssuedKey, how: str, *, as_json: bool) -> None:
    """The secret, alone on stdout, and what there is to know on stderr."""
    key = issued.key
    ends = "never expires" if key.expires_at is None else f"expires at {_time(key.expires_at)}"
    click.echo(
        f"Key {key.id} ({key.name}) is {how}. It {ends}. Keep it now: it is not shown again.",
        err=True,
    )
    _warn_unannounced(issued.announced)
    # Last: where stdout is full or closed, it has been said which key nobody has.
    click.echo(msgspec.json.encode(issued_key_view(issued, now())) if as_json else issued.secret)


def _warn_unannounced(announced: bool) -> None:
    if not announced:
        click.echo(
            "Valkey does not answer, so nobody was told: it takes up to 30 s in servers that run.",
            err=True,
        )


def _line(key: ApiKey, at: datetime) -> str:
    scopes = ",".join(sorted(key.scopes))
    ends = _NEVER if key.expires_at is None else f"{key.expires_at:%Y-%m-%d}"
    used = "not used" if key.last_used_at is None else f"used {_time(key.last_used_at)}"
    return (
        f"{key.id:>6}  ...{key.hint}  {key.state(at):<8}  until {ends:<10}  {used:<25}"
        f"  {key.name}  {scopes}"
    )


def _revoked_at(key: ApiKey) -> str:
    assert key.revoked_at is not None
    return _time(key.revoked_at)


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _words(span: timedelta) -> str:
    hours = span / timedelta(hours=1)
    return f"{hours:g} h" if hours >= 1 else f"{span // timedelta(minutes=1)} min"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, dict):
        return (
            ", ".join(f"{name} {each}" for name, each in value.items() if each is not None) or "-"
        )
    return "-" if value is None else str(value)
