"""`ostinato.dataset`: data with its version; that a run read it is recorded.

rides = dataset("rides/2021-01.parquet", name="rides", context="training")
fit(rides.frame())
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from ostinato import session
from ostinato.core.content import NoContent
from ostinato.core.datasets import DatasetSeen, DatasetUsed, DataVersion, Field, Profile
from ostinato.core.errors import BadOption, DatasetUnreadable, OstinatoError
from ostinato.core.settings import load
from ostinato.engine.scopes import find_scope
from ostinato.session.home import Home
from ostinato.store import datasets as store
from ostinato.tracking import fingerprints, profiles, tables
from ostinato.tracking.api import active_run
from ostinato.tracking.files import Files
from ostinato.tracking.libraries import readable

if TYPE_CHECKING:
    from ostinato.core.events import Event

_log: Final = logging.getLogger("ostinato.tracking")

Library: TypeAlias = Literal["pandas", "polars", "pyarrow"]

MOST_NAME_CHARS: Final = 200
MOST_SEEN: Final = 1000
"""Versions that a process remembers."""


class Dataset(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Data with its version: what was passed, its fingerprint, and what is in it."""

    digest: str
    """Fingerprint of the content: BLAKE2b-128, hex."""
    name: str
    source: str
    """Path or URL of the file or folder; empty for a frame."""
    n_rows: int | None
    """None when it is no table."""
    n_bytes: int
    schema: tuple[Field, ...]
    profile: Profile | None
    """Counts of each column; None when it is no table."""
    data: Any
    """The path or the frame, as it was passed."""

    def frame(self, library: Library | None = None) -> Any:
        """Give the data as a frame of `pandas`, `polars` or `pyarrow`; without a library a frame as it was passed.

        Files are read as frames of pandas then, and are not looked at again: who changes them meanwhile gets what
        stands there now.

        Raises:
            DatasetUnreadable: (dataset-unreadable) the files are no tables.
        """
        if not self.source:
            same = library is None or type(self.data).__module__.partition(".")[0] == library
            return self.data if same else tables.to_frame(tables.of_frame(self.data), str(library))
        return tables.to_frame(Files(self.source).table(), library or "pandas")

    def __repr__(self) -> str:
        rows = "" if self.n_rows is None else f", {self.n_rows:,} rows"
        return f"Dataset({self.name!r}, {self.digest[:12]}{rows})"


def dataset(data: Any, name: str = "", *, context: str = "") -> Dataset:
    """Give data with its version, and record that the running flow, task and tracking run use it.

    Files and folders are hashed by their bytes, frames by their columns. Data of a known fingerprint is not profiled
    again.

    Args:
        data: Path or URL of a Parquet, CSV or TSV file or of a folder with some (other files are hashed only), or a
            frame of pandas, polars, pyarrow, numpy, or anything else that hands out Arrow.
        name: What to call it; by default the name of the file, `data` for a frame.
        context: What for: `training`, `validation`, ...

    Raises:
        DatasetUnreadable: (dataset-unreadable) there is no such file, or it cannot be read as what it is called.
        ExtraMissing: (extra-missing) `pip install "ostinato[data]"`.
    """
    name, purpose = _checked("name", name), _checked("context", context)
    content: _Files | _Frame = _Files(os.fsdecode(data)) if isinstance(data, str | os.PathLike) else _Frame(data)
    called = name or content.name
    version = _Seen.find(content.digest)
    if version is None:
        version = content.describe(called)
        _record(DatasetSeen(version.digest, version.created_at, called, content.source, *_facts(version)))
    elif called != version.name and find_scope() is None:  # runs say themselves what they call it
        named = DatasetSeen(version.digest, _now_us(), called, content.source, *_facts(version)[:3], None)
        _record(named)
    _Seen.keep(version)
    _use(version.digest, called, purpose)
    return Dataset(
        digest=version.digest,
        name=called,
        source=content.path,
        n_rows=version.n_rows,
        n_bytes=version.n_bytes,
        schema=version.schema,
        profile=version.profile,
        data=data,
    )


def _facts(version: DataVersion) -> tuple[tuple[Field, ...], int | None, int, Profile | None]:
    return version.schema, version.n_rows, version.n_bytes, version.profile


def _checked(option: str, text: str) -> str:
    """Give a name that can be kept."""
    if len(text) <= MOST_NAME_CHARS and (text.isprintable() or not text):
        return text
    reason = f"it has more than {MOST_NAME_CHARS} characters, or some that cannot be printed"
    raise BadOption(option=option, value=text[:40], where="ostinato.dataset", reason=reason, fix="Use a short name.")


# --- what data is


class _Files:
    """A file or a folder, by its path."""

    def __init__(self, path: str) -> None:
        self._files = files = Files(path)
        self.path = files.path
        self.source = os.fsencode(files.path).decode("utf-8", "backslashreplace")
        self.name = os.path.basename(self.source).partition(".")[0][:MOST_NAME_CHARS] or "data"
        self.digest = files.fingerprint()

    def describe(self, name: str) -> DataVersion:
        """Give the version; of what is no table its size only."""
        files = self._files
        schema: tuple[Field, ...] = ()
        n_rows = profile = None
        if files.tabular[0]:
            opened = files.open()
            schema = _schema(opened.schema)
            with readable(files.path):
                n_rows = opened.count_rows()
            profile = profiles.profile_parts(lambda: files.parts(opened), n_rows)
        return _version(self.digest, name, self.source, schema, n_rows, files.n_bytes, profile)


class _Frame:
    """A frame in memory."""

    path = source = ""
    name = "data"

    def __init__(self, data: Any) -> None:
        self._table = tables.of_frame(data)
        try:
            self.digest = fingerprints.of_table(self._table)
        except NoContent as error:
            fix = "Give each column one type, or leave it out."
            raise DatasetUnreadable(what="a column of the frame", reason=str(error), fix=fix) from error

    def describe(self, name: str) -> DataVersion:
        """Give the version."""
        table = self._table
        facts = (_schema(table.schema), table.num_rows, table.nbytes, profiles.profile(table))
        return _version(self.digest, name, "", *facts)


def _version(
    digest: str,
    name: str,
    source: str,
    schema: tuple[Field, ...],
    n_rows: int | None,
    n_bytes: int,
    profile: Profile | None,
) -> DataVersion:
    return DataVersion(
        digest=digest,
        name=name,
        source=source,
        schema=schema,
        n_rows=n_rows,
        n_bytes=n_bytes,
        created_at=_now_us(),
        profile=profile,
    )


def _schema(schema: Any) -> tuple[Field, ...]:
    return tuple(Field(field.name, fingerprints.type_name(field.type)) for field in schema)


# --- recording


class _Seen:
    """The versions that this process has recorded, or found recorded."""

    stream = ""
    versions: dict[str, DataVersion] = {}  # noqa: RUF012 - of the process, not of an instance

    @classmethod
    def find(cls, digest: str) -> DataVersion | None:
        """Give a version that is known to the home, None when it has to be looked at.

        A server elsewhere is not asked: it may not answer, and the work must go on.
        """
        stream = session.recorder().stream
        if stream != cls.stream:
            cls.stream, cls.versions = stream, {}
        if digest in cls.versions or load().api_url:
            return cls.versions.get(digest)
        try:
            database = Home(load().home).open_to_read()
        except OstinatoError:
            return None
        try:
            return store.dataset(database.db, digest)
        finally:
            database.close()

    @classmethod
    def keep(cls, version: DataVersion) -> None:
        """Remember a version."""
        while len(cls.versions) >= MOST_SEEN:
            cls.versions.pop(next(iter(cls.versions)), None)
        cls.versions[version.digest] = version


def _use(digest: str, name: str, context: str) -> None:
    """Record who uses a version: the tracking run that is active, and the flow run and task run that are running."""
    run = active_run()
    if run is not None:
        run.use_data(digest, name, context)
    scope = find_scope()
    if scope is not None:
        _record(DatasetUsed(digest, _now_us(), name, scope.flow.id, scope.root.id, scope.no, context))


def _now_us() -> int:
    return time.time_ns() // 1000


def _record(event: Event) -> None:
    """Record an event; when that is not possible it is told, and the work goes on."""
    scope = find_scope()
    try:
        (session.recorder().record if scope is None else scope.root.push)(event)
    except (OstinatoError, OSError) as error:
        _log.warning("What data is read is not recorded: %s", error)
