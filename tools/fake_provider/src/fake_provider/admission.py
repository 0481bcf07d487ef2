"""Why a call is refused: for what it asks, for the limits, or because the script says so."""

from __future__ import annotations

import math

from fake_provider.calls import Call, Dialect, Problem
from fake_provider.limits import Verdict
from fake_provider.scenario import Fault, Scenario

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
    if card.context_tokens is not None and call.prompt_tokens > card.context_tokens:
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
