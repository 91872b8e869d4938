"""The projection of tracking: what the events of one commit change in experiments and tracking runs.

As `projection` does for flow runs, it folds many events into few statements.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core import tracking as t
from ostinato.store import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ostinato.store.database import Connection

Row = list[Any]

_json: Final = msgspec.json.Encoder().encode

ANY_EPOCH: Final = (1 << 63) - 1
"""The epoch of who is not part of a flow run."""


LARGEST: Final = sys.float_info.max


def columns(value: float) -> tuple[float, str]:
    """Give a double as its two columns: SQLite keeps no NaN, and JSON knows no infinity.

    By the first one they have their order: an infinity has the largest or the least number there.
    """
    if math.isfinite(value):
        return value, ""
    if math.isnan(value):
        return 0.0, "nan"
    return (LARGEST, "inf") if value > 0 else (-LARGEST, "-inf")


def value_of(value: float, special: str) -> float:
    """Give a double from its two columns."""
    return float(special) if special else value


class TrackingFold:
    """Collects what the tracking events of one commit change, in order.

    Rows of experiments and tracking runs are written as their events come, the many others by `write`.
    """

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._queries = sql.load("tracking")
        self._params: dict[tuple[str, str], str] = {}
        self._tags: dict[tuple[str, str], str | None] = {}
        self._points: dict[tuple[str, str, int, int], tuple[float, int]] = {}
        self._files: dict[tuple[str, str], t.FileLogged] = {}
        self._inputs: dict[tuple[str, str, str], t.InputLogged] = {}
        self._touched: dict[str, int] = {}
        """Tracking runs that changed, and when."""
        self._folds: dict[type, Callable[[Any], object]] = {
            t.ExperimentMade: self._experiment_made,
            t.ExperimentChanged: self._experiment_changed,
            t.ExperimentTagged: self._experiment_tagged,
            t.TrackingBegun: self._begun,
            t.TrackingChanged: self._changed,
            t.ParamsLogged: self._params_logged,
            t.TagsLogged: self._tags_logged,
            t.MetricsLogged: self._metrics_logged,
            t.FileLogged: self._file_logged,
            t.InputLogged: self._input_logged,
        }

    def add(self, events: Iterable[t.TrackingEvent]) -> None:
        """Take in events."""
        for event in events:
            self._folds[type(event)](event)

    def write(self, put: Callable[[str, int, Row], None]) -> None:
        """Write what was taken in; `put(query, width, values)` writes many rows."""
        put("add_params", 3, [cell for key, value in sorted(self._params.items()) for cell in (*key, value)])
        tags = sorted(self._tags.items())
        put("put_tags", 3, [cell for key, value in tags if value is not None for cell in (*key, value)])
        for key, value in tags:
            if value is None:
                self._do("delete_tag", *key)
        points: Row = []
        latest: dict[tuple[str, str], tuple[int, int, float]] = {}
        for (run_id, name, step, at), (number, epoch) in sorted(self._points.items()):
            points += (run_id, name, step, at, *columns(number), epoch)
            latest[run_id, name] = (step, at, number)  # the last in order is the newest
        put("put_points", 7, points)
        newest: Row = []
        for (run_id, name), (step, at, number) in latest.items():
            newest += (run_id, name, *columns(number), step, at)
        put("put_latest", 6, newest)
        for file in self._files.values():
            if file.blob:
                self._do("put_file", file.run_id, file.path, file.blob, file.size, file.media_type, file.at)
            else:
                self._do("delete_file", file.run_id, file.path)
        for one in self._inputs.values():
            details = _json(one.details).decode()
            self._do("put_input", one.run_id, one.digest, one.name, one.context, one.at, details)
        for run_id, at in self._touched.items():
            self._do("touch_run", at, run_id)

    def _do(self, name: str, *values: object) -> Any:
        return self._db.execute(self._queries[name], values)

    # --- experiments

    def _experiment_made(self, event: t.ExperimentMade) -> str:
        """Make an experiment unless one has its name; give the id of the one that has it."""
        found = self._do("experiment_named", event.name).fetchone()
        if found is not None:
            return str(found[0])
        keeps = event.name != t.DEFAULT_EXPERIMENT and t.may_be_experiment_id(event.id)
        made = event.id if keeps else t.experiment_id(event.name)
        n_taken = 0
        while self._do("experiment", made).fetchone() is not None:
            made = t.experiment_id(event.name, n_taken)
            n_taken += 1
        self._do("add_experiment", made, event.name, event.artifact_root, event.at, event.at)
        for key, value in event.tags.items():
            self._do("put_experiment_tag", made, key, value)
        return made

    def _experiment_changed(self, event: t.ExperimentChanged) -> None:
        self._do("change_experiment", event.name, event.state, event.at, event.id)
        if event.state is not None:
            self._do("change_runs_of_experiment", event.state, event.at, event.id)

    def _experiment_tagged(self, event: t.ExperimentTagged) -> None:
        for key, value in event.tags.items():
            if value is None:
                self._do("delete_experiment_tag", event.id, key)
            else:
                self._do("put_experiment_tag", event.id, key, value)
        self._do("change_experiment", None, None, event.at, event.id)

    # --- tracking runs

    def _begun(self, event: t.TrackingBegun) -> None:
        experiment = self._experiment_made(t.ExperimentMade(event.experiment, event.at, event.actor))
        self._do("revive_experiment", event.at, experiment)
        self._do(
            "put_run", event.run_id, experiment, event.name, event.actor, event.source, event.version,
            event.flow_run_id, event.task_no, event.task_key, event.parent_id, event.epoch,
            event.started_at or event.at, event.at, event.at,
        )  # fmt: skip
        for key, value in event.tags.items():
            self._tags[event.run_id, key] = value

    def _changed(self, event: t.TrackingChanged) -> None:
        changes = (event.status, event.ended_at, event.name, event.state, event.at)
        self._do("change_run", *changes, event.run_id, event.epoch or ANY_EPOCH)

    def _params_logged(self, event: t.ParamsLogged) -> None:
        for key, value in event.params.items():
            self._params.setdefault((event.run_id, key), value)
        self._touched[event.run_id] = event.at

    def _tags_logged(self, event: t.TagsLogged) -> None:
        for key, value in event.tags.items():
            self._tags[event.run_id, key] = value
        self._touched[event.run_id] = event.at

    def _metrics_logged(self, event: t.MetricsLogged) -> None:
        points, run_id, epoch = self._points, event.run_id, event.epoch
        for point in event.points:
            place = (run_id, point.key, point.step, point.at)
            known = points.get(place)
            if known is None or epoch >= known[1]:
                points[place] = (point.value, epoch)

    def _file_logged(self, event: t.FileLogged) -> None:
        self._files[event.run_id, event.path] = event
        self._touched[event.run_id] = event.at

    def _input_logged(self, event: t.InputLogged) -> None:
        self._inputs[event.run_id, event.digest, event.context] = event
