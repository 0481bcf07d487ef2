from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.system.email_syntax import EmailValidatorSyntax
from domain.errors import EmailTaken, InvalidInput, NotFound, PreconditionFailed
from domain.records.service import UserService
from domain.records.users import UserChanges, UserDraft, UserId, mailbox, name_violations
from tests.fakes.records import MemoryUserRepository
from tests.fakes.system import StandingClock
from tests.fakes.tables import RecordTables
from tests.fakes.unit_of_work import MemoryUnitOfWorkFactory


@pytest.fixture
def tables() -> RecordTables:
    return RecordTables(clock=StandingClock())


@pytest.fixture
def service(tables: RecordTables) -> UserService:
    return UserService(users=MemoryUserRepository(tables), email_syntax=EmailValidatorSyntax())


def pointers(refusal: pytest.ExceptionInfo[InvalidInput]) -> list[str]:
    return [each.pointer for each in refusal.value.violations]


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        ("Kunde@BÜCHER.example", "kunde@bücher.example"),
        ("kunde@XN--BCHER-kva.example", "kunde@bücher.example"),
        ("JOSE\u0301@a\u3002b\uff0eexample", "josé@a.b.example"),
        ("\uff41nn@\uff45xample.com", "\uff41nn@example.com"),
        ("\u0130nfo@\u0130.example", "info@i.example"),
        ("a@xn--abc-.example", "a@xn--abc-.example"),
        ("a@xn--ü.example", "a@xn--ü.example"),
        ("a@xn--99999999.example", "a@xn--99999999.example"),
        ("nobody", "nobody"),
        ("", ""),
    ],
)
def test_a_mailbox_has_one_name_however_it_is_spelt(address: str, named: str) -> None:
    assert mailbox(address) == named
    assert mailbox(mailbox(address)) == named


def test_an_address_that_idna_reads_otherwise_is_refused_with_its_usual_form() -> None:
    problem = EmailValidatorSyntax().problem
    assert problem("a@b\u00fcch.example") is None
    assert "Write the address as a@büch.example" in (problem("a@b\ufe0füch.example") or "")


async def test_a_registered_user_is_stored_as_typed(service: UserService) -> None:
    user = await service.register(UserDraft(name=" Ann ", email="Ann@Example.com"))
    assert (user.name, user.email) == (" Ann ", "Ann@Example.com")
    assert await service.users.get(user.id) == user


async def test_every_bad_member_of_a_new_user_is_named(service: UserService) -> None:
    with pytest.raises(InvalidInput, match="2 fields are invalid") as refusal:
        await service.register(UserDraft(name="\t", email="nobody"))
    assert pointers(refusal) == ["/name", "/email"]
    assert await service.users.page(limit=1) == []


async def test_a_change_is_held_to_the_same_rules(service: UserService) -> None:
    user = await service.register(UserDraft(name="Ann", email="ann@example.com"))
    with pytest.raises(InvalidInput) as refusal:
        await service.change(user.id, UserChanges(name="", email="@"))
    assert pointers(refusal) == ["/name", "/email"]
    with pytest.raises(InvalidInput, match="1 field is invalid") as refusal:
        await service.change(user.id, UserChanges(email="a@b@c"))
    assert pointers(refusal) == ["/email"]
    assert await service.users.get(user.id) == user


async def test_a_change_takes_the_expected_version_along(service: UserService) -> None:
    user = await service.register(UserDraft(name="Ann", email="ann@example.com"))
    changed = await service.change(user.id, UserChanges(name="Bo"), if_version={1})
    assert (changed.name, changed.version) == ("Bo", 2)
    with pytest.raises(PreconditionFailed):
        await service.change(user.id, UserChanges(name="Cy"), if_version={1})


async def test_a_taken_email_is_a_conflict(service: UserService) -> None:
    await service.register(UserDraft(name="Ann", email="ann@example.com"))
    with pytest.raises(EmailTaken):
        await service.register(UserDraft(name="Ann", email="ANN@example.com"))


async def test_within_a_unit_the_same_rules_hold_over_its_rows(
    service: UserService, tables: RecordTables
) -> None:
    async with MemoryUnitOfWorkFactory(tables)() as unit:
        inside = service.within(unit.users)
        with pytest.raises(InvalidInput):
            await inside.register(UserDraft(name="", email="ann@example.com"))
        user = await inside.register(UserDraft(name="Ann", email="ann@example.com"))
    with pytest.raises(NotFound):
        await service.users.get(user.id)


@given(st.dictionaries(st.sampled_from(["name", "email", "other"]), st.none() | st.integers()))
def test_members_that_are_absent_or_of_another_type_are_no_matter_of_the_rules(
    members: dict[str, object],
) -> None:
    service = UserService(
        users=MemoryUserRepository(RecordTables(clock=StandingClock())),
        email_syntax=EmailValidatorSyntax(),
    )
    assert service.violations(members) == []
    assert name_violations(members) == []


def test_ids_are_plain_numbers_at_run_time() -> None:
    assert UserId(7) == 7


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.com",
        "Ann.Lee+orders@Example.co.uk",
        "o'brien@example.com",
        "zoë@example.com",
        "李@例え.jp",
        f"{'a' * 64}@example.com",
    ],
)
def test_an_address_that_could_receive_mail_is_right(address: str) -> None:
    assert EmailValidatorSyntax().problem(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "@example.com",
        "ann@",
        "ann@@example.com",
        "ann lee@example.com",
        " ann@example.com",
        "ann@example.com ",
        "ann@example.com\n",
        "Ann <ann@example.com>",
        "ann@-example.com",
        "ann@example..com",
        ".ann@example.com",
        "ann@localhost",
        "ann@127.0.0.1",
        f"ann@{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 63}.com",
        "ann\0@example.com",
        "ann\ud800@example.com",
    ],
)
def test_an_address_that_could_not_is_explained(address: str) -> None:
    problem = EmailValidatorSyntax().problem(address)
    assert problem
    assert problem.encode()


@given(st.text(max_size=300))
def test_any_text_is_either_an_address_or_explained(text: str) -> None:
    problem = EmailValidatorSyntax().problem(text)
    assert problem is None or problem.encode()


@given(st.emails())
def test_an_address_that_is_right_is_no_longer_than_its_column(address: str) -> None:
    assert EmailValidatorSyntax().problem(address) is not None or len(address) <= 254
