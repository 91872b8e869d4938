"""Tables as Arrow streams: exact or not at all.

A table is written as Arrow only when it comes back equal in every column, type, index and
attribute; what Arrow cannot hold exactly is left to pickle. Loaded on first use only.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

_MARK: Final = b"ostinato"
"""Metadata key of the schema that says which library the table came from."""


def encode(value: Any, sink: Any) -> bool:
    """Write a table of pyarrow, pandas or polars to a file-like sink; False when Arrow cannot hold it exactly.

    Libraries that the user has not imported are left alone. After False the sink may hold a part.
    """
    pyarrow = sys.modules.get("pyarrow")
    maker = type(value).__module__.partition(".")[0]
    if pyarrow is None or maker not in _FROM:
        return False
    try:
        table = _FROM[maker](pyarrow, value)
        if table is None:
            return False
        marked = table.replace_schema_metadata({**(table.schema.metadata or {}), _MARK: maker.encode()})
        with import_module("pyarrow.ipc").new_stream(pyarrow.PythonFile(sink, mode="w"), marked.schema) as stream:
            stream.write_table(marked)
    except (pyarrow.ArrowException, TypeError, ValueError, NotImplementedError):  # a type that Arrow does not know
        return False
    return True


def decode(data: bytes | memoryview) -> Any:
    """Give the table back, of the library that it came from."""
    pyarrow = import_module("pyarrow")
    table = import_module("pyarrow.ipc").open_stream(pyarrow.py_buffer(data)).read_all()
    metadata = dict(table.schema.metadata)
    maker = metadata.pop(_MARK).decode()
    return _INTO[maker](table.replace_schema_metadata(metadata or None))


def _from_pyarrow(pyarrow: Any, value: Any) -> Any:
    if type(value) is not pyarrow.Table or not value.num_columns or _MARK in (value.schema.metadata or {}):
        return None
    return value


def _from_polars(pyarrow: Any, value: Any) -> Any:
    polars = sys.modules["polars"]
    if type(value) is not polars.DataFrame or not value.width:
        return None
    table = value.to_arrow()
    same = polars.from_arrow(table.slice(0, 0)).schema == value.schema
    return table if same and type(table) is pyarrow.Table else None


def _from_pandas(pyarrow: Any, value: Any) -> Any:
    pandas = sys.modules["pandas"]
    if type(value) is not pandas.DataFrame or not _is_plain(pandas, value):
        return None
    table = pyarrow.Table.from_pandas(value)
    back = table.slice(0, 0).to_pandas()
    same_columns = back.columns.equals(value.columns) and back.columns.dtype == value.columns.dtype
    same_types = same_columns and list(back.dtypes) == list(value.dtypes)
    same_index = type(value.index) is pandas.RangeIndex or back.index.dtype == value.index.dtype
    return table if same_types and same_index else None


def _is_plain(pandas: Any, value: Any) -> bool:
    """Say whether Arrow might hold the frame exactly: plain columns, plain index, nothing attached."""
    columns, index = value.columns, value.index
    return bool(
        len(columns)
        and columns.is_unique
        and columns.name is None
        and type(columns) is pandas.Index
        and all(type(name) is str for name in columns)
        and all(_is_exact(pandas, dtype) for dtype in value.dtypes)
        and (type(index) is pandas.RangeIndex or (type(index) is pandas.Index and _is_exact(pandas, index.dtype)))
        and (index.name is None or type(index.name) is str)
        and not value.attrs
        and value.flags.allows_duplicate_labels
    )


def _is_exact(pandas: Any, dtype: Any) -> bool:
    if isinstance(dtype, pandas.StringDtype):
        return True
    return getattr(dtype, "kind", "O") in "biufMm" and type(dtype).__module__.startswith("numpy")


def _into_pandas(table: Any) -> Any:
    frame = table.to_pandas()
    # Columns that Arrow could hand over without a copy are read-only; a result is the user's to change.
    return frame.copy()


def _into_polars(table: Any) -> Any:
    return import_module("polars").from_arrow(table)


def _into_pyarrow(table: Any) -> Any:
    return table


_FROM: Final = {"pyarrow": _from_pyarrow, "pandas": _from_pandas, "polars": _from_polars}
_INTO: Final = {"pyarrow": _into_pyarrow, "pandas": _into_pandas, "polars": _into_polars}
