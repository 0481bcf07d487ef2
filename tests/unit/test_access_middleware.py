from __future__ import annotations

from typing import Any

import pytest

from domain.errors import NotAuthenticated
from entrypoints.addresses import in_either_form, is_this_machine, read_address
from entrypoints.http.access.middleware import credential, cross_site, foreign, peer


def headers(*given: tuple[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in given]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_the_scheme_is_known_in_any_case(scheme: str) -> None:
    assert credential(headers(("authorization", f"{scheme} a.b-c_d~e+f/g== "))) == "a.b-c_d~e+f/g=="


def test_no_authorization_is_no_credential() -> None:
    assert credential(headers(("host", "localhost"))) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "other_scheme"),
        ("stk_live_abc", "other_scheme"),
        ("Basic c3RrOg==", "other_scheme"),
        ("Bearerstk_live_abc", "other_scheme"),
        ("Bearer", "malformed_credential"),
        ("Bearer ", "malformed_credential"),
        ("Bearer a b", "malformed_credential"),
        ("Bearer a, Bearer b", "malformed_credential"),
        ("Bearer stk_live_é", "malformed_credential"),
        ('Bearer "stk_live_a"', "malformed_credential"),
        ("Bearer =a", "malformed_credential"),
        ("Bearer " + "a" * 8193, "oversized"),
    ],
)
def test_what_is_not_one_credential_is_refused(value: str, reason: str) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        credential(headers(("authorization", value)))
    assert refused.value.reason == reason


def test_two_authorization_headers_are_refused_even_if_they_are_alike() -> None:
    with pytest.raises(NotAuthenticated) as refused:
        credential(headers(("authorization", "Bearer a"), ("authorization", "Bearer a")))
    assert refused.value.reason == "two_credentials"


def asked(
    host: str | None = "localhost:8443",
    *more: tuple[str, str],
    peer: str | None = "127.0.0.1",
    method: str = "GET",
) -> Any:
    given = [("host", host)] if host is not None else []
    return {
        "method": method,
        "scheme": "https",
        "client": None if peer is None else (peer, 50_000),
        "headers": headers(*given, *more),
    }


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8443", "127.0.0.1:1", "127.8.9.1", "[::1]:8443", "[::1]"],
)
def test_the_names_of_this_machine_are_its_own(host: str) -> None:
    assert foreign(asked(host)) is None


@pytest.mark.parametrize(
    "host",
    [
        *("shop.example:8443", "localhost.evil.example", "127.0.0.1.nip.io", "0.0.0.0"),  # noqa: S104
        *("localhost@evil.example", "[::2]", "::1", "", "0", "2130706433", "127.1", "localhost."),
        *("[::ffff:8.8.8.8]", None, "[::1].evil.example", "[::1", "[]", ":8443"),
        *("localhost:evil", "127.0.0.1:8443:1", "[::1]:x"),
    ],
)
def test_another_name_may_be_made_to_lead_here_and_is_foreign(host: str | None) -> None:
    said = foreign(asked(host))
    assert said is not None
    assert "is no name of it" in said


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_who_asks_from_a_loopback_address_is_on_this_machine(peer: str) -> None:
    assert foreign(asked(peer=peer)) is None


@pytest.mark.parametrize("peer", ["192.0.2.1", "::ffff:192.0.2.1", "", None])
def test_who_asks_from_elsewhere_or_nowhere_is_foreign(peer: str | None) -> None:
    assert foreign(asked(peer=peer)) is not None


@pytest.mark.parametrize(
    "name", ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"]
)
def test_what_a_proxy_sent_on_is_foreign(name: str) -> None:
    assert foreign(asked("localhost", (name, "127.0.0.1"))) is not None


@pytest.mark.parametrize(
    "more",
    [
        [],
        [("sec-fetch-site", "same-origin"), ("origin", "https://localhost:8443")],
        [("sec-fetch-site", "none")],
        # A page that sends no referrer has no Origin either; the browser knows better.
        [("sec-fetch-site", "same-origin"), ("origin", "null")],
        [("origin", "HTTPS://LOCALHOST:8443")],
    ],
)
def test_a_change_by_a_program_or_by_a_page_of_our_own_is_let_in(
    more: list[tuple[str, str]],
) -> None:
    assert foreign(asked("localhost:8443", *more, method="POST")) is None


@pytest.mark.parametrize(
    "more",
    [
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site"), ("origin", "https://localhost:3000")],
        [("sec-fetch-site", "")],
        [("origin", "null")],
        [("origin", "https://evil.example")],
        [("origin", "http://localhost:8443")],
        [("origin", "https://localhost:8443.evil.example")],
        [("origin", "")],
        [("sec-fetch-site", "cross-site"), ("origin", "https://localhost:8443")],
    ],
)
def test_a_change_by_a_page_of_another_origin_is_foreign_and_a_look_is_not(
    more: list[tuple[str, str]],
) -> None:
    assert foreign(asked("localhost:8443", *more)) is None
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert foreign(asked("localhost:8443", *more, method=method)) is not None


def test_behind_a_proxy_that_ends_tls_a_page_has_come_by_either_scheme() -> None:
    for origin in ("https://shop.example", "http://shop.example"):
        assert cross_site(headers(("origin", origin)), "shop.example", "http") is None


def test_an_address_is_read_in_one_form() -> None:
    assert str(read_address("::ffff:10.0.0.1")) == "10.0.0.1"
    assert str(read_address("2001:DB8::1")) == "2001:db8::1"
    assert read_address("localhost") is None
    assert is_this_machine("127.0.0.53")
    assert not is_this_machine("0.0.0.0")  # noqa: S104
    assert not is_this_machine("::")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("unknown", "None"),
        ("_hidden", "None"),
        ("203.0.113.7/24", "None"),
        ("0203.0.113.7", "None"),
        ("", "None"),
    ],
)
def test_where_a_request_comes_from_is_an_address_that_can_be_stored_or_unknown(
    written: str, meant: str
) -> None:
    assert str(peer(asked(peer=written))) == meant


def test_a_proxy_is_named_in_either_form_of_its_address() -> None:
    assert in_either_form(["10.0.0.7", "192.168.0.0/24", "2001:db8::/32"]) == [
        *("10.0.0.7/32", "::ffff:10.0.0.7/128"),
        *("192.168.0.0/24", "::ffff:192.168.0.0/120"),
        "2001:db8::/32",
    ]
