"""Values against a JSON schema. Loaded on first use only."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jsonschema_rs
import msgspec


def first_error(schema: dict[str, Any], value: Any) -> str:
    """Say where and why a value does not fit a schema, "" when it does."""
    validator = _validator(msgspec.json.encode(schema, order="sorted"))
    for error in validator.iter_errors(msgspec.to_builtins(value)):
        place = ".".join(str(step) for step in error.instance_path)
        return f"{place}: {error.message}" if place else error.message
    return ""


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
