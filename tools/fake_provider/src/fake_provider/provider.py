"""The provider behind the dialects: admits calls, chooses faults, answers, keeps the ledger."""

from __future__ import annotations

import math
import re
import time
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from fake_provider.answers import MISSING, AnswerBook, Answerer, write_answer
from fake_provider.calls import (
    Call,
    Completion,
    Dialect,
    Problem,
    Refused,
    count_tokens,
)
from fake_provider.documents import find_document
from fake_provider.faults import FaultPlan, LatencySampler, spoiled
from fake_provider.http import Reply, Request, client_left, json_reply, raw_reply
from fake_provider.ledger import DEFAULT_CAPACITY, Ledger
from fake_provider.rate_limits import Limiter, Verdict, hint_headers, rate_limit_headers
from fake_provider.scenario import ERROR_KINDS, WIRE_KINDS, Fault, Scenario

# What a scripted error claims where no real limit was hit; never 0, which reads as "no quota".
_CLAIMED_CONTEXT_TOKENS = 8192
_CLAIMED_LIMIT = 60


def objection(scenario: Scenario, dialect: Dialect, call: Call) -> Problem | None:
    """Why the request itself is refused, whatever the load and the script."""
    model = call.model
    if call.key in scenario.bad_keys:
        return Problem(kind="bad_key", key=call.key)
    card = scenario.default_model
    if scenario.models is not None:
        if model not in scenario.models:
            return Problem(kind="unknown_model", model=model, models=tuple(scenario.models))
        card = scenario.models[model]
    if (
        card.context_tokens is not None
        and call.prompt_tokens > card.context_tokens
        and not dialect.cut(call, card.context_tokens)
    ):
        return Problem(
            kind="context_too_long",
            model=model,
            limit=card.context_tokens,
            tokens=call.prompt_tokens,
        )
    if card.fixed_temperature and call.temperature not in (None, 1):
        return Problem(kind="bad_parameter", model=model, temperature=call.temperature)
    detail = dialect.schema_fault(call)
    if detail is not None:
        return Problem(kind="bad_schema", detail=detail, schema_name=call.schema_name)
    return None


def limit_problem(verdict: Verdict, call: Call) -> Problem | None:
    """What a verdict of the limits means for the call; None when it may pass."""
    limit = verdict.limit
    if limit is None or verdict.outcome == "admitted":
        return None
    if verdict.outcome == "exhausted":
        return Problem(kind="quota_exhausted", model=call.model, limit=limit.quota or 0)
    per_minute = limit.rpm if verdict.scope == "requests" else limit.tpm
    return Problem(
        kind="rate_limited",
        model=call.model,
        # Rounded up to what a body or header can say, so that waiting as told is enough.
        retry_after_s=None if limit.hint == "none" else math.ceil(verdict.wait_s * 1000) / 1000,
        hint=limit.hint,
        scope=verdict.scope,
        limit=max(int(per_minute or 0), 1),
    )


def scripted_problem(fault: Fault, call: Call) -> Problem:
    """The problem that a fault of an error kind stands for."""
    too_long = fault.kind == "context_too_long"
    return Problem(
        kind=fault.kind,  # type: ignore[arg-type] # the caller has checked that it is an error
        model=call.model,
        key=call.key,
        retry_after_s=fault.retry_after_s,
        hint=fault.hint,
        code=fault.code,
        reason=fault.reason,
        limit=_CLAIMED_CONTEXT_TOKENS if too_long else _CLAIMED_LIMIT,
        tokens=call.prompt_tokens + (_CLAIMED_CONTEXT_TOKENS if too_long else 0),
        temperature=0.0 if call.temperature is None else call.temperature,
        schema_name=call.schema_name,
        detail=fault.reason if fault.kind == "bad_schema" else "",
    )


_ORDINARY = Fault(kind="ok")


class Outcome(msgspec.Struct, kw_only=True):
    """How a call ends: the reply, and what the ledger notes about it."""

    reply: Reply
    status: int
    fault: str = ""
    hint_s: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Provider:
    """One fake provider: its scenario, and what it remembers while it runs.

    Args:
        scenario: what it does; changed under way by `apply`.
        answerer: asked for every answer before the scenario's table and the rules.
        ledger_capacity: calls kept in the ledger, >= 1.
        ledger_path: file for finished calls as JSON lines; None for none.
    """

    scenario: Scenario
    limiter: Limiter

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        answerer: Answerer | None = None,
        ledger_capacity: int = DEFAULT_CAPACITY,
        ledger_path: Path | None = None,
    ) -> None:
        self.answerer = answerer
        self._ledger_capacity = ledger_capacity
        self._ledger_path = ledger_path
        self._numbers = count(1)
        self.in_flight = 0
        self._start(scenario or Scenario())

    def reset(self, scenario: Scenario) -> None:
        """Start over: a new scenario, full budgets, an empty ledger."""
        self.ledger.shut()
        self._start(scenario)

    def apply(self, scenario: Scenario) -> None:
        """Change the scenario under way.

        What it leaves as it was goes on: a half-used script, saved-up budgets, added answers.
        """
        before, self.scenario = self.scenario, scenario
        self.limiter.retune(scenario.limits, time.monotonic())
        reseeded = scenario.seed != before.seed
        if reseeded or (scenario.script, scenario.rates) != (before.script, before.rates):
            self.faults = FaultPlan(scenario.script, scenario.rates, scenario.seed)
        if reseeded or scenario.latency != before.latency:
            self._latency = LatencySampler(scenario.latency, scenario.seed)
        if scenario.answers != before.answers:
            self.answers = AnswerBook(scenario.answers)
        self._pattern = _compiled(scenario.document_pattern)

    def _start(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.ledger = Ledger(self._ledger_capacity, self._ledger_path)
        self.limiter = Limiter(scenario.limits)
        self.faults = FaultPlan(scenario.script, scenario.rates, scenario.seed)
        self.answers = AnswerBook(scenario.answers)
        self.dead_until_s = 0.0
        self.peak_in_flight = self.in_flight
        self._latency = LatencySampler(scenario.latency, scenario.seed)
        self._pattern = _compiled(scenario.document_pattern)

    def die(self, for_s: float) -> None:
        """Break every connection for `for_s` seconds from now."""
        self.dead_until_s = time.monotonic() + for_s

    @property
    def dead(self) -> bool:
        """Whether it is in a dead period."""
        return time.monotonic() < self.dead_until_s

    def request_id(self) -> str:
        """`req_` and 32 hexadecimal digits, a new one each time."""
        return f"req_{next(self._numbers):032x}"

    def read(self, dialect: Dialect, body: bytes, model: str, key: str) -> Call:
        """The call in `body`, with its document and prompt tokens.

        Raises:
            Refused: the body is no request of this dialect.
        """
        call = dialect.read(body, model)
        call.key = key
        call.document = find_document(call.turns, self._pattern)
        call.prompt_tokens = count_tokens(call.prompt) + 4 * len(call.turns)
        return call

    async def exchange(self, dialect: Dialect, request: Request, model: str = "") -> Reply | None:
        """Answer one request for a completion; None when the client left meanwhile."""
        try:
            call = self.read(dialect, request.body, model, request.key)
        except Refused as refused:
            return json_reply(refused.status, refused.body)
        ledger = self.ledger  # the one that knows `seq`, should another begin meanwhile
        seq = ledger.open(call, request.arrived_s)
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        aborted = True
        outcome = Outcome(reply=Reply(), status=0)
        try:
            outcome, delay_s = self._decide(dialect, call)
            aborted = delay_s > 0 and await client_left(request.receive, delay_s)
            return None if aborted else outcome.reply
        finally:
            self.in_flight -= 1
            if aborted:
                # A provider that has begun bills what it read.
                outcome = Outcome(
                    reply=Reply(),
                    status=0,
                    fault=outcome.fault,
                    prompt_tokens=outcome.prompt_tokens,
                )
            ledger.close(
                seq,
                done_s=time.monotonic(),
                status=outcome.status,
                fault=outcome.fault,
                hint_s=outcome.hint_s,
                prompt_tokens=outcome.prompt_tokens,
                completion_tokens=outcome.completion_tokens,
                aborted=aborted,
            )

    def answer_now(self, dialect: Dialect, call: Call) -> tuple[int, Any]:
        """Status and body for `call` without waiting, limits or broken wires: a line of a batch."""
        seq = self.ledger.open(call, time.monotonic())
        problem = objection(self.scenario, dialect, call)
        fault = (self.faults.choose(call) if problem is None else None) or _ORDINARY
        if problem is None and fault.kind in WIRE_KINDS:
            fault = Fault(kind="server_error")
        if problem is None and fault.kind in ERROR_KINDS:
            problem = scripted_problem(fault, call)
        outcome = (
            self._refusal(dialect, problem, None)
            if problem is not None
            else self._success(dialect, call, fault, None)
        )
        self.ledger.close(
            seq,
            done_s=time.monotonic(),
            status=outcome.status,
            fault=outcome.fault,
            prompt_tokens=outcome.prompt_tokens,
            completion_tokens=outcome.completion_tokens,
        )
        return outcome.status, msgspec.Raw(outcome.reply.body)

    def _decide(self, dialect: Dialect, call: Call) -> tuple[Outcome, float]:
        """What becomes of `call`, and after how many seconds."""
        if self.dead:
            return Outcome(reply=Reply(cut="before"), status=0, fault="dead"), 0.0
        problem = objection(self.scenario, dialect, call)
        if problem is not None:
            return self._refusal(dialect, problem, None), 0.0
        verdict = self.limiter.admit(call, time.monotonic())
        problem = limit_problem(verdict, call) or self._overload(call)
        if problem is not None:
            return self._refusal(dialect, problem, verdict), 0.0
        fault = self.faults.choose(call) or _ORDINARY
        if fault.kind in ERROR_KINDS:
            outcome = self._refusal(dialect, scripted_problem(fault, call), verdict)
            return outcome, fault.delay_s
        delay_s = self._latency.draw() + fault.delay_s
        match fault.kind:
            case "reset" | "disconnect":
                reply = Reply(cut="before", abrupt=fault.kind == "reset")
                return Outcome(reply=reply, status=0, fault=fault.kind), fault.delay_s
            case "timeout":
                reply = Reply(cut="before")
                tokens = call.prompt_tokens
                late = Outcome(reply=reply, status=0, fault="timeout", prompt_tokens=tokens)
                return late, self.scenario.hang_s
        if fault.kind == "raw":
            raw = raw_reply(fault.raw)
            tokens = call.prompt_tokens
            return Outcome(reply=raw, status=raw.status, fault="raw", prompt_tokens=tokens), delay_s
        outcome = self._success(dialect, call, fault, verdict)
        self.limiter.settle(call, outcome.completion_tokens, time.monotonic())
        return outcome, delay_s

    def _overload(self, call: Call) -> Problem | None:
        most = self.scenario.max_concurrent
        if most is not None and self.in_flight > most:
            return Problem(kind="overloaded", model=call.model)
        return None

    def _refusal(self, dialect: Dialect, problem: Problem, verdict: Verdict | None) -> Outcome:
        status, body = dialect.error(problem)
        headers, hint_s = hint_headers(dialect.name, problem)
        reply = json_reply(status, body, headers + self._own_headers(dialect, verdict))
        return Outcome(
            reply=reply,
            status=status,
            fault=problem.kind,
            hint_s=hint_s,
            prompt_tokens=problem.tokens if status == 200 else 0,
        )

    def _success(
        self, dialect: Dialect, call: Call, fault: Fault, verdict: Verdict | None
    ) -> Outcome:
        completion = self._complete(call, fault)
        request_id = self.request_id()
        body = msgspec.json.encode(dialect.answer(call, completion, request_id))
        reply = Reply(body=body, headers=self._own_headers(dialect, verdict, request_id))
        match fault.kind:
            case "reset_mid_body" | "disconnect_mid_body":
                reply.cut, reply.abrupt = "mid_body", fault.kind == "reset_mid_body"
            case "malformed_body":
                reply.body = body[: len(body) // 2]
            case "html":
                reply.body = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
                reply.content_type = b"text/html; charset=utf-8"
            case "empty_object":
                reply.body = b"{}"
        return Outcome(
            reply=reply,
            status=200,
            fault="" if fault.kind == "ok" else fault.kind,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
        )

    def _complete(self, call: Call, fault: Fault) -> Completion:
        given = self.answerer(call) if self.answerer is not None else None
        if given is None:
            given = self.answers.find(call)
        if isinstance(given, str):
            answer: Any = given
        elif call.schema is not None:
            notes = "\n".join(text for role, text in call.turns if role == "system")
            known = MISSING if given is None else given
            answer = write_answer(call.schema, call.document, known, notes)
        elif given is not None or call.json_mode:
            answer = given or {}
        else:
            answer = f"I have read: {call.document[:200]}"
        return spoiled(answer, fault, call)

    def _own_headers(
        self, dialect: Dialect, verdict: Verdict | None, request_id: str = ""
    ) -> list[tuple[bytes, bytes]]:
        if dialect.name != "openai":
            return []
        return [
            (b"x-request-id", (request_id or self.request_id()).encode()),
            (b"openai-version", b"2020-10-01"),
            (b"openai-organization", b"org-fake"),
            *rate_limit_headers(verdict),
        ]


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    return re.compile(pattern, re.DOTALL) if pattern else None
