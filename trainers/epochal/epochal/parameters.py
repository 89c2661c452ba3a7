"""Parameters of a trainer: a pydantic model that knows its own form, ranges and sentences."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

VALUE_LIMIT = 80

_sentences = {
    "missing": "is required",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be a text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}


class Parameters(BaseModel):
    """Base of every trainer's parameters: unknown names are refused, nothing is converted silently, nothing changes."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=False
    )


def parameter(
    default: Any = ..., *, description: str, unit: str | None = None, path: bool = False, **rules: Any
) -> Any:
    """A pydantic field with what a form needs: a description, a default (none: required), a range and a unit.

    `path`: it names a file or folder of the host that trains, and has to lead where that host allows it; a field of the
    type `pathlib.Path` does so anyway. `rules` are pydantic's: `gt`, `ge`, `lt`, `le`, `multiple_of`, `min_length`,
    `max_length`, `pattern`.
    """
    extra: dict[str, Any] = {"unit": unit} if unit else {}
    if path:
        extra["format"] = "path"
    return Field(default, description=description, json_schema_extra=extra or None, **rules)


def as_json(value: Any) -> str:
    """A value as JSON, shortened to what fits in a sentence."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= VALUE_LIMIT else text[: VALUE_LIMIT - 1] + "…"


def parameter_problems(error: ValidationError, model: type[BaseModel]) -> list[dict[str, str]]:
    """Pydantic's errors as configuration problems: field, value, and a clause that says what is allowed."""
    known = ", ".join(model.model_fields)
    problems = []
    for detail in error.errors(include_url=False):
        field = ".".join(["parameters", *(str(part) for part in detail["loc"])])
        kind, context = detail["type"], detail.get("ctx", {})
        if kind == "extra_forbidden":
            has = f"its parameters are {known}" if known else "it has none"
            message = f"is not a parameter of this trainer; {has}"
        elif kind in _sentences:
            limits = {name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()}
            message = _sentences[kind].format(**limits)
        elif kind in ("value_error", "assertion_error"):
            message = str(context.get("error", detail["msg"]))
        else:
            message = detail["msg"].replace("Input should be", "must be").replace("Input should have", "must have")
            message = message[:1].lower() + message[1:]
        value = "null" if kind == "missing" else as_json(detail["input"])
        problems.append({"field": field, "value": value, "message": message})
    return problems
