"""The fields of a value whose class declares them."""

from __future__ import annotations

from typing import Any


def field_names(kind: type[Any]) -> tuple[str, ...] | None:
    """Give the field names of a dataclass, msgspec Struct, pydantic model, attrs class or named tuple; else None."""
    for attribute in ("__struct_fields__", "__dataclass_fields__", "model_fields", "_fields"):
        names = getattr(kind, attribute, None)
        if isinstance(names, tuple | dict):
            return tuple(names)
    attributes = getattr(kind, "__attrs_attrs__", None)
    return None if attributes is None else tuple(one.name for one in attributes)
