"""What each model can do and how it is best asked: the one table to edit for a new model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from domain.extraction.calls import row_for
from domain.extraction.confidence import Calibration
from ports.language_models import AnswerShape, ModelProfile, ResponseFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCapabilities:
    """One row: what `ModelProfile` says, without the names."""

    style: AnswerShape = AnswerShape.QUOTED
    bounded: bool = False
    context_tokens: int = 128_000
    max_output_tokens: int = 8_000
    reasoning_tokens: int = 0
    max_choices: int = 1_000
    shots: int = 0
    reasks: int = 2
    temperature: float | None = None
    seed: int | None = None
    numbers_from_text: bool = False
    strings_from_text: bool = False
    response_format: ResponseFormat = ResponseFormat.JSON_SCHEMA
    system_role: bool = True


OwnRows: TypeAlias = Mapping[tuple[str, str], Mapping[str, Any]]
"""By provider and model, for `row_for`: the members of `ModelCapabilities` that differ."""

_TABLE: Final[tuple[tuple[str, str, ModelCapabilities], ...]] = (
    # Reasoning models of OpenAI take no temperature but 1, and no seed. Hidden reasoning counts as
    # output: without room for it, the answer is cut before its first character.
    ("openai", "gpt-4*", ModelCapabilities(temperature=0.0, seed=7)),
    (
        "openai",
        "gpt-5*",
        ModelCapabilities(context_tokens=272_000, max_output_tokens=16_000, reasoning_tokens=8_000),
    ),
    (
        "openai",
        "o[0-9]*",
        ModelCapabilities(context_tokens=200_000, max_output_tokens=16_000, reasoning_tokens=8_000),
    ),
    ("openai", "*", ModelCapabilities()),
    # Google advises its default temperature (1.0) for Gemini 3.
    (
        "gemini",
        "gemini-3*",
        ModelCapabilities(
            context_tokens=1_000_000, max_output_tokens=16_000, reasoning_tokens=8_000
        ),
    ),
    ("gemini", "gemini-1*", ModelCapabilities(context_tokens=1_000_000, temperature=0.0, seed=7)),
    ("gemini", "gemini-2.0*", ModelCapabilities(context_tokens=1_000_000, temperature=0.0, seed=7)),
    (
        "gemini",
        "*",
        ModelCapabilities(
            context_tokens=1_000_000, reasoning_tokens=8_000, temperature=0.0, seed=7
        ),
    ),
    # Models too small to quote: bare values after the nearest examples.
    (
        "*",
        "*[sS]mol[lL][mM]2-135*",
        ModelCapabilities(
            style=AnswerShape.VALUES,
            bounded=True,
            context_tokens=4_096,
            max_output_tokens=1_024,
            shots=4,
            reasks=1,
            temperature=0.0,
            seed=7,
            numbers_from_text=True,
            strings_from_text=True,
        ),
    ),
    # Of a server of one's own nothing is known: what it serves may be small.
    (
        "openai_compatible",
        "*",
        ModelCapabilities(bounded=True, context_tokens=8_192, temperature=0.0, seed=7),
    ),
    (
        "local",
        "*",
        ModelCapabilities(
            bounded=True, context_tokens=4_096, max_output_tokens=2_000, temperature=0.0, seed=7
        ),
    ),
)


def profile_of(
    provider: str,
    model: str,
    adapter: str | None = None,
    *,
    own: OwnRows = MappingProxyType({}),
    calibration: Calibration | None = None,
) -> ModelProfile:
    """The first row of the table that fits, with what a row of the user's own changes in it.

    Args:
        provider: who serves the model.
        model: its name there.
        adapter: the prompt to which the adapter was tuned that its server holds; None for none.
        own: rows of the user's own.
        calibration: one that may be of this model with this adapter; of another, or of one that a
            row of the user's own changes, it is not used.
    """
    changes = row_for(own, provider, model)
    row = replace(_row(provider, model), **(changes or {}))
    profile = _profile(provider, model, row, adapter)
    fits = calibration is not None and (calibration.model, calibration.prompt) == (model, adapter)
    return replace(profile, calibration=calibration) if fits and not changes else profile


def _row(provider: str, model: str) -> ModelCapabilities:
    return next(
        row
        for owner, pattern, row in _TABLE
        if fnmatchcase(provider, owner) and fnmatchcase(model, pattern)
    )


def _profile(
    provider: str, model: str, row: ModelCapabilities, adapter: str | None
) -> ModelProfile:
    parameters: Mapping[str, float | int | None] = {
        "temperature": row.temperature,
        "seed": row.seed,
    }
    return ModelProfile(
        provider=provider,
        model=model,
        style=row.style,
        bounded=row.bounded,
        context_tokens=row.context_tokens,
        max_output_tokens=row.max_output_tokens,
        reasoning_tokens=row.reasoning_tokens,
        max_choices=row.max_choices,
        shots=row.shots,
        reasks=row.reasks,
        numbers_from_text=row.numbers_from_text,
        strings_from_text=row.strings_from_text,
        tuned_to=adapter,
        response_format=row.response_format,
        system_role=row.system_role,
        parameters={name: value for name, value in parameters.items() if value is not None},
    )


_QUOTING_PARAMETERS: Final = 900_000_000
"""From about so many on, a model copies a passage before it gives the value."""


def profile_of_file(
    model: str,
    *,
    parameters: int,
    context_tokens: int,
    adapter: str | None = None,
    own: OwnRows = MappingProxyType({}),
) -> ModelProfile:
    """How a model is asked of which no more is known than its file, and a row of one's own, says.

    Args:
        model: its name.
        parameters: how many numbers it consists of.
        context_tokens: prompt and answer of one request together, at its server.
        adapter: as of `profile_of`.
        own: as of `profile_of`.
    """
    alike = _row("local", "smollm2-135m" if parameters < _QUOTING_PARAMETERS else "larger")
    row = replace(
        alike,
        context_tokens=context_tokens,
        max_output_tokens=min(alike.max_output_tokens, context_tokens // 2),
    )
    return _profile("local", model, replace(row, **(row_for(own, "local", model) or {})), adapter)
