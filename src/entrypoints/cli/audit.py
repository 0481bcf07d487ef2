"""`storekeeper audit`: who did what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import click
import msgspec

from domain.access.audit import AuditEntry, AuditEntryId, AuditFilter
from domain.access.model import ApiKeyId
from domain.records.orders import MAX_INT
from entrypoints.cli.options import help_end, span_of
from entrypoints.cli.running import over_container
from entrypoints.container.commands import now
from entrypoints.container.services import Container
from entrypoints.http.access.key_views import audit_entry_view

_PAGE = 200


def _moment(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    """How long ago, or a time."""
    if value is None:
        return None
    span = span_of(value)
    if span is not None:
        return now() - span
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no time: write 7d, 12h, 2026-11-29, or 2026-11-29T09:30:00Z"
        ) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _action(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[a-z_]+(\.[a-z_]+)?", value):
        raise click.BadParameter(f"{value!r} is none: write one such as user.create, or user")
    return value


@click.command(
    "audit",
    epilog=help_end(
        "storekeeper audit --since 7d", "storekeeper audit --action user --key 3 --json"
    ),
)
@click.option("--since", callback=_moment, help="7d, 12h, or a time such as 2026-11-29 (UTC).")
@click.option("--until", callback=_moment, help="The same; entries before it.")
@click.option("--key", "key_id", type=click.IntRange(1, MAX_INT), help="By the key of this ID.")
@click.option("--action", callback=_action, help="user.create, or all of a kind: user.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000_000),
    default=100,
    show_default=True,
    help="Entries, at most.",
)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each entry.")
def command(
    *,
    since: datetime | None,
    until: datetime | None,
    key_id: int | None,
    action: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """See who did what, newest first.

    Each write over HTTP and by a command is there: who, when, what, and the names of the fields
    that were set; never their values.
    """
    filtered = AuditFilter(
        since=since,
        until=until,
        key_id=None if key_id is None else ApiKeyId(key_id),
        action=action,
    )

    async def work(container: Container) -> tuple[bool, bool]:
        """Whether nothing fits, and whether there is more than was asked for."""
        before: AuditEntryId | None = None
        left = limit
        while True:
            page: Sequence[AuditEntry] = await container.audit_log().page(
                filtered, limit=min(_PAGE, left) + 1, before=before
            )
            shown = page[: min(_PAGE, left)]
            for entry in shown:
                view = audit_entry_view(entry)
                click.echo(msgspec.json.encode(view) if as_json else _line(entry))
            left -= len(shown)
            if len(page) == len(shown) or not left:
                return left == limit, len(page) > len(shown)
            before = shown[-1].id

    nothing, more = over_container("audit", work)
    if nothing:
        click.echo("No entry fits.", err=True)
    if more:
        click.echo(f"There are more than {limit}; say --limit for more.", err=True)


def _line(entry: AuditEntry) -> str:
    outcome = "" if entry.outcome == "done" else f" ({entry.outcome.replace('_', ' ')})"
    changed = f" [{', '.join(entry.changed)}]" if entry.changed else ""
    origin = "" if entry.actor.address is None else f" from {entry.actor.address}"
    at = f"{entry.at:%Y-%m-%dT%H:%M:%SZ}"
    return f"{at}  {entry.actor.subject}{origin}  {entry.action} {entry.resource}{changed}{outcome}"
