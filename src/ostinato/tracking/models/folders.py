"""Folders of models: written with all that is known of the model, read once their files are checked."""

from __future__ import annotations

import logging
import os
import uuid
from datetime import UTC, datetime
from importlib import import_module
from platform import python_version
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from ostinato.core.errors import BadOption, ModelDamaged, ModelUnfit
from ostinato.core.signatures import Signature
from ostinato.tracking.models import hashes, mlmodel, schemas
from ostinato.tracking.models.flavors.portable import PythonFunction
from ostinato.tracking.models.flavors.saved import Stored
from ostinato.tracking.models.mlmodel import OWN, Description
from ostinato.tracking.models.requirements import python_env, requirements

if TYPE_CHECKING:
    from ostinato.tracking.models.flavors.saved import Saved

LIBRARIES: Final = {
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "torch": "pytorch",
    "river": "river",
    "sklearn": "sklearn",
}
"""Library that a class of a model, or one above it, comes from -> flavor; the first that fits is taken."""
How: TypeAlias = Literal["skops", "pickle"]
"""How a model of scikit-learn may be written."""
_MODULES: Final = {"pytorch": "torch"}
"""Flavors whose module has another name."""
_REQUIREMENTS: Final = "requirements.txt"
_log: Final = logging.getLogger("ostinato.tracking")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What may be said of a model that is written."""

    example: Any = None
    """Data that it predicts; the first rows are kept."""
    signature: Signature | None = None
    requirements: tuple[str, ...] | None = None
    """None for what its modules need."""
    how: How | None = None
    """`skops` or `pickle` for a model of scikit-learn; None for what is best."""
    artifacts: dict[str, str] = {}
    """Further files of a python function: name -> path."""
    metadata: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if self.how not in (None, "skops", "pickle"):
            fix = 'Write "skops", "pickle", or nothing for what is best.'
            raise BadOption(option="how", value=self.how, where="a model", reason="it is no way to write one", fix=fix)


def flavor_of(model: object) -> str:
    """Give the flavor of a model, by the libraries that its class and those above it come from.

    Example:
        >>> flavor_of(len)
        'python_function'
    """
    tops = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    return next((flavor for library, flavor in LIBRARIES.items() if library in tops), "python_function")


def save(model: Any, folder: str, options: Options, description: Description | None = None) -> Description:
    """Write a model to a folder that is empty or not there; give what its `MLmodel` file says.

    Raises:
        ModelUnfit: (model-unfit) it cannot be written.
    """
    os.makedirs(folder, exist_ok=True)
    if os.listdir(folder):
        fix = "Name a folder that is empty or not there."
        raise BadOption(option="path", value=folder, where="save_model", reason="the folder is not empty", fix=fix)
    saved = _write(model, folder, options)
    modules = set(saved.modules)
    info, signature = None, options.signature
    if options.example is not None:
        info = schemas.write_example(folder, schemas.head(options.example))
        modules |= {type(options.example).__module__.partition(".")[0]} - {"builtins"}
        signature = signature or _signature(model, options)
    wanted = options.requirements if options.requirements is not None else requirements(modules)
    _write_text(folder, _REQUIREMENTS, "".join(f"{line}\n" for line in wanted))
    _write_text(folder, "python_env.yaml", python_env())
    recorded = hashes.record(folder)
    size = sum(os.path.getsize(os.path.join(folder, path)) for path in recorded)
    own: dict[str, Any] = {"files": recorded}
    signed = mlmodel.signature_of(signature)
    if isinstance(options.example, (list, tuple)):  # MLflow would make a frame of such input, which the model never saw
        own["signature"], signed = signed, None
    said = replace(
        description or Description(flavors={}),
        flavors={**_complete(saved), OWN: own},
        signature=signed,
        saved_input_example_info=info,
        metadata=options.metadata or None,
        model_uuid=uuid.uuid4().hex,
        model_size_bytes=size,
        utc_time_created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
    )
    mlmodel.write(folder, said)
    return said


def load(folder: str, name: str) -> Any:
    """Give the model of a folder; `name` is how errors call it. All files are checked before anything is loaded.

    Raises:
        ModelDamaged: (model-damaged) a file is not what was written.
        ModelUnsuited: (model-unsuited) a package is missing, or is there in another version.
        ModelUnfit: (model-unfit) it is no model that is known here.
    """
    said = mlmodel.describe(folder)
    if said.hashes is not None:
        hashes.check(folder, said.hashes, name)
    conf = said.flavors.get(said.flavor)
    if conf is None:
        fix = f"Its flavors are {', '.join(sorted(said.flavors)) or 'none'}: load it with the tool that wrote it."
        raise ModelUnfit(model=repr(name), what="loaded", reason="it has no flavor that is known here", fix=fix)
    stored = Stored(folder=folder, name=name, conf=conf, made_with=required(folder))
    if said.hashes is not None:
        _check_covered(stored, said.hashes)
    return _module(said.flavor).load(stored)


def required(folder: str) -> tuple[str, ...]:
    """Give the requirements that the folder of a model lists."""
    try:
        with open(os.path.join(folder, _REQUIREMENTS), encoding="utf-8") as file:
            return tuple(line.strip() for line in file if line.strip() and not line.startswith("#"))
    except (OSError, UnicodeDecodeError):
        return ()


def _write(model: Any, folder: str, options: Options) -> Saved:
    flavor = flavor_of(model)
    module = _module(flavor)
    if flavor == "python_function":
        return module.save(model, folder, options.how, options.artifacts)  # type: ignore[no-any-return]
    if options.artifacts:
        fix = "Wrap the model in an object with `load_context` and `predict`."
        reason = f"a model of {flavor} reads no further files"
        raise BadOption(option="artifacts", value=options.artifacts, where="a model", reason=reason, fix=fix)
    return module.save(model, folder, options.how)  # type: ignore[no-any-return]


def _module(flavor: str) -> Any:
    return import_module(f"ostinato.tracking.models.flavors.{_MODULES.get(flavor, flavor)}")


def _complete(saved: Saved) -> dict[str, dict[str, Any]]:
    """Give the entries of flavors, with what MLflow wants to know of every function of Python."""
    flavors = dict(saved.flavors)
    if "python_function" in flavors:
        env = {"env": {"virtualenv": "python_env.yaml"}, "python_version": python_version()}
        flavors["python_function"] = {**flavors["python_function"], **env}
    return flavors


def _signature(model: Any, options: Options) -> Signature:
    """Infer what a model takes and gives from an example, which it predicts for that."""
    inputs = schemas.columns(options.example)
    try:
        outputs = schemas.columns(_predict(model, schemas.head(options.example), options), what="prediction")
    except Exception as error:  # noqa: BLE001 - the code of the model runs
        name = f"{type(model).__module__}.{type(model).__qualname__}"
        _log.warning("%s does not predict its example, and its signature tells no outputs: %s", name, error)
        outputs = None
    return Signature(inputs=inputs, outputs=outputs)


def _predict(model: Any, data: Any, options: Options) -> Any:
    flavor = flavor_of(model)
    if flavor == "xgboost" and not hasattr(model, "get_booster"):
        return model.predict(import_module("xgboost").DMatrix(data))
    if flavor == "pytorch":
        return _module(flavor).predict(model, data)
    if flavor in ("river", "python_function"):
        return PythonFunction(model, options.artifacts).predict(data)
    return model.predict(data) if hasattr(model, "predict") else None


def _check_covered(stored: Stored, recorded: dict[str, str]) -> None:
    """See that no file is loaded of which no hash was recorded."""
    for path in hashes.files(stored.folder):
        if path not in recorded and path != mlmodel.FILE:
            raise ModelDamaged(model=stored.name, file=path, how="not among the files that were logged")


def _write_text(folder: str, name: str, text: str) -> None:
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)
