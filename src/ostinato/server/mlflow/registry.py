"""MLflow's model registry: registered models, versions, stages, aliases, tags.

What moves an alias or a stage passes the gate of the model: a refusal is INVALID_STATE and names the checks.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ostinato.core.commands import (
    CreateModel,
    CreateVersion,
    DescribeModel,
    DescribeVersion,
    RemoveAlias,
    RemoveModel,
    RemoveVersion,
    RenameModel,
    SetAlias,
    SetStage,
    TagLoggedModel,
    TagModel,
)
from ostinato.core.errors import AliasNotFound, ModelExists, ModelInvalid, ModelNotFound, ModelVersionNotFound
from ostinato.core.registry import ADDRESS, STAGE_OF, STAGES, URI, alias_of, split_uri, stage_of
from ostinato.core.rights import ACTIONS
from ostinato.server.mlflow.faults import Fault
from ostinato.server.mlflow.frame import NOTHING, Asked, Door, Doors
from ostinato.server.mlflow.runs import root_of
from ostinato.server.mlflow.wire import KeyValue, model_root, pairs
from ostinato.store import logged_models, registry, tracking
from ostinato.store.commands.handlers import carry_out
from ostinato.store.database import ALL
from ostinato.store.registry_search import search_models, search_versions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from ostinato.core.registry import Model, ModelVersion
    from ostinato.store.database import Connection
    from ostinato.store.transaction import Tx

    Answer: TypeAlias = Callable[[Asked, Any], Awaitable[object]]

VERSIONS: Final = "mlflow.modelVersions"
"""Tag of a logged model with what it is registered as, written as MLflow writes it."""
NOT_LEADING_OUT: Final = (
    "If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, "
    "an absolute path must be provided without relative path references present."
)
MOST_COPIES: Final = 10
"""Versions that are copies of one another, looked through for where their files are."""


# --- messages


class VersionMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a model."""

    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int
    user_id: str
    current_stage: str
    description: str
    source: str
    run_id: str
    run_link: str
    model_id: str | UnsetType = UNSET
    status: str = "READY"
    tags: list[KeyValue]
    aliases: tuple[str, ...]


class AliasMessage(msgspec.Struct, frozen=True, kw_only=True):
    """An alias and the version that it means."""

    alias: str
    version: str


class ModelMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A registered model."""

    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    user_id: str
    description: str
    latest_versions: list[VersionMessage]
    tags: list[KeyValue]
    aliases: list[AliasMessage]


def _version(one: ModelVersion) -> VersionMessage:
    return VersionMessage(
        name=one.name,
        version=str(one.version),
        creation_timestamp=one.created_at // 1000,
        last_updated_timestamp=one.updated_at // 1000,
        user_id=one.actor,
        current_stage=one.stage,
        description=one.description,
        source=one.source,
        run_id=one.run_id,
        run_link=one.run_link,
        model_id=one.model_id or UNSET,
        tags=pairs(one.tags),
        aliases=one.aliases,
    )


def _model(one: Model, latest: list[ModelVersion]) -> ModelMessage:
    return ModelMessage(
        name=one.name,
        creation_timestamp=one.created_at // 1000,
        last_updated_timestamp=one.updated_at // 1000,
        user_id=one.actor,
        description=one.description,
        latest_versions=[_version(each) for each in latest],
        tags=pairs(one.tags),
        aliases=[AliasMessage(alias=alias, version=str(version)) for alias, version in one.aliases.items()],
    )


def _latest(db: Connection, name: str) -> list[ModelVersion]:
    """Give the highest version of each stage, as MLflow understands a stage."""
    numbers = sorted(registry.newest_of_stages(db, name).values())
    return registry.some_versions(db, [(name, number) for number in numbers])


# --- registered models


class NewModel(msgspec.Struct, frozen=True):
    """A model that is wanted."""

    name: str
    tags: tuple[KeyValue, ...] = ()
    description: str = ""


class OneModel(msgspec.Struct, frozen=True):
    """Which model."""

    name: str


class Renamed(msgspec.Struct, frozen=True):
    """Another name for a model."""

    name: str
    new_name: str


class Described(msgspec.Struct, frozen=True):
    """Another description of a model."""

    name: str
    description: str = ""


class ModelTag(msgspec.Struct, frozen=True):
    """A tag of a model."""

    name: str
    key: str
    value: str = ""


class ModelSearch(msgspec.Struct, frozen=True):
    """Which models."""

    filter: str = ""
    max_results: Annotated[int, Meta(ge=1, le=1000)] = 100
    order_by: tuple[str, ...] = ()
    page_token: str = ""


class LatestOf(msgspec.Struct, frozen=True):
    """The newest versions in which stages."""

    name: str
    stages: tuple[str, ...] = ()


async def _told(asked: Asked, name: str) -> Any:
    def question(db: Connection) -> ModelMessage:
        return _model(registry.find_model(db, name), _latest(db, name))

    return {"registered_model": await asked.read(lambda shelf: question(shelf.db))}


async def _create_model(asked: Asked, new: NewModel) -> Any:
    tags = {tag.key: tag.value for tag in new.tags}
    made = await asked.do(CreateModel(name=new.name, description=new.description, tags=tags))
    return {"registered_model": _model(made, [])}


async def _rename_model(asked: Asked, wanted: Renamed) -> Any:
    await asked.do(RenameModel(name=wanted.name, new_name=wanted.new_name))
    return await _told(asked, wanted.new_name)


async def _update_model(asked: Asked, wanted: Described) -> Any:
    await asked.do(DescribeModel(name=wanted.name, description=wanted.description))
    return await _told(asked, wanted.name)


async def _delete_model(asked: Asked, one: OneModel) -> Any:
    await asked.do(RemoveModel(name=one.name))
    return NOTHING


async def _get_model(asked: Asked, one: OneModel) -> Any:
    return await _told(asked, one.name)


async def _search_models(asked: Asked, wanted: ModelSearch) -> Any:
    def question(db: Connection) -> tuple[list[ModelMessage], str]:
        found, token = search_models(
            db, text=wanted.filter, order_by=wanted.order_by, limit=wanted.max_results, token=wanted.page_token
        )
        return [_model(one, _latest(db, one.name)) for one in found], token

    found, token = await asked.read(lambda shelf: question(shelf.db))
    return {"registered_models": found} | ({"next_page_token": token} if token else {})


async def _get_latest(asked: Asked, wanted: LatestOf) -> Any:
    stages = {stage_of(stage) for stage in wanted.stages} or set(STAGES)

    def question(db: Connection) -> list[ModelVersion]:
        registry.find_model(db, wanted.name)
        return _latest(db, wanted.name)

    found = await asked.read(lambda shelf: question(shelf.db))
    return {"model_versions": [_version(one) for one in found if one.stage in stages]}


async def _tag_model(asked: Asked, tag: ModelTag) -> Any:
    await asked.do(TagModel(name=tag.name, tags={tag.key: tag.value}))
    return NOTHING


async def _untag_model(asked: Asked, tag: ModelTag) -> Any:
    await asked.do(TagModel(name=tag.name, tags={tag.key: None}))
    return NOTHING


# --- versions


class NewVersion(msgspec.Struct, frozen=True):
    """A version that is wanted."""

    name: str
    source: str
    run_id: str = ""
    tags: tuple[KeyValue, ...] = ()
    run_link: str = ""
    description: str = ""
    model_id: str = ""


class OneVersion(msgspec.Struct, frozen=True):
    """Which version."""

    name: str
    version: str | int


class Moved(msgspec.Struct, frozen=True):
    """Another stage for a version."""

    name: str
    version: str | int
    stage: str
    archive_existing_versions: bool = False


class VersionDescribed(msgspec.Struct, frozen=True):
    """Another description of a version."""

    name: str
    version: str | int
    description: str = ""


class VersionTag(msgspec.Struct, frozen=True):
    """A tag of a version."""

    name: str
    version: str | int
    key: str
    value: str = ""


class VersionSearch(msgspec.Struct, frozen=True):
    """Which versions."""

    filter: str = ""
    max_results: Annotated[int, Meta(ge=1, le=200_000)] = 10_000
    order_by: tuple[str, ...] = ()
    page_token: str = ""


def _number(text: str | int) -> int:
    """Give the number of a version; one below 1 is that of none.

    Raises:
        Fault: INVALID_PARAMETER_VALUE.
    """
    try:
        number = int(text)
    except ValueError as error:
        reason = f"Parameter 'version' must be an integer, got '{text}'."
        raise Fault("INVALID_PARAMETER_VALUE", reason) from error
    return min(number, ALL) if number > 0 else -1


async def _create_version(asked: Asked, new: NewVersion) -> Any:
    command = CreateVersion(
        name=new.name,
        source=new.source,
        run_id=new.run_id,
        model_id=new.model_id,
        run_link=new.run_link,
        description=new.description,
        tags={tag.key: tag.value for tag in new.tags},
    )

    def work(tx: Tx) -> ModelVersion:
        made = carry_out(tx, command)
        if new.model_id:
            _tell_model(tx, new.model_id, made)
        return made

    try:
        return {"model_version": _version(await asked.write(work, ACTIONS[CreateVersion]))}
    except ModelInvalid as error:
        reason = error.message
        if not ADDRESS.match(new.source):
            reason = "To use a local path as a model version source, log the files in a run: its files have an address."
        elif str(error.values["what"]).startswith("the source"):
            reason = f"{NOT_LEADING_OUT} {reason}"
        raise Fault("INVALID_PARAMETER_VALUE", f"Invalid model version source: '{new.source}'. {reason}") from error


def _tell_model(tx: Tx, model_id: str, made: ModelVersion) -> None:
    """Add a version to the tag in which MLflow keeps what a logged model is registered as."""
    tags = logged_models.logged_model(tx.db, model_id).tags
    known = msgspec.json.decode(tags.get(VERSIONS, "[]"), type=list[Any])
    one = {"name": made.name, "version": made.version}
    if one not in known:
        carry_out(tx, TagLoggedModel(model=model_id, tags={VERSIONS: json.dumps([*known, one])}))


async def _transition(asked: Asked, wanted: Moved) -> Any:
    stage = stage_of(wanted.stage)
    if wanted.archive_existing_versions and stage not in STAGE_OF.values():
        active = ", ".join(STAGE_OF.values())
        text = f"Existing versions are archived only for the stages {active}, not for '{wanted.stage}'."
        raise Fault("INVALID_PARAMETER_VALUE", text)
    command = SetStage(
        name=wanted.name,
        version=_number(wanted.version),
        stage=stage,
        archive_existing=wanted.archive_existing_versions,
    )
    return {"model_version": _version(await asked.do(command))}


async def _update_version(asked: Asked, wanted: VersionDescribed) -> Any:
    command = DescribeVersion(name=wanted.name, version=_number(wanted.version), description=wanted.description)
    return {"model_version": _version(await asked.do(command))}


async def _delete_version(asked: Asked, one: OneVersion) -> Any:
    await asked.do(RemoveVersion(name=one.name, version=_number(one.version)))
    return NOTHING


async def _get_version(asked: Asked, one: OneVersion) -> Any:
    found = await asked.read(lambda shelf: registry.get_version(shelf.db, one.name, _number(one.version)))
    return {"model_version": _version(found)}


async def _search_versions(asked: Asked, wanted: VersionSearch) -> Any:
    found, token = await asked.read(
        lambda shelf: search_versions(
            shelf.db, text=wanted.filter, order_by=wanted.order_by, limit=wanted.max_results, token=wanted.page_token
        )
    )
    return {"model_versions": [_version(one) for one in found]} | ({"next_page_token": token} if token else {})


async def _get_uri(asked: Asked, one: OneVersion) -> Any:
    def question(db: Connection) -> str:
        version = registry.get_version(db, one.name, _number(one.version))
        for _ in range(MOST_COPIES):
            if URI.fullmatch(version.source) is None or version.source.startswith("models:/m-"):
                break
            version = registry.find_version(db, *split_uri(version.source))
        return _place(db, version)

    return {"artifact_uri": await asked.read(lambda shelf: question(shelf.db))}


def _place(db: Connection, one: ModelVersion) -> str:
    """Give where the files of a version are, for clients that know no logged models too."""
    if not one.model_id or not tracking.files(db, one.model_id, limit=1):
        return one.source
    model = logged_models.logged_model(db, one.model_id)
    return model_root(root_of(db, model.experiment_id), model)


async def _tag_version(asked: Asked, tag: VersionTag) -> Any:
    await asked.do(TagModel(name=tag.name, version=_number(tag.version), tags={tag.key: tag.value}))
    return NOTHING


async def _untag_version(asked: Asked, tag: VersionTag) -> Any:
    await asked.do(TagModel(name=tag.name, version=_number(tag.version), tags={tag.key: None}))
    return NOTHING


# --- aliases


class NewAlias(msgspec.Struct, frozen=True):
    """An alias, and the version that it is to mean."""

    name: str
    alias: str
    version: str | int


class OneAlias(msgspec.Struct, frozen=True):
    """Which alias."""

    name: str
    alias: str


async def _set_alias(asked: Asked, wanted: NewAlias) -> Any:
    await asked.do(SetAlias(name=wanted.name, alias=wanted.alias, version=_number(wanted.version)))
    return NOTHING


async def _delete_alias(asked: Asked, one: OneAlias) -> Any:
    alias_of(one.alias)
    try:
        await asked.do(RemoveAlias(name=one.name, alias=one.alias))
    except AliasNotFound:  # MLflow's clients take it for done
        return NOTHING
    return NOTHING


async def _get_alias(asked: Asked, one: OneAlias) -> Any:
    if one.alias.lower() == "latest":
        return {"model_version": _version(await asked.read(lambda shelf: _newest(shelf.db, one.name)))}
    try:
        found = await asked.read(lambda shelf: registry.aliased(shelf.db, one.name, one.alias))
    except AliasNotFound as error:
        raise Fault("INVALID_PARAMETER_VALUE", f"Registered model alias {one.alias} not found.") from error
    return {"model_version": _version(found)}


def _newest(db: Connection, name: str) -> ModelVersion:
    return registry.find_version(db, name, "latest")


def _in_words(answer: Answer) -> Answer:
    """Have refusals told in MLflow's words, which programs look for."""

    async def answered(asked: Asked, request: Any) -> object:
        try:
            return await answer(asked, request)
        except ModelNotFound as error:
            name = error.values["name"]
            raise Fault("RESOURCE_DOES_NOT_EXIST", f"Registered Model with name={name} not found") from error
        except ModelVersionNotFound as error:
            name, version = error.values["name"], error.values["version"]
            text = f"Model Version (name={name}, version={version}) not found"
            raise Fault("RESOURCE_DOES_NOT_EXIST", text) from error
        except ModelExists as error:
            name = error.values["name"]
            raise Fault("RESOURCE_ALREADY_EXISTS", f"Registered Model (name={name}) already exists.") from error

    return answered


_DOORS: Final[Doors] = {
    ("POST", "registered-models/create"): Door(NewModel, _create_model),
    ("POST", "registered-models/rename"): Door(Renamed, _rename_model),
    ("PATCH", "registered-models/update"): Door(Described, _update_model),
    ("DELETE", "registered-models/delete"): Door(OneModel, _delete_model),
    ("GET", "registered-models/get"): Door(OneModel, _get_model),
    ("GET", "registered-models/search"): Door(ModelSearch, _search_models),
    ("POST", "registered-models/search"): Door(ModelSearch, _search_models),
    ("GET", "registered-models/get-latest-versions"): Door(LatestOf, _get_latest),
    ("POST", "registered-models/get-latest-versions"): Door(LatestOf, _get_latest),
    ("POST", "registered-models/set-tag"): Door(ModelTag, _tag_model),
    ("DELETE", "registered-models/delete-tag"): Door(ModelTag, _untag_model),
    ("POST", "registered-models/alias"): Door(NewAlias, _set_alias),
    ("DELETE", "registered-models/alias"): Door(OneAlias, _delete_alias),
    ("GET", "registered-models/alias"): Door(OneAlias, _get_alias),
    ("POST", "model-versions/create"): Door(NewVersion, _create_version),
    ("POST", "model-versions/transition-stage"): Door(Moved, _transition),
    ("PATCH", "model-versions/update"): Door(VersionDescribed, _update_version),
    ("DELETE", "model-versions/delete"): Door(OneVersion, _delete_version),
    ("GET", "model-versions/get"): Door(OneVersion, _get_version),
    ("GET", "model-versions/search"): Door(VersionSearch, _search_versions),
    ("POST", "model-versions/search"): Door(VersionSearch, _search_versions),
    ("GET", "model-versions/get-download-uri"): Door(OneVersion, _get_uri),
    ("POST", "model-versions/set-tag"): Door(VersionTag, _tag_version),
    ("DELETE", "model-versions/delete-tag"): Door(VersionTag, _untag_version),
}

DOORS: Final[Doors] = {key: Door(door.kind, _in_words(door.answer)) for key, door in _DOORS.items()}
