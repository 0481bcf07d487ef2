"""What can be done with keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.access.keys import (
    DEFAULT_LIFETIME,
    ApiKey,
    ApiKeyDraft,
    KeyState,
    budget_violations,
    draft_violations,
    key_digest,
    key_hint,
    new_key,
)
from domain.access.model import ApiKeyId, BudgetChanges, Scope
from domain.errors import Conflict, InvalidInput, NotAuthenticated, NotFound, Violation
from ports.access import ApiKeyLookup, ApiKeyRepository, KeyChangePublisher
from ports.clock import Clock

DEFAULT_OVERLAP: Final = timedelta(hours=24)
MAX_OVERLAP: Final = timedelta(days=30)
_PAGE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """A new key with its secret, which is nowhere else.

    Attributes:
        key: as stored.
        secret: all of it, 52 characters.
        announced: whether every process knows already; else each within 30 s.
    """

    key: ApiKey
    secret: str
    announced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedKey:
    """A key that is refused from now on.

    Attributes:
        key: as stored.
        announced: whether every process knows already; else each within 30 s.
        is_last_admin: no key with the scope `admin` is left: only the command line can make one.
    """

    key: ApiKey
    announced: bool
    is_last_admin: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedKey:
    """A key that is otherwise from now on.

    Attributes:
        key: as stored.
        announced: whether every process knows already; else each within 30 s.
    """

    key: ApiKey
    announced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyService:
    """Makes keys, makes others in their place, and takes them back.

    Attributes:
        draw: a random number of 0..n-1 for n, fit for secrets.
    """

    keys: ApiKeyRepository
    directory: ApiKeyLookup
    announcements: KeyChangePublisher
    clock: Clock
    draw: Callable[[int], int]

    def default_expiry(self) -> datetime:
        """When a key ends of which nothing else is said."""
        return self.clock.now() + DEFAULT_LIFETIME

    async def create(self, draft: ApiKeyDraft) -> IssuedKey:
        """Make a key.

        Raises:
            InvalidInput: names every bad member.
        """
        faults = draft_violations(draft, now=self.clock.now())
        if faults:
            raise InvalidInput.of(faults)
        secret = new_key(draft.environment, self.draw)
        key = await self.keys.add(draft, digest=key_digest(secret), hint=key_hint(secret))
        return await self._issued(key, secret)

    async def rotate(
        self, key_id: ApiKeyId, *, created_by: str, overlap: timedelta = DEFAULT_OVERLAP
    ) -> IssuedKey:
        """Make a key in the place of another: with all that it has, but for the secret.

        The new one has the lifetime that the old one was given, counted from now.

        Args:
            key_id: of the old key.
            created_by: the subject of who asks for it.
            overlap: how long the old one is accepted beside it, 0..30 days, though never beyond
                its own expiry.

        Raises:
            InvalidInput: `overlap` is out of range.
            NotFound: no such key.
            Conflict: the old key is revoked or expired, or was replaced before.
        """
        if not timedelta(0) <= overlap <= MAX_OVERLAP:
            detail = f"must be within 0..{MAX_OVERLAP.days} days"
            raise InvalidInput.of([Violation(pointer="/overlap", detail=detail)])
        now, old = self.clock.now(), await self.keys.get(key_id)
        state = old.state(now)
        if state is not KeyState.ACTIVE:
            raise Conflict(_why_not(old, state))
        draft = ApiKeyDraft(
            name=old.name,
            environment=old.environment,
            scopes=old.scopes,
            networks=old.networks,
            requests_per_minute=old.requests_per_minute,
            budget=old.budget,
            expires_at=old.expires_at and now + (old.expires_at - old.created_at),
            created_by=created_by,
        )
        secret = new_key(draft.environment, self.draw)
        key = await self.keys.replace(
            key_id, draft, digest=key_digest(secret), hint=key_hint(secret), until=now + overlap
        )
        await self.announcements.announce(key_id)
        return await self._issued(key, secret)

    async def change_budget(self, key_id: ApiKeyId, changes: BudgetChanges) -> ChangedKey:
        """Change what a key may spend on language models in a day.

        A key and those that were made in its place have one budget and one account, so it
        changes for all of them.

        Raises:
            InvalidInput: names every amount that is out of range.
            NotFound: no such key.
        """
        if faults := budget_violations(changes):
            raise InvalidInput.of(faults)
        if not changes.members:
            return ChangedKey(key=await self.keys.get(key_id), announced=True)
        changed = await self.keys.change_budget(key_id, changes)
        told = [await self.announcements.announce(key.id) for key in changed]
        return ChangedKey(key=changed[0], announced=all(told))

    async def revoke(self, key_id: ApiKeyId) -> RevokedKey:
        """Refuse a key from now on; one that is revoked stays so.

        A key that was made in its place lives on.

        Raises:
            NotFound: no such key.
        """
        key = await self.keys.revoke(key_id, self.clock.now())
        announced = await self.announcements.announce(key_id)
        was_admin = Scope.ADMIN in key.scopes
        return RevokedKey(
            key=key,
            announced=announced,
            is_last_admin=was_admin and not await self._has_admin(),
        )

    async def revoke_secret(self, secret: str) -> RevokedKey:
        """As `revoke`, for who has the key itself, such as one that was found in public.

        Raises:
            InvalidInput: it has not the form of a key.
            NotFound: it was not made here.
        """
        try:
            digest = key_digest(secret)
        except NotAuthenticated as error:
            raise InvalidInput(str(error)) from None
        key = await self.directory.find(digest)
        if key is None:
            raise NotFound("This key was not made here: another installation's, or none.")
        return await self.revoke(key.id)

    async def _issued(self, key: ApiKey, secret: str) -> IssuedKey:
        announced = await self.announcements.announce(key.id)
        return IssuedKey(key=key, secret=secret, announced=announced)

    async def _has_admin(self) -> bool:
        now, before = self.clock.now(), None
        while True:
            page = await self.keys.page(limit=_PAGE, before=before)
            for key in page:
                is_accepted = key.state(now) in {KeyState.ACTIVE, KeyState.REPLACED}
                if is_accepted and Scope.ADMIN in key.scopes:
                    return True
            if len(page) < _PAGE:
                return False
            before = page[-1].id


def _why_not(key: ApiKey, state: KeyState) -> str:
    if state is KeyState.REPLACED:
        return f"Key {key.id} was replaced by key {key.replaced_by}: rotate that one."
    return f"Key {key.id} is {state}: create a new key."
