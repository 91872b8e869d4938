"""Versions of data: their rows, and reading them. Lists go on before what a page ended with, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.datasets import DataLink, DatasetSeen, DatasetUsed, DataVersion, Field, Profile
from ostinato.core.errors import DatasetAmbiguous, DatasetNotFound, RequestInvalid
from ostinato.store import sql

if TYPE_CHECKING:
    from ostinato.core.datasets import DatasetEvent
    from ostinato.store.database import Connection

LEAST_DIGITS: Final = 4
"""Of the beginning of a digest that stands for it."""
LAST: Final = f"{1 << 62}/"
"""A place after all versions."""

_json = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode
_fields = msgspec.json.Decoder(tuple[Field, ...]).decode
_profile = msgspec.msgpack.Decoder(Profile).decode


def project(db: Connection, event: DatasetEvent) -> None:
    """Write the rows of an event."""
    queries = sql.load("datasets")
    db.execute(queries["put_dataset_name"], (event.name, event.digest, event.at))
    if isinstance(event, DatasetSeen):
        profile = None if event.profile is None else _pack(event.profile)
        values = (event.digest, event.name, event.source, _json(event.schema).decode(), event.n_rows, event.n_bytes)
        db.execute(queries["put_dataset"], (*values, profile, event.at))
        return
    for run_id, no in _users(event):
        link = (event.digest, run_id, no, event.context, event.name, event.at)
        db.execute(queries["put_dataset_link"], link)


def _users(event: DatasetUsed) -> set[tuple[str, int]]:
    """Give who read it: the task run, its flow run, and the outermost one."""
    return {(event.flow_run_id, event.task_no), (event.flow_run_id, 0), (event.root_id, 0)}


def dataset(db: Connection, digest: str) -> DataVersion | None:
    """Give a version with its profile, None when there is none."""
    row = db.execute(sql.load("datasets")["dataset"], (digest,)).fetchone()
    return None if row is None else _version(row)


def find_dataset(db: Connection, ref: str) -> DataVersion:
    """Give a version by digest, unique beginning of one (4 or more digits), or name (the one last called so).

    Raises:
        DatasetNotFound: (dataset-not-found).
        DatasetAmbiguous: (dataset-ambiguous) several digests begin so.
    """
    queries = sql.load("datasets")
    rows = []
    if len(ref) >= LEAST_DIGITS and not ref.strip("0123456789abcdef"):
        rows = db.execute(queries["datasets_beginning"], (ref, ref + "g")).fetchall()
    rows = rows or db.execute(queries["newest_dataset"], (ref,)).fetchall()
    if len(rows) > 1:
        raise DatasetAmbiguous(dataset=ref, found=", ".join(row[0] for row in rows))
    found = dataset(db, rows[0][0]) if rows else None
    if found is None:
        raise DatasetNotFound(dataset=ref)
    return found


def datasets(db: Connection, *, name: str = "", after: str = "", limit: int = 50) -> list[DataVersion]:
    """Give versions without their profiles, newest first; those that were ever called `name` when it is given.

    Raises:
        RequestInvalid: (request-invalid) `after` is no place.
    """
    at, _, digest = (after or LAST).partition("/")
    if not (at.isascii() and at.isdecimal() and len(at) < 20):
        raise RequestInvalid(reason=f"{after!r} is no place in the list; send `next` of the page before")
    place = min(int(at), 1 << 62)
    queries = sql.load("datasets")
    if name:
        return [_version(row) for row in db.execute(queries["datasets_named"], (name, place, digest, limit))]
    return [_version(row) for row in db.execute(queries["datasets"], (place, digest, limit))]


def names(db: Connection, *, after: str = "", limit: int = 100) -> list[tuple[Any, ...]]:
    """Give what data is called, after a name: name, number of versions, and of the newest digest, source, rows, bytes.

    The last value is when it was last called so. At most 1,000 versions are counted.
    """
    return db.execute(sql.load("datasets")["data_names"], (after, limit)).fetchall()


def users(db: Connection, digest: str, *, limit: int = 100) -> list[tuple[Any, ...]]:
    """Give the flow runs and tracking runs that used a version: kind, id, name, flow or experiment, what for, when.

    The newest come first. Names are empty where the run is gone.
    """
    return db.execute(sql.load("datasets")["users"], (digest, limit)).fetchall()


def dataset_links(db: Connection, digest: str, *, limit: int = 100) -> list[DataLink]:
    """Give the runs that used a version, the newest first."""
    return [
        DataLink(digest=digest, kind=kind, ref=f"{run_id}/{no}" if no else run_id, name=name, context=context, at=at)
        for kind, run_id, no, name, context, at in db.execute(
            sql.load("datasets")["dataset_links"], (digest, digest, limit)
        )
    ]


def datasets_of_run(db: Connection, run_id: str, *, limit: int = 100) -> list[DataLink]:
    """Give what a flow run read, and what its subflow runs read when it is the outermost one, in that order."""
    rows = db.execute(sql.load("datasets")["datasets_of_run"], (run_id, limit))
    return [
        DataLink(digest=digest, kind="flow-run", ref=run_id, name=name, context=context, at=at)
        for digest, name, context, at in rows
    ]


def _version(row: tuple[Any, ...]) -> DataVersion:
    digest, name, source, fields, n_rows, n_bytes, created_at, *profile = row
    return DataVersion(
        digest=digest,
        name=name,
        source=source,
        schema=_fields(fields),
        n_rows=n_rows,
        n_bytes=n_bytes,
        created_at=created_at,
        profile=_profile(profile[0]) if profile and profile[0] is not None else None,
    )
