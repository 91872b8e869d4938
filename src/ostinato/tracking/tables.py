"""Tables of pyarrow from the frames of other libraries, and back."""

from __future__ import annotations

from typing import Any, Final

from ostinato.core.errors import DatasetUnreadable
from ostinato.tracking.libraries import load

_FRAMES: Final = "Pass a path, or a frame of pandas, polars or pyarrow."


def of_frame(data: Any) -> Any:
    """Give a frame as a table of pyarrow; row labels count when they have a name.

    Raises:
        DatasetUnreadable: (dataset-unreadable) it is no frame, or a column has no single type.
    """
    arrow = load("pyarrow")
    kind = type(data)
    try:
        table = _table(arrow, data)
    except (arrow.ArrowException, TypeError, ValueError) as error:
        reason = " ".join(str(part) for part in error.args).strip().splitlines()[0].rstrip(".")
        fix = "Give each column one type, such as `frame.astype({...})`."
        raise DatasetUnreadable(what=f"a {kind.__module__}.{kind.__qualname__}", reason=reason, fix=fix) from error
    if table is None:
        what = f"a {kind.__module__}.{kind.__qualname__}".replace("a builtins.", "a value of type ")
        raise DatasetUnreadable(what=what, reason="it is neither a path nor a frame", fix=_FRAMES)
    return table.replace_schema_metadata(None)


def _table(arrow: Any, data: Any) -> Any:
    maker = type(data).__module__.partition(".")[0]
    if isinstance(data, arrow.Table):
        return data
    if maker == "pandas" and hasattr(data, "to_frame") and not hasattr(data, "columns"):  # a series
        data = data.to_frame()
    if maker == "pandas" and hasattr(data, "iloc"):
        labelled = any(name is not None for name in data.index.names)
        plain = data.set_axis(list(map(str, data.columns)), axis=1)
        return arrow.Table.from_pandas(plain, preserve_index=labelled)
    if maker == "polars" and hasattr(data, "collect"):
        data = data.collect()
    if hasattr(data, "__arrow_c_stream__"):
        return arrow.table(data)
    if isinstance(data, dict):
        return arrow.table({str(name): column for name, column in data.items()})
    if isinstance(data, list) and data and all(isinstance(row, dict) for row in data):
        return arrow.Table.from_pylist(data)
    if maker == "numpy" and getattr(data, "ndim", 0) in (1, 2):
        columns = data.reshape(len(data), -1).T
        return arrow.table({str(number): arrow.array(column) for number, column in enumerate(columns)})
    return None


def to_frame(table: Any, library: str) -> Any:
    """Give a table as a frame of `pandas`, `polars` or `pyarrow`."""
    if library == "pandas":
        return table.to_pandas()
    if library == "polars":
        return load("polars").from_arrow(table)
    return table
