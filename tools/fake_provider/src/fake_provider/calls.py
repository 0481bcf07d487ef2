"""A request to a model as every dialect means it, and what comes back."""

from __future__ import annotations

from abc import abstractmethod
from hashlib import blake2b
from typing import Any, Literal, Protocol

import msgspec

from fake_provider.scenario import DialectName, ErrorKind, HintStyle

CHARACTERS_PER_TOKEN = 4


def count_tokens(text: str) -> int:
    """About the tokens of `text`: a quarter of its characters, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def text_hash(text: str) -> int:
    """64-bit digest by which the ledger knows `text`; the same in every process."""
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


class Call(msgspec.Struct, kw_only=True):
    """One request for a completion.

    Attributes:
        turns: role and text of each message, in order; the system prompt has role `system`.
        schema: the JSON schema that the answer must follow; None when none was asked.
        schema_name: its name, where the dialect has one.
        stop_after: repetitions of a piece after which the answer is cut, where the dialect can.
        extra: what the dialect wants back when it writes the answer.
    """

    dialect: DialectName
    model: str
    turns: tuple[tuple[str, str], ...]
    schema: dict[str, Any] | None = None
    schema_name: str = ""
    json_mode: bool = False
    max_tokens: int | None = None
    stop_after: int | None = None
    temperature: float | None = None
    key: str = ""
    prompt_tokens: int = 0
    document: str = ""
    extra: dict[str, Any] = {}

    @property
    def prompt(self) -> str:
        """All message texts, one after the other."""
        return "\n".join(text for _, text in self.turns)


class Completion(msgspec.Struct, kw_only=True):
    """What the model said, before a dialect wraps it."""

    content: str
    finish: Literal["stop", "length", "repetition", "refusal", "content_filter"] = "stop"
    reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Problem(msgspec.Struct, kw_only=True, frozen=True):
    """Why a call is refused, in words that every dialect can put into its own body."""

    kind: ErrorKind
    model: str = ""
    models: tuple[str, ...] = ()
    key: str = ""
    retry_after_s: float | None = None
    hint: HintStyle = "auto"
    code: str = ""
    reason: str = ""
    detail: str = ""
    scope: Literal["requests", "tokens"] = "requests"
    limit: int = 0
    tokens: int = 0
    temperature: float | None = None
    schema_name: str = ""


class Refused(Exception):
    """The request cannot be read; the dialect has already written status and body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body


class Dialect(Protocol):
    """How one provider's protocol spells calls, answers and errors."""

    name: DialectName

    @abstractmethod
    def read(self, body: bytes, model: str) -> Call:
        """The call in a request body.

        Args:
            body: the raw request body.
            model: the model named by the path; empty where the body names it.

        Raises:
            Refused: the body is not a request of this dialect.
        """

    def cut(self, call: Call, context_tokens: int) -> bool:  # noqa: ARG002 - most cut nothing
        """Shorten the prompt of `call` to the context, where this provider does that unasked.

        Returns: whether it does.
        """
        return False

    @abstractmethod
    def schema_fault(self, call: Call) -> str | None:
        """What this provider would refuse in the requested schema; None when it serves it."""

    @abstractmethod
    def answer(self, call: Call, completion: Completion, request_id: str) -> Any:
        """The JSON body of a success."""

    @abstractmethod
    def error(self, problem: Problem) -> tuple[int, Any]:
        """Status and JSON body for `problem`."""
