"""MLflow's experiments: make, find, search, rename, tag, delete, restore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from ostinato.core.commands import ChangeExperiment, CreateExperiment, TagExperiment
from ostinato.core.tracking import DEFAULT_EXPERIMENT, DEFAULT_ID, ExperimentMade
from ostinato.server.mlflow.faults import Fault, not_found
from ostinato.server.mlflow.frame import NOTHING, Asked, Door, Doors
from ostinato.server.mlflow.wire import KeyValue, experiment_message
from ostinato.store import tracking
from ostinato.store.commands.handlers import carry_out
from ostinato.store.tracking_search import EXPERIMENTS, search

if TYPE_CHECKING:
    from ostinato.core.tracking import Experiment, Lifecycle
    from ostinato.store.transaction import Tx

View = Literal["ACTIVE_ONLY", "DELETED_ONLY", "ALL"]
STATES: Final[dict[View, tuple[Lifecycle, ...]]] = {
    "ACTIVE_ONLY": ("active",),
    "DELETED_ONLY": ("deleted",),
    "ALL": ("active", "deleted"),
}
Results = Annotated[int, Meta(ge=1, le=50_000)]
"""How many a page has at most."""


class New(msgspec.Struct, frozen=True):
    """An experiment that is wanted."""

    name: str
    artifact_location: str = ""
    tags: tuple[KeyValue, ...] = ()


class Named(msgspec.Struct, frozen=True):
    """Which experiment, by name."""

    experiment_name: str


class One(msgspec.Struct, frozen=True):
    """Which experiment."""

    experiment_id: str


class Renamed(msgspec.Struct, frozen=True):
    """Another name for an experiment."""

    experiment_id: str
    new_name: str


class Tagged(msgspec.Struct, frozen=True):
    """A tag of an experiment."""

    experiment_id: str
    key: str
    value: str = ""


class Search(msgspec.Struct, frozen=True):
    """Which experiments."""

    max_results: Results = 1000
    page_token: str = ""
    filter: str = ""
    order_by: tuple[str, ...] = ()
    view_type: View = "ACTIVE_ONLY"


async def _create(asked: Asked, new: New) -> Any:
    tags = {tag.key: tag.value for tag in new.tags}
    made = await asked.do(CreateExperiment(name=new.name, artifact_root=_root(new.artifact_location), tags=tags))
    return {"experiment_id": made.id}


def _root(location: str) -> str:
    """Give a place for files without its last slash; files of the server itself are not to be read this way."""
    if location.startswith(("file:", "/", "./")) or "#" in location or "?" in location:
        raise Fault("INVALID_PARAMETER_VALUE", f"Invalid value '{location}' for parameter 'artifact_location' supplied")
    return location.rstrip("/")


async def _get(asked: Asked, one: One) -> Any:
    found = await asked.read(lambda shelf: tracking.experiment(shelf.db, one.experiment_id))
    if found is None:
        raise not_found("Experiment", one.experiment_id)
    return {"experiment": experiment_message(found)}


async def _get_by_name(asked: Asked, named: Named) -> Any:
    found = await asked.read(lambda shelf: tracking.experiment_named(shelf.db, named.experiment_name))
    if found is None:
        raise not_found("Experiment", named.experiment_name)
    return {"experiment": experiment_message(found)}


def make_default(tx: Tx) -> None:
    """Have the experiment that MLflow's clients take to be there."""
    if tracking.experiment(tx.db, DEFAULT_ID) is None:
        tx.append(ExperimentMade(DEFAULT_EXPERIMENT, tx.now, tx.actor))


async def _search(asked: Asked, wanted: Search) -> Any:
    states = STATES[wanted.view_type]

    def question(db: Any) -> tuple[list[Experiment], str]:
        ids, token = search(
            db,
            EXPERIMENTS,
            text=wanted.filter,
            order_by=wanted.order_by,
            limit=wanted.max_results,
            token=wanted.page_token,
            among=("r.state = ?", [states[0]]) if len(states) == 1 else ("true", []),
        )
        return [one for each in ids if (one := tracking.experiment(db, each)) is not None], token

    found, token = await asked.read(lambda shelf: question(shelf.db))
    answer: dict[str, Any] = {"experiments": [experiment_message(one) for one in found]}
    return answer | ({"next_page_token": token} if token else {})


def name_of(tx: Tx, experiment_id: str) -> str:
    """Give the name of an experiment; commands take names first, so an id that is another one's name is safe.

    Raises:
        Fault: RESOURCE_DOES_NOT_EXIST.
    """
    found = tracking.experiment(tx.db, experiment_id)
    if found is None:
        raise not_found("Experiment", experiment_id)
    return found.name


async def _update(asked: Asked, wanted: Renamed) -> Any:
    if not wanted.new_name:
        raise Fault("INVALID_PARAMETER_VALUE", "Invalid value '' for parameter 'new_name' supplied")

    def work(tx: Tx) -> None:
        found = tracking.find_experiment(tx.db, name_of(tx, wanted.experiment_id))
        if found.state == "deleted":
            raise Fault("INVALID_STATE", "Cannot rename a non-active experiment.")
        carry_out(tx, ChangeExperiment(experiment=found.name, name=wanted.new_name))

    await asked.write(work)
    return NOTHING


async def _delete(asked: Asked, one: One) -> Any:
    def work(tx: Tx) -> None:
        carry_out(tx, ChangeExperiment(experiment=name_of(tx, one.experiment_id), state="deleted"))

    await asked.write(work)
    return NOTHING


async def _restore(asked: Asked, one: One) -> Any:
    def work(tx: Tx) -> None:
        carry_out(tx, ChangeExperiment(experiment=name_of(tx, one.experiment_id), state="active"))

    await asked.write(work)
    return NOTHING


async def _set_tag(asked: Asked, wanted: Tagged) -> Any:
    await asked.write(lambda tx: _tag(tx, wanted.experiment_id, {wanted.key: wanted.value}))
    return NOTHING


async def _delete_tag(asked: Asked, wanted: Tagged) -> Any:
    await asked.write(lambda tx: _tag(tx, wanted.experiment_id, {wanted.key: None}))
    return NOTHING


def _tag(tx: Tx, experiment_id: str, tags: dict[str, str | None]) -> None:
    name = name_of(tx, experiment_id)
    found = tracking.find_experiment(tx.db, name)
    if found.state == "deleted":
        raise Fault("INVALID_PARAMETER_VALUE", f"The experiment {experiment_id} must be in the 'active' state.")
    for key, value in tags.items():
        if value is None and key not in found.tags:
            raise not_found("Tag", key)
    carry_out(tx, TagExperiment(experiment=name, tags=tags))


DOORS: Final[Doors] = {
    ("POST", "experiments/create"): Door(New, _create),
    ("GET", "experiments/get"): Door(One, _get),
    ("GET", "experiments/get-by-name"): Door(Named, _get_by_name),
    ("POST", "experiments/search"): Door(Search, _search),
    ("GET", "experiments/search"): Door(Search, _search),
    ("POST", "experiments/update"): Door(Renamed, _update),
    ("POST", "experiments/delete"): Door(One, _delete),
    ("POST", "experiments/restore"): Door(One, _restore),
    ("POST", "experiments/set-experiment-tag"): Door(Tagged, _set_tag),
    ("POST", "experiments/delete-experiment-tag"): Door(Tagged, _delete_tag),
}
