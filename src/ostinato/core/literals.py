"""Values as JSON and TOML have them: what parameters are while they travel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.core.errors import NotLiteral

if TYPE_CHECKING:
    from collections.abc import Mapping


def literals(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give values without classes: dates as ISO 8601, paths as text, models and dataclasses as objects.

    Raises:
        NotLiteral: (not-literal) one of them is more than that.
    """
    found = {}
    for name, value in values.items():
        try:
            plain = msgspec.to_builtins(value, str_keys=True, enc_hook=_plainer)
            found[name] = msgspec.msgpack.decode(msgspec.msgpack.encode(plain))  # tuples and sets become lists
        except (TypeError, NotImplementedError, OverflowError, ValueError) as error:
            raise NotLiteral(name=name, type=type(value).__name__) from error
    return found


def _plainer(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "__fspath__"):
        return value.__fspath__()
    if getattr(value, "shape", None) == () and hasattr(value, "item"):  # one number of numpy
        return value.item()
    raise NotImplementedError(type(value))
