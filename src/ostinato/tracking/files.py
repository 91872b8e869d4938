"""Files of data: one, or all of a folder; on this machine, or where a URL says that fsspec knows."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any, Final

from ostinato.core.errors import DatasetUnreadable
from ostinato.tracking import fingerprints
from ostinato.tracking.libraries import load, readable

if TYPE_CHECKING:
    from collections.abc import Iterator

PART_ROWS: Final = 1 << 20
_FORMATS: Final = {
    ".parquet": "parquet", ".pq": "parquet",
    ".csv": "csv", ".csv.gz": "csv", ".csv.bz2": "csv",
    ".tsv": "tsv", ".tsv.gz": "tsv", ".tsv.bz2": "tsv",
}  # fmt: skip


class Files:
    """A file, or all files of a folder but hidden ones."""

    def __init__(self, path: str) -> None:
        """Look at what is there.

        Raises:
            DatasetUnreadable: (dataset-unreadable) nothing is.
        """
        self.path = path if "://" in path else os.path.abspath(path)
        """Absolute, or a URL."""
        with readable(path):
            self._place = place = _Bucket(path) if "://" in path else _Disk(self.path)
            self.is_folder = place.is_folder(place.root)
            self.paths = sorted(place.below(place.root)) if self.is_folder else [place.root]
            if not (self.paths and all(map(place.is_file, self.paths))):
                reason = "the folder has no file" if self.is_folder else "there is no such file or folder"
                raise DatasetUnreadable(what=repr(path), reason=reason, fix="Pass the path of a file or a folder.")
            self.n_bytes = sum(map(place.size, self.paths))

    def fingerprint(self) -> str:
        """Give the fingerprint of the content; in a folder names count too."""
        with readable(self.path):
            if not self.is_folder:
                return self._fingerprint(self.paths[0])
            parts = ((os.path.relpath(path, self._place.root), self._fingerprint(path)) for path in self.paths)
            return fingerprints.of_folder(parts)

    def _fingerprint(self, path: str) -> str:
        with self._place.open(path) as file:
            return fingerprints.of_stream(file)

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
            found = dataset.dataset(paths, format=form, filesystem=self._place.arrow)
            if len(paths) == 1:
                return found
            schemas = [part.physical_schema for part in found.get_fragments()]
            schema = arrow.unify_schemas(schemas, promote_options="permissive")
            return dataset.dataset(paths, format=form, filesystem=self._place.arrow, schema=schema)

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


class _Disk:
    """The files of this machine."""

    arrow = None

    def __init__(self, root: str) -> None:
        self.root = root
        self.is_folder, self.is_file, self.size = os.path.isdir, os.path.isfile, os.path.getsize

    def below(self, folder: str) -> Iterator[str]:
        """Give all files below a folder but hidden ones."""
        for where, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if not _is_hidden(name)]
            yield from (os.path.join(where, name) for name in files if not _is_hidden(name))

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading."""
        return open(path, "rb", buffering=0)


class _Bucket:
    """The files of a URL, by fsspec."""

    def __init__(self, url: str) -> None:
        fsspec = load("fsspec", extra="storage")
        try:
            self._files, self.root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except ImportError as error:  # the package of its protocol
            load((error.name or "s3fs").partition(".")[0], extra="storage")
            raise
        self.is_folder, self.is_file, self.size = self._files.isdir, self._files.isfile, self._files.size

    @property
    def arrow(self) -> Any:
        """The files as pyarrow takes them."""
        fs = load("pyarrow.fs")
        return fs.PyFileSystem(fs.FSSpecHandler(self._files))

    def below(self, folder: str) -> Iterator[str]:
        """Give all files below a folder but hidden ones."""
        for path in self._files.find(folder):
            if not any(map(_is_hidden, os.path.relpath(path, folder).split("/"))):
                yield path

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading."""
        opened: IO[bytes] = self._files.open(path, "rb")
        return opened


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "_"))


def _format_of(path: str) -> str:
    name = os.path.basename(path).lower()
    return next((kind for suffix, kind in _FORMATS.items() if name.endswith(suffix)), "")


def _csv(*, tab: bool) -> Any:
    dataset, csv = load("pyarrow.dataset"), load("pyarrow.csv")
    return dataset.CsvFileFormat(parse_options=csv.ParseOptions(delimiter="\t" if tab else ","))
