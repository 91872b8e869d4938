"""Registered models: register a version, find one, move its aliases.

Each function waits until what it asks for is committed, here or at the server.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ostinato.core import commands as asked
from ostinato.core.errors import BadOption, LoggedModelNotFound
from ostinato.core.registry import ADDRESS, split_uri, stage_of
from ostinato.core.registry_views import model_view, version_view
from ostinato.engine.scopes import find_scope
from ostinato.tracking.requests import do, reading, settle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostinato.core.ports import Reader
    from ostinato.core.registry_views import ModelView, VersionView

_RUN_URI: Final = re.compile(r"runs:/{1,3}(?P<run>[0-9a-f]{32})/(?P<path>.+?)/?")
_LOGGED: Final = re.compile(r"(?:models:/{1,3})?(?P<id>m-[0-9a-f]{32})")


def register_model(uri: str, name: str, *, description: str = "", tags: Mapping[str, Any] | None = None) -> VersionView:
    """Register a model as the next version of a name; the name is made when it is new.

    A task that is retried or resumed, and registers the same files again, gets the version that it has made.
    `uri` is what `log_model` gave, `runs:/RUN/PATH`, `models:/m-...` (or only its id), or the address of a
    folder elsewhere such as `s3://bucket/model`.

    Raises:
        LoggedModelNotFound: (logged-model-not-found) there is no such model.
        ModelInvalid: (model-invalid) the name cannot be one.
    """
    settle()
    with reading() as reader:
        source, run_id, model_id = _place(reader, uri)
    scope = find_scope()
    command = asked.CreateVersion(
        name=name,
        source=source,
        run_id=run_id,
        model_id=model_id,
        description=description,
        tags={key: str(value) for key, value in (tags or {}).items()},
        flow_run_id=scope.flow.id if scope is not None else "",
        task_no=scope.no if scope is not None else 0,
        make_model=True,
    )
    return version_view(do(command))


def find_model(name: str) -> ModelView:
    """Give a registered model with its aliases, tags and policy.

    Raises:
        ModelNotFound: (model-not-found).
    """
    with reading() as reader:
        return model_view(reader.find_model(name))


def find_version(uri: str) -> VersionView:
    """Give a version by `models:/NAME/3`, `models:/NAME@ALIAS`, `models:/NAME/Production` or `models:/NAME/latest`.

    Raises:
        ModelNotFound: (model-not-found), ModelVersionNotFound: (model-version-not-found),
            AliasNotFound: (alias-not-found), StageEmpty: (stage-empty), ModelUriInvalid: (model-uri-invalid).
    """
    with reading() as reader:
        return version_view(reader.find_version(*split_uri(uri)))


def versions(name: str, *, limit: int = 100) -> list[VersionView]:
    """Give the newest versions of a model, the newest first."""
    with reading() as reader:
        return [version_view(one) for one in reader.model_versions(name, limit=limit)]


def describe(name: str, text: str, *, version: int | None = None) -> None:
    """Give a model, or one of its versions, a description."""
    if version is None:
        do(asked.DescribeModel(name=name, description=text))
    else:
        do(asked.DescribeVersion(name=name, version=version, description=text))


def tag(name: str, tags: Mapping[str, Any], *, version: int | None = None) -> None:
    """Set tags of a model, or of one of its versions; None takes one away."""
    texts = {key: None if value is None else str(value) for key, value in tags.items()}
    do(asked.TagModel(name=name, tags=texts, version=version or 0))


def set_alias(name: str, alias: str, version: int) -> VersionView:
    """Let an alias mean a version.

    Raises:
        GateRefused: (gate-refused) the policy of the model has checks that it has not passed.
    """
    return version_view(do(asked.SetAlias(name=name, alias=alias, version=version)))


def set_stage(name: str, version: int, stage: str, *, archive_existing: bool = True) -> VersionView:
    """Give a version a stage: None, Staging, Production or Archived.

    Raises:
        GateRefused: (gate-refused) the policy of the model has checks that it has not passed.
    """
    return version_view(
        do(
            asked.SetStage(name=name, version=version, stage=stage_of(stage), archive_existing=archive_existing),
        )
    )


def remove_alias(name: str, alias: str) -> None:
    """Let an alias mean nothing any more."""
    do(asked.RemoveAlias(name=name, alias=alias))


def roll_back(name: str, alias: str = "production") -> VersionView:
    """Let an alias mean the version again that had it before.

    Raises:
        RollbackRefused: (rollback-refused) no other version has had it.
    """
    return version_view(do(asked.RollBack(name=name, alias=alias)))


def _place(reader: Reader, uri: str) -> tuple[str, str, str]:
    """Give source, tracking run and logged model of what a URI names."""
    logged = _LOGGED.fullmatch(uri)
    if logged is not None:
        model = reader.logged_model(logged["id"])
        return f"models:/{model.id}", model.run_id, model.id
    found = _RUN_URI.fullmatch(uri)
    if found is not None:
        run = reader.find_tracking_run(found["run"])
        models = reader.logged_models_of(run.id, name=found["path"], limit=1)
        if not models and not reader.tracked_files(run.id, under=found["path"], limit=1):
            raise LoggedModelNotFound(model=uri, reason=f"run {run.name} has no files below {found['path']!r}")
        return uri, run.id, models[0].id if models else ""
    if not ADDRESS.match(uri) or uri.startswith(("models:", "runs:", "file:")):
        fix = "Pass what `log_model` gave, runs:/RUN/PATH, or an address such as s3://bucket/model."
        raise BadOption(option="uri", value=uri, where="register_model", reason="it names no model", fix=fix)
    return uri, "", ""
