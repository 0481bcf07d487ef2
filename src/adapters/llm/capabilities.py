"""What each model can do and how it is best asked: the one table to edit for a new model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from domain.extraction.confidence import Calibration
from ports.language_models import AnswerShape, ModelProfile


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
        ),
    ),
    ("vllm", "*", ModelCapabilities(bounded=True, context_tokens=8_192, temperature=0.0, seed=7)),
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
    calibration: Calibration | None = None,
) -> ModelProfile:
    """The first row of the table that fits.

    Args:
        provider: who serves the model.
        model: its name there.
        adapter: the prompt to which the adapter was tuned that its server holds; None for none.
        calibration: one that may be of this model with this adapter; of another it is not used.
    """
    fits = calibration is not None and (calibration.model, calibration.prompt) == (model, adapter)
    row = next(
        row
        for owner, pattern, row in _TABLE
        if fnmatchcase(provider, owner) and fnmatchcase(model, pattern)
    )
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
        tuned_to=adapter,
        calibration=calibration if fits else None,
        parameters={name: value for name, value in parameters.items() if value is not None},
    )
