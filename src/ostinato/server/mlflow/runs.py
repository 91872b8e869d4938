"""MLflow's runs: make, change, log, find, search."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta

from ostinato.core.commands import ChangeTracking, LogBatch, LogInput, LogModelMetrics, StartTracking
from ostinato.core.errors import TrackingRunDeleted
from ostinato.core.logged_models import LoggedModelLinked, ModelLink
from ostinato.core.tracking import InputDetails, Point
from ostinato.server.mlflow import wire
from ostinato.server.mlflow.experiments import STATES, View, name_of
from ostinato.server.mlflow.faults import Fault, missing, not_found
from ostinato.server.mlflow.frame import NOTHING, Asked, Door, Doors, microseconds
from ostinato.server.mlflow.wire import KeyValue
from ostinato.store import logged_models, tracking
from ostinato.store.commands.handlers import carry_out
from ostinato.store.tracking_search import search_runs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostinato.core.logged_models import ModelRole
    from ostinato.core.tracking import TrackingRun
    from ostinato.store.database import Connection
    from ostinato.store.transaction import Tx

FLOW_RUN: Final = "ostinato.flow_run_id"
"""Tag with the flow run that a run is made in."""
TASK_RUN: Final = "ostinato.task_run"
"""Tag with the task run that a run is made in: `FLOW_RUN_ID/NO`."""
FLOW_RUN_HEADER: Final = b"x-ostinato-flow-run"
TASK_RUN_HEADER: Final = b"x-ostinato-task-run"
_TASK_RUN: Final = re.compile(r"([0-9a-f]{32})/(\d{1,9})")
_FLOW_RUN: Final = re.compile(r"[0-9a-f]{32}")

Results = Annotated[int, Meta(ge=1, le=50_000)]


class New(msgspec.Struct, frozen=True):
    """A run that is wanted."""

    experiment_id: str = ""
    user_id: str = ""
    run_name: str = ""
    start_time: int = 0
    tags: tuple[KeyValue, ...] = ()


class Change(msgspec.Struct, frozen=True):
    """Another status, end or name of a run."""

    run_id: str = ""
    run_uuid: str = ""
    status: str = ""
    end_time: int | None = None
    run_name: str = ""


class One(msgspec.Struct, frozen=True):
    """Which run; older clients say `run_uuid`."""

    run_id: str = ""
    run_uuid: str = ""


class Value(msgspec.Struct, frozen=True):
    """A value of a metric."""

    key: str
    value: float
    timestamp: int
    step: int = 0
    run_id: str = ""
    run_uuid: str = ""
    model_id: str = ""
    """Logged model of which it was measured, or empty."""
    dataset_name: str = ""
    dataset_digest: str = ""


class Text(msgspec.Struct, frozen=True):
    """A parameter or a tag of a run."""

    key: str
    value: str = ""
    run_id: str = ""
    run_uuid: str = ""


class Batch(msgspec.Struct, frozen=True):
    """Much of a run at once: all or none of it."""

    run_id: str
    metrics: tuple[Value, ...] = ()
    params: tuple[KeyValue, ...] = ()
    tags: tuple[KeyValue, ...] = ()


class Inputs(msgspec.Struct, frozen=True):
    """Versions of data and logged models that a run used."""

    run_id: str
    datasets: tuple[wire.DatasetInput, ...] = ()
    models: tuple[wire.ModelInput, ...] = ()


class Search(msgspec.Struct, frozen=True):
    """Which runs."""

    experiment_ids: tuple[str, ...] = ()
    filter: str = ""
    run_view_type: View = "ACTIVE_ONLY"
    max_results: Results = 1000
    order_by: tuple[str, ...] = ()
    page_token: str = ""


def _id(one: One | Change | Value | Text) -> str:
    run_id = one.run_id or one.run_uuid
    if not run_id:
        raise missing("run_id")
    return run_id


# --- make and change


async def _create(asked: Asked, new: New) -> Any:
    tags = {tag.key: tag.value for tag in new.tags}
    name = tags.pop(wire.RUN_NAME, new.run_name)
    if new.run_name and name != new.run_name:
        raise Fault("INVALID_PARAMETER_VALUE", f"Both run_name and the tag {wire.RUN_NAME} are given, and differ.")
    if new.user_id:
        tags.setdefault(wire.USER, new.user_id)
    flow_run_id, task_no = _made_in(asked, tags)

    def work(tx: Tx) -> tuple[TrackingRun, str]:
        experiment = name_of(tx, new.experiment_id or "0")
        run = carry_out(
            tx,
            StartTracking(
                experiment=experiment,
                name=name,
                started_at=microseconds(new.start_time),
                source=tags.get(wire.SOURCE, ""),
                version=tags.get(wire.COMMIT, ""),
                flow_run_id=flow_run_id,
                task_no=task_no,
                parent_id=tags.get(wire.PARENT, ""),
                tags=tags,
            ),
        )
        return run, root_of(tx.db, run.experiment_id)

    run, root = await asked.write(work)
    return {"run": wire.run_message(run, root)}


def _made_in(asked: Asked, tags: dict[str, str]) -> tuple[str, int]:
    """Give flow run and number of the task run that tags name, else headers, else the token."""
    header = asked.exchange.header
    found = _TASK_RUN.fullmatch(tags.get(TASK_RUN, "") or header(TASK_RUN_HEADER))
    if found is not None:
        return found[1], int(found[2])
    flow_run_id = tags.get(FLOW_RUN, "") or header(FLOW_RUN_HEADER) or asked.identity.run_id
    return (flow_run_id, 0) if _FLOW_RUN.fullmatch(flow_run_id) else ("", 0)


def root_of(db: Connection, experiment_id: str) -> str:
    """Give the place of an experiment's files as it was chosen, "" for the server's own."""
    found = tracking.experiment(db, experiment_id)
    return found.artifact_root if found is not None else ""


async def _update(asked: Asked, change: Change) -> Any:
    status = wire.STATUSES.get(change.status)
    if change.status and status is None:
        known = ", ".join(wire.STATUSES)
        raise Fault(
            "INVALID_PARAMETER_VALUE",
            f"Invalid value {change.status} for parameter 'status' supplied: it is none of {known}",
        )
    ended_at = None if change.end_time is None else microseconds(change.end_time)

    def work(tx: Tx) -> tuple[TrackingRun, str]:
        command = ChangeTracking(run=_id(change), status=status, ended_at=ended_at, name=change.run_name)
        run = carry_out(tx, command)
        return run, root_of(tx.db, run.experiment_id)

    run, root = await asked.write(work)
    return {"run_info": wire.run_info(run, root)}


async def _delete(asked: Asked, one: One) -> Any:
    await asked.do(ChangeTracking(run=_id(one), state="deleted"))
    return NOTHING


async def _restore(asked: Asked, one: One) -> Any:
    await asked.do(ChangeTracking(run=_id(one), state="active"))
    return NOTHING


# --- log


async def _log_metric(asked: Asked, value: Value) -> Any:
    command = LogBatch(run=_id(value), metrics=(_point(value),))
    if not value.model_id:
        await asked.do(command)
        return NOTHING

    def work(tx: Tx) -> None:
        carry_out(tx, command)
        _log_of_models(tx, command.run, (value,))

    await asked.write(work)
    return NOTHING


def _log_of_models(tx: Tx, run_id: str, values: Iterable[Value]) -> None:
    """Keep values that were measured of logged models with those models too."""
    for one in values:
        if one.model_id:
            name, digest = one.dataset_name, one.dataset_digest
            metrics = (_point(one),)
            carry_out(tx, LogModelMetrics(model=one.model_id, run=run_id, metrics=metrics, dataset=name, digest=digest))


async def _log_param(asked: Asked, text: Text) -> Any:
    await asked.do(LogBatch(run=_id(text), params={text.key: text.value}))
    return NOTHING


async def _set_tag(asked: Asked, text: Text) -> Any:
    await asked.write(lambda tx: _log(tx, _id(text), tags={text.key: text.value}))
    return NOTHING


async def _delete_tag(asked: Asked, text: Text) -> Any:
    def work(tx: Tx) -> None:
        run = tracking.tracking_run(tx.db, _id(text))
        if run is None:
            raise not_found("Run", _id(text))
        if run.state == "deleted":
            raise Fault("INVALID_PARAMETER_VALUE", f"The run {run.id} must be in the 'active' state.")
        if text.key not in run.tags:
            raise Fault("RESOURCE_DOES_NOT_EXIST", f"No tag with name: {text.key} in run with id {run.id}")
        carry_out(tx, LogBatch(run=run.id, tags={text.key: None}))

    await asked.write(work)
    return NOTHING


async def _log_batch(asked: Asked, batch: Batch) -> Any:
    metrics = tuple(map(_point, batch.metrics))
    params = _once(batch.params)
    tags = {one.key: one.value for one in batch.tags}

    def work(tx: Tx) -> None:
        _log(tx, batch.run_id, params=params, metrics=metrics, tags=tags)
        _log_of_models(tx, batch.run_id, batch.metrics)

    await asked.write(work)
    return NOTHING


def _log(
    tx: Tx,
    run_id: str,
    *,
    params: dict[str, str] | None = None,
    metrics: tuple[Point, ...] = (),
    tags: dict[str, str] | None = None,
) -> None:
    """Log to a run; one tag of MLflow is the run's name."""
    kept: dict[str, str | None] = {key: value for key, value in (tags or {}).items() if key != wire.RUN_NAME}
    carry_out(tx, LogBatch(run=run_id, params=params or {}, metrics=metrics, tags=kept))
    name = (tags or {}).get(wire.RUN_NAME)
    if name:
        carry_out(tx, ChangeTracking(run=run_id, name=name))


def _once(params: Iterable[KeyValue]) -> dict[str, str]:
    """Give parameters by key; one of two values is refused, as it would be one after the other."""
    found: dict[str, str] = {}
    for one in params:
        if found.setdefault(one.key, one.value) != one.value:
            raise Fault("INVALID_PARAMETER_VALUE", f"Param '{one.key}' is given two values.")
    return found


def _point(value: Value) -> Point:
    return Point(value.key, value.value, value.step, microseconds(value.timestamp))


async def _log_inputs(asked: Asked, inputs: Inputs) -> Any:
    if not inputs.datasets and not inputs.models:
        raise missing("datasets")

    def work(tx: Tx) -> None:
        for one in inputs.datasets:
            command = _used(inputs.run_id, one)
            if command.context or command.digest not in {each.digest for each in tracking.inputs(tx.db, command.run)}:
                carry_out(tx, command)
        link_models(tx, inputs.run_id, "input", [(one.model_id, 0) for one in inputs.models])

    await asked.write(work)
    return NOTHING


def _used(run_id: str, one: wire.DatasetInput) -> LogInput:
    """Give the command that keeps a version of data with what is said of it."""
    said = one.dataset
    tags = {tag.key: tag.value for tag in one.tags}
    context = tags.pop(wire.CONTEXT, "")
    details = InputDetails(said.source_type, said.source, said.schema, said.profile, tags)
    return LogInput(run=run_id, digest=said.digest, name=said.name, context=context, details=details)


def link_models(tx: Tx, run_id: str, role: ModelRole, models: Iterable[tuple[str, int]]) -> None:
    """Keep which logged models a run used, or made at which step."""
    run = tracking.tracking_run(tx.db, run_id)
    if run is None:
        raise not_found("Run", run_id)
    if run.state == "deleted":
        raise TrackingRunDeleted(run=run_id)
    for model_id, step in models:
        tx.append(LoggedModelLinked(logged_models.logged_model(tx.db, model_id).id, tx.now, run.id, role, step))


# --- read


async def _get(asked: Asked, one: One) -> Any:
    run_id = _id(one)

    def question(db: Connection) -> Any:
        run = tracking.tracking_run(db, run_id)
        if run is None:
            raise not_found("Run", run_id)
        return wire.run_message(run, root_of(db, run.experiment_id), tracking.inputs(db, run_id), _links(db, run_id))

    return {"run": await asked.read(lambda shelf: question(shelf.db))}


def _links(db: Connection, run_id: str) -> list[ModelLink]:
    """Give the logged models that a run used and made; of one that only itself names its run, the step is 0."""
    links = logged_models.links_of_run(db, run_id)
    known = {one.id for one in links if one.role == "output"}
    made = logged_models.models_of_run(db, run_id)
    return [*links, *(ModelLink(id=one.id, role="output", step=0) for one in made if one.id not in known)]


async def _search(asked: Asked, wanted: Search) -> Any:
    states = STATES[wanted.run_view_type]

    def question(db: Connection) -> bytes:
        ids, token = search_runs(
            db,
            wanted.experiment_ids,
            text=wanted.filter,
            order_by=wanted.order_by,
            limit=wanted.max_results,
            token=wanted.page_token,
            states=states,
        )
        runs = tracking.tracking_runs(db, ids)
        roots = {one: root_of(db, one) for one in {run.experiment_id for run in runs}}
        found = [wire.run_message(run, roots[run.experiment_id]) for run in runs]
        return msgspec.json.encode({"runs": found} | ({"next_page_token": token} if token else {}))

    return msgspec.Raw(await asked.read(lambda shelf: question(shelf.db)))


DOORS: Final[Doors] = {
    ("POST", "runs/create"): Door(New, _create),
    ("POST", "runs/update"): Door(Change, _update),
    ("POST", "runs/delete"): Door(One, _delete),
    ("POST", "runs/restore"): Door(One, _restore),
    ("GET", "runs/get"): Door(One, _get),
    ("POST", "runs/search"): Door(Search, _search),
    ("POST", "runs/log-metric"): Door(Value, _log_metric),
    ("POST", "runs/log-parameter"): Door(Text, _log_param),
    ("POST", "runs/set-tag"): Door(Text, _set_tag),
    ("POST", "runs/delete-tag"): Door(Text, _delete_tag),
    ("POST", "runs/log-batch"): Door(Batch, _log_batch),
    ("POST", "runs/log-inputs"): Door(Inputs, _log_inputs),
}
