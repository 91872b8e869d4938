"""Pages of models: one with its versions and how its aliases moved, and one version with where it comes from."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET

from ostinato.core.registry import STAGE_OF, Model, ModelVersion, Stage, VersionOrigin, alias_of, unmet
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
from ostinato.core.signatures import Signature
from ostinato.core.states import StateName
from ostinato.core.views import instant
from ostinato.server.doors import Ask, Ref, read_at
from ostinato.server.models import Version
from ostinato.server.promotions import FLOW, run_name
from ostinato.server.screens.experiments import told
from ostinato.store import logged_models, registry, screens, tracking

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostinato.core.logged_models import LoggedModel
    from ostinato.core.records import FlowRun
    from ostinato.core.registry import AliasStep, GateResult
    from ostinato.core.signatures import Column, Parameter
    from ostinato.core.tracking import TrackingRun
    from ostinato.server.office import Shelf
    from ostinato.store.database import Connection

N_VERSIONS: Final = 50
N_STEPS: Final = 50
N_CHECKS: Final = 100
N_METRICS: Final = 6
"""Metrics that the list of versions has."""

_signature: Final = msgspec.json.Decoder(Signature).decode


class PromotionView(msgspec.Struct, frozen=True, kw_only=True):
    """The last flow run that was to give a version an alias."""

    run_id: str
    alias: str
    state: StateName
    at: datetime
    failed: dict[str, str]
    """By the name of each check that did not pass, what it said."""
    message: str
    """Why it ended as it did, or what it waits for."""


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version in the list of a model."""

    version: int
    stage: Stage
    aliases: tuple[str, ...]
    description: str
    actor: str
    created_at: datetime
    run_id: str | None
    run: str
    """Name of the tracking run that made it."""
    experiment: str
    metrics: dict[str, float | str]
    """`nan`, `inf` or `-inf` where a value is not finite."""
    promotion: PromotionView | None


class ModelScreen(msgspec.Struct, frozen=True, kw_only=True):
    """One model."""

    model: ModelView
    metrics: list[str]
    """Those that the list of versions has: first those of the policy."""
    versions: list[VersionRow]
    next: int | None
    """Give it as `after` to `/api/models/NAME/versions`, which has the others."""
    steps: list[AliasStepView]


class PartRow(msgspec.Struct, frozen=True, kw_only=True):
    """A column that a model takes or gives, or a parameter of its calls."""

    name: str
    type: str
    required: bool


class SignatureView(msgspec.Struct, frozen=True, kw_only=True):
    """What a model takes and gives; null where it does not say."""

    inputs: list[PartRow] | None
    outputs: list[PartRow] | None
    params: list[PartRow] | None


class GateView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a version may have a gated alias, by the newest recorded results."""

    alias: str
    champion: int | None
    """Version that has the alias, or had it last."""
    gate_run_id: str | None
    """Flow run that checked it last."""
    unmet: dict[str, str]
    """By the name of each check that does not let it pass, why; empty when it may."""
    results: dict[str, GateResultView]
    """By the name of the check."""


class VersionScreen(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a model."""

    model: ModelView
    version: VersionView
    origin: VersionOrigin
    metrics: dict[str, float | str]
    signature: SignatureView | None
    flavor: str
    requirements: tuple[str, ...]
    size_bytes: int | None
    promotion: PromotionView | None
    gates: list[GateView]
    checks: list[GateResultView]
    """The newest first."""
    steps: list[AliasStepView]
    """Moves of aliases to it and away from it."""


@read_at("/api/ui/models/{name:str}")
async def model_screen(request: Ask, name: Ref) -> ModelScreen:
    """Give the page of a model."""
    return await request.look(lambda shelf: _model(shelf, name))


@read_at("/api/ui/models/{name:str}/{version:str}")
async def version_screen(request: Ask, name: Ref, version: Version) -> VersionScreen:
    """Give the page of a version of a model."""
    return await request.look(lambda shelf: _version(shelf, name, version))


def _model(shelf: Shelf, name: str) -> ModelScreen:
    model = registry.find_model(shelf.db, name)
    versions = registry.versions(shelf.db, name, limit=N_VERSIONS + 1)
    shown = versions[:N_VERSIONS]
    made = [one.run_id for one in shown if one.run_id]
    runs = {run.id: run for run in tracking.tracking_runs(shelf.db, list(dict.fromkeys(made)))}
    metrics = _metrics_of(model, list(runs.values()))
    experiments: dict[str, str] = {}
    for run in runs.values():
        if run.experiment_id not in experiments:
            found = tracking.experiment(shelf.db, run.experiment_id)
            experiments[run.experiment_id] = found.name if found is not None else ""
    steps = registry.alias_steps(shelf.db, name, limit=N_STEPS)
    promotions = _promotions(shelf.db, model, [one.version for one in shown], steps)
    return ModelScreen(
        model=model_view(model),
        metrics=metrics,
        versions=[_row(one, runs.get(one.run_id), experiments, metrics, promotions.get(one.version)) for one in shown],
        next=shown[-1].version if len(versions) > N_VERSIONS else None,
        steps=[step_view(one) for one in steps],
    )


def _promotions(
    db: Connection, model: Model, numbers: list[int], steps: Iterable[AliasStep]
) -> dict[int, PromotionView]:
    """Give the last promotion of each of some versions: those of aliases that are gated, have moved, or are stages."""
    gated = model.policy.aliases if model.policy is not None else ()
    aliases = {*gated, *model.aliases, *(step.alias for step in steps), *STAGE_OF, *STAGE_OF.values()}
    names = {run_name(model.name, number, alias): (number, alias) for number in numbers for alias in aliases}
    newest: dict[int, FlowRun] = {}
    for run in sorted(screens.newest_named(db, FLOW, list(names)), key=lambda one: one.id):
        newest[names[run.name][0]] = run
    results = registry.results_of_runs(db, model.name, list(newest), [run.id for run in newest.values()])
    return {
        number: _promotion(run, alias_of(names[run.name][1]), results.get(run.id, {})) for number, run in newest.items()
    }


def _promotion(run: FlowRun, alias: str, results: dict[str, GateResult]) -> PromotionView:
    return PromotionView(
        run_id=run.id,
        alias=alias,
        state=run.state,
        at=instant(run.ended_at or run.created_at),
        failed={check: one.detail for check, one in results.items() if not one.passed},
        message=run.error.message if run.error is not None else run.message,
    )


def _metrics_of(model: Model, runs: list[TrackingRun]) -> list[str]:
    """Give metrics to be shown beside versions: those that are checked, then those that most of them have."""
    checks = model.policy.checks.values() if model.policy is not None else ()
    wanted = [metric for metric in (getattr(check, "metric", "") for check in checks) if metric]
    counted: dict[str, int] = {}
    for run in runs:
        for one in run.metrics:
            counted[one.key] = counted.get(one.key, 0) + 1
    there = [key for key in wanted if key in counted]
    common = sorted(counted, key=lambda key: (-counted[key], key))
    return list(dict.fromkeys([*there, *common]))[:N_METRICS]


def _row(
    one: ModelVersion,
    run: TrackingRun | None,
    experiments: dict[str, str],
    metrics: list[str],
    promotion: PromotionView | None,
) -> VersionRow:
    values = told(run) if run is not None else {}
    return VersionRow(
        version=one.version,
        stage=one.stage,
        aliases=one.aliases,
        description=one.description,
        actor=one.actor,
        created_at=instant(one.created_at),
        run_id=one.run_id or None,
        run=run.name if run is not None else "",
        experiment=experiments.get(run.experiment_id, "") if run is not None else "",
        metrics={key: values[key] for key in metrics if key in values},
        promotion=promotion,
    )


def _version(shelf: Shelf, name: str, ref: str) -> VersionScreen:
    db = shelf.db
    model = registry.find_model(db, name)
    one = registry.find_version(db, name, ref)
    run = tracking.tracking_run(db, one.run_id) if one.run_id else None
    logged = _logged(db, one)
    signature = registry.signature_of(db, one)
    steps = registry.alias_steps(db, name, limit=4 * N_STEPS)
    return VersionScreen(
        model=model_view(model),
        version=version_view(one),
        origin=shelf.reader.version_origin(name, one.version),
        metrics=told(run) if run is not None else {},
        signature=_parts(_signature(signature)) if signature else None,
        flavor=logged.flavor if logged is not None else "",
        requirements=logged.requirements if logged is not None else (),
        size_bytes=logged.size if logged is not None else None,
        promotion=_promotions(db, model, [one.version], steps).get(one.version),
        gates=_gates(db, model, one),
        checks=[result_view(each) for each in registry.gate_results(db, name, one.version, limit=N_CHECKS)],
        steps=[step_view(step) for step in steps if one.version in (step.version, step.previous)][:N_STEPS],
    )


def _logged(db: Connection, one: ModelVersion) -> LoggedModel | None:
    """Give the logged model that a version is: by its id, else by its tracking run and folder."""
    if one.model_id:
        found = logged_models.logged_models(db, [one.model_id])
    else:
        folder = one.source.rstrip("/").rpartition("/")[2]
        found = logged_models.models_of_run(db, one.run_id, name=folder, limit=1) if one.run_id else []
    return found[0] if found else None


def _gates(db: Connection, model: Model, one: ModelVersion) -> list[GateView]:
    if model.policy is None:
        return []
    found = []
    for alias in model.policy.aliases:
        run_id, results = registry.newest_results(db, model.name, one.version, alias)
        champion = registry.champion(db, model.name, alias)
        reasons = (reason.partition(": ") for reason in unmet(model.policy, results, champion))
        found.append(
            GateView(
                alias=alias,
                champion=champion or None,
                gate_run_id=run_id or None,
                unmet={check: why for check, _, why in reasons},
                results={check: result_view(result) for check, result in results.items()},
            )
        )
    return found


def _parts(signature: Signature) -> SignatureView:
    return SignatureView(
        inputs=_columns(signature.inputs),
        outputs=_columns(signature.outputs),
        params=None if signature.params is None else [_param(one) for one in signature.params],
    )


def _columns(columns: tuple[Column, ...] | None) -> list[PartRow] | None:
    if columns is None:
        return None
    return [
        PartRow(name="" if one.name is UNSET else str(one.name), type=one.said, required=one.required)
        for one in columns
    ]


def _param(one: Parameter) -> PartRow:
    return PartRow(name=one.name, type=f"{one.type} = {one.default!r}", required=False)


HANDLERS: Final = (model_screen, version_screen)
