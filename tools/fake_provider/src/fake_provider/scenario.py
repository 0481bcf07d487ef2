"""What a fake provider does: the shape of a scenario file and of the control API."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import msgspec

DialectName: TypeAlias = Literal["openai", "gemini", "vllm", "ollama"]
HintStyle: TypeAlias = Literal["auto", "seconds", "milliseconds", "date", "body", "none"]

ErrorKind: TypeAlias = Literal[
    "bad_key",
    "forbidden",
    "unknown_model",
    "rate_limited",
    "slow_down",
    "quota_exhausted",
    "overloaded",
    "server_error",
    "gateway_timeout",
    "context_too_long",
    "bad_parameter",
    "bad_schema",
    "prompt_blocked",
]
WireKind: TypeAlias = Literal[
    "reset",
    "reset_mid_body",
    "disconnect",
    "disconnect_mid_body",
    "timeout",
    "malformed_body",
    "html",
    "empty_object",
    "raw",
]
ContentKind: TypeAlias = Literal[
    "ok",
    "invalid_json",
    "fenced",
    "schema_violation",
    "truncated",
    "whitespace_loop",
    "refusal",
    "content_filter",
    "ungrounded",
]
FaultKind: TypeAlias = ErrorKind | WireKind | ContentKind

ERROR_KINDS: frozenset[str] = frozenset(get_args(ErrorKind))
WIRE_KINDS: frozenset[str] = frozenset(get_args(WireKind))


class ScenarioRefused(ValueError):
    """A scenario that cannot be used; the message names the place and what is allowed."""


class Latency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long an answer takes: the same for all, or lognormal with this mean.

    Attributes:
        mean_s: mean of the distribution in seconds, >= 0.
        sigma: standard deviation of the logarithm; used by `lognormal` alone.
    """

    kind: Literal["constant", "lognormal"] = "constant"
    mean_s: float = 0.0
    sigma: float = 0.5

    def __post_init__(self) -> None:
        if self.mean_s < 0 or self.sigma < 0:
            raise ValueError("`mean_s` and `sigma` must be 0 or more")


class Limit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate limit for the calls that match; each dialect and model has its own budget.

    Attributes:
        dialect, model: which calls; null matches all.
        rpm, tpm: requests and tokens a minute; null for no limit.
        burst_s: how many seconds of the rate can be saved up (60: a full minute at once).
        charge_rejected: whether a rejected call uses up budget too, as hosted providers do.
        hint: how the wait is told.
        quota: admitted calls after which every call is answered `quota_exhausted`.
    """

    dialect: DialectName | None = None
    model: str | None = None
    rpm: float | None = None
    tpm: float | None = None
    burst_s: float = 60.0
    charge_rejected: bool = True
    hint: HintStyle = "auto"
    quota: int | None = None

    def __post_init__(self) -> None:
        if any(rate is not None and rate <= 0 for rate in (self.rpm, self.tpm, self.burst_s)):
            raise ValueError("`rpm`, `tpm` and `burst_s` must be greater than 0")


class Raw(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A response written by hand, for what no provider should send.

    Attributes:
        status: its code.
        headers: name and value of each, in order; `content-type` and `content-length` too, where
            they should not be as usual.
        text: the body; sent as UTF-8.
        base64: the body, where it is no UTF-8 (in JSON and YAML written in Base64); in place of
            `text`.
        cut: where the connection breaks.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""
    base64: bytes = b""
    cut: Literal["", "before", "mid_body"] = ""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that happens to a call.

    Attributes:
        kind: what happens; `ok` is an ordinary answer (to space out a script).
        times: how many matching calls it takes in a script; null for every one.
        probability: share of the calls that it takes, in `rates` alone.
        dialect, model, text: which calls; null matches all, `text` is a part of the prompt.
        delay_s: extra seconds before the answer.
        retry_after_s: the wait that the answer names; null for none.
        hint: how the wait is told (`auto`: as the dialect does).
        code: replaces the error code (OpenAI) or the quota id (Gemini).
        reason: finish or block reason of `content_filter` and `prompt_blocked` (Gemini).
        raw: the response of `raw`.
        path: a part of the path of the requests that `raw` answers, those about files
            and batches too; null for calls alone.
    """

    kind: FaultKind
    times: int | None = 1
    probability: float = 0.0
    dialect: DialectName | None = None
    model: str | None = None
    text: str | None = None
    delay_s: float = 0.0
    retry_after_s: float | None = None
    hint: HintStyle = "auto"
    code: str = ""
    reason: str = ""
    raw: Raw = Raw()
    path: str | None = None

    def __post_init__(self) -> None:
        if self.path is not None and self.kind != "raw":
            raise ValueError("`path` goes with the kind `raw` alone")
        if not 0 <= self.probability <= 1:
            raise ValueError("`probability` must be between 0 and 1")
        if self.times is not None and self.times < 1:
            raise ValueError("`times` must be 1 or more, or null for every call")


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model can do.

    Attributes:
        context_tokens: prompt tokens beyond this are answered `context_too_long`, or cut where the
            dialect does so; null for any.
        fixed_temperature: whether any temperature but 1 is answered `bad_parameter`.
    """

    context_tokens: int | None = None
    fixed_temperature: bool = False


class Batches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How batch jobs go: seconds in each state, and how they end."""

    validating_s: float = 0.0
    in_progress_s: float = 0.0
    finalizing_s: float = 0.0
    outcome: Literal["completed", "failed", "expired"] = "completed"


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a fake provider is told.

    Attributes:
        seed: of latencies and rates.
        script: faults taken in order; the first that matches a call takes it.
        rates: faults by chance, for calls that the script leaves alone.
        bad_keys: keys that are refused; every other key is accepted.
        models: the models that exist; null accepts every name.
        max_concurrent: calls at once beyond which calls are answered `overloaded`.
        hang_s: how long `timeout` hangs before it resets the connection.
        answers: document text -> answer: an object to be fitted to the schema, or a string that
            becomes the content as it stands.
        document_pattern: regular expression whose first group is the document in the prompt;
            null looks for a fence by itself.
    """

    seed: int = 0
    latency: Latency = Latency()
    limits: tuple[Limit, ...] = ()
    script: tuple[Fault, ...] = ()
    rates: tuple[Fault, ...] = ()
    bad_keys: frozenset[str] = frozenset()
    models: dict[str, Model] | None = None
    default_model: Model = Model()
    max_concurrent: int | None = None
    hang_s: float = 3600.0
    batches: Batches = Batches()
    answers: dict[str, Any] = {}
    document_pattern: str | None = None

    def __post_init__(self) -> None:
        if sum(fault.probability for fault in self.rates) > 1 + 1e-9:
            raise ValueError("the probabilities in `rates` must add up to 1 at most")
        if self.document_pattern is not None:
            try:
                groups = re.compile(self.document_pattern).groups
            except re.error as error:
                raise ValueError(f"`document_pattern` is no regular expression: {error}") from error
            if groups < 1:
                raise ValueError("`document_pattern` needs a group around the document")


def parse_scenario(raw: object) -> Scenario:
    """A scenario from plain data.

    Raises:
        ScenarioRefused: a member is unknown, mistyped or out of range.
    """
    try:
        return msgspec.convert(raw, Scenario)
    except msgspec.ValidationError as error:
        raise ScenarioRefused(f"the scenario is refused: {error}") from error


def read_scenario(path: Path) -> Scenario:
    """A scenario from a JSON or YAML file (by its ending: .json, .yaml, .yml).

    Raises:
        ScenarioRefused: unknown ending, unreadable file, or bad content.
    """
    decoders = {".json": msgspec.json.decode, ".yaml": msgspec.yaml.decode}
    decoders[".yml"] = decoders[".yaml"]
    if path.suffix not in decoders:
        raise ScenarioRefused(f"{path}: a scenario file ends in .json, .yaml or .yml")
    try:
        raw = decoders[path.suffix](path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise ScenarioRefused(f"{path}: {error}") from error
    return parse_scenario(raw)
