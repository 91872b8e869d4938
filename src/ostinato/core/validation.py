"""Values against a JSON schema. Loaded on first use only."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import jsonschema_rs
import msgspec

from ostinato.core.display import is_secret

_TYPES: Final = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a text",
}
_SHOWN: Final = 60
"""Most characters of a value in a message."""


def first_error(schema: dict[str, Any], value: Any, what: str = "field") -> str:
    """Say where and why a value does not fit a schema, "" when it does; `what` its parts are called."""
    validator = _validator(msgspec.json.encode(schema, order="sorted"))
    for error in validator.iter_errors(msgspec.to_builtins(value)):
        place = ".".join(str(step) for step in error.instance_path)
        if any(is_secret(str(step)) for step in error.instance_path):
            return f"{place}: it does not fit"
        reason = _reason(error, schema, what)
        return f"{place}: {reason}" if place else reason
    return ""


def _reason(error: Any, schema: dict[str, Any], what: str) -> str:
    kind = error.kind
    if kind.name == "additionalProperties":
        known = [] if error.instance_path else list(schema.get("properties", {}))
        there = f"; there are: {', '.join(known)}" if known else ""
        return f"there is no {what} {kind.unexpected[0]!r}{there}"
    if kind.name == "required":
        return f"it needs the {what} {kind.property!r}"
    if kind.name == "enum":
        return f"{_text(error.instance)} is none of {', '.join(map(_text, kind.options))}"
    types = _types(error)
    return f"{_text(error.instance)} is not {' or '.join(types)}" if types else str(error.message)


def _types(error: Any) -> list[str]:
    """Give in words the types of which a value is none, none when it has another fault."""
    if error.kind.name == "type":
        return [_TYPES.get(name, name) for name in error.kind.types]
    if error.kind.name != "anyOf":
        return []
    depth = len(error.instance_path)
    arms = [
        _types(arm[0]) if len(arm) == 1 and len(arm[0].instance_path) == depth else [] for arm in error.kind.context
    ]
    return [word for words in arms for word in words] if all(arms) else []


def _text(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def schema_error(schema: dict[str, Any]) -> str:
    """Say why a schema is none, "" when it is one."""
    try:
        _validator(msgspec.json.encode(schema, order="sorted"))
    except jsonschema_rs.ValidationError as error:
        return str(error.message)
    return ""


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Any:
    return jsonschema_rs.validator_for(schema.decode(), retriever=_elsewhere)


def _elsewhere(uri: str) -> Any:
    """Refuse: a schema stands for itself, and nobody makes us ask other machines."""
    raise LookupError(uri)
