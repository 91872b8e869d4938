"""The functions of the public API for models: log, save, load, describe."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import weakref
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.logged_models import LoggedModelMade, new_model_id
from ostinato.core.paths import artifact_path
from ostinato.core.ports import READER, RECORDER, resolve
from ostinato.core.settings import load as load_settings
from ostinato.core.signatures import Signature
from ostinato.core.tracking import FileLogged, check_texts
from ostinato.engine.scopes import now_us
from ostinato.tracking import api, contents
from ostinato.tracking.fingerprints import of_file
from ostinato.tracking.models import folders, mlmodel
from ostinato.tracking.models.flavors.portable import PythonFunction
from ostinato.tracking.models.mlmodel import Description
from ostinato.tracking.models.sources import fetch, local_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ostinato.core.ports import Reader
    from ostinato.tracking.models.folders import How

_log: Final = logging.getLogger("ostinato.tracking")
_signature: Final = msgspec.json.Encoder().encode


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a model without loading it."""

    uri: str
    """What `load_model` takes."""
    id: str
    """Empty for a model in a folder that was not logged."""
    run_id: str
    name: str
    flavor: str
    signature: Signature | None
    requirements: tuple[str, ...]
    size: int
    """Bytes of all its files."""


def log_model(
    model: Any,
    name: str = "model",
    *,
    example: Any = None,
    signature: Signature | None = None,
    requirements: Sequence[str] | None = None,
    how: How | None = None,
    artifacts: Mapping[str, str | os.PathLike[str]] | None = None,
    metadata: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
) -> ModelInfo:
    """Keep a model with the active tracking run, as a folder of this name; its library decides how it is written.

    An `example` of its input, of which the first rows are kept, gives the signature: the model predicts it for that.
    The requirements are the packages that the model names. `how="pickle"` or `"skops"` is for models of scikit-learn,
    `artifacts` (name -> path) for objects with `load_context` and `predict`.

    Raises:
        ModelUnfit: (model-unfit) it is no model, or cannot be written.
        PathInvalid: (path-invalid) the name is no path of a folder in the run.
    """
    name = artifact_path(name)
    texts, labels = _texts("parameter", params), _texts("tag", tags)
    options = _options(example, signature, requirements, how, artifacts, metadata)
    run = api.own_run()
    model_id = new_model_id()
    described = Description(flavors={}, artifact_path=name, run_id=run.id, model_id=model_id)
    with tempfile.TemporaryDirectory(prefix="ostinato-model-") as folder:
        said = folders.save(model, folder, options, described)
        info = _info(said, f"models:/{model_id}", folders.required(folder))
        if not run.log_artifacts(folder, name):
            _log.warning("The model %s is not kept, and %s will not load", name, info.uri)
            return info
        for path, blob in {**(said.hashes or {}), mlmodel.FILE: of_file(os.path.join(folder, mlmodel.FILE))}.items():
            size = os.path.getsize(os.path.join(folder, path))
            run.record(FileLogged(model_id, now_us(), path, blob, size, contents.media_type(path)))
    run.record(
        LoggedModelMade(
            id=model_id,
            at=now_us(),
            run_id=run.id,
            experiment_id="",
            name=name,
            flavor=info.flavor,
            signature=b"" if info.signature is None else _signature(info.signature),
            requirements=info.requirements,
            size=info.size,
            params=texts,
            tags=labels,
        )
    )
    return info


def save_model(
    model: Any,
    path: str | os.PathLike[str],
    *,
    example: Any = None,
    signature: Signature | None = None,
    requirements: Sequence[str] | None = None,
    how: How | None = None,
    artifacts: Mapping[str, str | os.PathLike[str]] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> ModelInfo:
    """Write a model to a folder, as `log_model` does, without keeping it anywhere else.

    Raises:
        ModelUnfit: (model-unfit) it is no model, or cannot be written.
    """
    folder = os.fspath(path)
    said = folders.save(model, folder, _options(example, signature, requirements, how, artifacts, metadata))
    return _info(said, folder, folders.required(folder))


def load_model(uri: str | os.PathLike[str]) -> Any:
    """Give a model as its library has it; a python function as an object with `predict(data)`.

    `uri` is `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/NAME/STAGE`, `runs:/RUN/NAME`, the id of a logged
    model, or a folder that Ostinato or MLflow has written. All files are checked before anything of them is loaded.

    Raises:
        LoggedModelNotFound: (logged-model-not-found), or what the registry says of a model or version.
        ModelDamaged: (model-damaged) a file is missing or not what was logged.
        ModelUnsuited: (model-unsuited) names the package that is missing or differs, and both versions.
    """
    text = os.fspath(uri)
    folder, is_own = _folder(text)
    keeps = False
    try:
        model = folders.load(folder, text)
        keeps = isinstance(model, PythonFunction) and bool(model.context.artifacts)
    finally:
        if is_own and not keeps:
            shutil.rmtree(folder, ignore_errors=True)
    if is_own and keeps:  # it may read them as long as it lives
        weakref.finalize(model, shutil.rmtree, folder, ignore_errors=True)
    return model


def describe_model(uri: str | os.PathLike[str]) -> ModelInfo:
    """Tell what is known of a model without loading it: flavor, signature, requirements.

    Raises:
        LoggedModelNotFound: (logged-model-not-found), ModelUnfit: (model-unfit).
    """
    text = os.fspath(uri)
    folder, is_own = _folder(text)
    try:
        return _info(mlmodel.describe(folder), text, folders.required(folder))
    finally:
        if is_own:
            shutil.rmtree(folder, ignore_errors=True)


def _folder(uri: str) -> tuple[str, bool]:
    """Give the folder of a model, and whether it was made for this."""
    local = local_folder(uri)
    if local is not None:
        return local, False
    resolve(RECORDER)().settle("database", load_settings().exit_wait_s)  # what was just logged here counts
    reader: Reader = resolve(READER)()
    try:
        return fetch(reader, uri), True
    finally:
        reader.close()


def _options(
    example: Any,
    signature: Signature | None,
    requirements: Sequence[str] | None,
    how: How | None,
    artifacts: Mapping[str, str | os.PathLike[str]] | None,
    metadata: Mapping[str, Any] | None,
) -> folders.Options:
    return folders.Options(
        example=example,
        signature=signature,
        requirements=None if requirements is None else tuple(requirements),
        how=how,
        artifacts={key: os.fspath(path) for key, path in (artifacts or {}).items()},
        metadata=dict(metadata or {}),
    )


def _texts(what: str, values: Mapping[str, Any] | None) -> dict[str, str]:
    texts = {key: str(value) for key, value in (values or {}).items()}
    check_texts(what, texts)
    return texts


def _info(said: Description, uri: str, required: tuple[str, ...]) -> ModelInfo:
    return ModelInfo(
        uri=uri,
        id=said.model_id or "",
        run_id=said.run_id or "",
        name=said.artifact_path or "",
        flavor=said.flavor,
        signature=said.signed(),
        requirements=required,
        size=said.model_size_bytes or 0,
    )
