"""One attempt over TLS: where it goes, where it does not, and what it takes of an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from adapters.webhooks.sender import HttpWebhookSender, resolve
from domain.webhooks.addresses import Address
from domain.webhooks.model import AttemptResult
from tests.integration.webhook_receiver import NAME, Receiver, answer, receiving

LOOPBACK = (ip_network("127.0.0.0/8"),)
PUBLIC = ip_address("8.8.8.8")
HEADERS = {"webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}


class Names:
    """Answers in turn, as a name server may; counts the questions."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = [[ip_address(each) for each in listed] for listed in answers]
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append((host, port))
        found = self._answers[min(len(self.asked), len(self._answers)) - 1]
        if not found:
            raise OSError("no address")
        return found


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[Receiver]:
    async with receiving(tmp_path) as receiver:
        yield receiver


def sender(receiver: Receiver, names: Names, *, attempt_s: float = 60.0) -> HttpWebhookSender:
    return HttpWebhookSender(LOOPBACK, resolve=names, tls=receiver.tls, attempt_s=attempt_s)


def url(receiver: Receiver, path: str = "/hooks?a=1") -> str:
    return f"https://{NAME}:{receiver.port}{path}"


async def sent(receiver: Receiver, *, attempt_s: float = 60.0) -> AttemptResult:
    names = Names(["127.0.0.1"])
    making = sender(receiver, names, attempt_s=attempt_s)
    return await making.send(url(receiver), headers=HEADERS, body=b'{"a": 1}')


async def test_what_is_sent_arrives_to_the_byte_under_the_name_of_the_url(
    receiver: Receiver,
) -> None:
    assert await sent(receiver) == AttemptResult(status=204)
    (received,) = receiver.received
    assert received.body == b'{"a": 1}'
    assert received.path == "/hooks?a=1"
    assert received.server_name == NAME
    assert received.headers["host"] == f"{NAME}:{receiver.port}"
    assert received.headers["content-type"] == "application/json"
    assert received.headers.items() >= HEADERS.items()
    assert "storekeeper" in received.headers["user-agent"].lower()
    assert not {"authorization", "cookie"} & received.headers.keys()


async def test_a_name_that_leads_inside_at_the_second_question_is_asked_for_once(
    receiver: Receiver,
) -> None:
    # The first answer is checked and connected to; the other one would be another machine.
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    assert (await sender(receiver, names).send(url(receiver), headers={}, body=b"")).status == 204
    assert names.asked == [(NAME, receiver.port)]
    inside = HttpWebhookSender(resolve=Names(["127.0.0.1"]), tls=receiver.tls)
    refused = await inside.send(url(receiver), headers={}, body=b"")
    assert refused.error is not None
    assert "not public" in refused.error
    assert receiver.connections == 1


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["169.254.169.254"],
        ["10.0.0.1"],
        ["8.8.8.8", "10.0.0.1"],
        ["fd00::1", "8.8.8.8"],
    ],
)
async def test_no_connection_is_made_where_one_of_the_addresses_is_not_public(
    receiver: Receiver, answers: list[str]
) -> None:
    guarded = HttpWebhookSender(resolve=Names(answers), tls=receiver.tls)
    refused = await guarded.send(url(receiver), headers=HEADERS, body=b"{}")
    assert (refused.status, receiver.connections) == (None, 0)
    assert refused.error is not None
    assert "not public" in refused.error
    assert not any(each in refused.error for each in answers), "it would map the inside"


@pytest.mark.parametrize(
    "bad", ["https://127.0.0.1:{port}/", "https://[::1]:{port}/", "https://0x7f.1:{port}/", "no"]
)
async def test_a_url_that_was_stored_before_is_looked_at_again(
    receiver: Receiver, bad: str
) -> None:
    guarded = HttpWebhookSender(resolve=Names(["127.0.0.1"]), tls=receiver.tls)
    refused = await guarded.send(bad.format(port=receiver.port), headers={}, body=b"{}")
    assert (refused.status, receiver.connections) == (None, 0)
    assert refused.error is not None
    assert refused.error.startswith("the URL ")


async def test_http_is_for_allowed_networks_alone(receiver: Receiver) -> None:
    names = Names(["8.8.8.8"])
    refused = await sender(receiver, names).send("http://a.example/", headers={}, body=b"{}")
    assert refused.error is not None
    assert "must be an https:// URL" in refused.error


async def test_a_name_without_an_address_and_a_closed_port_are_told(receiver: Receiver) -> None:
    nowhere = await sender(receiver, Names([])).send(url(receiver), headers={}, body=b"{}")
    assert nowhere == AttemptResult(error="its name has no address")
    closed = f"https://{NAME}:1024/"
    names = Names(["127.0.0.1"])
    assert await sender(receiver, names).send(closed, headers={}, body=b"{}") == AttemptResult(
        error="cannot be connected to"
    )


async def test_the_next_address_is_tried_where_one_cannot_be_connected_to(
    receiver: Receiver,
) -> None:
    names = Names(["127.0.0.9", "127.0.0.1"])
    assert (await sender(receiver, names).send(url(receiver), headers={}, body=b"")).status == 204


async def test_a_certificate_for_another_name_or_of_nobody_known_is_refused(
    receiver: Receiver,
) -> None:
    other = f"https://other.example:{receiver.port}/"
    refused = await sender(receiver, Names(["127.0.0.1"])).send(other, headers={}, body=b"{}")
    assert refused.error is not None
    assert "certificate is not valid" in refused.error
    strict = HttpWebhookSender(LOOPBACK, resolve=Names(["127.0.0.1"]))
    refused = await strict.send(url(receiver), headers={}, body=b"{}")
    assert refused.error is not None
    assert "certificate is not valid" in refused.error
    assert receiver.received == []


async def test_a_proxy_of_the_environment_is_not_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await sent(receiver)).status == 204


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answers = lambda _: answer(status, location=url(receiver, "/elsewhere"))
    assert (await sent(receiver)).status == status
    assert [each.path for each in receiver.received] == ["/hooks?a=1"]


async def test_a_receiver_that_hangs_is_given_up(receiver: Receiver) -> None:
    receiver.answers = lambda _: None
    assert await sent(receiver, attempt_s=1.5) == AttemptResult(
        error="gave no whole answer within 1.5 s"
    )


async def test_of_an_endless_answer_only_its_beginning_is_read(receiver: Receiver) -> None:
    receiver.endless = True
    receiver.answers = lambda _: b"HTTP/1.1 500 Told\r\n\r\n"
    result = await sent(receiver)
    assert (result.status, result.response) == (500, "x" * 200)


async def test_what_was_taken_is_taken_though_its_answer_never_ends(receiver: Receiver) -> None:
    receiver.answers = lambda _: b"HTTP/1.1 200 Told\r\ncontent-length: 9\r\n\r\n"
    receiver.hangs = True
    assert await sent(receiver) == AttemptResult(status=200)
    receiver.answers = lambda _: b"HTTP/1.1 500 Told\r\ncontent-length: 9\r\n\r\n"
    assert (await sent(receiver, attempt_s=1.5)).status is None


async def test_endless_headers_end_the_attempt(receiver: Receiver) -> None:
    receiver.endless = True
    receiver.answers = lambda _: b"HTTP/1.1 200 Told\r\nx: "
    result = await sent(receiver)
    assert result.status is None
    assert result.error is not None
    assert result.error.startswith("broke off")


@pytest.mark.parametrize("told", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 x y\r\n\r\n"])
async def test_what_is_no_answer_is_a_failure(receiver: Receiver, told: bytes) -> None:
    receiver.answers = lambda _: told
    result = await sent(receiver)
    assert result.status is None
    assert result.error is not None
    assert result.error.startswith("broke off")


async def test_of_a_refusal_the_beginning_is_kept_in_printable_characters(
    receiver: Receiver,
) -> None:
    body = b"\x1b[31mno\x00\n\n  thanks\xff" + "é".encode() * 500
    receiver.answers = lambda _: answer(400, body)
    result = await sent(receiver)
    assert result.response is not None
    assert result.response.startswith("[31mno thanks\ufffdé")
    assert len(result.response) == 200
    receiver.answers = lambda _: answer(400)
    assert (await sent(receiver)).response is None


async def test_an_answer_that_is_packed_is_not_unpacked(receiver: Receiver) -> None:
    receiver.answers = lambda _: answer(500, b"\x1f\x8b\x08bomb", content_encoding="gzip")
    assert (await sent(receiver)).response == "\ufffdbomb"
    assert receiver.received[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120.0), ("0", 0.0), ("-5", None), ("1e9", None), ("١٢", None), ("9" * 5000, None)],
)
async def test_a_wait_is_taken_in_whole_seconds_and_nothing_else(
    receiver: Receiver, value: str, seconds: float | None
) -> None:
    told = answer(429, retry_after="@").replace(b"@", value.encode())
    receiver.answers = lambda _: told
    result = await sent(receiver)
    assert (result.status, result.retry_after_s) == (429, seconds)


async def test_a_connection_serves_one_attempt_alone(receiver: Receiver) -> None:
    await asyncio.gather(*(sent(receiver) for _ in range(3)))
    assert receiver.connections == 3
    assert {each.headers["connection"] for each in receiver.received} == {"close"}


async def test_the_system_knows_its_own_names() -> None:
    assert ip_address("127.0.0.1") in await resolve("localhost", 443)
    assert list(await resolve("8.8.8.8", 443)) == [PUBLIC]
