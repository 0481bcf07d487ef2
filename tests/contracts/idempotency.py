"""What every `IdempotencyStore` holds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import IdempotencyKeyReused, RequestInProgress
from ports.idempotency import KEPT_HOURS, StoredResponse
from tests.contracts.records import Records, RecordsContract

KEY = "7f1c-key"
FINGERPRINT = b"\x00" * 32
OTHER = b"\xff" * 32
ANSWER = StoredResponse(
    status=201,
    headers={"location": "/users/7", "etag": '"1"'},
    body='{"name":"Zoë"}'.encode() + b"\x00\xff",
)


class IdempotencyContract(RecordsContract):
    async def test_a_new_key_gives_the_work_to_its_caller(self, records: Records) -> None:
        async with records.open_unit() as unit:
            assert await unit.answers.claim(KEY, FINGERPRINT) is None
            assert await unit.answers.claim(KEY, FINGERPRINT) is None

    @pytest.mark.parametrize("answer", [ANSWER, StoredResponse(status=204, headers={}, body=b"")])
    async def test_a_kept_answer_is_replayed_to_the_byte(
        self, records: Records, answer: StoredResponse
    ) -> None:
        await _keep(records, answer)
        assert await _claim(records) == answer
        assert await _claim(records) == answer

    async def test_what_was_not_committed_is_not_replayed(self, records: Records) -> None:
        async with records.open_unit() as unit:
            await unit.answers.claim(KEY, FINGERPRINT)
            await unit.answers.keep(KEY, FINGERPRINT, ANSWER)
        assert await _claim(records) is None

    async def test_a_second_claim_while_the_first_works_is_told_so(self, records: Records) -> None:
        async with records.open_unit() as first:
            await first.answers.claim(KEY, FINGERPRINT)
            with pytest.raises(RequestInProgress):
                await _claim(records)
            with pytest.raises(RequestInProgress):
                await _claim(records, fingerprint=OTHER)
            assert await _claim(records, "another-key") is None
            await first.answers.keep(KEY, FINGERPRINT, ANSWER)
            await first.commit()
        assert await _claim(records) == ANSWER

    async def test_a_claim_ends_with_its_unit(self, records: Records) -> None:
        with pytest.raises(ZeroDivisionError):
            async with records.open_unit() as unit:
                await unit.answers.claim(KEY, FINGERPRINT)
                raise ZeroDivisionError
        assert await _claim(records, fingerprint=OTHER) is None

    async def test_a_key_belongs_to_its_first_request(self, records: Records) -> None:
        await _keep(records, ANSWER)
        with pytest.raises(IdempotencyKeyReused):
            await _claim(records, fingerprint=OTHER)
        assert await _claim(records) == ANSWER

    async def test_an_answer_is_forgotten_after_its_hours(self, records: Records) -> None:
        await _keep(records, ANSWER)
        await records.let_pass(timedelta(hours=KEPT_HOURS, minutes=-1))
        assert await _claim(records) == ANSWER
        await records.let_pass(timedelta(minutes=2))
        assert await _claim(records) is None
        assert await _claim(records, fingerprint=OTHER) is None

    async def test_a_key_whose_answer_is_forgotten_keeps_a_new_one(self, records: Records) -> None:
        await _keep(records, ANSWER)
        await records.let_pass(timedelta(hours=KEPT_HOURS, minutes=1))
        newer = StoredResponse(status=202, headers={}, body=b"newer")
        await _keep(records, newer, fingerprint=OTHER)
        assert await _claim(records, fingerprint=OTHER) == newer

    async def test_a_reservation_holds_the_key_beyond_its_unit(self, records: Records) -> None:
        await _reserve(records, hold_s=60)
        with pytest.raises(RequestInProgress):
            await _claim(records)
        with pytest.raises(IdempotencyKeyReused):
            await _claim(records, fingerprint=OTHER)

    async def test_a_reservation_lapses(self, records: Records) -> None:
        await _reserve(records, hold_s=60)
        await records.let_pass(timedelta(seconds=59))
        with pytest.raises(RequestInProgress):
            await _claim(records)
        await records.let_pass(timedelta(seconds=2))
        assert await _claim(records) is None

    async def test_a_lapsed_reservation_can_be_made_anew(self, records: Records) -> None:
        await _reserve(records, hold_s=60)
        await records.let_pass(timedelta(seconds=61))
        await _reserve(records, hold_s=60)
        with pytest.raises(RequestInProgress):
            await _claim(records)

    async def test_an_answer_ends_a_reservation(self, records: Records) -> None:
        await _reserve(records, hold_s=60)
        async with records.open_unit() as unit:
            await unit.answers.keep(KEY, FINGERPRINT, ANSWER)
            await unit.commit()
        assert await _claim(records) == ANSWER

    async def test_a_released_key_can_be_claimed_by_any_request(self, records: Records) -> None:
        await _reserve(records, hold_s=60)
        await _release(records)
        assert await _claim(records, fingerprint=OTHER) is None

    async def test_releasing_leaves_kept_answers_and_unknown_keys_alone(
        self, records: Records
    ) -> None:
        await _release(records)
        await _keep(records, ANSWER)
        await _release(records)
        assert await _claim(records) == ANSWER

    async def test_purging_forgets_what_is_too_old_and_says_how_much(
        self, records: Records
    ) -> None:
        await _keep(records, ANSWER, key="old-1")
        await _keep(records, ANSWER, key="old-2")
        await records.let_pass(timedelta(hours=KEPT_HOURS, minutes=1))
        await _keep(records, ANSWER, key="new")
        assert await _purge(records) == 2
        assert await _purge(records) == 0
        assert await _claim(records, "new") == ANSWER

    async def test_a_purge_without_commit_forgets_nothing(self, records: Records) -> None:
        await _keep(records, ANSWER)
        await records.let_pass(timedelta(hours=KEPT_HOURS, minutes=1))
        async with records.open_unit() as unit:
            assert await unit.answers.purge() == 1
        assert await _purge(records) == 1


async def _claim(
    records: Records, key: str = KEY, fingerprint: bytes = FINGERPRINT
) -> StoredResponse | None:
    async with records.open_unit() as unit:
        return await unit.answers.claim(key, fingerprint)


async def _keep(
    records: Records, answer: StoredResponse, *, key: str = KEY, fingerprint: bytes = FINGERPRINT
) -> None:
    async with records.open_unit() as unit:
        assert await unit.answers.claim(key, fingerprint) is None
        await unit.answers.keep(key, fingerprint, answer)
        await unit.commit()


async def _reserve(records: Records, *, hold_s: float) -> None:
    async with records.open_unit() as unit:
        assert await unit.answers.claim(KEY, FINGERPRINT) is None
        await unit.answers.reserve(KEY, FINGERPRINT, hold_s=hold_s)
        await unit.commit()


async def _release(records: Records) -> None:
    async with records.open_unit() as unit:
        await unit.answers.release(KEY)
        await unit.commit()


async def _purge(records: Records) -> int:
    async with records.open_unit() as unit:
        count = await unit.answers.purge()
        await unit.commit()
        return count
