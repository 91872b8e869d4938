"""NAME=VALUE words of a command line, read as the parameters of a deployment want them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from ostinato.core.validation import first_error

if TYPE_CHECKING:
    from collections.abc import Iterable


_SWITCH: Final = {"yes": True, "no": False}


def read_pairs(words: Iterable[str], schema: dict[str, Any]) -> dict[str, Any]:
    """Give parameters by name. `schema` is that of all parameters of the deployment.

    A value is taken as JSON where that fits the schema, else as text; what fits neither way is left to be refused
    with the others.
    """
    found = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign or not name:
            message = f"{word!r} is no NAME=VALUE; write for example `n=3`."
            raise click.BadArgumentUsage(message)
        found[name] = read_value(text, _schema_of(name, schema))
    return found


def _schema_of(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    own = schema.get("properties", {}).get(name)
    if own is None or "$defs" not in schema:
        return own or {}
    return {**own, "$defs": schema["$defs"]}


def read_value(text: str, schema: dict[str, Any]) -> Any:
    """Give the value that a text means: JSON where that fits the schema, else the text; `yes` and `no` for a switch."""
    if schema.get("type") == "boolean" and text in _SWITCH:
        return _SWITCH[text]
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return text if first_error(schema, value) and not first_error(schema, text) else value
