"""Commands over logged models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostinato.core.errors import ExperimentDeleted, LoggedModelDeleted, ParamTaken
from ostinato.core.logged_models import (
    LoggedModelChanged,
    LoggedModelMade,
    LoggedModelMetrics,
    LoggedModelParams,
    LoggedModelTagged,
    new_model_id,
)
from ostinato.core.names import run_name
from ostinato.core.tracking import DEFAULT_EXPERIMENT, DEFAULT_ID, ExperimentMade, check_texts
from ostinato.store import logged_models, tracking

if TYPE_CHECKING:
    from ostinato.core.commands import (
        ChangeLoggedModel,
        CreateLoggedModel,
        LogModelMetrics,
        LogModelParams,
        TagLoggedModel,
    )
    from ostinato.core.logged_models import LoggedModel
    from ostinato.store.transaction import Tx


def create_logged_model(tx: Tx, command: CreateLoggedModel) -> LoggedModel:
    """Make a logged model whose files are to come."""
    check_texts("model", {command.name or "model": command.model_type})
    check_texts("parameter", command.params)
    check_texts("tag", command.tags)
    made = LoggedModelMade(
        id=new_model_id(),
        at=tx.now,
        run_id=command.run,
        experiment_id=_experiment_id(tx, command),
        name=command.name or run_name(),
        actor=tx.actor,
        status="pending",
        model_type=command.model_type,
        params=command.params,
        tags=command.tags,
    )
    tx.append(made)
    return logged_models.logged_model(tx.db, made.id)


def change_logged_model(tx: Tx, command: ChangeLoggedModel) -> LoggedModel:
    """Say that a logged model is ready or has failed; delete or restore it."""
    found = logged_models.logged_model(tx.db, command.model)
    if command.status is not None:
        _check_active(found)
    tx.append(LoggedModelChanged(found.id, tx.now, command.status, command.state))
    return logged_models.logged_model(tx.db, found.id)


def tag_logged_model(tx: Tx, command: TagLoggedModel) -> LoggedModel:
    """Set and take away tags of a logged model."""
    check_texts("tag", command.tags)
    found = _active(tx, command.model)
    tx.append(LoggedModelTagged(found.id, tx.now, command.tags))
    return logged_models.logged_model(tx.db, found.id)


def log_model_params(tx: Tx, command: LogModelParams) -> None:
    """Keep parameters of a logged model."""
    check_texts("parameter", command.params)
    found = _active(tx, command.model)
    for key, value in command.params.items():
        if found.params.get(key, value) != value:
            raise ParamTaken(key=key, run=found.id, old=found.params[key], new=value)
    tx.append(LoggedModelParams(found.id, tx.now, command.params))


def log_model_metrics(tx: Tx, command: LogModelMetrics) -> None:
    """Keep values of metrics of a logged model."""
    check_texts("metric", {point.key: command.dataset for point in command.metrics})
    check_texts("run or digest", dict.fromkeys([text for text in (command.run, command.digest) if text]))
    found = _active(tx, command.model)
    tx.append(
        LoggedModelMetrics(found.id, tx.now, command.run, command.metrics, command.dataset, command.digest),
    )


def _experiment_id(tx: Tx, command: CreateLoggedModel) -> str:
    if command.run:
        return tracking.find_tracking_run(tx.db, command.run).experiment_id
    if command.experiment in (DEFAULT_EXPERIMENT, DEFAULT_ID) and tracking.experiment(tx.db, DEFAULT_ID) is None:
        tx.append(ExperimentMade(DEFAULT_EXPERIMENT, tx.now, tx.actor))
    found = tracking.find_experiment(tx.db, command.experiment)
    if found.state == "deleted":
        raise ExperimentDeleted(name=found.name)
    return found.id


def _active(tx: Tx, model_id: str) -> LoggedModel:
    found = logged_models.logged_model(tx.db, model_id)
    _check_active(found)
    return found


def _check_active(model: LoggedModel) -> None:
    if model.state == "deleted":
        raise LoggedModelDeleted(model=model.id)
