"""Signatures: what a model takes and gives, column by column, written as MLflow writes them.

A column has a type of its own (`double`, `string`, ...), or is a tensor, an array, an object or a map.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType, field

ColumnType: TypeAlias = Literal[
    "boolean",
    "integer",
    "long",
    "float",
    "double",
    "string",
    "binary",
    "datetime",
    "tensor",
    "array",
    "object",
    "map",
    "any",
    "sparkml_vector",
]

_WIDER: Final[dict[str, frozenset[str]]] = {
    "integer": frozenset({"long", "double"}),
    "long": frozenset({"double"}),
    "float": frozenset({"double"}),
    "boolean": frozenset(),
}
"""The types that take every value of a type."""


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """Type and shape of an array of numbers."""

    dtype: str
    """As numpy calls it."""
    shape: tuple[int, ...]
    """-1 for a length that differs from call to call, such as the number of rows."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column of what goes in or comes out."""

    type: ColumnType
    name: str | int | UnsetType = UNSET
    """Unset where columns have no names."""
    required: bool = True
    tensor: Tensor | UnsetType = field(default=UNSET, name="tensor-spec")
    items: Column | UnsetType = UNSET
    """Of an array."""
    properties: dict[str, Column] | UnsetType = UNSET
    """Of an object."""
    values: Column | UnsetType = UNSET
    """Of a map."""

    @property
    def said(self) -> str:
        """The type in words, such as `double`, `array of string` or `float64 (-1, 4)`."""
        if self.tensor is not UNSET:
            return f"{self.tensor.dtype} {self.tensor.shape}"
        if self.items is not UNSET:
            return f"array of {self.items.said}"
        if self.values is not UNSET:
            return f"map to {self.values.said}"
        return self.type


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """Something that may be given with each call."""

    name: str
    type: ColumnType
    default: Any = None
    shape: Any = None


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """What a model takes and gives; None where it is not known."""

    inputs: tuple[Column, ...] | None = None
    outputs: tuple[Column, ...] | None = None
    params: tuple[Parameter, ...] | None = None


_encode: Final = msgspec.json.Encoder().encode
_columns: Final = msgspec.json.Decoder(tuple[Column, ...]).decode
_params: Final = msgspec.json.Decoder(tuple[Parameter, ...]).decode


def written(signature: Signature) -> dict[str, str | None]:
    """Give a signature as an `MLmodel` file has it: each part a text of JSON.

    Example:
        >>> written(Signature(inputs=(Column(type="double", name="x"),)))["inputs"]
        '[{"type":"double","name":"x","required":true}]'
    """
    return {name: None if part is None else _encode(part).decode() for name, part in _parts(signature).items()}


def read(signature: dict[str, Any] | None) -> Signature | None:
    """Give the signature of an `MLmodel` file, None when it has none.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    if not signature:
        return None
    inputs, outputs, params = (signature.get(name) for name in ("inputs", "outputs", "params"))
    return Signature(
        inputs=_columns(inputs) if inputs else None,
        outputs=_columns(outputs) if outputs else None,
        params=_params(params) if params else None,
    )


def misfits(old: Signature, new: Signature) -> list[str]:
    """Say where a model cannot take the place of another: input that the old one took and the new one does not.

    Example:
        >>> old = Signature(inputs=(Column(type="long", name="x"),))
        >>> misfits(old, Signature(inputs=(Column(type="double", name="x"),)))
        []
        >>> misfits(old, Signature(inputs=(Column(type="string", name="x"), Column(type="long", name="y"))))
        ["input 'x' was long, and is string", "input 'y' is needed, and was not there"]
    """
    if new.inputs is None:
        return []
    if old.inputs is None:
        return ["the old one does not say what it takes"]
    before = _by_name(old.inputs)
    found = []
    for name, column in _by_name(new.inputs).items():
        known = before.get(name)
        if known is None:
            if column.required:
                found.append(f"input {name!r} is needed, and was not there")
        elif not _takes(column, known):
            found.append(f"input {name!r} was {known.said}, and is {column.said}")
        elif column.required and not known.required:
            found.append(f"input {name!r} could be left out, and is needed")
    return found


def judge(old: bytes | None, new: bytes | None, number: int) -> tuple[bool, str]:
    """Say whether a version takes what the champion, version `number`, takes; each signature as JSON."""
    if not number:
        return True, "no version has had the alias"
    if not old:
        return True, f"version {number} does not say what it takes"
    if not new:
        return False, f"it does not say what it takes, as version {number} does"
    decode = msgspec.json.Decoder(Signature).decode
    found = misfits(decode(old), decode(new))
    return not found, "; ".join(found) or f"it takes what version {number} takes"


def _parts(signature: Signature) -> dict[str, tuple[Column, ...] | tuple[Parameter, ...] | None]:
    return {"inputs": signature.inputs, "outputs": signature.outputs, "params": signature.params}


def _by_name(columns: tuple[Column, ...]) -> dict[str, Column]:
    return {str(no if column.name is UNSET else column.name): column for no, column in enumerate(columns)}


def _takes(new: Column, old: Column) -> bool:
    """Say whether a column takes all that another took."""
    if new.type == "any":
        return True
    if new.type != old.type:
        return new.type in _WIDER.get(old.type, frozenset())
    if new.tensor is not UNSET and old.tensor is not UNSET:
        return new.tensor.dtype == old.tensor.dtype and _fits(new.tensor.shape, old.tensor.shape)
    return new.items == old.items and new.properties == old.properties and new.values == old.values


def _fits(new: tuple[int, ...], old: tuple[int, ...]) -> bool:
    return len(new) == len(old) and all(length in (-1, other) for length, other in zip(new, old, strict=True))
