"""MLflow's logged models: make, find, search, finish, tag, delete; and what runs say of theirs."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from ostinato.core.commands import (
    ChangeLoggedModel,
    CreateLoggedModel,
    LogBatch,
    LogModelParams,
    TagLoggedModel,
)
from ostinato.core.errors import BlobMissing, ModelUnfit
from ostinato.core.logged_models import LoggedModelDescribed
from ostinato.core.tracking import Point
from ostinato.server.mlflow import wire
from ostinato.server.mlflow.experiments import name_of
from ostinato.server.mlflow.faults import Fault, not_found
from ostinato.server.mlflow.frame import NOTHING, Asked, Door, Doors, Nothing
from ostinato.server.mlflow.runs import link_models, root_of
from ostinato.server.mlflow.wire import KeyValue
from ostinato.store import logged_models, tracking
from ostinato.store.commands.handlers import carry_out
from ostinato.store.logged_models_search import ModelOrder, OnData, search_models
from ostinato.tracking.models import mlmodel

if TYPE_CHECKING:
    from ostinato.core.logged_models import LoggedModel, ModelStatus
    from ostinato.core.tracking import TrackedFile
    from ostinato.store.database import Connection
    from ostinato.store.transaction import Tx

Words = Literal["LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"]
STATUSES: Final[dict[str, ModelStatus]] = {
    "LOGGED_MODEL_PENDING": "pending",
    "LOGGED_MODEL_READY": "ready",
    "LOGGED_MODEL_UPLOAD_FAILED": "failed",
}
_WORDS: Final[dict[str, str]] = {status: words for words, status in STATUSES.items()}
HISTORY: Final = "mlflow.log-model.history"
"""Tag in which MLflow 2 keeps what models a run has logged."""
MOST_DESCRIBED: Final = 1 << 20
"""Bytes of an `MLmodel` file that is read."""
_NO_NAME: Final = re.compile(r"""[/:.%"']""")
REQUIREMENTS: Final = "requirements.txt"
OF_METRICS: Final = "metrics."


class New(msgspec.Struct, frozen=True):
    """A logged model that is wanted."""

    experiment_id: str
    name: str = ""
    model_type: str = ""
    source_run_id: str = ""
    params: tuple[KeyValue, ...] = ()
    tags: tuple[KeyValue, ...] = ()


class Which(msgspec.Struct, frozen=True):
    """Which logged models may be given."""

    allow_deleted: bool = False


class Finished(msgspec.Struct, frozen=True):
    """How the upload of a logged model ended."""

    status: Words


class Tags(msgspec.Struct, frozen=True):
    """Tags of a logged model."""

    tags: tuple[KeyValue, ...] = ()


class Params(msgspec.Struct, frozen=True):
    """Parameters of a logged model."""

    params: tuple[KeyValue, ...] = ()


class Order(msgspec.Struct, frozen=True):
    """What logged models are sorted by."""

    field_name: str
    ascending: bool = True
    dataset_name: str = ""
    dataset_digest: str = ""


class OnDataset(msgspec.Struct, frozen=True):
    """Data on which metrics were measured."""

    dataset_name: str = ""
    dataset_digest: str = ""


class Search(msgspec.Struct, frozen=True):
    """Which logged models."""

    experiment_ids: tuple[str, ...] = ()
    filter: str = ""
    datasets: Annotated[tuple[OnDataset, ...], Meta(max_length=100)] = ()
    """Only metrics count that were measured on one of them."""
    max_results: Annotated[int, Meta(ge=1, le=1000)] = 100
    order_by: tuple[Order, ...] = ()
    page_token: str = ""


class Output(msgspec.Struct, frozen=True):
    """A model that a run has made."""

    model_id: str
    step: Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)] = 0


class Outputs(msgspec.Struct, frozen=True):
    """The models that a run has made."""

    run_id: str
    models: tuple[Output, ...] = ()


class History(msgspec.Struct, frozen=True):
    """A model that a run has logged, in the words of MLflow 2."""

    run_id: str
    model_json: str


async def _create(asked: Asked, new: New) -> Any:
    if _NO_NAME.search(new.name):
        reason = "Model name must be a non-empty string and cannot contain the characters / : . % \" '"
        raise Fault("INVALID_PARAMETER_VALUE", f"Invalid model name ({new.name!r}) provided. {reason}")

    def work(tx: Tx) -> Any:
        command = CreateLoggedModel(
            experiment=name_of(tx, new.experiment_id),
            run=new.source_run_id,
            name=new.name,
            model_type=new.model_type,
            params={one.key: one.value for one in new.params},
            tags={one.key: one.value for one in new.tags},
        )
        return _message(tx.db, carry_out(tx, command))

    return {"model": await asked.write(work)}


async def _get(asked: Asked, which: Which) -> Any:
    find = logged_models.logged_model if which.allow_deleted else active_model
    model_id = asked.parts["model_id"]
    return {"model": await asked.read(lambda shelf: _message(shelf.db, find(shelf.db, model_id)))}


def active_model(db: Connection, model_id: str) -> LoggedModel:
    """Give a logged model that is not deleted.

    Raises:
        LoggedModelNotFound: (logged-model-not-found).
        Fault: RESOURCE_DOES_NOT_EXIST, it is deleted.
    """
    found = logged_models.logged_model(db, model_id)
    if found.state == "deleted":
        kind = "Logged model"
        raise not_found(kind, model_id)
    return found


async def _finish(asked: Asked, finished: Finished) -> Any:
    """Keep the new status; of a model that is ready, what its files say it is."""
    model_id, status = asked.parts["model_id"], STATUSES[finished.status]
    described = await _described(asked, model_id) if status == "ready" else None

    def work(tx: Tx) -> Any:
        changed = carry_out(tx, ChangeLoggedModel(model=model_id, status=status))
        if described is not None:
            tx.append(msgspec.structs.replace(described, at=tx.now))
        return _message(tx.db, changed)

    return {"model": await asked.write(work)}


async def _described(asked: Asked, model_id: str) -> LoggedModelDescribed | None:
    """Give what the files of a model say it is, None when they do not say it; nothing of the model is loaded."""
    files = await asked.read(lambda shelf: tracking.files(shelf.db, model_id, limit=1000))
    by_path = {one.path: one for one in files}
    text = await _text(asked, by_path.get(mlmodel.FILE))
    if text is None:
        return None
    try:
        said = await asyncio.to_thread(mlmodel.parse, text, model_id)
    except ModelUnfit:
        return None
    signed = said.signed()
    required = (await _text(asked, by_path.get(REQUIREMENTS)) or b"").decode("utf-8", "replace").splitlines()
    return LoggedModelDescribed(
        id=model_id,
        at=0,
        flavor=said.flavor,
        signature=b"" if signed is None else msgspec.json.encode(signed),
        requirements=tuple(line.strip() for line in required if line.strip() and not line.startswith("#")),
        size=sum(one.size for one in files),
    )


async def _text(asked: Asked, file: TrackedFile | None) -> bytes | None:
    if file is None or file.size > MOST_DESCRIBED:
        return None
    try:
        return await asyncio.to_thread(asked.office.blobs.get, file.blob)
    except BlobMissing:
        return None


async def _delete(asked: Asked, _: Nothing) -> Any:
    await asked.do(ChangeLoggedModel(model=asked.parts["model_id"], state="deleted"))
    return NOTHING


async def _set_tags(asked: Asked, wanted: Tags) -> Any:
    await asked.do(TagLoggedModel(model=asked.parts["model_id"], tags={one.key: one.value for one in wanted.tags}))
    return NOTHING


async def _delete_tag(asked: Asked, _: Nothing) -> Any:
    model_id, key = asked.parts["model_id"], asked.parts["key"]

    def work(tx: Tx) -> None:
        if key not in logged_models.logged_model(tx.db, model_id).tags:
            raise Fault("RESOURCE_DOES_NOT_EXIST", f"No tag with key {key!r} found for model with ID {model_id!r}.")
        carry_out(tx, TagLoggedModel(model=model_id, tags={key: None}))

    await asked.write(work)
    return NOTHING


async def _log_params(asked: Asked, wanted: Params) -> Any:
    params = {one.key: one.value for one in wanted.params}
    await asked.do(LogModelParams(model=asked.parts["model_id"], params=params))
    return NOTHING


async def _search(asked: Asked, wanted: Search) -> Any:
    data = [OnData(one.dataset_name, one.dataset_digest) for one in wanted.datasets]
    orders = [
        ModelOrder(
            f"{one.field_name} {'ASC' if one.ascending else 'DESC'}",
            OnData(one.dataset_name, one.dataset_digest) if one.dataset_name else None,
        )
        for one in wanted.order_by
    ]
    if not all(one.name for one in data):
        raise Fault("INVALID_PARAMETER_VALUE", "`dataset_name` in the `datasets` clause must be specified.")
    if any(one.data is not None and not one.text.startswith(OF_METRICS) for one in orders):
        raise Fault("INVALID_PARAMETER_VALUE", "Only metrics are measured on a dataset: order by `metrics.NAME`.")
    within = msgspec.json.encode(wanted.experiment_ids).decode()

    def question(db: Connection) -> Any:
        ids, token = search_models(
            db,
            ("r.state = 'active' AND r.experiment_id IN (SELECT value FROM json_each(?))", [within]),
            text=wanted.filter,
            data=data,
            orders=orders,
            limit=wanted.max_results,
            token=wanted.page_token,
        )
        found = [_message(db, one) for one in logged_models.logged_models(db, ids)]
        return {"models": found} | ({"next_page_token": token} if token else {})

    return await asked.read(lambda shelf: question(shelf.db))


# --- runs and their models


async def _log_outputs(asked: Asked, outputs: Outputs) -> Any:
    models = [(one.model_id, one.step) for one in outputs.models]
    await asked.write(lambda tx: link_models(tx, outputs.run_id, "output", models))
    return NOTHING


async def _log_history(asked: Asked, history: History) -> Any:
    def work(tx: Tx) -> None:
        run = tracking.tracking_run(tx.db, history.run_id)
        if run is None:
            raise not_found("Run", history.run_id)
        known = msgspec.json.decode(run.tags.get(HISTORY, "[]"), type=list[msgspec.Raw])
        text = msgspec.json.encode([*known, msgspec.Raw(history.model_json.encode())]).decode()
        carry_out(tx, LogBatch(run=run.id, tags={HISTORY: text}))

    msgspec.json.decode(history.model_json)
    await asked.write(work)
    return NOTHING


def _message(db: Connection, one: LoggedModel) -> dict[str, Any]:
    info = {
        "model_id": one.id,
        "experiment_id": one.experiment_id,
        "name": one.name,
        "creation_timestamp_ms": one.created_at // 1000,
        "last_updated_timestamp_ms": one.updated_at // 1000,
        "artifact_uri": wire.model_root(root_of(db, one.experiment_id), one),
        "status": _WORDS[one.status],
        "model_type": one.model_type,
        "source_run_id": one.run_id,
        "tags": wire.pairs(one.tags),
    }
    metrics = [
        {
            "key": metric.key,
            "value": wire.point_message(Point(metric.key, metric.value, metric.step, metric.at)).value,
            "timestamp": metric.at // 1000,
            "step": metric.step,
            "model_id": one.id,
            "run_id": metric.run_id,
            **({"dataset_name": metric.dataset, "dataset_digest": metric.digest} if metric.digest else {}),
        }
        for metric in one.metrics
    ]
    return {"info": info, "data": {"params": wire.pairs(one.params), "metrics": metrics}}


DOORS: Final[Doors] = {
    ("POST", "logged-models"): Door(New, _create),
    ("POST", "logged-models/search"): Door(Search, _search),
    ("GET", "logged-models/{model_id}"): Door(Which, _get),
    ("PATCH", "logged-models/{model_id}"): Door(Finished, _finish),
    ("DELETE", "logged-models/{model_id}"): Door(Nothing, _delete),
    ("PATCH", "logged-models/{model_id}/tags"): Door(Tags, _set_tags),
    ("DELETE", "logged-models/{model_id}/tags/{key}"): Door(Nothing, _delete_tag),
    ("POST", "logged-models/{model_id}/params"): Door(Params, _log_params),
    ("POST", "runs/outputs"): Door(Outputs, _log_outputs),
    ("POST", "runs/log-model"): Door(History, _log_history),
}
