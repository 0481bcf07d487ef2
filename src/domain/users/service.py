"""What can be done with users."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

from domain.errors import InvalidInput, Violation
from domain.users.model import User, UserChanges, UserDraft, UserId, name_violations
from ports.email_syntax import EmailSyntax
from ports.users import UserRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class UserService:
    """Holds the rules that a user must meet before anything is stored."""

    users: UserRepository
    email_syntax: EmailSyntax

    def violations(self, members: Mapping[str, object]) -> list[Violation]:
        """What is wrong with well-typed members; absent ones and None are right."""
        found = name_violations(members)
        email = members.get("email")
        problem = self.email_syntax.problem(email) if isinstance(email, str) else None
        if problem is not None:
            found.append(Violation(pointer="/email", detail=problem))
        return found

    def within(self, users: UserRepository) -> UserService:
        """The same rules over the repository of a unit of work."""
        return replace(self, users=users)

    async def register(self, draft: UserDraft) -> User:
        """Store a new user.

        Raises:
            InvalidInput: names every bad member.
            EmailTaken: see `UserRepository.add`.
        """
        self._check({"name": draft.name, "email": draft.email})
        return await self.users.add(draft)

    async def change(
        self,
        user_id: UserId,
        changes: UserChanges,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> User:
        """Change what `changes` holds, as the versions allow.

        Raises:
            InvalidInput: names every bad member.
            NotFound, PreconditionFailed, EmailTaken: see `UserRepository.change`.
        """
        self._check({"name": changes.name, "email": changes.email})
        return await self.users.change(
            user_id, changes, if_version=if_version, unless_version=unless_version
        )

    def _check(self, members: Mapping[str, object]) -> None:
        found = self.violations(members)
        if found:
            raise InvalidInput.of(found)
