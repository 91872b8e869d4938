"""Tables of pyarrow: from files and folders, read in parts, and from the frames of other libraries; and back."""

from __future__ import annotations

import os
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ostinato.core.errors import DatasetUnreadable, ExtraMissing

if TYPE_CHECKING:
    from collections.abc import Iterator

PART_ROWS: Final = 1 << 20
LIBRARIES: Final = ("pandas", "polars", "pyarrow")
_FORMATS: Final = {
    ".parquet": "parquet", ".pq": "parquet",
    ".csv": "csv", ".csv.gz": "csv", ".csv.bz2": "csv",
    ".tsv": "tsv", ".tsv.gz": "tsv", ".tsv.bz2": "tsv",
}  # fmt: skip
_FRAMES: Final = "Pass a path, or a frame of pandas, polars or pyarrow."


class Files:
    """A file, or all files of a folder but hidden ones."""

    def __init__(self, path: str) -> None:
        """Look at what is there.

        Raises:
            DatasetUnreadable: (dataset-unreadable) nothing is.
        """
        self.path = os.path.abspath(path)
        self.is_folder = os.path.isdir(self.path)
        self.paths = sorted(_below(self.path)) if self.is_folder else [self.path]
        if not (self.paths and all(map(os.path.isfile, self.paths))):
            reason = "the folder has no file" if self.is_folder else "there is no such file or folder on this machine"
            raise DatasetUnreadable(what=repr(path), reason=reason, fix="Pass the path of a file or a folder.")
        self.n_bytes = sum(map(os.path.getsize, self.paths))

    @property
    def tabular(self) -> tuple[str, list[str]]:
        """Give the format of the tables among them, and their paths: Parquet if there is any, else CSV, else TSV."""
        formats = [_format_of(path) for path in self.paths]
        for wanted in ("parquet", "csv", "tsv"):
            if wanted in formats:
                return wanted, [path for path, there in zip(self.paths, formats, strict=True) if there == wanted]
        return "", []

    def open(self) -> Any:
        """Give the tables as one dataset of pyarrow, each column with a type that fits all files.

        Raises:
            DatasetUnreadable: (dataset-unreadable) they are no tables, or do not go together.
        """
        kind, paths = self.tabular
        if not kind:
            fix = "Pass Parquet, CSV or TSV files, or read it yourself and pass the frame."
            raise DatasetUnreadable(what=repr(self.path), reason="it is no table", fix=fix)
        arrow, dataset = load("pyarrow"), load("pyarrow.dataset")
        form = "parquet" if kind == "parquet" else _csv(tab=kind == "tsv")
        with readable(self.path):
            found = dataset.dataset(paths, format=form)
            if len(paths) == 1:
                return found
            schemas = [part.physical_schema for part in found.get_fragments()]
            return dataset.dataset(
                paths, format=form, schema=arrow.unify_schemas(schemas, promote_options="permissive")
            )

    def parts(self, opened: Any) -> Iterator[Any]:
        """Give the rows as tables that fit into memory."""
        arrow = load("pyarrow")
        with readable(self.path):
            for batch in opened.to_batches(batch_size=PART_ROWS):
                yield arrow.Table.from_batches([batch], opened.schema)

    def table(self) -> Any:
        """Give all rows."""
        opened = self.open()
        with readable(self.path):
            return opened.to_table()


def _below(folder: str) -> Iterator[str]:
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        yield from (os.path.join(where, name) for name in files if not name.startswith((".", "_")))


def _format_of(path: str) -> str:
    name = os.path.basename(path).lower()
    return next((kind for suffix, kind in _FORMATS.items() if name.endswith(suffix)), "")


def _csv(*, tab: bool) -> Any:
    dataset, csv = load("pyarrow.dataset"), load("pyarrow.csv")
    return dataset.CsvFileFormat(parse_options=csv.ParseOptions(delimiter="\t" if tab else ","))


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Tell what pyarrow refuses in a block as an error of ours."""
    arrow = load("pyarrow")
    try:
        yield
    except (arrow.ArrowException, OSError, UnicodeError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        fix = "Mend the file, or read it yourself and pass the frame."
        raise DatasetUnreadable(what=repr(what), reason=reason, fix=fix) from error


# --- frames


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


def load(module: str) -> Any:
    """Give a module of a library that Ostinato itself does without.

    Raises:
        ExtraMissing: (extra-missing) it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        raise ExtraMissing(what="ostinato.dataset", package=package, extra="data") from error
