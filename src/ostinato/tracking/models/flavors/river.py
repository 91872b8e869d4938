"""Models of River: pickled, and for MLflow a function over rows."""

from __future__ import annotations

import os
from typing import Any

from ostinato.tracking.models import pickles
from ostinato.tracking.models.flavors.saved import LOADER, PICKLE, Saved, Stored, add_loader
from ostinato.tracking.models.requirements import version_of


def save(model: Any, folder: str, how: str | None) -> Saved:  # noqa: ARG001 - it has one format
    """Write a model."""
    modules = pickles.dump(model, os.path.join(folder, PICKLE))
    add_loader(folder)
    flavors = {
        "river": {"pickled_model": PICKLE, "river_version": version_of("river")},
        "python_function": {"loader_module": LOADER, "data": PICKLE, "code": "code"},
    }
    return Saved(flavors=flavors, modules=modules | {"river", "cloudpickle"})


def load(stored: Stored) -> Any:
    """Read a model."""
    path = stored.path("pickled_model", default=PICKLE)
    return pickles.load(path, model=stored.name, made_with=stored.made_with)
