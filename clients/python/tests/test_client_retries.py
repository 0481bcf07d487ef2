"""What is sent again and what is not, at the wire and by a clock of the test's own."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterator

import httpx2
import pytest

from storekeeper_client import (
    AsyncClient,
    Client,
    Conflict,
    ConnectionFailed,
    NotFound,
    PreconditionFailed,
    RateLimited,
    RetryPolicy,
    ServerFailed,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
)
from storekeeper_client.calls import Call, nothing
from storekeeper_client.retrying import Tries

URL = "https://storekeeper.example"
HASTY = RetryPolicy(deadline_s=20, first_pause_s=0.001, longest_pause_s=0.001)
USER = {"id": 1, "name": "Ann", "email": "a@b.example", "created_at": "2026-11-22T09:30:00Z"}

Step = httpx2.Response | type[httpx2.TransportError]


def user(status: int = 200) -> httpx2.Response:
    return httpx2.Response(status, headers={"ETag": '"3"'}, json=USER)


def problem(status: int, code: str = "a_code", **headers: str) -> httpx2.Response:
    document = {
        "type": f"/problems/{code}",
        "code": code,
        "title": "Title",
        "status": status,
        "detail": "It is so.",
        "instance": "request-1",
    }
    return httpx2.Response(
        status,
        json=document,
        headers={"content-type": "application/problem+json", **headers},
    )


class Wire:
    """Answers with these one after the other, and keeps what was asked."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.asked: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        return self._next(request)

    async def awaited(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        return self._next(request)

    def _next(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        step = self.steps.pop(0)
        if isinstance(step, httpx2.Response):
            return step
        raise step("it broke", request=request)


def client(wire: Wire, policy: RetryPolicy = HASTY) -> Client:
    return Client(URL, api_key="stk_test_1", policy=policy, transport=httpx2.MockTransport(wire))


@pytest.mark.parametrize(
    "first",
    [
        httpx2.ConnectError,
        httpx2.ReadTimeout,
        httpx2.RemoteProtocolError,
        problem(503, "database_unavailable"),
        problem(429, "too_many_requests", **{"retry-after": "0"}),
        httpx2.Response(502, text="<html>bad gateway</html>"),
        httpx2.Response(504),
        problem(409, "request_in_progress"),
    ],
    ids=str,
)
def test_what_may_pass_is_tried_again_under_the_same_key(first: Step) -> None:
    wire = Wire(first, first, user(201))
    created = client(wire).users.create(name="Ann", email="a@b.example")
    assert created.etag == '"3"'
    keys = {request.headers["idempotency-key"] for request in wire.asked}
    assert len(wire.asked) == 3
    assert len(keys) == 1
    assert len({request.content for request in wire.asked}) == 1


async def test_the_other_driver_does_the_same() -> None:
    wire = Wire(httpx2.ReadError, problem(503), user())
    async with AsyncClient(
        URL, policy=HASTY, transport=httpx2.MockTransport(wire.awaited)
    ) as asking:
        assert (await asking.users.get(1)).name == "Ann"
    assert len(wire.asked) == 3


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem(409, "email_taken"), Conflict),
        (problem(500, "internal"), ServerFailed),
        (problem(502, "bad_answer"), Unavailable),
        (problem(504, "database_timeout"), Unavailable),
        (problem(401, "not_authenticated"), Unauthorized),
        (
            httpx2.Response(301, headers={"location": "https://elsewhere.example/"}),
            UnexpectedAnswer,
        ),
    ],
    ids=str,
)
def test_what_another_try_would_not_change_is_told_at_once(
    answer: httpx2.Response, error: type[Exception]
) -> None:
    wire = Wire(answer)
    with pytest.raises(error):
        client(wire).users.create(name="Ann", email="a@b.example")
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    "use",
    [
        lambda api: api.extraction_jobs.pause(1),
        lambda api: api.keys.create(name="till", scopes=["extract"]),
        lambda api: api.users.patch(1, name="Ann"),
        lambda api: api.users.delete(1),
    ],
)
def test_a_change_without_a_key_or_version_is_not_repeated(use: Callable[[Client], object]) -> None:
    for lost in (httpx2.ReadError, problem(503), httpx2.Response(502)):
        wire = Wire(lost)
        with pytest.raises((ConnectionFailed, Unavailable)):
            use(client(wire))
        assert len(wire.asked) == 1


def test_what_never_left_is_sent_whatever_it_is() -> None:
    wire = Wire(httpx2.ConnectError, problem(429), problem(404, "not_found"))
    with pytest.raises(NotFound):
        client(wire).extraction_jobs.pause(1)
    assert len(wire.asked) == 3


def test_who_changes_a_version_learns_that_it_may_have_been_itself() -> None:
    wire = Wire(httpx2.ReadTimeout, problem(412, "version_mismatch"))
    with pytest.raises(PreconditionFailed) as caught:
        client(wire).users.patch(1, name="Ann", if_match='"3"')
    assert any("earlier try" in note for note in caught.value.__notes__)
    wire = Wire(problem(412, "version_mismatch"))
    with pytest.raises(PreconditionFailed) as caught:
        client(wire).users.patch(1, name="Ann", if_match='"3"')
    assert not hasattr(caught.value, "__notes__")


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    wire = Wire(problem(429, "model_budget_used_up", **{"retry-after": "36000"}))
    with pytest.raises(RateLimited) as caught:
        client(wire).extractions.create("24 chairs")
    assert caught.value.retry_after_s == 36000
    assert len(wire.asked) == 1


def test_an_untrusted_certificate_is_told_at_once_with_the_remedy() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        cause = ssl.SSLCertVerificationError("certificate verify failed")
        cause.verify_message = "unable to get local issuer certificate"
        raise httpx2.ConnectError("handshake", request=request) from cause

    asked: list[httpx2.Request] = []
    with (
        Client(URL, policy=HASTY, transport=httpx2.MockTransport(refuse)) as asking,
        pytest.raises(ConnectionFailed, match="ca="),
    ):
        asking.users.get(1)
    assert len(asked) == 1


# By the clock of the test.


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def pauses(policy: RetryPolicy, draw: float, outcome: Step, most: int = 100) -> Iterator[float]:
    """What a caller waits before each further try."""
    clock = Clock()
    call = Call(method="GET", path="/users/1", read=nothing)
    tries = Tries(call, policy, clock, lambda: draw)
    for _ in range(most):
        failed = ConnectionFailed("no", sent=True)
        pause_s = tries.pause_after(outcome if isinstance(outcome, httpx2.Response) else failed)
        if pause_s is None:
            return
        yield pause_s
        clock.now_s += pause_s


def test_pauses_double_to_a_bound_and_are_drawn_from_nothing_on() -> None:
    policy = RetryPolicy(deadline_s=1000, first_pause_s=0.5, longest_pause_s=4)
    assert list(pauses(policy, 1, httpx2.ReadError, 6)) == [0.5, 1, 2, 4, 4, 4]
    assert list(pauses(policy, 0.5, httpx2.ReadError, 6)) == [0.25, 0.5, 1, 2, 2, 2]
    assert list(pauses(policy, 0, httpx2.ReadError, 3)) == [0, 0, 0]


def test_what_the_service_asks_for_comes_on_top() -> None:
    policy = RetryPolicy(deadline_s=1000, first_pause_s=0.5, longest_pause_s=4)
    asked = problem(503, **{"retry-after": "7"})
    assert list(pauses(policy, 1, asked, 3)) == [7.5, 8, 9]
    assert list(pauses(policy, 0, asked, 3)) == [7, 7, 7]


def test_all_tries_and_pauses_together_hold_the_deadline() -> None:
    policy = RetryPolicy(deadline_s=10, first_pause_s=1, longest_pause_s=4)
    found = list(pauses(policy, 1, httpx2.ReadError))
    assert found == [1, 2, 4]
    assert sum(found) < 10


def test_a_try_waits_no_longer_than_the_deadline_leaves() -> None:
    clock = Clock()
    call = Call(method="GET", path="/users/1", read=nothing)
    tries = Tries(call, RetryPolicy(deadline_s=50, timeout_s=40), clock)
    assert tries.timeout_s == 40
    clock.now_s += 30
    assert tries.timeout_s == 20
    clock.now_s += 30
    assert tries.timeout_s == 1


def test_no_try_begins_that_has_no_time_to_be_answered() -> None:
    policy = RetryPolicy(deadline_s=10, first_pause_s=4.6, longest_pause_s=4.6)
    assert list(pauses(policy, 1, problem(503))) == [4.6], "a second would leave 0.8 seconds"


@pytest.mark.parametrize("name", ["deadline_s", "timeout_s", "first_pause_s", "longest_pause_s"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_policy_without_time_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        RetryPolicy(**{name: value})


# Bodies that are made while they are sent.


class Again:
    """Can be gone through more than once."""

    def __init__(self) -> None:
        self.times = 0

    def __iter__(self) -> Iterator[str]:
        self.times += 1
        yield from ("24 chairs", "9 lamps")


JOB_LINES = b'"24 chairs"\n"9 lamps"\n'


def job_answer() -> httpx2.Response:
    return httpx2.Response(404, headers={"content-type": "text/plain"}, text="none of the API")


def test_what_can_be_gone_through_again_is() -> None:
    wire, texts = Wire(problem(503), job_answer()), Again()
    with pytest.raises(NotFound):
        client(wire).extraction_jobs.create(texts)
    assert [request.content for request in wire.asked] == [JOB_LINES, JOB_LINES]
    assert texts.times == 2


def test_what_cannot_is_kept_for_the_next_try() -> None:
    wire = Wire(problem(503), httpx2.ReadError, job_answer())
    with pytest.raises(NotFound):
        client(wire).extraction_jobs.create(iter(["24 chairs", "9 lamps"]))
    assert [request.content for request in wire.asked] == [JOB_LINES] * 3


async def test_asynchronous_documents_are_kept_for_the_next_try_too() -> None:
    async def texts() -> AsyncIterator[str]:
        yield "24 chairs"
        yield "9 lamps"

    wire = Wire(problem(503), job_answer())
    async with AsyncClient(
        URL, policy=HASTY, transport=httpx2.MockTransport(wire.awaited)
    ) as asking:
        with pytest.raises(NotFound):
            await asking.extraction_jobs.create(texts())
    assert [request.content for request in wire.asked] == [JOB_LINES] * 2
    with pytest.raises(TypeError, match="AsyncClient"):
        client(Wire()).extraction_jobs.create(texts())


def test_many_lines_travel_in_few_pieces() -> None:
    pieces: list[bytes] = []

    class Counting(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            assert isinstance(request.stream, httpx2.SyncByteStream)
            pieces.extend(request.stream)
            return job_answer()

    with Client(URL, transport=Counting()) as asking, pytest.raises(NotFound):
        asking.extraction_jobs.create([f"{number} chairs" for number in range(20_000)])
    assert b"".join(pieces).count(b"\n") == 20_000
    assert 3 < len(pieces) < 20


@pytest.mark.parametrize("one", ["24 chairs", b"24 chairs"])
def test_one_text_is_not_taken_for_a_list_of_letters(one: str | bytes) -> None:
    with pytest.raises(TypeError, match="list"):
        client(Wire()).extraction_jobs.create(one)  # type: ignore[arg-type]
