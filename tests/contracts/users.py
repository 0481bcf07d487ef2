"""What every `UserRepository` holds."""

from __future__ import annotations

import asyncio
from datetime import UTC

import pytest

from domain.errors import EmailTaken, NotFound, PreconditionFailed, UserHasOrders
from domain.records.orders import MAX_INT
from domain.records.users import User, UserChanges, UserId
from tests.contracts.records import Records, RecordsContract, a_user, an_order, stored_user

NOBODY = UserId(MAX_INT)


class UsersContract(RecordsContract):
    async def test_a_new_user_has_an_id_a_first_version_and_a_time_in_utc(
        self, records: Records
    ) -> None:
        user = await records.users.add(a_user("Ann Lee", "Ann@Example.com"))
        assert (user.name, user.email, user.version) == ("Ann Lee", "Ann@Example.com", 1)
        assert user.id >= 1
        assert user.created_at is not None
        assert user.created_at.tzinfo is UTC
        assert await records.users.get(user.id) == user

    @pytest.mark.parametrize(
        "name",
        ["  spaced out  ", "Zoë Ñandú", "李安", "👩‍🚀", "x" * 255, "😀" * 255, "a\tb\nc", "'; --"],
    )
    async def test_a_name_is_kept_as_typed(self, records: Records, name: str) -> None:
        user = await records.users.add(a_user(name))
        assert (await records.users.get(user.id)).name == name

    async def test_ids_grow_and_are_not_given_again(self, records: Records) -> None:
        first = await stored_user(records)
        await records.users.delete(first.id)
        second = await stored_user(records)
        assert second.id > first.id

    async def test_who_was_never_stored_is_not_found(self, records: Records) -> None:
        with pytest.raises(NotFound, match=str(NOBODY)):
            await records.users.get(NOBODY)
        with pytest.raises(NotFound):
            await records.users.change(NOBODY, UserChanges(name="Bo"))
        with pytest.raises(NotFound):
            await records.users.change(NOBODY, UserChanges(name="Bo"), if_version={1})
        with pytest.raises(NotFound):
            await records.users.delete(NOBODY)
        with pytest.raises(NotFound):
            await records.users.delete(NOBODY, if_version={1})

    async def test_sixteen_concurrent_registrations_of_one_email_make_one_user(
        self, records: Records
    ) -> None:
        spellings = [
            "".join(
                letter.upper() if number >> place & 1 else letter
                for place, letter in enumerate("anna@example.com")
            )
            for number in range(16)
        ]
        assert len(set(spellings)) == 16
        outcomes = await asyncio.gather(
            *(records.users.add(a_user(email=spelling)) for spelling in spellings),
            return_exceptions=True,
        )
        made = [outcome for outcome in outcomes if isinstance(outcome, User)]
        assert len(made) == 1
        assert sum(isinstance(outcome, EmailTaken) for outcome in outcomes) == 15
        assert list(await records.users.page(limit=20)) == made

    async def test_letters_beyond_ascii_are_compared_without_case_too(
        self, records: Records
    ) -> None:
        await records.users.add(a_user(email="ÉVA.Ø@example.com"))
        with pytest.raises(EmailTaken):
            await records.users.add(a_user(email="éva.ø@example.com"))

    async def test_a_change_keeps_what_it_does_not_name_and_makes_a_new_version(
        self, records: Records
    ) -> None:
        old = await stored_user(records)
        renamed = await records.users.change(old.id, UserChanges(name="Bo"))
        assert (renamed.name, renamed.email, renamed.version) == ("Bo", old.email, 2)
        assert renamed.created_at == old.created_at
        moved = await records.users.change(old.id, UserChanges(email="bo@example.com"))
        assert (moved.name, moved.email, moved.version) == ("Bo", "bo@example.com", 3)
        assert await records.users.get(old.id) == moved

    async def test_a_change_to_the_same_values_keeps_the_version(self, records: Records) -> None:
        old = await stored_user(records)
        same = UserChanges(name=old.name, email=old.email)
        assert await records.users.change(old.id, same) == old
        assert await records.users.change(old.id, UserChanges()) == old
        assert await records.users.get(old.id) == old

    async def test_an_email_may_change_its_own_letter_case(self, records: Records) -> None:
        old = await records.users.add(a_user(email="ann@example.com"))
        new = await records.users.change(old.id, UserChanges(email="ANN@example.com"))
        assert (new.email, new.version) == ("ANN@example.com", 2)

    async def test_a_change_to_the_email_of_another_is_refused_and_changes_nothing(
        self, records: Records
    ) -> None:
        await records.users.add(a_user(email="bo@example.com"))
        ann = await stored_user(records)
        with pytest.raises(EmailTaken):
            await records.users.change(ann.id, UserChanges(name="Bo", email="BO@example.com"))
        assert await records.users.get(ann.id) == ann

    async def test_a_change_happens_only_to_a_version_that_the_caller_names(
        self, records: Records
    ) -> None:
        old = await stored_user(records)
        new = await records.users.change(old.id, UserChanges(name="Bo"), if_version={7, 1})
        assert new.version == 2
        for stale in ({1}, {1, 3}, set[int]()):
            with pytest.raises(PreconditionFailed):
                await records.users.change(old.id, UserChanges(name="Cy"), if_version=stale)
        assert await records.users.get(old.id) == new

    async def test_a_change_never_happens_to_a_version_that_the_caller_excludes(
        self, records: Records
    ) -> None:
        old = await stored_user(records)
        bo = UserChanges(name="Bo")
        for allowed in (None, {1}):
            with pytest.raises(PreconditionFailed, match="version 1"):
                await records.users.change(old.id, bo, if_version=allowed, unless_version={1, 7})
            with pytest.raises(PreconditionFailed):
                await records.users.delete(old.id, if_version=allowed, unless_version={1})
        assert await records.users.get(old.id) == old
        new = await records.users.change(old.id, bo, if_version={1}, unless_version={2, 7})
        await records.users.delete(new.id, unless_version={1})

    async def test_of_ten_concurrent_changes_to_one_version_one_happens(
        self, records: Records
    ) -> None:
        old = await stored_user(records)
        outcomes = await asyncio.gather(
            *(
                records.users.change(old.id, UserChanges(name=f"Ann {n}"), if_version={1})
                for n in range(10)
            ),
            return_exceptions=True,
        )
        changed = [outcome for outcome in outcomes if isinstance(outcome, User)]
        assert sum(isinstance(outcome, PreconditionFailed) for outcome in outcomes) == 9
        assert changed == [await records.users.get(old.id)]

    async def test_a_deleted_user_is_gone_and_the_email_is_free(self, records: Records) -> None:
        user = await stored_user(records)
        await records.users.delete(user.id)
        with pytest.raises(NotFound):
            await records.users.get(user.id)
        with pytest.raises(NotFound):
            await records.users.delete(user.id)
        again = await records.users.add(a_user(email=user.email))
        assert again.id != user.id

    async def test_a_stale_version_is_not_deleted(self, records: Records) -> None:
        user = await stored_user(records)
        for stale in ({2}, set[int]()):
            with pytest.raises(PreconditionFailed):
                await records.users.delete(user.id, if_version=stale)
        await records.users.delete(user.id, if_version={1, 2})
        assert await records.users.page(limit=1) == []

    async def test_a_user_with_orders_stays_until_they_are_gone(self, records: Records) -> None:
        user = await stored_user(records)
        order = await records.orders.add(an_order(user.id))
        with pytest.raises(UserHasOrders):
            await records.users.delete(user.id)
        assert await records.users.get(user.id) == user
        await records.orders.delete(order.id)
        await records.users.delete(user.id)

    async def test_a_stale_version_comes_before_the_orders(self, records: Records) -> None:
        user = await stored_user(records)
        await records.orders.add(an_order(user.id))
        with pytest.raises(PreconditionFailed):
            await records.users.delete(user.id, if_version={5})

    async def test_pages_are_newest_first_and_as_long_as_asked(self, records: Records) -> None:
        users = [await stored_user(records) for _ in range(5)]
        newest = users[::-1]
        assert list(await records.users.page(limit=9)) == newest
        assert list(await records.users.page(limit=2)) == newest[:2]
        assert list(await records.users.page(limit=2, before=newest[1].id)) == newest[2:4]
        assert list(await records.users.page(limit=2, before=newest[-1].id)) == []

    async def test_a_list_by_email_holds_that_user_whatever_the_letter_case(
        self, records: Records
    ) -> None:
        await stored_user(records)
        ann = await records.users.add(a_user(email="Ann@Example.com"))
        await stored_user(records)
        assert list(await records.users.page(limit=9, email="aNN@example.COM")) == [ann]
        assert list(await records.users.page(limit=9, before=ann.id, email=ann.email)) == []
        assert list(await records.users.page(limit=9, email="nobody@example.com")) == []
        assert list(await records.users.page(limit=9, email="%")) == []

    async def test_a_walk_sees_each_row_once_while_rows_come_and_go(self, records: Records) -> None:
        users = [await stored_user(records) for _ in range(9)]
        seen: list[User] = []
        before = None
        while page := await records.users.page(limit=2, before=before):
            seen += page
            before = page[-1].id
            await stored_user(records)
            await records.users.delete(page[0].id)
        assert seen == users[::-1]
