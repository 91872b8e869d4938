"""Any other model: an object with `predict`, or a function, pickled; such models of MLflow are read too."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any, Final

from ostinato.core.errors import ModelUnfit
from ostinato.tracking.models import pickles
from ostinato.tracking.models.flavors.portable import ARTIFACTS, Context, PythonFunction, artifacts_beside
from ostinato.tracking.models.flavors.saved import LOADER, PICKLE, Saved, Stored, add_loader

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_MLFLOW: Final = "mlflow.pyfunc.model"


class PythonModel:
    """What stands in for MLflow's class of this name, so that its models load without it."""

    def load_context(self, context: Context) -> None:
        """Do nothing: a subclass may read its files here."""


class FunctionModel(PythonModel):
    """What stands in for MLflow's class around a function."""

    func: Any

    def predict(self, model_input: Any) -> Any:
        """Give what the function gives."""
        return self.func(model_input)


class TypeHints:
    """What stands in for MLflow's note of the types of `predict`."""

    def __init__(self, *hints: Any) -> None:
        self.hints = hints


_STAND_INS: Final[dict[tuple[str, str], Any]] = {
    (_OF_MLFLOW, "PythonModel"): PythonModel,
    (_OF_MLFLOW, "_FunctionPythonModel"): FunctionModel,
    (_OF_MLFLOW, "PythonModelContext"): Context,
    ("mlflow.models.signature", "_TypeHints"): TypeHints,
}


def save(model: Any, folder: str, how: str | None, artifacts: Mapping[str, str] | None = None) -> Saved:  # noqa: ARG001 - it has one format
    """Write a model, with further files that it needs."""
    if not callable(getattr(model, "predict", None)) and not callable(model):
        name = f"{type(model).__module__}.{type(model).__qualname__}"
        fix = "Pass an estimator, an object with a method `predict`, or a function of the data."
        raise ModelUnfit(model=name, what="logged", reason="it has no method `predict` and cannot be called", fix=fix)
    modules = pickles.dump(model, os.path.join(folder, PICKLE))
    add_loader(folder)
    if artifacts:
        _copy_artifacts(folder, artifacts)
    python = {"loader_module": LOADER, "data": PICKLE, "code": "code"}
    return Saved(flavors={"python_function": python}, modules=modules | {"cloudpickle"})


def load(stored: Stored) -> PythonFunction:
    """Read a model."""
    loader = stored.conf.get("loader_module")
    _add_code(stored)
    if loader == LOADER:
        path = stored.path("data", default=PICKLE)
        artifacts = artifacts_beside(path)
    elif loader == _OF_MLFLOW and "python_model" in stored.conf:
        path = stored.path("python_model")
        artifacts = _artifacts_of_mlflow(stored)
    else:
        fix = "Load it with MLflow: mlflow.pyfunc.load_model."
        reason = f"its loader is {loader}, which only MLflow has"
        raise ModelUnfit(model=repr(stored.name), what="loaded", reason=reason, fix=fix)
    model = pickles.load(path, model=stored.name, made_with=stored.made_with, stand_ins=_STAND_INS)
    return PythonFunction(model, artifacts)


def _copy_artifacts(folder: str, artifacts: Mapping[str, str]) -> None:
    places: dict[str, str] = {}
    for name, source in artifacts.items():
        place = os.path.join("artifacts", str(len(places)), os.path.basename(os.path.abspath(source)))
        target = os.path.join(folder, place)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.isdir(source):
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
        places[name] = place
    with open(os.path.join(folder, ARTIFACTS), "w", encoding="utf-8") as file:
        json.dump(places, file)


def _artifacts_of_mlflow(stored: Stored) -> dict[str, str]:
    named = stored.conf.get("artifacts") or {}
    places = {name: one["path"] for name, one in named.items() if isinstance(one, dict) and "path" in one}
    parts = {name: Stored(folder=stored.folder, name=stored.name, conf=places, made_with=()) for name in places}
    return {name: part.path(name) for name, part in parts.items()}


def _add_code(stored: Stored) -> None:
    """Let the modules that lie in the folder of a model be imported."""
    if isinstance(stored.conf.get("code"), str) and stored.conf.get("loader_module") != LOADER:
        folder = stored.path("code")
        if folder not in sys.path:
            sys.path.insert(0, folder)
