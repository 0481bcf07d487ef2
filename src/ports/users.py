"""Storage of users, as the use cases need it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence, Set
from typing import Protocol

from domain.users.model import User, UserChanges, UserDraft, UserId


class UserRepository(Protocol):
    """Users; each method is atomic.

    `if_version`, `unless_version`: the versions of which the row must have one (None: any), and
    those that it must not have; checked in the statement that writes.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, ChangesCollided, DatabaseReadOnly, StatementTimedOut:
            see `domain.errors`.
    """

    @abstractmethod
    async def add(self, draft: UserDraft) -> User:
        """Store a new user.

        Raises:
            EmailTaken: a user has this mailbox (`domain.users.model.mailbox`).
        """
        ...

    @abstractmethod
    async def get(self, user_id: UserId) -> User:
        """Load one.

        Raises:
            NotFound: no such user.
        """
        ...

    @abstractmethod
    async def change(
        self,
        user_id: UserId,
        changes: UserChanges,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> User:
        """Change the members that `changes` holds; returns the new state.

        Raises:
            NotFound: no such user.
            PreconditionFailed: the version is none of `if_version`, or one of `unless_version`.
            EmailTaken: another user has this e-mail.
        """
        ...

    @abstractmethod
    async def delete(
        self,
        user_id: UserId,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> None:
        """Remove one.

        Raises:
            NotFound: no such user.
            PreconditionFailed: the version is none of `if_version`, or one of `unless_version`.
            UserHasOrders: orders refer to it.
        """
        ...

    @abstractmethod
    async def page(
        self, *, limit: int, before: UserId | None = None, email: str | None = None
    ) -> Sequence[User]:
        """Up to `limit` users, newest first, with ids below `before`.

        Args:
            limit: 1 and up.
            before: None starts at the newest.
            email: only the user with the mailbox that this address names.
        """
        ...
