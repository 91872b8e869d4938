"""Reading experiments and tracking runs. Lists go on after what a page ended with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.errors import ExperimentNotFound, TrackingRunAmbiguous, TrackingRunNotFound
from ostinato.core.tracking import (
    Experiment,
    InputDetails,
    Latest,
    Point,
    TrackedFile,
    TrackedInput,
    TrackingRun,
)
from ostinato.store import sql
from ostinato.store.database import ALL, named
from ostinato.store.tracking_fold import value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ostinato.core.tracking import Lifecycle
    from ostinato.store.database import Connection

SHORTEST_PREFIX: Final = 4
MOST_ID: Final = "g"
"""Sorts after every id."""
FIRST: Final = (-(1 << 63), -(1 << 63))
"""Before every step and instant."""

_encode = msgspec.json.Encoder().encode
_details: Final = msgspec.json.Decoder(InputDetails).decode


# --- experiments


def experiment(db: Connection, experiment_id: str) -> Experiment | None:
    """Give an experiment, None when there is none."""
    found = _experiments(db, "experiment", experiment_id)
    return found[0] if found else None


def experiment_named(db: Connection, name: str) -> Experiment | None:
    """Give the experiment of this name, deleted or not, None when there is none."""
    found = _experiments(db, "experiment_named", name)
    return found[0] if found else None


def experiments(
    db: Connection, *, states: Sequence[Lifecycle] = ("active",), after: str = "", limit: int = 1000
) -> list[Experiment]:
    """Give experiments by name."""
    return _experiments(db, "experiments", after, _text(states), limit)


def find_experiment(db: Connection, ref: str) -> Experiment:
    """Give an experiment by name or id.

    Raises:
        ExperimentNotFound: (experiment-not-found).
    """
    found = experiment_named(db, ref) or experiment(db, ref)
    if found is None:
        raise ExperimentNotFound(name=ref)
    return found


def _experiments(db: Connection, query: str, *values: object) -> list[Experiment]:
    rows = named(db.execute(sql.load("tracking")[query], values))
    tags = _texts(db, "experiment_tags", [row["id"] for row in rows])
    return [Experiment(**row, tags=tags.get(row["id"], {})) for row in rows]


# --- tracking runs


def tracking_run(db: Connection, run_id: str) -> TrackingRun | None:
    """Give a tracking run, None when there is none."""
    found = tracking_runs(db, [run_id])
    return found[0] if found else None


def tracking_runs(db: Connection, ids: Sequence[str]) -> list[TrackingRun]:
    """Give tracking runs in the order of their ids; those that do not exist are left out."""
    if not ids:
        return []
    rows = {row["id"]: row for row in named(db.execute(sql.load("tracking")["runs"], (_text(ids),)))}
    params, tags, metrics = _texts(db, "params", ids), _texts(db, "tags", ids), _latest(db, ids)
    return [
        TrackingRun(
            **rows[one], params=params.get(one, {}), tags=tags.get(one, {}), metrics=tuple(metrics.get(one, ()))
        )
        for one in ids
        if one in rows
    ]


def newest_runs(
    db: Connection, experiment_id: str, *, state: Lifecycle = "active", after: str = "", limit: int = 1000
) -> list[TrackingRun]:
    """Give the tracking runs of an experiment that began before `after` (an id), the newest first."""
    queries = sql.load("tracking")
    last = db.execute(queries["run_head"], (after,)).fetchone() if after else None
    place = (last[2], after) if last is not None else (ALL, MOST_ID)
    rows = db.execute(queries["newest_runs"], (experiment_id, state, *place, limit))
    return tracking_runs(db, [row[0] for row in rows])


def runs_of_flow_run(db: Connection, flow_run_id: str, *, limit: int = 1000) -> list[TrackingRun]:
    """Give the tracking runs made in a flow run, in the order of their task runs."""
    rows = db.execute(sql.load("tracking")["runs_of_flow_run"], (flow_run_id, limit))
    return tracking_runs(db, [row[0] for row in rows])


def find_tracking_run(db: Connection, ref: str) -> TrackingRun:
    """Give a tracking run by id, unique beginning of an id, or name (the newest).

    Raises:
        TrackingRunNotFound: (tracking-run-not-found).
        TrackingRunAmbiguous: (tracking-run-ambiguous) a beginning fits several.
    """
    queries = sql.load("tracking")
    found = tracking_run(db, ref)
    if found is None:
        row = db.execute(queries["run_by_name"], (ref,)).fetchone()
        ids = [row[0]] if row is not None else _by_prefix(db, ref.lower())
        if len(ids) > 1:
            raise TrackingRunAmbiguous(run=ref, found=", ".join(ids))
        found = tracking_run(db, ids[0]) if ids else None
    if found is None:
        raise TrackingRunNotFound(run=ref)
    return found


def _by_prefix(db: Connection, prefix: str) -> list[str]:
    if len(prefix) < SHORTEST_PREFIX or not set(prefix) <= set("0123456789abcdef"):
        return []
    return [row[0] for row in db.execute(sql.load("tracking")["runs_by_prefix"], (prefix, f"{prefix}g", 5))]


def _latest(db: Connection, ids: Sequence[str]) -> dict[str, list[Latest]]:
    found: dict[str, list[Latest]] = {}
    for run_id, key, value, special, step, at in db.execute(sql.load("tracking")["metrics"], (_text(ids),)):
        found.setdefault(run_id, []).append(Latest(key=key, value=value_of(value, special), step=step, at=at))
    return found


def _texts(db: Connection, query: str, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Give texts by key, by what they belong to."""
    found: dict[str, dict[str, str]] = {}
    if ids:
        for one, key, value in db.execute(sql.load("tracking")[query], (_text(ids),)):
            found.setdefault(one, {})[key] = value
    return found


# --- metrics, files, inputs


def metric_history(
    db: Connection, run_id: str, key: str, *, after: tuple[int, int] = FIRST, limit: int = ALL
) -> Iterator[Point]:
    """Give the values of a metric by step, then instant, that follow a step and instant."""
    for step, at, value, special in db.execute(sql.load("tracking")["points"], (run_id, key, *after, limit)):
        yield Point(key, value_of(value, special), step, at)


def odd_since(db: Connection, run_id: str, key: str, newest: int) -> int:
    """Give the step since which a metric has no finite value, at the latest that of its newest one."""
    row = db.execute(sql.load("tracking")["odd_since"], (run_id, key, FIRST[0])).fetchone()
    return newest if row is None or row[0] is None else int(row[0])


def files(db: Connection, run_id: str, *, under: str = "", after: str = "", limit: int = 1000) -> list[TrackedFile]:
    """Give the files of a tracking run by path, those below a folder when it is named."""
    low, high = (f"{under}/", f"{under}0") if under else ("", "\U0010ffff")  # "0" follows "/"
    rows = db.execute(sql.load("tracking")["files"], (run_id, max(low, after), high, limit))
    return [_file(row) for row in rows]


def file(db: Connection, run_id: str, path: str) -> TrackedFile | None:
    """Give a file of a tracking run, None when there is none."""
    row = db.execute(sql.load("tracking")["file"], (run_id, path)).fetchone()
    return None if row is None else _file(row)


def inputs(db: Connection, run_id: str) -> list[TrackedInput]:
    """Give the versions of data that a tracking run used."""
    rows = db.execute(sql.load("tracking")["inputs"], (run_id,))
    return [
        TrackedInput(digest=digest, name=name, context=context, at=at, details=_details(details))
        for digest, name, context, at, details in rows
    ]


def _file(row: Sequence[Any]) -> TrackedFile:
    path, blob, size, media_type, at = row
    return TrackedFile(path=path, blob=blob, size=size, media_type=media_type, at=at)


def _text(values: Iterable[str]) -> str:
    return _encode(list(values)).decode()
