"""Models of XGBoost: boosters and estimators, in its own binary JSON."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, Final

from ostinato.core.errors import ModelUnfit
from ostinato.tracking.models.flavors.saved import Saved, Stored
from ostinato.tracking.models.pickles import unsuited

FILE: Final = "model.ubj"
_BOOSTER: Final = "xgboost.core.Booster"


def save(model: Any, folder: str, how: str | None) -> Saved:  # noqa: ARG001 - it has one format
    """Write a model."""
    model.save_model(os.path.join(folder, FILE))
    kind = next(one for one in type(model).__mro__ if one.__module__.partition(".")[0] == "xgboost")
    own = {
        "data": FILE,
        "model_class": f"{kind.__module__}.{kind.__qualname__}",
        "model_format": "ubj",
        "xgb_version": import_module("xgboost").__version__,
        "code": None,
    }
    python = {"loader_module": "mlflow.xgboost", "data": FILE}
    modules = {"xgboost", "numpy", "scipy"} | (set() if own["model_class"] == _BOOSTER else {"sklearn"})
    return Saved(flavors={"xgboost": own, "python_function": python}, modules=frozenset(modules))


def load(stored: Stored) -> Any:
    """Read a model."""
    path = stored.path("data", default=FILE)
    module, _, name = str(stored.conf.get("model_class", _BOOSTER)).rpartition(".")
    if module.partition(".")[0] != "xgboost":
        reason = f"{module}.{name} is no class of XGBoost"
        raise ModelUnfit(model=repr(stored.name), what="loaded", reason=reason, fix="Log the model again.")
    try:
        model = getattr(import_module(module), name)()
        model.load_model(_source(path))
    except Exception as error:
        raise unsuited(stored.name, error, stored.made_with) from error
    return model


def _source(path: str) -> str | bytearray:
    """Give what XGBoost reads: of a file whose name does not tell its format, such as MLflow's `.xgb`, the bytes."""
    if path.endswith((".ubj", ".json")):
        return path
    with open(path, "rb") as file:
        return bytearray(file.read())
