"""Reading the registry: models, versions, aliases and their history, results of checks. Lists are keyset-paged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.errors import AliasNotFound, ModelNotFound, ModelVersionNotFound, StageEmpty
from ostinato.core.registry import (
    STAGE_OF,
    AliasStep,
    GateResult,
    Measured,
    Model,
    ModelVersion,
    alias_of,
    policy_of,
    stage_of,
)
from ostinato.store import sql
from ostinato.store.database import ALL, named
from ostinato.store.tracking_fold import value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ostinato.core.registry import Stage
    from ostinato.store.database import Connection, Cursor

MOST_MEASURED: Final = 100
"""Tracking runs of a version that are looked at for a metric."""

MOST_RESULTS: Final = 5_000
"""Results of checks that one look takes in."""

_FOLDER: Final = re.compile(r"runs:/{1,3}[^/]+/(?P<path>.+?)/*|mlflow-artifacts:/.*/artifacts/(?P<kept>.+?)/*")
_encode = msgspec.json.Encoder().encode


def _ask(db: Connection, query: str, *values: object) -> Cursor:
    return db.execute(sql.load("registry")[query], values)


# --- models


def model(db: Connection, name: str) -> Model | None:
    """Give a registered model, None when there is none."""
    found = models_from(db, named(_ask(db, "model", name)))
    return found[0] if found else None


def find_model(db: Connection, name: str) -> Model:
    """Give a registered model.

    Raises:
        ModelNotFound: (model-not-found).
    """
    found = model(db, name)
    if found is None:
        raise ModelNotFound(name=name)
    return found


def models(db: Connection, *, after: str = "", limit: int = 1000) -> list[Model]:
    """Give registered models by name."""
    return models_from(db, named(_ask(db, "models", after, limit)))


def some_models(db: Connection, names: Sequence[str]) -> list[Model]:
    """Give models in the order of their names here; those that do not exist are left out."""
    found = {one.name: one for one in models_from(db, named(_ask(db, "some_models", _text(names))))}
    return [found[name] for name in names if name in found]


def models_from(db: Connection, rows: Sequence[dict[str, Any]]) -> list[Model]:
    """Give models from their rows, with tags and aliases."""
    names = _text(row["name"] for row in rows)
    tags: dict[str, dict[str, str]] = {}
    aliases: dict[str, dict[str, int]] = {}
    if rows:
        for name, key, value in _ask(db, "tags", names):
            tags.setdefault(name, {})[key] = value
        for name, alias, version in _ask(db, "aliases", names):
            aliases.setdefault(name, {})[alias] = version
    return [
        Model(
            **{**row, "policy": policy_of(row["policy"])},
            tags=tags.get(row["name"], {}),
            aliases=aliases.get(row["name"], {}),
        )
        for row in rows
    ]


# --- versions


def version(db: Connection, name: str, number: int) -> ModelVersion | None:
    """Give a version of a model, None when there is none."""
    found = versions_from(db, named(_ask(db, "version", name, number)))
    return found[0] if found else None


def get_version(db: Connection, name: str, number: int) -> ModelVersion:
    """Give a version of a model by its number.

    Raises:
        ModelNotFound: (model-not-found), ModelVersionNotFound: (model-version-not-found).
    """
    found = version(db, name, number)
    if found is None:
        find_model(db, name)
        raise ModelVersionNotFound(name=name, version=number)
    return found


def find_version(db: Connection, name: str, ref: str) -> ModelVersion:
    """Give a version of a model by its number, by an alias as `@alias`, by its stage, or the `latest`.

    Raises:
        ModelNotFound: (model-not-found), ModelVersionNotFound: (model-version-not-found),
            AliasNotFound: (alias-not-found), StageEmpty: (stage-empty).
    """
    if ref.isdecimal():
        return get_version(db, name, min(int(ref), ALL))
    if ref.startswith("@"):
        return aliased(db, name, ref[1:])
    if ref.lower() == "latest":
        newest = versions(db, name, limit=1)
        if newest:
            return newest[0]
        find_model(db, name)
        raise ModelVersionNotFound(name=name, version=ref)
    stage = stage_of(ref)
    if stage.lower() in STAGE_OF:
        number = holder(db, name, stage.lower())
    else:
        number = _ask(db, "newest_in_stage", name, stage, 0).fetchone()[0] or 0
    if not number:
        find_model(db, name)
        raise StageEmpty(name=name, stage=stage)
    return get_version(db, name, number)


def aliased(db: Connection, name: str, alias: str) -> ModelVersion:
    """Give the version that an alias means.

    Raises:
        ModelNotFound: (model-not-found), AliasNotFound: (alias-not-found).
    """
    number = holder(db, name, alias_of(alias))
    if not number:
        find_model(db, name)
        raise AliasNotFound(name=name, alias=alias)
    return get_version(db, name, number)


def holder(db: Connection, name: str, alias: str) -> int:
    """Give the number of the version that an alias means, 0 when it means none."""
    row = _ask(db, "alias", name, alias).fetchone()
    return 0 if row is None else int(row[0])


def champion(db: Connection, name: str, alias: str) -> int:
    """Give the version that has an alias, else the one that had it last, 0 when none did.

    To take the alias away first is no way to be compared with nothing.
    """
    number = holder(db, name, alias)
    if number:
        return number
    row = _ask(db, "last_holder", name, alias).fetchone()
    return 0 if row is None else int(row[0])


def versions(db: Connection, name: str, *, before: int = ALL, limit: int = 1000) -> list[ModelVersion]:
    """Give the versions of a model below a number, newest first."""
    return versions_from(db, named(_ask(db, "versions", name, before, limit)))


def some_versions(db: Connection, wanted: Sequence[tuple[str, int]]) -> list[ModelVersion]:
    """Give versions by name and number, in this order; those that do not exist are left out."""
    rows = named(_ask(db, "some_versions", _keys(wanted)))
    found = {(one.name, one.version): one for one in versions_from(db, rows)}
    return [found[key] for key in wanted if key in found]


def versions_of_run(db: Connection, run_id: str, *, limit: int = 1000) -> list[ModelVersion]:
    """Give the versions of all models that a tracking run made."""
    return versions_from(db, named(_ask(db, "versions_of_run", run_id, limit)))


def newest_of_stages(db: Connection, name: str) -> dict[Stage, int]:
    """Give the highest version of a model in each stage, as MLflow understands a stage."""
    return dict(_ask(db, "newest_of_stages", name).fetchall())


def versions_from(db: Connection, rows: Sequence[dict[str, Any]]) -> list[ModelVersion]:
    """Give versions from their rows, with tags and aliases."""
    keys = _keys((row["name"], row["version"]) for row in rows)
    tags: dict[tuple[str, int], dict[str, str]] = {}
    for name, number, key, value in _ask(db, "version_tags", keys):
        tags.setdefault((name, number), {})[key] = value
    aliases: dict[tuple[str, int], list[str]] = {}
    for name, number, alias in _ask(db, "aliases_of_versions", keys):
        aliases.setdefault((name, number), []).append(alias)
    return [
        ModelVersion(
            **row,
            tags=tags.get((row["name"], row["version"]), {}),
            aliases=tuple(aliases.get((row["name"], row["version"]), ())),
        )
        for row in rows
    ]


def _keys(versions: Iterable[tuple[str, int]]) -> str:
    return _text(f"{number}/{name}" for name, number in versions)


# --- history and checks


def alias_steps(db: Connection, name: str, *, alias: str = "", before: int = ALL, limit: int = 1000) -> list[AliasStep]:
    """Give how the aliases of a model moved, or one of them, newest first, with id < `before`."""
    if alias:
        rows = named(_ask(db, "steps_of_alias", name, alias_of(alias), before, limit))
    else:
        rows = named(_ask(db, "steps", name, before, limit))
    return [AliasStep(**row) for row in rows]


def gate_results(db: Connection, name: str, number: int, *, before: int = ALL, limit: int = 1000) -> list[GateResult]:
    """Give what checks of a version gave, newest first, with id < `before`."""
    return [_result(row) for row in named(_ask(db, "results", name, number, before, limit))]


def newest_results(db: Connection, name: str, number: int, alias: str) -> tuple[str, dict[str, GateResult]]:
    """Give the flow run that checked a version for an alias last, and what its checks gave, by their names."""
    row = _ask(db, "newest_gate_run", name, number, alias).fetchone()
    if row is None:
        return "", {}
    found = named(_ask(db, "results_of_run", name, number, alias, row[0], 1000))
    return row[0], {one["check"]: _result(one) for one in found}


def results_of_runs(
    db: Connection, name: str, numbers: Sequence[int], run_ids: Sequence[str]
) -> dict[str, dict[str, GateResult]]:
    """Give what each check gave last in some flow runs for versions of a model: by the run, then by its name."""
    found: dict[str, dict[str, GateResult]] = {}
    values = (name, _text(map(str, numbers)), _text(run_ids), MOST_RESULTS)
    for row in named(_ask(db, "results_of_runs", *values)):
        found.setdefault(row["gate_run_id"], {}).setdefault(row["check"], _result(row))
    return found


def _result(row: dict[str, Any]) -> GateResult:
    return GateResult(**{**row, "passed": bool(row["passed"])})


def metric_of(db: Connection, one: ModelVersion, key: str) -> float | None:
    """Give the newest value of a metric of a version, None when there is none.

    That of the tracking run that made it counts, then that of the logged model that it is.
    """
    row = _ask(db, "metric", one.run_id, key, one.model_id, key).fetchone()
    return None if row is None else value_of(*row)


def measured(db: Connection, one: ModelVersion, key: str, context: str) -> list[Measured]:
    """Give the values of a metric of a version with the data that each was measured on.

    First that of the tracking run that made it, then those that measured it again, the newest first. What a
    tracking run used is what it says, else what its flow run has read. Then those of the logged model that it is,
    which have no context.
    """
    found = []
    ref = f"{one.name}/{one.version}"
    rows = _ask(db, "measured", key, one.run_id, ref, one.run_id, MOST_MEASURED).fetchall()
    for run_id, value, special in rows:
        values = (run_id, context, context)
        data = _ask(db, "data_of_run", *values).fetchall() or _ask(db, "data_around_run", *values).fetchall()
        digests = frozenset(digest for (digest,) in data)
        found.append(Measured(run_id=run_id, value=value_of(value, special), digests=digests))
    for run_id, value, special, digest in _ask(db, "measured_model", one.model_id, key, MOST_MEASURED).fetchall():
        found.append(Measured(run_id=run_id, value=value_of(value, special), digests=frozenset({digest})))
    return found


def signature_of(db: Connection, one: ModelVersion) -> bytes | None:
    """Give the signature of the logged model that a version is, as JSON, None when there is none."""
    found = _FOLDER.fullmatch(one.source)
    name = (found["path"] or found["kept"]) if found is not None else "model"
    row = _ask(db, "signature", one.model_id, one.model_id, one.run_id, name).fetchone()
    return None if row is None else bytes(row[0]) or None


def _text(values: Iterable[str]) -> str:
    return _encode(list(values)).decode()
