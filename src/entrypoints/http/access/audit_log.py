"""`/audit-log`."""

from __future__ import annotations

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import SkipValidation
from msgspec import Meta, field

from domain.access.audit import AuditEntryId, AuditFilter
from domain.access.model import ApiKeyId, Scope
from entrypoints.http.access.key_views import AuditEntryView, audit_entry_view
from entrypoints.http.protocol.answers import Id, JsonAnswer, Moment, utc
from entrypoints.http.protocol.operations import get
from entrypoints.http.protocol.pages import ListQuery, Page
from entrypoints.http.protocol.parameters import PageOf
from ports.access import AuditLog

Log = NamedDependency[SkipValidation[AuditLog]]


class AuditPage(Page[AuditEntryView]):
    """One page, newest first."""


class AuditQuery(ListQuery, forbid_unknown_fields=True):
    """Filters and position of the list."""

    since: Annotated[Moment, Meta(description="At or after this time")] | None = field(
        default=None, name="from"
    )
    until: Annotated[Moment, Meta(description="Before this time")] | None = field(
        default=None, name="to"
    )
    key: Annotated[Id, Meta(description="Only what was done with this key")] | None = None
    action: (
        Annotated[
            str,
            Meta(
                max_length=64,
                pattern=r"^[a-z_]+(\.[a-z_]+)?$",
                description="This action, such as `user.create`, or all of a kind, such as `user`",
            ),
        ]
        | None
    ) = None


@get("/audit-log", scope=Scope.ADMIN, tags=["audit"])
async def list_audit_log(page: PageOf[AuditQuery], audit_log: Log) -> JsonAnswer[AuditPage]:
    """See who did what, newest first."""
    query = page.query
    filtered = AuditFilter(
        since=utc(query.since),
        until=utc(query.until),
        key_id=None if query.key is None else ApiKeyId(query.key),
        action=query.action,
    )
    found = await audit_log.page(filtered, limit=page.read_limit, before=page.before(AuditEntryId))
    return page.answer(AuditPage, found, audit_entry_view, lambda entry: entry.id)
