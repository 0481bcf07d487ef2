from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoints.logs import JsonLogFormatter, TextLogFormatter, configure_logging, request_id


def a_record(message: str, *args: object, **more: Any) -> logging.LogRecord:
    return logging.LogRecord("shop", logging.INFO, "x.py", 1, message, args or None, None, **more)


def raise_(error: Exception) -> None:
    raise error


def failed() -> Any:
    try:
        raise_(ValueError("broken\n2026-11-22T09:30:00Z info forged"))
    except ValueError:
        return sys.exc_info()


@pytest.fixture
def current() -> Iterator[str]:
    token = request_id.set("request-1")
    yield "request-1"
    request_id.reset(token)


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


def test_a_json_line_is_one_object() -> None:
    members = json.loads(JsonLogFormatter().format(a_record("took %s rows", 3)))
    assert members.keys() == {"time", "level", "logger", "message"}
    assert (members["level"], members["logger"]) == ("info", "shop")
    assert members["message"] == "took 3 rows"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", members["time"])


def test_the_request_id_stands_in_each_line_of_its_request(current: str) -> None:
    assert json.loads(JsonLogFormatter().format(a_record("hello")))["request_id"] == current
    assert f"request_id={current}" in TextLogFormatter().format(a_record("hello"))


def test_outside_of_a_request_there_is_no_id() -> None:
    assert "request_id" not in JsonLogFormatter().format(a_record("hello"))
    assert "request_id" not in TextLogFormatter().format(a_record("hello"))


def test_extra_members_come_along() -> None:
    record = a_record("hello")
    record.ms = 1.5
    record.path = {1, 2}.__class__
    assert json.loads(JsonLogFormatter().format(record))["ms"] == 1.5
    assert TextLogFormatter().format(record).endswith(f" ms=1.5 path={set!s}")


@given(st.text(), st.text())
def test_no_text_can_forge_a_second_line(message: str, value: str) -> None:
    record = a_record("%s", message)
    record.agent = value
    line = TextLogFormatter().format(record)
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    assert line.encode()
    line = JsonLogFormatter().format(record)
    assert "\n" not in line
    members = json.loads(line.encode())
    assert (members["message"], members["agent"]) == (message, value)


def test_a_json_line_escapes_what_text_escapes_too() -> None:
    line = JsonLogFormatter().format(a_record("a\nb"))
    assert json.loads(line)["message"] == "a\nb"
    assert "\n" not in line
    assert r"a\nb" in TextLogFormatter().format(a_record("a\nb"))


def test_a_traceback_stands_in_its_own_member_or_below_its_line() -> None:
    record = a_record("oh")
    record.exc_info = failed()
    assert json.loads(JsonLogFormatter().format(record))["error"].endswith(" info forged")
    first, second, *rest = TextLogFormatter().format(record).splitlines()
    assert all(line.startswith("  ") for line in rest)
    assert first.endswith(" shop oh")
    assert second == "  Traceback (most recent call last):"


@pytest.mark.parametrize("form", ["text", "json"])
def test_every_logger_speaks_in_the_chosen_form(
    root: logging.Logger, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    configure_logging("info", form)
    logging.getLogger("some.library").info("from %s", "afar")
    logging.getLogger("some.library").debug("too quiet")
    logging.getLogger("httpx2").info("too chatty")
    logging.getLogger("httpx2").warning("worth saying")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert [line.startswith("{") for line in lines] == [form == "json"] * 2
    assert "from afar" in lines[0]
    assert "worth saying" in lines[1]


def test_configuring_twice_does_not_double_the_lines(root: logging.Logger) -> None:
    configure_logging("warning", "text")
    configure_logging("error", "json")
    assert len(root.handlers) == 1
    assert root.level == logging.ERROR
