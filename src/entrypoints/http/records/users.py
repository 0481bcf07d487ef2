"""`/users`."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import Annotated, Any, ClassVar, TypeAlias

from litestar import Controller
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation
from msgspec import UNSET, Meta, Struct, UnsetType

from domain.access.model import Scope
from domain.errors import EmailTaken, UserHasOrders
from domain.records.service import UserService
from domain.records.users import User, UserChanges, UserDraft, UserId
from entrypoints.http.protocol.answers import Instant, JsonAnswer, StoredId, path_id
from entrypoints.http.protocol.bodies import Rules
from entrypoints.http.protocol.operations import delete, get, patch, post, put
from entrypoints.http.protocol.pages import ListQuery, Page
from entrypoints.http.protocol.parameters import (
    Body,
    IdempotentWork,
    InPath,
    MergePatch,
    PageOf,
    ReadsVersion,
    WritesVersion,
)
from entrypoints.http.protocol.preconditions import versioned_response
from ports.records import UserRepository
from ports.unit_of_work import UnitOfWork

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        pattern=r"^[^\x00]*[^\s\x00][^\x00]*$",
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


class NewUser(Struct, forbid_unknown_fields=True):
    """A user to create."""

    EXAMPLE: ClassVar = {"name": "Ann Lee", "email": "ann@example.com"}

    name: Name
    email: Email


class UserReplacement(Struct, forbid_unknown_fields=True):
    """A user as a whole; what GET returned can be put back."""

    EXAMPLE: ClassVar = NewUser.EXAMPLE

    name: Name
    email: Email
    id: Ignored = UNSET
    created_at: Ignored = UNSET


class UserPatch(Struct, forbid_unknown_fields=True):
    """The fields to change."""

    EXAMPLE: ClassVar = {"name": "Ann Lee-Wong"}

    name: Name | UnsetType = UNSET
    email: Email | UnsetType = UNSET


class UserView(Struct):
    """A user as stored."""

    EXAMPLE: ClassVar = {"id": 1, **NewUser.EXAMPLE, "created_at": "2026-11-22T09:30:00Z"}

    id: StoredId
    name: str
    email: str
    created_at: Instant | None


class UserPage(Page[UserView]):
    """One page, newest first."""


class UserListQuery(ListQuery, forbid_unknown_fields=True):
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


UserIdInPath: TypeAlias = Annotated[UserId, InPath(partial(path_id, what="user"), StoredId)]
Users = NamedDependency[SkipValidation[UserRepository]]
Service = NamedDependency[SkipValidation[UserService]]


def _rules(user_service: Service) -> Rules:
    return user_service.violations


class UserController(Controller):
    """Users."""

    path = "/users"
    tags = ("users",)
    dependencies = {"rules": Provide(_rules, sync_to_thread=False)}  # noqa: RUF012

    @post(scope=Scope.RECORDS_WRITE, errors=[EmailTaken], headers=["Location", "ETag"])
    async def create_user(
        self, once: IdempotentWork, body: Body[NewUser], user_service: Service
    ) -> JsonAnswer[UserView]:
        """Create a user."""
        draft = UserDraft(name=body.name, email=body.email)

        async def register(users: UserService) -> JsonAnswer[UserView]:
            user = await users.register(draft)
            headers = {"Location": f"/users/{user.id}"}
            return versioned_response(user, _view, status=201, headers=headers)

        def in_unit(unit: UnitOfWork) -> Awaitable[JsonAnswer[UserView]]:
            return register(user_service.within(unit.users))

        return await once.do(in_unit, alone=lambda: register(user_service))

    @get(scope=Scope.RECORDS_READ)
    async def list_users(self, page: PageOf[UserListQuery], users: Users) -> JsonAnswer[UserPage]:
        """List users, newest first."""
        found = await users.page(
            limit=page.read_limit, before=page.before(UserId), email=page.query.email
        )
        return page.answer(UserPage, found, _view, lambda user: user.id)

    @get("/{user_id:str}", scope=Scope.RECORDS_READ)
    async def get_user(
        self, user_id: UserIdInPath, known: ReadsVersion, users: Users
    ) -> JsonAnswer[UserView]:
        """Fetch a user."""
        return known.answer(await users.get(user_id), _view)

    @put("/{user_id:str}", scope=Scope.RECORDS_WRITE, errors=[EmailTaken])
    async def replace_user(
        self,
        user_id: UserIdInPath,
        body: Body[UserReplacement],
        versions: WritesVersion,
        user_service: Service,
    ) -> JsonAnswer[UserView]:
        """Replace a user's name and e-mail."""
        changes = UserChanges(name=body.name, email=body.email)
        return versioned_response(await user_service.change(user_id, changes, **versions), _view)

    @patch("/{user_id:str}", scope=Scope.RECORDS_WRITE, errors=[EmailTaken])
    async def patch_user(
        self,
        user_id: UserIdInPath,
        body: MergePatch[UserPatch],
        versions: WritesVersion,
        user_service: Service,
    ) -> JsonAnswer[UserView]:
        """Change some fields of a user (JSON merge patch)."""
        changes = UserChanges(
            name=None if body.name is UNSET else body.name,
            email=None if body.email is UNSET else body.email,
        )
        return versioned_response(await user_service.change(user_id, changes, **versions), _view)

    @delete("/{user_id:str}", scope=Scope.RECORDS_WRITE, errors=[UserHasOrders])
    async def delete_user(
        self, user_id: UserIdInPath, versions: WritesVersion, users: Users
    ) -> None:
        """Delete a user who has no orders."""
        await users.delete(user_id, **versions)


def _view(user: User) -> UserView:
    return UserView(id=user.id, name=user.name, email=user.email, created_at=user.created_at)
