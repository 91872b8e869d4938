"""Signatures and examples of models, inferred from data: frames, arrays, dicts, lists and single values."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from ostinato.core.errors import ModelUnfit
from ostinato.core.signatures import Column, ColumnType, Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLE: Final = "input_example.json"
EXAMPLE_ROWS: Final = 5
"""Rows of the data that are kept as example."""
LOOKED_AT: Final = 10_000
"""Rows of a list that are looked at for the types of its columns."""

_SCALARS: Final[dict[str, ColumnType]] = {
    "bool": "boolean",
    "bool_": "boolean",
    "int": "long",
    "float": "double",
    "str": "string",
    "str_": "string",
    "bytes": "binary",
    "bytearray": "binary",
    "date": "datetime",
    "datetime": "datetime",
    "datetime64": "datetime",
    "Timestamp": "datetime",
    "int8": "integer",
    "int16": "integer",
    "int32": "integer",
    "uint8": "integer",
    "uint16": "integer",
    "uint32": "long",
    "int64": "long",
    "uint64": "long",
    "float16": "float",
    "float32": "float",
    "float64": "double",
}
"""Names of classes, and of types of frames in lower case -> type."""
_FRAME_TYPES: Final[dict[str, ColumnType]] = {
    "boolean": "boolean",
    "string": "string",
    "categorical": "string",
    "enum": "string",
    "binary": "binary",
}
"""What polars and pandas call their own types."""


def columns(data: Any, *, what: str = "example") -> tuple[Column, ...] | None:
    """Give the columns of data, None of None; `what` is how errors call it.

    Raises:
        ModelUnfit: (model-unfit) a column is of no type that a signature knows.

    Example:
        >>> [(column.name, column.type) for column in columns([{"zone": "43", "miles": 1.5}])]
        [('zone', 'string'), ('miles', 'double')]
    """
    if data is None:
        return None
    try:
        return _columns(data)
    except _Untyped as error:
        name = f"{type(data).__module__}.{type(data).__qualname__}"
        fix = "Pass a data frame, an array, a dict of them, or a list of dicts or plain values; or a `signature`."
        raise ModelUnfit(model=name, what=f"used as {what}", reason=str(error), fix=fix) from None


def head(data: Any) -> Any:
    """Give the first rows of data, all of it where it has none."""
    if hasattr(data, "iloc"):
        return data.iloc[:EXAMPLE_ROWS]
    if isinstance(data, dict):
        return {name: head(value) if _is_array(value) else value for name, value in data.items()}
    if isinstance(data, list) or _is_frame(data) or _is_array(data):
        return data[:EXAMPLE_ROWS]
    return data


def write_example(folder: str, data: Any) -> dict[str, Any] | None:
    """Write data as the example of a model's folder; give what `MLmodel` says of it, None when it cannot be written."""
    info: dict[str, Any] = {"artifact_path": EXAMPLE}
    if _is_frame(data):
        frame = data if hasattr(data, "iloc") else data.to_pandas()
        body: Any = {"columns": [_plain(name) for name in frame.columns], "data": frame.to_numpy(dtype=object).tolist()}
        info |= {"type": "dataframe", "pandas_orient": "split"}
    elif _is_array(data):
        body = _dense(data)
        info |= {"type": "ndarray"}
    elif isinstance(data, dict) and data and all(_is_array(value) for value in data.values()):
        body = {name: _dense(value) for name, value in data.items()}
        info |= {"type": "ndarray"}
    else:
        body = data
        info |= {"type": "json_object"}
    try:
        encoded = msgspec.json.encode(body, enc_hook=_plain)
    except (TypeError, ValueError, OverflowError):
        return None
    with open(os.path.join(folder, EXAMPLE), "wb") as file:
        file.write(encoded)
    return info


class _Untyped(Exception):
    """Data of no type that a signature knows."""


def _columns(data: Any) -> tuple[Column, ...]:
    if _is_frame(data):
        return _of_frame(data)
    if hasattr(data, "iloc") or (hasattr(data, "to_frame") and hasattr(data, "name")):
        return (_of_series(data, data.name),)
    if _is_array(data):
        return (_of_array(data),)
    if isinstance(data, dict) and data and all(_is_array(value) for value in data.values()):
        return tuple(_named(_of_array(value), name) for name, value in data.items())
    if isinstance(data, dict):
        return tuple(_named(_of_value(value), name) for name, value in data.items())
    if isinstance(data, (list, tuple)):
        rows = data[:LOOKED_AT]
        if rows and all(isinstance(row, dict) for row in rows):
            return tuple(_of_rows(rows, name) for name in dict.fromkeys(name for row in rows for name in row))
        return (_joined([_of_value(row) for row in rows]),)
    return (_of_value(data),)


def _is_frame(data: Any) -> bool:
    return hasattr(data, "columns") and hasattr(data, "dtypes")


def _is_array(data: Any) -> bool:
    has_rows = hasattr(data, "dtype") and hasattr(data, "shape") and bool(len(data.shape))
    return has_rows and not hasattr(data, "to_frame")


def _of_frame(data: Any) -> tuple[Column, ...]:
    return tuple(_of_series(data[name], name) for name in data.columns)


def _of_series(series: Any, name: Any) -> Column:
    kind = str(series.dtype).split("[")[0].split("(")[0].lower()
    missing = bool(series.isna().any()) if hasattr(series, "isna") else bool(series.null_count())
    known = _SCALARS.get(kind) or _FRAME_TYPES.get(kind)
    if known is not None:
        found = Column(type=known)
    elif kind == "category":
        found = _joined([_of_value(value) for value in series.cat.categories.tolist()])
    else:
        values = series.head(LOOKED_AT).to_list()
        found = _joined([_of_value(value) for value in values if value is not None and value == value])  # noqa: PLR0124 - NaN
    column = replace(found, required=not missing)
    return column if name is None else _named(column, name)


def _of_rows(rows: Sequence[dict[Any, Any]], name: Any) -> Column:
    there = [row[name] for row in rows if row.get(name) is not None]
    found = _joined([_of_value(value) for value in there])
    return replace(_named(found, name), required=len(there) == len(rows))


def _of_array(data: Any) -> Column:
    dtype = str(data.dtype).removeprefix("torch.")
    kind = getattr(data.dtype, "kind", "")
    dtype = {"U": "str", "S": "bytes", "O": "object"}.get(kind, dtype)
    return Column(type="tensor", tensor=Tensor(dtype=dtype, shape=(-1, *data.shape[1:])))


def _of_value(value: Any) -> Column:
    if isinstance(value, dict):
        if not value:
            return Column(type="any", required=False)
        return Column(type="object", properties={str(name): _of_value(one) for name, one in value.items()})
    if isinstance(value, (list, tuple)) or _is_array(value):
        rows = value.tolist() if hasattr(value, "tolist") else value
        return Column(type="array", items=_joined([_of_value(one) for one in rows]))
    if value is None:
        return Column(type="any", required=False)
    known = next((_SCALARS[kind.__name__] for kind in type(value).__mro__ if kind.__name__ in _SCALARS), None)
    if known is None:
        reason = f"{type(value).__module__}.{type(value).__qualname__} is no type of a column"
        raise _Untyped(reason)
    return Column(type=known)


def _joined(found: list[Column]) -> Column:
    """Give the one column that all of them are; whole numbers beside others are numbers."""
    sure = [one for one in found if one.type != "any"]
    kinds = {one.type for one in sure}
    if not sure:
        return Column(type="any", required=False)
    if len(kinds) == 1:
        return sure[0]
    if kinds <= {"integer", "long", "float", "double"}:
        return Column(type="double")
    reason = f"it has values of several types: {', '.join(sorted(kinds))}"
    raise _Untyped(reason)


def _named(column: Column, name: Any) -> Column:
    return replace(column, name=name if isinstance(name, int) else str(name))


def _dense(data: Any) -> Any:
    return (data.toarray() if hasattr(data, "toarray") else data).tolist()


def _plain(value: Any) -> Any:
    """Give numbers of numpy as numbers, everything else as text."""
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        return item()
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat()
    return None if type(value).__name__ in ("NAType", "NaTType") else str(value)
