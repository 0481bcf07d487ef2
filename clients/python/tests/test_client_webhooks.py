"""A receiver trusts what was signed with its secret, lately, and nothing else."""

from __future__ import annotations

import hmac
from base64 import b64encode

import pytest

from storekeeper_client import WebhookRefused, verify_webhook

# The example of the reference implementations of Standard Webhooks.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
AT = 1614265330
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(AT),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
OTHER = "whsec_" + b64encode(b"x" * 24).decode()


def signed(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    content = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + b64encode(hmac.digest(key, content, "sha256")).decode()


def test_the_published_example_is_accepted() -> None:
    assert verify_webhook(BODY, HEADERS, SECRET, now=AT) == {"test": 2432232314}
    assert verify_webhook(BODY.decode(), HEADERS, SECRET, now=AT) == {"test": 2432232314}
    assert verify_webhook(BODY, HEADERS, SECRET.removeprefix("whsec_"), now=AT)


def test_the_case_of_header_names_makes_no_difference() -> None:
    headers = {name.title(): value for name, value in HEADERS.items()}
    assert verify_webhook(BODY, headers, SECRET, now=AT)


def test_of_several_secrets_and_several_signatures_one_pair_has_to_fit() -> None:
    assert verify_webhook(BODY, HEADERS, [OTHER, SECRET], now=AT)
    for signature in (
        f"v1,AAAA {HEADERS['webhook-signature']}",
        f"{HEADERS['webhook-signature']} v2,AAAA",
        f"v1a,g0hM v1, {HEADERS['webhook-signature']}",
    ):
        headers = {**HEADERS, "webhook-signature": signature}
        assert verify_webhook(BODY, headers, SECRET, now=AT)


@pytest.mark.parametrize("away_s", [-300, 0, 300])
def test_a_clock_may_be_five_minutes_away(away_s: int) -> None:
    assert verify_webhook(BODY, HEADERS, SECRET, now=AT + away_s)


@pytest.mark.parametrize(("away_s", "words"), [(301, "301 s old"), (-301, "301 s ahead")])
def test_what_is_old_or_from_the_future_is_refused(away_s: int, words: str) -> None:
    with pytest.raises(WebhookRefused, match=words):
        verify_webhook(BODY, HEADERS, SECRET, now=AT + away_s)
    assert verify_webhook(BODY, HEADERS, SECRET, now=AT + away_s, tolerance_s=400)


def test_without_a_time_the_clock_of_this_machine_counts() -> None:
    with pytest.raises(WebhookRefused, match="s old"):
        verify_webhook(BODY, HEADERS, SECRET)


@pytest.mark.parametrize(
    ("changed", "body", "words"),
    [
        ({}, BODY + b" ", "No signature fits"),
        ({"webhook-id": "msg_other"}, BODY, "No signature fits"),
        ({"webhook-timestamp": str(AT + 1)}, BODY, "No signature fits"),
        ({"webhook-signature": "v1,"}, BODY, "No signature fits"),
        ({"webhook-signature": "v1,é"}, BODY, "No signature fits"),
        ({"webhook-signature": HEADERS["webhook-signature"][3:]}, BODY, "No signature fits"),
        ({"webhook-signature": "v2" + HEADERS["webhook-signature"][2:]}, BODY, "No signature fits"),
        ({"webhook-timestamp": "١٢٣"}, BODY, "no whole number"),
        ({"webhook-timestamp": "-5"}, BODY, "no whole number"),
        ({"webhook-timestamp": "1" * 5000}, BODY, "no whole number"),
        ({"webhook-timestamp": ""}, BODY, "webhook-timestamp is missing"),
        ({"webhook-id": ""}, BODY, "webhook-id is missing"),
        ({"webhook-signature": ""}, BODY, "webhook-signature is missing"),
    ],
)
def test_what_was_changed_on_the_way_is_refused(
    changed: dict[str, str], body: bytes, words: str
) -> None:
    with pytest.raises(WebhookRefused, match=words):
        verify_webhook(body, {**HEADERS, **changed}, SECRET, now=AT)


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff"])
def test_a_body_that_is_no_object_is_refused_though_it_is_signed(body: bytes) -> None:
    headers = {**HEADERS, "webhook-signature": signed(b"x" * 24, "m", str(AT), body)}
    headers["webhook-id"] = "m"
    with pytest.raises(WebhookRefused, match="no JSON object"):
        verify_webhook(body, headers, OTHER, now=AT)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_é", "not base64!", [], ["", SECRET]])
def test_a_secret_that_is_none_is_told_without_showing_it(secret: str | list[str]) -> None:
    with pytest.raises(ValueError, match="ecret") as refused:
        verify_webhook(BODY, HEADERS, secret, now=AT)
    assert "base64!" not in str(refused.value)


def test_another_secret_does_not_fit() -> None:
    with pytest.raises(WebhookRefused, match="No signature fits"):
        verify_webhook(BODY, HEADERS, OTHER, now=AT)
