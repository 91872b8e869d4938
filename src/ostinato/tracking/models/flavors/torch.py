"""Models of PyTorch: pickled in its own archive; programs that it exported are read too."""

from __future__ import annotations

import os
from importlib import import_module
from types import SimpleNamespace
from typing import IO, Any, Final

from ostinato.tracking.models import pickles
from ostinato.tracking.models.flavors.saved import Saved, Stored
from ostinato.tracking.models.requirements import version_of

FOLDER: Final = "data"
FILE: Final = "model.pth"
EXPORTED: Final = "model.pt2"
PICKLED_BY: Final = "pickle_module_info.txt"
"""Where MLflow looks for the module that reads the pickle."""


def save(model: Any, folder: str, how: str | None) -> Saved:  # noqa: ARG001 - it has one format
    """Write a model."""
    place = os.path.join(folder, FOLDER)
    os.makedirs(place)
    modules = pickles.dump(model, os.path.join(place, FILE), _write)
    with open(os.path.join(place, PICKLED_BY), "w", encoding="utf-8") as file:
        file.write("pickle")
    flavors: dict[str, dict[str, Any]] = {
        "pytorch": {"model_data": FOLDER, "pytorch_version": version_of("torch"), "code": None},
        "python_function": {"loader_module": "mlflow.pytorch", "data": FOLDER, "pickle_module_name": "pickle"},
    }
    return Saved(flavors=flavors, modules=modules | {"torch", "numpy", "cloudpickle"})


def load(stored: Stored) -> Any:
    """Read a model to the CPU, ready to predict."""
    torch: Any = import_module("torch")
    place = stored.path("model_data", default=FOLDER)
    exported = os.path.join(place, EXPORTED)
    try:
        if os.path.isfile(exported):
            return torch.export.load(exported).module()
        model = torch.load(os.path.join(place, FILE), map_location="cpu", weights_only=False)
    except Exception as error:
        raise pickles.unsuited(stored.name, error, stored.made_with) from error
    return model.eval() if hasattr(model, "eval") else model


def predict(model: Any, data: Any) -> Any:
    """Give what a model gives for a tensor, an array or a frame of numbers."""
    torch: Any = import_module("torch")
    given = data if isinstance(data, torch.Tensor) else torch.as_tensor(import_module("numpy").asarray(data, "float32"))
    with torch.no_grad():
        return model(given)


def _write(pickler: Any, model: object, file: IO[bytes]) -> None:
    import_module("torch").save(model, file, pickle_module=SimpleNamespace(Pickler=pickler, __name__="pickle"))
