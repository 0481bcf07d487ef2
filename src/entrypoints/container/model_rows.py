"""The tables of the user's own: rows of the table of models, as a YAML file, and the prices."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from adapters.llm.capabilities import ModelCapabilities, OwnRows
from domain.errors import InvalidInput, Violation
from domain.extraction.calls import current_name
from domain.text import suggestion
from entrypoints.prices import read_prices
from entrypoints.settings import ModelCommandSettings, Provider, SettingsError
from entrypoints.strict_yaml import read_yaml

_TYPES: Final[Mapping[str, Any]] = get_type_hints(ModelCapabilities)
_BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "context_tokens": (256, 10_000_000),
    "max_output_tokens": (16, 1_000_000),
    "reasoning_tokens": (0, 1_000_000),
    "max_choices": (1, 1_000_000),
    "shots": (0, 100),
    "reasks": (0, 10),
    "temperature": (0, 2),
}
_ANY_COUNT: Final = (0, 2_147_483_647)


def read_model_rows(path: Path | None) -> OwnRows:
    """The rows in `path`; none when it is None.

    Raises:
        InvalidInput: not YAML (see `read_yaml`), a provider or a member that is not known, a model
            twice, a value of the wrong type or out of bounds; names each place.
    """
    if path is None:
        return {}
    try:
        document = read_yaml(path.read_bytes())
    except (OSError, InvalidInput) as error:
        raise InvalidInput(f"The table of models {path} cannot be read: {error}") from error
    table = document.get("models") if isinstance(document, dict) else None
    if not isinstance(table, dict):
        raise InvalidInput(f"The table of models {path} has no mapping `models`.")
    found = [
        Violation(pointer=f"/{name}", detail="is not known; known is models")
        for name in document
        if name != "models"
    ]
    rows: dict[tuple[str, str], Mapping[str, Any]] = {}
    for provider, models in table.items():
        at = f"/models/{provider}"
        if current_name(provider) not in list(Provider):
            known = ", ".join(Provider)
            found.append(Violation(pointer=at, detail=f"is no provider; there are {known}"))
        elif not isinstance(models, dict):
            found.append(Violation(pointer=at, detail="must be a mapping of models to rows"))
        else:
            for model, row in models.items():
                key = (current_name(provider), model)
                if key in rows:
                    detail = f"is there twice: {key[0]} and its former name are one provider"
                    found.append(Violation(pointer=f"{at}/{model}", detail=detail))
                rows[key] = _members(row, f"{at}/{model}", found)
    if found:
        places = "; ".join(f"{each.pointer} {each.detail}" for each in found)
        raise InvalidInput(f"The table of models {path} is wrong: {places}", violations=found)
    return rows


def check_tables(settings: ModelCommandSettings) -> None:
    """See that the tables that `settings` name can be read.

    Raises:
        SettingsError: names the settings, the files and each place.
    """
    faults = []
    for name, read in (("llm_prices_file", read_prices), ("llm_models_file", read_model_rows)):
        file = getattr(settings, name)
        try:
            if file is not None:
                read(file)
        except InvalidInput as error:
            faults.append(f"{name.upper()}: {error}")
    if faults:
        raise SettingsError("\n".join(faults))


def _members(row: Any, pointer: str, found: list[Violation]) -> Mapping[str, Any]:
    if not isinstance(row, dict) or not row:
        found.append(Violation(pointer=pointer, detail="must be a mapping of members to values"))
        return {}
    read: dict[str, Any] = {}
    for name, value in row.items():
        if name not in _TYPES:
            detail = f"is not known; {suggestion(name, list(_TYPES))}"
            found.append(Violation(pointer=f"{pointer}/{name}", detail=detail))
            continue
        try:
            read[name] = _value(value, name)
        except ValueError as error:
            found.append(Violation(pointer=f"{pointer}/{name}", detail=f"must be {error}"))
    return read


def _value(value: Any, name: str) -> Any:
    """A member's value as the table has it.

    Raises:
        ValueError: says what it must be.
    """
    choices = get_args(_TYPES[name]) or (_TYPES[name],)
    kind = choices[0]
    if value is None and type(None) in choices:
        return None
    if issubclass(kind, StrEnum):
        if value not in list(kind):
            raise ValueError(f"one of {', '.join(kind)}")
        return kind(value)
    if kind is bool:
        if not isinstance(value, bool):
            raise ValueError("true or false")
        return value
    least, most = _BOUNDS.get(name, _ANY_COUNT)
    whole = isinstance(value, int) and not isinstance(value, bool)
    fits = whole or (kind is float and isinstance(value, float))
    if not fits or not least <= value <= most:
        unset = " or null" if type(None) in choices else ""
        raise ValueError(f"{'a number' if kind is float else 'an integer'}, {least}..{most}{unset}")
    return kind(value)
