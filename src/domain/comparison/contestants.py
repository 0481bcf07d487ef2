"""Who is compared: configured providers, variants of how they are asked, and the baseline.

A list such as `openai,local,plain=local?shots=0&reasks=0,regex` names one contestant between two
commas: a provider, with overrides behind `?`, with a name of its own before `=`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from domain.comparison.model import Contestant
from domain.errors import InvalidInput, Violation
from domain.extraction.calls import current_name
from domain.extraction.prompting import prompt_hash
from domain.extraction.schema import RecordSchema
from ports.language_models import AnswerShape, ModelProfile

BASELINE: Final = "regex"
"""The contestant that asks no model."""
OWN_MACHINES: Final = frozenset({"local", "openai_compatible"})
"""Providers whose bill is that of the machine they run on."""
MOST_CONTESTANTS: Final = 8
"""More than these cannot be told apart on one page."""

Override: TypeAlias = str | int | float | bool | AnswerShape
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,39}")
_NAME_RULE: Final = (
    "must have 1..40 letters, digits, spaces or . _ + - and start with a letter or a digit"
)


def _whole(least: int) -> Callable[[str], int | None]:
    def read(text: str) -> int | None:
        return int(text) if re.fullmatch(r"[0-9]{1,9}", text) and int(text) >= least else None

    return read


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", text) else None


def _truth(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text)


def _style(text: str) -> AnswerShape | None:
    return AnswerShape(text) if text in list(AnswerShape) else None


_OVERRIDES: Final[Mapping[str, tuple[Callable[[str], Override | None], str]]] = {
    "model": (lambda text: text or None, "a model's name"),
    "style": (_style, " or ".join(AnswerShape)),
    "shots": (_whole(0), "a whole number >= 0"),
    "reasks": (_whole(0), "a whole number >= 0"),
    "temperature": (_number, "a number such as 0.2"),
    "seed": (_whole(0), "a whole number >= 0"),
    "bounded": (_truth, "true or false"),
    "numbers_from_text": (_truth, "true or false"),
    "strings_from_text": (_truth, "true or false"),
    "context_tokens": (_whole(1), "a whole number >= 1"),
    "max_output_tokens": (_whole(1), "a whole number >= 1"),
    "reasoning_tokens": (_whole(0), "a whole number >= 0"),
    "adapter": ({"none": "none"}.get, "none"),
}
_PARAMETERS: Final = ("temperature", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestantSpec:
    """One contestant as it was asked for.

    Attributes:
        name: what the report calls it.
        provider: a configured provider, or `BASELINE`.
        overrides: what differs from the way in which this provider is asked usually.
    """

    name: str
    provider: str
    overrides: Mapping[str, Override] = field(default_factory=dict)

    @property
    def model(self) -> str | None:
        """The model that it names; None for the configured one."""
        model = self.overrides.get("model")
        return model if isinstance(model, str) else None

    def profile(self, usual: ModelProfile) -> ModelProfile:
        """How this contestant is asked, where its provider is asked as `usual` says.

        Asked otherwise, it has no calibration: that one is of what is usual.
        """
        changed: dict[str, Any] = dict(self.overrides)
        if changed.pop("adapter", None) == "none":
            changed["tuned_to"] = None
        parameters: dict[str, Any] = {
            name: changed.pop(name) for name in _PARAMETERS if name in changed
        }
        if self.overrides:
            changed["calibration"] = None
        return replace(usual, **changed, parameters={**usual.parameters, **parameters})


def read_contestants(
    text: str, configured: Collection[str], pointer: str
) -> tuple[ContestantSpec, ...]:
    """The contestants of a list.

    Args:
        text: as the module says.
        configured: the providers that can be asked.
        pointer: where the list stands, for the error.

    Raises:
        InvalidInput: names everything that is wrong with it.
    """
    violations: list[Violation] = []
    specs = [
        _contestant_spec(part.strip(), configured, pointer, violations)
        for part in text.split(",")
        if part.strip()
    ]
    names = [spec.name for spec in specs]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        detail = f"names {name!r} twice: give one of them another name, such as other={name}"
        violations.append(Violation(pointer=pointer, detail=detail))
    if not 1 <= len(specs) <= MOST_CONTESTANTS:
        detail = f"must name 1..{MOST_CONTESTANTS} providers, names {len(specs)}"
        violations.append(Violation(pointer=pointer, detail=detail))
    if violations:
        raise InvalidInput.of(violations)
    return tuple(specs)


def contestant_of(
    spec: ContestantSpec,
    profile: ModelProfile,
    schema: RecordSchema,
    *,
    concurrency: int,
    machine_usd_per_hour: float | None,
    simulated: bool,
) -> Contestant:
    """The contestant that asks by `profile`.

    Args:
        spec: as it was asked for.
        profile: how its model is asked.
        schema: the record to fill.
        concurrency: texts at once.
        machine_usd_per_hour: price of the machine of models that run on one's own; None if unknown.
        simulated: its provider is a stand-in.
    """
    return Contestant(
        name=spec.name,
        provider=spec.provider,
        model=profile.model,
        prompt_hash=prompt_hash(schema, profile),
        parameters={
            "style": profile.style.value,
            "shots": profile.shots,
            "reasks": profile.reasks,
            "bounded": profile.bounded,
            "context_tokens": profile.context_tokens,
            "max_output_tokens": profile.max_output_tokens,
            "reasoning_tokens": profile.reasoning_tokens,
            "numbers_from_text": profile.numbers_from_text,
            **(
                {"adapter": profile.tuned_to, "strings_from_text": profile.strings_from_text}
                if profile.tuned_to
                else {}
            ),
            **profile.parameters,
        },
        simulated=simulated,
        machine_usd_per_hour=machine_usd_per_hour if spec.provider in OWN_MACHINES else None,
        concurrency=concurrency,
    )


def _contestant_spec(
    part: str, configured: Collection[str], pointer: str, violations: list[Violation]
) -> ContestantSpec:
    head, _, query = part.partition("?")
    own, equals, provider = head.rpartition("=")
    name = own.strip() if equals else _plain_name(part)
    provider = current_name(provider.strip())

    def complain(detail: str) -> None:
        violations.append(Violation(pointer=pointer, detail=f"{part!r}: {detail}"))

    if not _NAME.fullmatch(name):
        complain(f"the name {name!r} {_NAME_RULE}")
    if provider not in {*configured, BASELINE}:
        known = ", ".join([*configured, BASELINE])
        complain(f"{provider!r} is not configured; there are {known} (see LLM_PROVIDER)")
    if provider == BASELINE and query:
        complain(f"{BASELINE} takes no overrides")
    overrides: dict[str, Override] = {}
    for pair in query.split("&") if query else ():
        key, _, raw = pair.partition("=")
        if key not in _OVERRIDES:
            complain(f"{key!r} cannot be overridden; these can: {', '.join(_OVERRIDES)}")
            continue
        read, allowed = _OVERRIDES[key]
        value = read(raw)
        if value is None:
            complain(f"{key} must be {allowed}, not {raw!r}")
        elif key in overrides:
            complain(f"{key} is given twice")
        else:
            overrides[key] = value
    return ContestantSpec(name=name, provider=provider, overrides=overrides)


def _plain_name(part: str) -> str:
    """A readable name out of a contestant that has none: `local shots 0 reasks 0`."""
    return re.sub(r"[^A-Za-z0-9._+-]+", " ", part).strip()[:40].strip()
