"""Commands over experiments and tracking runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ostinato.core.errors import (
    ExperimentDeleted,
    ExperimentExists,
    ParamTaken,
    TrackingRunDeleted,
    TrackingRunNotFound,
)
from ostinato.core.ids import new_id
from ostinato.core.names import run_name
from ostinato.core.tracking import (
    DEFAULT_EXPERIMENT,
    DEFAULT_ID,
    ExperimentChanged,
    ExperimentMade,
    ExperimentTagged,
    FileLogged,
    InputLogged,
    MetricsLogged,
    ParamsLogged,
    TagsLogged,
    TrackingBegun,
    TrackingChanged,
    check_experiment_name,
    check_texts,
)
from ostinato.store import sql, tracking

if TYPE_CHECKING:
    from ostinato.core.commands import (
        ChangeExperiment,
        ChangeTracking,
        CreateExperiment,
        LogBatch,
        LogFile,
        LogInput,
        StartTracking,
        TagExperiment,
    )
    from ostinato.core.tracking import Experiment, TrackingRun
    from ostinato.store.transaction import Tx


# --- experiments


def create_experiment(tx: Tx, command: CreateExperiment) -> Experiment:
    """Make an experiment of a name that none has."""
    check_experiment_name(command.name)
    check_texts("tag", command.tags)
    _check_name_free(tx, command.name)
    made_at = command.created_at or tx.now
    tx.append(ExperimentMade(command.name, made_at, tx.actor, command.artifact_root, command.tags, command.id))
    return tracking.find_experiment(tx.db, command.name)


def change_experiment(tx: Tx, command: ChangeExperiment) -> Experiment:
    """Rename, delete or restore an experiment."""
    found = tracking.find_experiment(tx.db, command.experiment)
    name = command.name if command.name not in ("", found.name) else None
    state = command.state if command.state != found.state else None
    if name is None and state is None:
        return found
    if name is not None:
        check_experiment_name(name)
        _check_name_free(tx, name)
    tx.append(ExperimentChanged(found.id, tx.now, tx.actor, name, state))
    changed = tracking.experiment(tx.db, found.id)
    return found if changed is None else changed


def tag_experiment(tx: Tx, command: TagExperiment) -> None:
    """Set and take away tags of an experiment."""
    check_texts("tag", command.tags)
    found = tracking.find_experiment(tx.db, command.experiment)
    tx.append(ExperimentTagged(found.id, tx.now, command.tags))


def _check_name_free(tx: Tx, name: str) -> None:
    other = tracking.experiment_named(tx.db, name)
    if other is not None:
        raise ExperimentExists(name=name, state=other.state)


# --- tracking runs


def start_tracking(tx: Tx, command: StartTracking) -> TrackingRun:
    """Begin a tracking run in an experiment that is there."""
    check_texts("tag", command.tags)
    run_id = new_id()
    tx.append(
        TrackingBegun(
            run_id, tx.now, _experiment_name(tx, command.experiment), command.name or run_name(), tx.actor,
            command.started_at or tx.now, command.source, command.version, command.flow_run_id, command.task_no,
            command.task_key, command.parent_id, command.epoch, command.tags,
        )
    )  # fmt: skip
    return _run(tx, run_id)


def _experiment_name(tx: Tx, ref: str) -> str:
    """Give the name of an experiment in which a run may begin."""
    if ref in (DEFAULT_EXPERIMENT, DEFAULT_ID) and tracking.experiment(tx.db, DEFAULT_ID) is None:
        return DEFAULT_EXPERIMENT
    found = tracking.find_experiment(tx.db, ref)
    if found.state == "deleted":
        raise ExperimentDeleted(name=found.name)
    return found.name


def change_tracking(tx: Tx, command: ChangeTracking) -> TrackingRun:
    """Change status, end, name or state of a tracking run."""
    state, _ = _head(tx, command.run)
    if state == "deleted" and command.state is None:
        raise TrackingRunDeleted(run=command.run)
    name = command.name or None
    tx.append(TrackingChanged(command.run, tx.now, command.status, command.ended_at, name, command.state))
    return _run(tx, command.run)


def log_batch(tx: Tx, command: LogBatch) -> None:
    """Keep parameters, values of metrics and tags."""
    check_texts("parameter", command.params)
    check_texts("tag", command.tags)
    check_texts("metric", dict.fromkeys([point.key for point in command.metrics]))
    epoch = _epoch(tx, command.run)
    if command.params:
        _check_params(tx, command.run, command.params)
        tx.append(ParamsLogged(command.run, tx.now, command.params))
    if command.metrics:
        tx.append(MetricsLogged(command.run, tx.now, epoch, command.metrics))
    if command.tags:
        tx.append(TagsLogged(command.run, tx.now, command.tags))


def log_file(tx: Tx, command: LogFile) -> None:
    """Name a stored value as a file."""
    _epoch(tx, command.run)
    tx.append(FileLogged(command.run, tx.now, command.path, command.blob, command.size, command.media_type))


def log_input(tx: Tx, command: LogInput) -> None:
    """Note that a version of data was used."""
    texts = (command.digest, command.name, command.context)
    check_texts("data set", dict.fromkeys([text for text in texts if text]))
    _epoch(tx, command.run)
    tx.append(InputLogged(command.run, tx.now, command.digest, command.name, command.context, command.details))


def _check_params(tx: Tx, run_id: str, params: dict[str, str]) -> None:
    """Refuse another value for a parameter that has one."""
    keys = msgspec.json.encode(list(params)).decode()
    for key, value in tx.db.execute(sql.load("tracking")["params_of_run"], (run_id, keys)):
        if params[key] != value:
            raise ParamTaken(key=key, run=run_id, old=value, new=params[key])


def _epoch(tx: Tx, run_id: str) -> int:
    """Give the epoch of a tracking run that is not deleted."""
    state, epoch = _head(tx, run_id)
    if state == "deleted":
        raise TrackingRunDeleted(run=run_id)
    return epoch


def _head(tx: Tx, run_id: str) -> tuple[str, int]:
    row = tx.db.execute(sql.load("tracking")["run_head"], (run_id,)).fetchone()
    if row is None:
        raise TrackingRunNotFound(run=run_id)
    return row[0], row[1]


def _run(tx: Tx, run_id: str) -> TrackingRun:
    found = tracking.tracking_run(tx.db, run_id)
    if found is None:
        raise TrackingRunNotFound(run=run_id)
    return found
