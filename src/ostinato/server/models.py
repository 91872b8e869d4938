"""Registered models over the public API: list, register, move aliases and stages, roll back, gate, lineage."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from ostinato.core.commands import (
    CreateModel,
    CreateVersion,
    DescribeModel,
    DescribeVersion,
    OverrideGate,
    RemoveAlias,
    RemoveModel,
    RemoveVersion,
    RenameModel,
    RollBack,
    SetAlias,
    SetPolicy,
    SetStage,
    TagModel,
)
from ostinato.core.registry import DataModel, Policy, Stage, VersionOrigin
from ostinato.core.registry_views import (
    AliasStepView,
    GateResultView,
    ModelView,
    VersionView,
    model_view,
    result_view,
    step_view,
    version_view,
)
from ostinato.server.doors import (
    MOST_INT,
    After,
    Ask,
    Limit,
    Page,
    Ref,
    act_at,
    make_at,
    page,
    read_at,
    remove_at,
    set_at,
)

Before = Annotated[int, QueryParameter(ge=1, le=MOST_INT, description="`next` of the page before.")]
Alias = Annotated[str, PathParameter(min_length=1, max_length=255)]
OneAlias = Annotated[str, QueryParameter(max_length=255, description="Only this alias.")]
Version = Annotated[
    str, PathParameter(min_length=1, max_length=300, description="A number, `@alias`, a stage, or `latest`.")
]
Number = Annotated[int, Meta(ge=1, le=MOST_INT)]


class NewModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that is wanted."""

    name: str
    description: str = ""
    tags: dict[str, str] = {}


class ModelChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model is to be; what is left out stays."""

    name: str = ""
    description: str | None = None
    tags: dict[str, str | None] = {}
    """Null takes one away."""


class PolicyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What versions must pass before they get an alias."""

    policy: Policy | None
    """Null gates nothing any more."""


class NewVersion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version that is wanted; the model is made when it is missing."""

    source: str
    """Where its files are: `runs:/RUN/PATH`, `models:/m-...`, or an address elsewhere."""
    run_id: str = ""
    description: str = ""
    tags: dict[str, str] = {}


class VersionChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a version is to be; what is left out stays."""

    description: str | None = None
    stage: Stage | None = None
    archive_existing: bool = True
    """Whether the versions that have the stage now are archived."""
    tags: dict[str, str | None] = {}
    """Null takes one away."""


class AliasBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The version that an alias is to mean."""

    version: Number
    override: str | None = None
    """Why it may have the alias whatever its checks say; an operator may."""


class Back(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an alias goes back to."""

    version: Number | None = None
    """One that had it before; the last one when it is left out."""


@read_at("/api/models")
async def list_models(request: Ask, limit: Limit = 100, after: After = "") -> Page[ModelView]:
    """List registered models by name."""
    found = await request.look(lambda shelf: shelf.reader.models(after=after, limit=limit + 1))
    return page([model_view(one) for one in found], limit, lambda one: one.name)


@make_at("/api/models")
async def create_model(request: Ask, data: JSONBody[NewModel]) -> ModelView:
    """Make a registered model without a version."""
    command = CreateModel(name=data.name, description=data.description, tags=data.tags)
    return model_view(await request.do(command))


@read_at("/api/models/{name:str}")
async def show_model(request: Ask, name: Ref) -> ModelView:
    """Give a registered model."""
    return model_view(await request.look(lambda shelf: shelf.reader.find_model(name)))


@act_at("/api/models/{name:str}")
async def change_model(request: Ask, name: Ref, data: JSONBody[ModelChange]) -> ModelView:
    """Rename, describe or tag a model."""
    if data.description is not None:
        await request.do(DescribeModel(name=name, description=data.description))
    if data.tags:
        await request.do(TagModel(name=name, tags=data.tags))
    if data.name and data.name != name:
        await request.do(RenameModel(name=name, new_name=data.name))
    return model_view(await request.look(lambda shelf: shelf.reader.find_model(data.name or name)))


@remove_at("/api/models/{name:str}")
async def remove_model(request: Ask, name: Ref) -> None:
    """Remove a model with all its versions; runs and files stay."""
    await request.do(RemoveModel(name=name))


@set_at("/api/models/{name:str}/policy")
async def set_policy(request: Ask, name: Ref, data: JSONBody[PolicyBody]) -> ModelView:
    """Say what versions of a model must pass before they get an alias."""
    return model_view(await request.do(SetPolicy(name=name, policy=data.policy)))


@read_at("/api/models/{name:str}/history")
async def list_alias_steps(
    request: Ask, name: Ref, alias: OneAlias = "", limit: Limit = 100, after: Before = MOST_INT
) -> Page[AliasStepView]:
    """List how the aliases of a model moved, the newest move first."""
    found = await request.look(lambda shelf: shelf.reader.alias_steps(name, alias=alias, before=after, limit=limit + 1))
    return page([step_view(one) for one in found], limit, lambda one: one.id)


@read_at("/api/models/{name:str}/versions")
async def list_versions(request: Ask, name: Ref, limit: Limit = 100, after: Before = MOST_INT) -> Page[VersionView]:
    """List the versions of a model, the newest first."""
    found = await request.look(lambda shelf: shelf.reader.model_versions(name, before=after, limit=limit + 1))
    return page([version_view(one) for one in found], limit, lambda one: one.version)


@make_at("/api/models/{name:str}/versions")
async def create_version(request: Ask, name: Ref, data: JSONBody[NewVersion]) -> VersionView:
    """Register a version."""
    command = CreateVersion(
        name=name,
        source=data.source,
        run_id=data.run_id,
        description=data.description,
        tags=data.tags,
        make_model=True,
    )
    return version_view(await request.do(command))


@read_at("/api/models/{name:str}/versions/{version:str}")
async def show_version(request: Ask, name: Ref, version: Version) -> VersionView:
    """Give a version."""
    return version_view(await request.look(lambda shelf: shelf.reader.find_version(name, version)))


@act_at("/api/models/{name:str}/versions/{version:str}")
async def change_version(request: Ask, name: Ref, version: Version, data: JSONBody[VersionChange]) -> VersionView:
    """Describe or tag a version, or give it a stage; a gated stage only when its checks have passed."""
    number = await _number(request, name, version)
    if data.description is not None:
        await request.do(DescribeVersion(name=name, version=number, description=data.description))
    if data.tags:
        await request.do(TagModel(name=name, version=number, tags=data.tags))
    if data.stage is not None:
        command = SetStage(name=name, version=number, stage=data.stage, archive_existing=data.archive_existing)
        await request.do(command)
    return version_view(await request.look(lambda shelf: shelf.reader.find_version(name, str(number))))


@remove_at("/api/models/{name:str}/versions/{version:str}")
async def remove_version(request: Ask, name: Ref, version: Version) -> None:
    """Remove a version and the aliases that mean it; its run and files stay."""
    await request.do(RemoveVersion(name=name, version=await _number(request, name, version)))


@read_at("/api/models/{name:str}/versions/{version:str}/checks")
async def list_checks(
    request: Ask, name: Ref, version: Version, limit: Limit = 100, after: Before = MOST_INT
) -> Page[GateResultView]:
    """List what the checks of a version gave, the newest first."""
    found = await request.look(
        lambda shelf: shelf.reader.gate_results(
            name, shelf.reader.find_version(name, version).version, before=after, limit=limit + 1
        )
    )
    return page([result_view(one) for one in found], limit, lambda one: one.id)


@read_at("/api/models/{name:str}/versions/{version:str}/lineage")
async def show_lineage(request: Ask, name: Ref, version: Version) -> VersionOrigin:
    """Give what a version was made from: tracking run, task run, flow run, code version and data."""
    return await request.look(
        lambda shelf: shelf.reader.version_origin(name, shelf.reader.find_version(name, version).version)
    )


@set_at("/api/models/{name:str}/aliases/{alias:str}")
async def set_alias(request: Ask, name: Ref, alias: Alias, data: JSONBody[AliasBody]) -> VersionView:
    """Let an alias mean a version; a gated one only when its checks have passed, or with `override`."""
    if data.override is not None:
        command = OverrideGate(name=name, alias=alias, version=data.version, reason=data.override)
        return version_view(await request.do(command))
    return version_view(await request.do(SetAlias(name=name, alias=alias, version=data.version)))


@remove_at("/api/models/{name:str}/aliases/{alias:str}")
async def remove_alias(request: Ask, name: Ref, alias: Alias) -> None:
    """Let an alias mean nothing any more."""
    await request.do(RemoveAlias(name=name, alias=alias))


@act_at("/api/models/{name:str}/aliases/{alias:str}/rollback")
async def roll_back(request: Ask, name: Ref, alias: Alias, data: JSONBody[Back | None] = None) -> VersionView:
    """Let an alias mean the version again that had it before."""
    version = data.version if data is not None else None
    return version_view(await request.do(RollBack(name=name, alias=alias, version=version or 0)))


@read_at("/api/datasets/{ref:str}/models")
async def list_models_from_data(request: Ask, ref: Ref) -> list[DataModel]:
    """List the versions of models that a version of data went into."""
    return await request.look(lambda shelf: shelf.reader.models_from_data(ref))


async def _number(request: Ask, name: str, version: str) -> int:
    return (await request.look(lambda shelf: shelf.reader.find_version(name, version))).version


HANDLERS: Final = (
    list_models,
    create_model,
    show_model,
    change_model,
    remove_model,
    set_policy,
    list_alias_steps,
    list_versions,
    create_version,
    show_version,
    change_version,
    remove_version,
    list_checks,
    show_lineage,
    set_alias,
    remove_alias,
    roll_back,
    list_models_from_data,
)
