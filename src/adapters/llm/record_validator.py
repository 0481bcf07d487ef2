"""Records checked by Pydantic models made from the schemas."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal, Optional

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, create_model
from pydantic import Field as Rules
from pydantic_core import ErrorDetails, PydanticCustomError, SchemaError

from domain.errors import InvalidInput, Violation
from domain.extraction.schema import MAX_NUMBER, Field, FieldType, RecordSchema
from ports.extraction import MISSING, RecordValidator, ValidationResult


class PydanticRecordValidator(RecordValidator):
    """Compiles each schema once to a Pydantic model."""

    def check(self, schema: RecordSchema) -> None:
        """See the port."""
        violations = []
        for index, field in enumerate(schema.fields):
            try:
                create_model("Probe", value=_definition(field))
            except SchemaError as error:
                # The rest of the message names parts of Pydantic.
                reason = str(error).rsplit("error: ", 1)[-1].rsplit("SchemaError: ", 1)[-1]
                detail = f"is refused as a regular expression: {reason.strip()}"
                violations.append(Violation(pointer=f"/fields/{index}/pattern", detail=detail))
        for index, example in enumerate(schema.examples if not violations else ()):
            faults = self.validate(schema, example.values()).faults
            violations += [
                Violation(pointer=f"/examples/{index}/record/{name}", detail=why)
                for name, why in faults.items()
            ]
        if violations:
            raise InvalidInput.of(violations)

    def validate(self, schema: RecordSchema, record: Mapping[str, Any]) -> ValidationResult:
        """See the port."""
        model = _model(schema)
        record = {name: record[name] for name in model.model_fields if name in record}
        try:
            return ValidationResult(values=_canonical(model.model_validate(record)), faults={})
        except ValidationError as error:
            faults: dict[str, str] = {}
            for each in error.errors(include_url=False):
                faults.setdefault(str(each["loc"][0]), _explained(each))
        sound = {name: value for name, value in record.items() if name not in faults}
        partial = _part(schema, frozenset(sound)).model_validate(sound)
        return ValidationResult(values=_canonical(partial), faults=faults)


@lru_cache(maxsize=256)
def _model(schema: RecordSchema) -> type[BaseModel]:
    return _part(schema, frozenset(field.name for field in schema.fields))


@lru_cache(maxsize=1024)
def _part(schema: RecordSchema, names: frozenset[str]) -> type[BaseModel]:
    """The model of those fields of `schema` that `names` holds."""
    definitions: dict[str, Any] = {
        field.name: _definition(field) for field in schema.fields if field.name in names
    }
    return create_model(
        schema.name,
        __config__=ConfigDict(
            coerce_numbers_to_str=True,
            str_strip_whitespace=True,
            allow_inf_nan=False,
            protected_namespaces=(),
        ),
        **definitions,
    )


def _definition(field: Field) -> tuple[Any, Any]:
    """Pydantic's pair of type and rules."""
    one = _scalar(field)
    if field.many:
        limits = Rules(min_length=0 if field.nullable else 1, max_length=field.max_items)
        items = Annotated[list[one], limits]  # type: ignore[valid-type]
        return Annotated[items, BeforeValidator(_listed)], ...
    if field.nullable:
        return Annotated[Optional[one], BeforeValidator(_absent)], ...  # noqa: UP045 (`one` is a value)
    return one, ...


def _scalar(field: Field) -> Any:
    match field.type:
        case FieldType.STRING:
            rules = Rules(min_length=1, max_length=field.max_length, pattern=field.pattern)
            return Annotated[str, BeforeValidator(_storable), rules]
        case FieldType.INTEGER:
            low = -MAX_NUMBER if field.minimum is None else field.minimum
            high = MAX_NUMBER if field.maximum is None else field.maximum
            return Annotated[int, BeforeValidator(_no_truth), Rules(ge=low, le=high)]
        case FieldType.NUMBER:
            bounds = Rules(ge=field.minimum, le=field.maximum)
            return Annotated[float, BeforeValidator(_no_truth), bounds]
        case FieldType.BOOLEAN:
            return bool
        case FieldType.DATE:
            return date
        case FieldType.ENUM:
            return Literal[field.choices]


def _absent(value: Any) -> Any:
    """What models write for "nothing" where null was asked."""
    return None if isinstance(value, str) and not value.strip() else value


def _no_truth(value: Any) -> Any:
    """JSON's true is no count, whatever Python says."""
    if isinstance(value, bool):
        raise PydanticCustomError("no_number", "must be a number, not true or false")
    return value


def _storable(value: Any) -> Any:
    """Without what no database holds: a model may write NUL and lone surrogates as escapes."""
    if not isinstance(value, str):
        return value
    return value.replace("\x00", "").encode(errors="ignore").decode()


def _listed(value: Any) -> Any:
    return [] if value is None else value


def _canonical(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json")


def _explained(error: ErrorDetails) -> str:
    """What is wrong, without repeating the value (it would only be copied)."""
    if error["type"] == "missing":
        return MISSING
    reason = error["msg"][0].lower() + error["msg"][1:]
    return f"breaks a rule: {reason}"
