"""`/users`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation
from msgspec import UNSET, Meta, Struct, UnsetType

from domain.errors import (
    EmailTaken,
    IdempotencyKeyReused,
    NotFound,
    PreconditionFailed,
    RequestInProgress,
    UserHasOrders,
)
from domain.records.service import UserService
from domain.records.users import User, UserChanges, UserDraft, UserId
from entrypoints.http.protocol.answers import (
    DEFAULT_LIMIT,
    Cursor,
    Limit,
    StoredId,
    json_response,
    page_response,
    path_id,
)
from entrypoints.http.protocol.bodies import JSON, MERGE_PATCH, read_body
from entrypoints.http.protocol.cursors import Cursors, read_page
from entrypoints.http.protocol.idempotency import idempotency_key, once
from entrypoints.http.protocol.openapi import DATABASE_ERRORS, contract
from entrypoints.http.protocol.preconditions import conditions, etag, not_modified
from ports.records import UserRepository
from ports.unit_of_work import UnitOfWork, UnitOfWorkFactory

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        pattern=r"^[^\x00]*\S[^\x00]*$",
        description="1..255 characters, not blank",
        examples=["Ann Lee"],
    ),
]
Email = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=254,
        description="Unique by the mailbox that it names, however it is spelt",
        examples=["ann@example.com"],
        extra_json_schema={"format": "email"},
    ),
]
Ignored = Annotated[Any, Meta(description="Read-only; accepted and ignored")]

_EXAMPLE: Final = {
    "id": 1,
    "name": "Ann Lee",
    "email": "ann@example.com",
    "created_at": "2026-11-22T09:30:00Z",
}
_BODY: Final = {"name": "Ann Lee", "email": "ann@example.com"}


class UserBody(Struct, forbid_unknown_fields=True):
    """A user to create."""

    name: Name
    email: Email


class UserReplacement(Struct, forbid_unknown_fields=True):
    """A user as a whole; what GET returned can be put back."""

    name: Name
    email: Email
    id: Ignored = UNSET
    created_at: Ignored = UNSET


class UserPatch(Struct, forbid_unknown_fields=True):
    """The members to change."""

    name: Name | UnsetType = UNSET
    email: Email | UnsetType = UNSET


class UserView(Struct):
    """A user as stored."""

    id: StoredId
    name: str
    email: str
    created_at: datetime | None


class UserPage(Struct):
    """One page, newest first."""

    items: list[UserView]
    next: str | None


class UserQuery(Struct, forbid_unknown_fields=True):
    """Filters and position of the list."""

    email: (
        Annotated[
            str,
            Meta(
                max_length=255,
                pattern=r"^[^\x00]*$",
                description="Only the user with this mailbox, however spelt",
            ),
        ]
        | None
    ) = None
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


Users = NamedDependency[SkipValidation[UserRepository]]
Service = NamedDependency[SkipValidation[UserService]]
Units = NamedDependency[SkipValidation[UnitOfWorkFactory]]
Sealer = NamedDependency[SkipValidation[Cursors]]


class UserController(Controller):
    """Users."""

    path = "/users"

    @post(
        opt=contract(
            summary="Create a user",
            tag="users",
            status=201,
            returns=UserView,
            example=_EXAMPLE,
            body=UserBody,
            body_example=_BODY,
            errors=(EmailTaken, RequestInProgress, IdempotencyKeyReused, *DATABASE_ERRORS),
            request_headers=("Idempotency-Key",),
            response_headers=("Location", "ETag", "Idempotency-Replayed"),
        )
    )
    async def create_user(
        self, request: Request[Any, Any, Any], user_service: Service, open_unit: Units
    ) -> Response[bytes]:
        """Create one."""
        key = idempotency_key(request)
        body = await read_body(request, UserBody, user_service.violations)
        draft = UserDraft(name=body.name, email=body.email)

        async def register(service: UserService) -> Response[bytes]:
            user = await service.register(draft)
            return _respond(user, status=201, headers={"Location": f"/users/{user.id}"})

        if key is None:
            return await register(user_service)

        async def in_unit(unit: UnitOfWork) -> Response[bytes]:
            return await register(user_service.within(unit.users))

        return await once(request, key, open_unit, in_unit)

    @get(
        opt=contract(
            summary="List users, newest first",
            tag="users",
            returns=UserPage,
            example={"items": [_EXAMPLE], "next": None},
            query=UserQuery,
            errors=DATABASE_ERRORS,
            response_headers=("Link",),
        )
    )
    async def list_users(
        self, request: Request[Any, Any, Any], users: Users, cursors: Sealer
    ) -> Response[bytes]:
        """One page."""
        query, filters, before = read_page(request, UserQuery, cursors, self.path)
        found = await users.page(
            limit=query.limit + 1,
            before=None if before is None else UserId(before),
            email=query.email,
        )
        items = [_view(user) for user in found[: query.limit]]
        more = len(found) > query.limit
        return page_response(
            items,
            cursors.next_path(self.path, filters, items[-1].id, query.limit) if more else None,
        )

    @get(
        "/{user_id:str}",
        opt=contract(
            summary="Fetch a user",
            tag="users",
            returns=UserView,
            example=_EXAMPLE,
            path={"user_id": StoredId},
            errors=(NotFound, PreconditionFailed, *DATABASE_ERRORS),
            request_headers=("If-Match", "If-None-Match"),
            response_headers=("ETag",),
        ),
    )
    async def get_user(
        self, request: Request[Any, Any, Any], user_id: FromPath[str], users: Users
    ) -> Response[bytes]:
        """Fetch one."""
        user = await users.get(_id(user_id))
        if not_modified(request, user.version):
            return Response(b"", status_code=304, headers={"ETag": etag(user.version)})
        return _respond(user)

    @put(
        "/{user_id:str}",
        opt=contract(
            summary="Replace a user's name and e-mail",
            tag="users",
            returns=UserView,
            example=_EXAMPLE,
            path={"user_id": StoredId},
            body=UserReplacement,
            body_example=_BODY,
            errors=(NotFound, EmailTaken, PreconditionFailed, *DATABASE_ERRORS),
            request_headers=("If-Match", "If-None-Match"),
            response_headers=("ETag",),
        ),
    )
    async def replace_user(
        self, request: Request[Any, Any, Any], user_id: FromPath[str], user_service: Service
    ) -> Response[bytes]:
        """Replace one."""
        identity = _id(user_id)
        body = await read_body(request, UserReplacement, user_service.violations)
        changes = UserChanges(name=body.name, email=body.email)
        return _respond(await user_service.change(identity, changes, **conditions(request)))

    @patch(
        "/{user_id:str}",
        opt=contract(
            summary="Change some members of a user (JSON merge patch)",
            tag="users",
            returns=UserView,
            example=_EXAMPLE,
            path={"user_id": StoredId},
            body=UserPatch,
            body_types=(MERGE_PATCH, JSON),
            body_example={"name": "Ann Lee-Wong"},
            errors=(NotFound, EmailTaken, PreconditionFailed, *DATABASE_ERRORS),
            request_headers=("If-Match", "If-None-Match"),
            response_headers=("ETag",),
        ),
    )
    async def patch_user(
        self, request: Request[Any, Any, Any], user_id: FromPath[str], user_service: Service
    ) -> Response[bytes]:
        """Change some members of one."""
        identity = _id(user_id)
        body = await read_body(request, UserPatch, user_service.violations, (MERGE_PATCH, JSON))
        changes = UserChanges(
            name=None if body.name is UNSET else body.name,
            email=None if body.email is UNSET else body.email,
        )
        return _respond(await user_service.change(identity, changes, **conditions(request)))

    @delete(
        "/{user_id:str}",
        opt=contract(
            summary="Delete a user who has no orders",
            tag="users",
            status=204,
            path={"user_id": StoredId},
            errors=(NotFound, UserHasOrders, PreconditionFailed, *DATABASE_ERRORS),
            request_headers=("If-Match", "If-None-Match"),
        ),
    )
    async def delete_user(
        self, request: Request[Any, Any, Any], user_id: FromPath[str], users: Users
    ) -> None:
        """Delete one."""
        await users.delete(_id(user_id), **conditions(request))


def _id(raw: str) -> UserId:
    return UserId(path_id(raw, "user"))


def _view(user: User) -> UserView:
    return UserView(id=user.id, name=user.name, email=user.email, created_at=user.created_at)


def _respond(
    user: User, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response[bytes]:
    return json_response(
        _view(user), status=status, headers={"ETag": etag(user.version), **(headers or {})}
    )
