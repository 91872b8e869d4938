"""Models of LightGBM: boosters in its own text, estimators pickled."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, Final

from ostinato.tracking.models import pickles
from ostinato.tracking.models.flavors.saved import PICKLE, Saved, Stored
from ostinato.tracking.models.flavors.sklearn import load_by_skops

FILE: Final = "model.lgb"
_BOOSTER: Final = "lightgbm.basic.Booster"


def save(model: Any, folder: str, how: str | None) -> Saved:  # noqa: ARG001 - it has one format
    """Write a model."""
    lightgbm: Any = import_module("lightgbm")
    kind = next(one for one in type(model).__mro__ if one.__module__.partition(".")[0] == "lightgbm")
    is_booster = isinstance(model, lightgbm.Booster)
    file = FILE if is_booster else PICKLE
    modules = {"lightgbm", "numpy", "scipy"}
    if is_booster:
        model.save_model(os.path.join(folder, FILE))
    else:
        modules |= pickles.dump(model, os.path.join(folder, PICKLE)) | {"cloudpickle", "sklearn"}
    own = {
        "data": file,
        "model_class": f"{kind.__module__}.{kind.__qualname__}",
        "serialization_format": "cloudpickle",
        "lgb_version": lightgbm.__version__,
        "code": None,
    }
    python = {"loader_module": "mlflow.lightgbm", "data": file}
    return Saved(flavors={"lightgbm": own, "python_function": python}, modules=frozenset(modules))


def load(stored: Stored) -> Any:
    """Read a model."""
    path = stored.path("data", default=FILE)
    if stored.conf.get("model_class", _BOOSTER) != _BOOSTER:
        if stored.conf.get("serialization_format") == "skops":
            return load_by_skops(path, stored)
        return pickles.load(path, model=stored.name, made_with=stored.made_with)
    try:
        return import_module("lightgbm").Booster(model_file=path)
    except Exception as error:
        raise pickles.unsuited(stored.name, error, stored.made_with) from error
