"""Views of the registry: models, versions, moves of aliases and results of checks, as API and `--json` give them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from ostinato.core.registry import Move, Policy, Stage
from ostinato.core.views import instant

if TYPE_CHECKING:
    from ostinato.core.registry import AliasStep, GateResult, Model, ModelVersion


class ModelView(msgspec.Struct, frozen=True, kw_only=True):
    """A registered model."""

    name: str
    description: str
    n_made: int
    """Versions made so far; some may be removed."""
    aliases: dict[str, int]
    tags: dict[str, str]
    policy: Policy | None
    """What a version must pass before it gets an alias; null when nothing is gated."""
    actor: str
    created_at: datetime
    updated_at: datetime


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a registered model."""

    name: str
    version: int
    uri: str
    """What `load_model` takes."""
    description: str
    stage: Stage
    aliases: tuple[str, ...]
    tags: dict[str, str]
    source: str
    """Where its files are."""
    run_id: str | None
    """Tracking run that made it."""
    model_id: str | None
    """Logged model that it is."""
    flow_run_id: str | None
    """Flow run that registered it."""
    actor: str
    created_at: datetime
    updated_at: datetime


class AliasStepView(msgspec.Struct, frozen=True, kw_only=True):
    """One move of an alias."""

    id: int
    at: datetime
    name: str
    alias: str
    version: int | None
    """Null when the alias was taken away."""
    previous: int | None
    how: Move
    actor: str
    gate_run_id: str | None
    """Flow run whose checks let it pass."""
    reason: str | None


class GateResultView(msgspec.Struct, frozen=True, kw_only=True):
    """What one check gave."""

    id: int
    at: datetime
    name: str
    version: int
    alias: str
    check: str
    passed: bool
    detail: str
    champion: int | None
    """Version that had the alias then."""
    gate_run_id: str
    actor: str


def model_view(one: Model) -> ModelView:
    """Give a model as it is shown."""
    return ModelView(
        name=one.name,
        description=one.description,
        n_made=one.last_version,
        aliases=one.aliases,
        tags=one.tags,
        policy=one.policy,
        actor=one.actor,
        created_at=instant(one.created_at),
        updated_at=instant(one.updated_at),
    )


def version_view(one: ModelVersion) -> VersionView:
    """Give a version as it is shown."""
    return VersionView(
        name=one.name,
        version=one.version,
        uri=f"models:/{one.name}/{one.version}",
        description=one.description,
        stage=one.stage,
        aliases=one.aliases,
        tags=one.tags,
        source=one.source,
        run_id=one.run_id or None,
        model_id=one.model_id or None,
        flow_run_id=one.flow_run_id or None,
        actor=one.actor,
        created_at=instant(one.created_at),
        updated_at=instant(one.updated_at),
    )


def step_view(one: AliasStep) -> AliasStepView:
    """Give a move of an alias as it is shown."""
    return AliasStepView(
        id=one.id,
        at=instant(one.at),
        name=one.name,
        alias=one.alias,
        version=one.version or None,
        previous=one.previous or None,
        how=one.how,
        actor=one.actor,
        gate_run_id=one.gate_run_id or None,
        reason=one.reason or None,
    )


def result_view(one: GateResult) -> GateResultView:
    """Give what a check gave as it is shown."""
    return GateResultView(
        id=one.id,
        at=instant(one.at),
        name=one.name,
        version=one.version,
        alias=one.alias,
        check=one.check,
        passed=one.passed,
        detail=one.detail,
        champion=one.champion or None,
        gate_run_id=one.gate_run_id,
        actor=one.actor,
    )
