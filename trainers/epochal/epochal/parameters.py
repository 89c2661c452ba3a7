"""Parameters of a trainer: a pydantic model that knows its own form, ranges and sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

VALUE_LIMIT = 80
#: How alike two names are of which one is taken for the other, by `difflib`.
_NEAR = 0.75

#: As `contracts/config-problems.ts` says them, by pydantic's names: a person reads both of one configuration.
_sentences = {
    "missing": "is required",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of names to values",
    "model_type": "must be a mapping of fields to values",
    "too_short": "must have at least {min_length} elements",
    "too_long": "must have at most {max_length} elements",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
}
_nothing_at_all = {("too_short", 1), ("string_too_short", 1)}


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
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return text if len(text) <= VALUE_LIMIT else text[: VALUE_LIMIT - 1] + "…"


def parameter_problems(error: ValidationError, model: type[BaseModel]) -> list[dict[str, str]]:
    """Pydantic's errors as configuration problems: field, value, and a clause that says what is allowed."""
    return [
        {
            "field": _field(detail["loc"]),
            "value": "missing" if detail["type"] == "missing" else as_json(detail["input"]),
            "message": _message(detail, model),
        }
        for detail in error.errors(include_url=False)
    ]


def _field(place: Iterable[str | int]) -> str:
    """`parameters.layers[2]`, as it is written in YAML."""
    return "parameters" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)


def _message(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(str(detail["loc"][-1]), list(model.model_fields) if len(detail["loc"]) == 1 else [])
    if (kind, context.get("min_length")) in _nothing_at_all:
        return "must not be empty"
    if kind == "literal_error":
        return f"must be {_quoted(context['expected'])}"
    if kind in _sentences:
        limits = {name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()}
        message = _sentences[kind].format(**limits)
        return message.removesuffix("s") if " 1 " in message else message
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", detail["msg"]))
    message = detail["msg"].replace("Input should be", "must be").replace("Input should have", "must have")
    return message[:1].lower() + message[1:]


def _quoted(choices: str) -> str:
    """`"a", "b" or 3`, which pydantic has with Python's quotes."""
    return re.sub(r"'([^']*)'", r'"\1"', choices)


def _unknown(name: str, known: list[str]) -> str:
    if near := get_close_matches(name.lower(), known, n=1, cutoff=_NEAR):
        return f"unknown field; did you mean {near[0]}?"
    return f"unknown field; known fields are {', '.join(known)}" if known else "unknown field; leave it out"
