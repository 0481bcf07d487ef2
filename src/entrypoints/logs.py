"""One form of log line for every process, on standard error."""

from __future__ import annotations

import json
import logging
import re
import time
from contextvars import ContextVar
from typing import Any, Final

import msgspec

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The request that the current task serves; it stands in each of its log lines."""

_OWN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "color_message",
}


# What ends a line, moves the cursor of a terminal, or cannot be encoded.
# Those that turn the direction of writing make a line look other than it is.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class _Format(logging.Formatter):
    """Time in UTC, level, logger, request id, message, and what `extra=` gave."""

    def _members(self, record: logging.LogRecord) -> dict[str, Any]:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        members: dict[str, Any] = {
            "time": f"{at}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (current := request_id.get()) is not None:
            members["request_id"] = current
        members |= {key: value for key, value in vars(record).items() if key not in _OWN}
        if record.exc_info:
            members["error"] = self.formatException(record.exc_info)
        return members


class JsonLogFormatter(_Format):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        members = self._members(record)
        try:
            return msgspec.json.encode(members, enc_hook=str).decode()
        except UnicodeEncodeError:  # a lone surrogate; slower, and escapes them
            return json.dumps(members, default=str)


class TextLogFormatter(_Format):
    """A line for people; control characters are escaped, so that no line can be forged."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the traceback indented below it if there is one."""
        members = self._members(record)
        error = members.pop("error", None)
        head = " ".join(str(members.pop(key)) for key in ("time", "level", "logger", "message"))
        rest = "".join(f" {key}={value}" for key, value in members.items())
        line = harmless(head + rest)
        return "\n  ".join([line, *(error or "").splitlines()])


def harmless(text: str) -> str:
    """`text` with its control characters escaped: it forges no line, and drives no terminal."""
    return _CONTROL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode()


def configure_logging(level: str, form: str) -> None:
    """Send every logger's lines of `level` and above to standard error, in `form` (text, json)."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLogFormatter() if form == "json" else TextLogFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("httpx2", "httpcore2", "google_genai", "asyncio", "openai"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
