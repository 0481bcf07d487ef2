"""How answers, problems and lists are read, and what is refused before it is sent."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

import storekeeper_client
from storekeeper_client import (
    AsyncClient,
    Client,
    ConnectionFailed,
    Document,
    FieldDefinition,
    InvalidInput,
    IssuedKey,
    NotFound,
    ProblemError,
    RetryPolicy,
    SearchClick,
    ServerFailed,
    StorekeeperError,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    WaitTimedOut,
)
from storekeeper_client.calls import Call, Pause, batches, encoded, given, path_of
from storekeeper_client.errors import error_of, seconds_of
from storekeeper_client.health import Liveness
from storekeeper_client.waiting import until_ended

URL = "https://storekeeper.example"
ONCE = RetryPolicy(deadline_s=0.001)
ORDER = {
    "id": 5,
    "user_id": 1,
    "product_name": "oak chair",
    "quantity": 2,
    "order_date": "2026-11-22T09:30:00Z",
}


def answering(*answers: httpx2.Response, base_url: str = URL) -> Client:
    left = list(answers)
    return Client(base_url, policy=ONCE, transport=httpx2.MockTransport(lambda _: left.pop(0)))


def test_members_that_this_version_does_not_know_are_left_out() -> None:
    answer = httpx2.Response(200, headers={"etag": '"1"'}, json={**ORDER, "colour": {"a": [1]}})
    order = answering(answer).orders.get(5)
    assert order.order_date == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert (order.id, order.quantity, order.etag) == (5, 2, '"1"')
    with pytest.raises(AttributeError):
        order.quantity = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx2.Response(200, text="<html>welcome</html>", headers={"etag": '"1"'}), "base_url"),
        (httpx2.Response(200, json={"id": 5}, headers={"etag": '"1"'}), "user_id"),
        (httpx2.Response(200, json=ORDER), "ETag"),
        (httpx2.Response(200, content=b"\xff\xfe", headers={"etag": '"1"'}), "no Order"),
        (
            httpx2.Response(
                200,
                stream=httpx2.ByteStream(b"no gzip"),
                headers={"etag": '"1"', "content-encoding": "gzip"},
            ),
            "decoded",
        ),
    ],
    ids=["page", "members", "etag", "bytes", "gzip"],
)
def test_what_is_no_answer_of_the_api_is_told(answer: httpx2.Response, words: str) -> None:
    with pytest.raises(UnexpectedAnswer, match=words):
        answering(answer).orders.get(5)


def test_a_tag_that_a_proxy_made_weak_is_the_version_still() -> None:
    answer = httpx2.Response(200, headers={"etag": 'W/"3"'}, json=ORDER)
    assert answering(answer).orders.get(5).etag == '"3"'


class Endless(httpx2.SyncByteStream):
    """A file that goes on for ever, until it is closed."""

    closed = False

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield b"1,mail-1\r\n"

    def close(self) -> None:
        self.closed = True


def test_who_stops_in_a_file_leaves_no_connection_behind() -> None:
    stream = Endless()
    answer = httpx2.Response(200, stream=stream, headers={"content-type": "text/csv"})
    with closing(answering(answer).extraction_jobs.download_results(1, "csv")) as pieces:
        assert next(pieces).startswith(b"1,mail-1")
        assert not stream.closed
    assert stream.closed


@pytest.mark.parametrize("broken", [httpx2.ReadError, httpx2.RemoteProtocolError])
def test_a_file_that_breaks_off_is_told(broken: type[httpx2.TransportError]) -> None:
    class Broken(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"a,b\r\n"
            raise broken("peer closed", request=httpx2.Request("GET", URL))

    answer = httpx2.Response(200, stream=Broken(), headers={"content-type": "text/csv"})
    pieces = answering(answer).extraction_jobs.download_results(1, "csv")
    assert next(pieces) == b"a,b\r\n"
    with pytest.raises(ConnectionFailed, match="peer closed"):
        next(pieces)


def test_a_file_that_is_refused_is_a_problem_as_any_other() -> None:
    answer = httpx2.Response(404, stream=httpx2.ByteStream(b"{}"))
    with pytest.raises(NotFound):
        next(answering(answer).extraction_jobs.download_results(1, "csv"))


@pytest.mark.parametrize("status", [200, 202, 302])
def test_a_deletion_has_happened_only_where_the_service_says_so(status: int) -> None:
    with pytest.raises(UnexpectedAnswer):
        answering(
            httpx2.Response(status, text="signed in", headers={"location": "/"})
        ).orders.delete(5)


def test_a_file_is_of_the_form_that_was_asked_for() -> None:
    page = httpx2.Response(200, html="<p>maintenance</p>")
    with pytest.raises(UnexpectedAnswer, match="text/csv"):
        list(answering(page).extraction_jobs.download_results(1, "csv"))
    rows = httpx2.Response(200, text="a,b\r\n", headers={"content-type": "text/csv; charset=utf-8"})
    assert b"".join(answering(rows).extraction_jobs.download_results(1, "csv")) == b"a,b\r\n"


def test_a_problem_says_all_that_the_service_said() -> None:
    document = {
        "type": "/problems/invalid_input",
        "code": "invalid_input",
        "title": "The input is invalid",
        "status": 422,
        "detail": "2 fields are invalid.",
        "instance": "request-1",
        "errors": [
            {"pointer": "/quantity", "detail": "must be 1 at least"},
            {"pointer": "", "detail": "too much"},
        ],
        "colour": "blue",
    }
    answer = httpx2.Response(
        422, json=document, headers={"content-type": "application/problem+json"}
    )
    with pytest.raises(InvalidInput) as caught:
        answering(answer).orders.create(user_id=1, product_name="oak", quantity=0)
    error = caught.value
    assert (error.status, error.code, error.type) == (422, "invalid_input", document["type"])
    assert [each.pointer for each in error.errors] == ["/quantity", ""]
    assert error.request_id == "request-1"
    assert str(error) == (
        "422 invalid_input: 2 fields are invalid. (request request-1)\n"
        "  /quantity: must be 1 at least\n"
        "  body: too much"
    )
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 (made here)
    assert type(again) is InvalidInput
    assert again.problem == error.problem


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidInput),
        (401, Unauthorized),
        (404, NotFound),
        (405, ProblemError),
        (418, ProblemError),
        (499, ProblemError),
        (500, ServerFailed),
        (503, Unavailable),
        (507, ServerFailed),
        (599, ServerFailed),
    ],
)
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", b"<h1>No</h1>"),
        ("application/problem+json", b"{"),
        ("application/problem+json", b'{"status": "no"}'),
        ("application/problem+json", b"\xff"),
        ("application/json", b"\xff" * 1000),
        ("", b""),
    ],
)
def test_a_refusal_without_a_document_is_one_by_its_status(
    status: int, kind: type[ProblemError], content_type: str, body: bytes
) -> None:
    error = error_of(status, {"content-type": content_type, "x-request-id": "r-1"}, body)
    assert type(error) is kind
    assert (error.status, error.code, error.type) == (status, "", "about:blank")
    assert error.request_id == "r-1"
    assert len(str(error)) < 1200


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("9" * 5000, None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
    ],
)
def test_a_wait_is_stated_in_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    assert seconds_of(value) == seconds


def test_a_date_ahead_is_so_many_seconds_away() -> None:
    ahead = datetime.fromtimestamp(time.time() + 3600, UTC)
    found = seconds_of(format_datetime(ahead, usegmt=True))
    assert found is not None
    assert 0 < found <= 3600


def page(items: list[dict[str, Any]], following: str | None) -> httpx2.Response:
    return httpx2.Response(200, json={"items": items, "next": following})


@pytest.mark.parametrize("prefix", ["", "/shop/api"])
def test_a_list_is_gone_through_part_by_part(prefix: str) -> None:
    asked: list[str] = []
    parts = [
        page([ORDER], "/orders?user_id=1&limit=1&cursor=a-b_1"),
        page([ORDER], "/orders?user_id=1&limit=1&cursor=c%2Bd"),
        page([], None),
    ]

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.raw_path.decode())
        return parts.pop(0)

    with Client(URL + prefix, transport=httpx2.MockTransport(answer)) as asking:
        found = asking.orders.list(user_id=1, page_size=1)
        assert asked == []
        assert next(found).id == 5
        assert len(asked) == 1
        assert [each.id for each in found] == [5]
    assert asked == [
        f"{prefix}/orders?user_id=1&limit=1",
        f"{prefix}/orders?user_id=1&limit=1&cursor=a-b_1",
        f"{prefix}/orders?user_id=1&limit=1&cursor=c%2Bd",
    ]


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/orders?cursor=a", "//evil.example/orders", "/keys?cursor=a"]
)
def test_a_list_goes_on_nowhere_else(elsewhere: str) -> None:
    found = answering(page([ORDER], elsewhere)).orders.list()
    assert next(found).id == 5
    with pytest.raises(UnexpectedAnswer, match="another list"):
        next(found)


def test_a_service_that_is_not_ready_is_an_answer() -> None:
    said = {"status": "unavailable", "checks": {"database": "does not answer"}, "insights": None}
    assert answering(httpx2.Response(503, json=said)).health.ready().checks == said["checks"]
    with pytest.raises(UnexpectedAnswer):
        answering(httpx2.Response(503, text="no server")).health.ready()


def test_who_waits_asks_until_the_end_or_the_time_is_up() -> None:
    call = Call(method="GET", path="/extraction-jobs/1", read=lambda _: Liveness(status="ok"))
    steps = until_ended(call, None)
    assert next(steps) is call
    waited = []
    for _ in range(20):
        step = steps.send(Liveness(status="running"))
        assert isinstance(step, Pause)
        waited.append(step.seconds)
        assert next(steps) is call
    assert waited[:3] == [0.25, 0.375, 0.5625]
    assert waited[-1] == 15
    with pytest.raises(StopIteration) as end:
        steps.send(Liveness(status="completed"))
    assert end.value.value.status == "completed"

    steps = until_ended(call, 0)
    assert next(steps) is call
    with pytest.raises(WaitTimedOut, match="/extraction-jobs/1"):
        steps.send(Liveness(status="running"))


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "storekeeper.example",
        "ftp://a.example",
        "https://",
        "https://a?b=c",
        "https://a b",
        "https://a\n",
        "https://u:p@a",
    ],
)
def test_a_base_url_that_leads_nowhere_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        Client(base_url)
    with pytest.raises(ValueError, match="base_url"):
        AsyncClient(base_url)


@pytest.mark.parametrize("key", ["", "stk_live_1\n", "stk live", "stk_ü"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="api_key") as caught:
        Client(URL, api_key=key)
    assert not key or key not in str(caught.value)
    monkeypatch.setenv("STOREKEEPER_API_KEY", key)
    with pytest.raises(ValueError, match="STOREKEEPER_API_KEY"):
        Client(URL)


def test_the_key_comes_from_the_environment_unless_it_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[httpx2.Headers] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers)
        return httpx2.Response(200, json={"status": "ok"})

    transport = httpx2.MockTransport(answer)
    monkeypatch.delenv("STOREKEEPER_API_KEY", raising=False)
    Client(URL, transport=transport).health.live()
    monkeypatch.setenv("STOREKEEPER_API_KEY", "stk_test_env")
    Client(URL, transport=transport).health.live()
    Client(URL, api_key="stk_test_arg", transport=transport).health.live()
    assert [each.get("authorization") for each in seen] == [
        None,
        "Bearer stk_test_env",
        "Bearer stk_test_arg",
    ]
    assert seen[0]["user-agent"].startswith("storekeeper-client/0.1.0 python/3.")


def test_a_file_that_holds_no_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.pem"):
        Client(URL, ca=tmp_path / "nowhere.pem")
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(ValueError, match=r"bad\.pem"):
        Client(URL, ca=str(tmp_path / "bad.pem"))


@pytest.mark.parametrize("value", ['"1"\r\nX-Other: y', "\x00", "ü"])
def test_what_would_make_another_header_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="If-Match"):
        answering().orders.delete(5, if_match=value)
    with pytest.raises(ValueError, match="Idempotency-Key"):
        answering().users.create(name="Ann", email="a@b.example", idempotency_key=value)


def test_an_answer_that_is_nested_without_end_is_told() -> None:
    nested = b'{"a":' * 200_000
    with pytest.raises(UnexpectedAnswer):
        answering(httpx2.Response(200, content=nested)).comparisons.report(1)
    error = error_of(500, {"content-type": "application/problem+json"}, nested)
    assert (error.code, error.status) == ("", 500)


@pytest.mark.parametrize("name", ["", ".", "..", "..."])
def test_a_name_that_would_make_another_path_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="names nothing"):
        answering().extraction_schemas.delete(name)


def test_a_name_stays_one_part_of_the_path() -> None:
    assert (
        path_of("extraction-schemas", "a/b?c#d%2F..") == "/extraction-schemas/a%2Fb%3Fc%23d%252F.."
    )
    assert path_of("search-insights", date(2026, 1, 2)) == "/search-insights/2026-01-02"


def test_a_query_is_written_as_the_service_reads_it() -> None:
    assert given(
        from_=datetime(2026, 1, 2, 3, tzinfo=UTC),
        to=date(2026, 1, 2),
        reuse=False,
        cost=1e-9,
        much=1e9,
        limit=3,
        none=None,
    ) == {
        "from": "2026-01-02T03:00:00+00:00",
        "to": "2026-01-02",
        "reuse": "false",
        "cost": "0.000000001",
        "much": "1000000000.0",
        "limit": "3",
    }


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_has_not_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="NaN"):
        answering().comparisons.create([{"text": "a", "gold": {"n": number}}], providers=["regex"])


def test_what_is_not_given_is_not_sent() -> None:
    assert encoded(Document(text="ä")) == b'{"text":"\\u00e4"}'
    field = FieldDefinition(name="n", type="string", description="d")
    assert encoded(field) == b'{"name":"n","type":"string","description":"d"}'


def test_an_import_is_divided_by_rows_and_by_bytes() -> None:
    rows = [
        SearchClick(search_query="a" * size, clicks=0, impressions=1) for size in (1, 90, 90, 1)
    ]
    line = len(encoded(rows[0])) + 1
    assert [len(part) for part in batches(rows, most=3, most_bytes=10_000)] == [3, 1]
    assert [len(part) for part in batches(rows, most=9, most_bytes=2 * line + 100)] == [2, 2]
    assert [len(part) for part in batches(rows, most=9, most_bytes=1)] == [1, 1, 1, 1]
    assert list(batches([], most=3, most_bytes=1)) == []


def test_a_failed_import_says_which_rows_are_written() -> None:
    keys: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        keys.append(request.headers["idempotency-key"])
        if len(keys) == 2:
            return httpx2.Response(422)
        return httpx2.Response(201, json={"accepted": 5000})

    rows = (SearchClick(search_query="oak", clicks=0, impressions=1) for _ in range(7000))
    with (
        Client(URL, transport=httpx2.MockTransport(answer)) as asking,
        pytest.raises(InvalidInput) as caught,
    ):
        asking.search_clicks.import_rows(rows, idempotency_key="night")
    assert keys == ["night-1", "night-2"]
    assert caught.value.__notes__ == [
        "Rows 5000 to 6999 (from 0) were in the request that failed; those before them are written."
    ]


def test_the_secret_of_a_new_key_is_not_in_its_representation() -> None:
    members: dict[str, Any] = dict.fromkeys(IssuedKey.__struct_fields__)
    key = IssuedKey(**{**members, "key": "stk_live_secret", "name": "till", "hint": "cret"})
    assert "stk_live_secret" not in repr(key)
    assert key.key == "stk_live_secret"


def test_everything_public_is_named_and_can_be_imported() -> None:
    for name in storekeeper_client.__all__:
        assert hasattr(storekeeper_client, name)
    errors = [each for each in vars(storekeeper_client).values() if isinstance(each, type)]
    for each in errors:
        if issubclass(each, Exception):
            assert issubclass(each, StorekeeperError)


def test_a_method_shows_its_words_and_arguments() -> None:
    client = answering()
    assert "newest first" in (client.orders.list.__doc__ or "")
    assert client.orders.get.__name__ == "get"
