"""Models of scikit-learn: by skops where it is installed and knows all that is in them, else pickled."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from ostinato.core.errors import ExtraMissing, ModelUnfit
from ostinato.tracking.models import pickles
from ostinato.tracking.models.flavors.saved import PICKLE, Saved, Stored
from ostinato.tracking.models.requirements import version_of

SKOPS: Final = "model.skops"


def save(model: Any, folder: str, how: str | None) -> Saved:
    """Write a model; `how` is `skops`, `pickle` or None for what is best here."""
    if how == "skops" and find_spec("skops") is None:
        raise ExtraMissing(what='how="skops"', package="skops", extra="models")
    file, trusted, modules = PICKLE, None, None
    if how != "pickle" and find_spec("skops") is not None:
        trusted = _save_by_skops(model, os.path.join(folder, SKOPS), asked=how == "skops")
        if trusted is not None:
            file, modules = SKOPS, frozenset({"skops"})
    if modules is None:
        modules = pickles.dump(model, os.path.join(folder, PICKLE)) | {"cloudpickle"}
    own: dict[str, Any] = {
        "pickled_model": file,
        "serialization_format": "cloudpickle" if file == PICKLE else "skops",
        "skops_trusted_types": trusted,
        "sklearn_version": version_of("scikit-learn"),
        "code": None,
    }
    python = {"loader_module": "mlflow.sklearn", "model_path": file, "predict_fn": "predict"}
    flavors = {"sklearn": own, "python_function": python} if hasattr(model, "predict") else {"sklearn": own}
    return Saved(flavors=flavors, modules=modules | {"sklearn", "numpy", "scipy"})


def load(stored: Stored) -> Any:
    """Read a model."""
    path = stored.path("pickled_model", "model_path", default=PICKLE)
    if stored.conf.get("serialization_format") == "skops":
        return load_by_skops(path, stored)
    return pickles.load(path, model=stored.name, made_with=stored.made_with)


def load_by_skops(path: str, stored: Stored) -> Any:
    """Read a file of skops; only the types are accepted that were when it was written."""
    if find_spec("skops") is None:
        raise ExtraMissing(what=f"model {stored.name!r}", package="skops", extra="models")
    try:
        return import_module("skops.io").load(path, trusted=stored.conf.get("skops_trusted_types") or [])
    except Exception as error:
        raise pickles.unsuited(stored.name, error, stored.made_with) from error


def _save_by_skops(model: Any, path: str, *, asked: bool) -> list[str] | None:
    """Write a model and give the types that skops does not trust by itself; None when it is not written.

    Such types are accepted only when skops was asked for.
    """
    skops: Any = import_module("skops.io")
    try:
        skops.dump(model, path)
        unknown = list(skops.get_untrusted_types(file=path))
    except Exception as error:
        _forget(path)
        if not asked:
            return None
        name = f"{type(model).__module__}.{type(model).__qualname__}"
        reason = f"{type(error).__name__}: {error}"
        raise ModelUnfit(
            model=name, what="written by skops", reason=reason, fix='Write it with how="pickle".'
        ) from error
    if unknown and not asked:
        _forget(path)
        return None
    return unknown


def _forget(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)
