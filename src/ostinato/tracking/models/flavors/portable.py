"""How a pickled model predicts; a copy lies in its folder, so that MLflow loads it without Ostinato."""

from __future__ import annotations

import inspect
import json
import os
from typing import Any

import cloudpickle

ARTIFACTS = "artifacts.json"
"""Beside the pickle: name of each further file -> its path from there."""


class Context:
    """What `load_context` and `predict` are given."""

    def __init__(self, artifacts: dict[str, str]) -> None:
        self.artifacts = artifacts
        """Name -> path of a file that was logged with the model."""
        self.model_config: dict[str, Any] = {}


class PythonFunction:
    """A model of any class as one that predicts: by `predict`, `predict_one`, or by being called."""

    def __init__(self, model: Any, artifacts: dict[str, str]) -> None:
        self.model = model
        """As it was logged."""
        self.context = Context(artifacts)
        if hasattr(model, "load_context"):
            model.load_context(self.context)
        self._call = getattr(model, "predict", None) or getattr(model, "predict_one", None) or model
        self._names = list(inspect.signature(self._call).parameters)

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Give the predictions for data."""
        if not hasattr(self.model, "predict") and hasattr(self.model, "predict_one"):
            return self._one_by_one(data)
        before = [self.context] if self._names[:1] == ["context"] else []
        given = {"params": params} if "params" in self._names else {}
        return self._call(*before, data, **given)

    def _one_by_one(self, data: Any) -> Any:
        if hasattr(data, "columns") and hasattr(self.model, "predict_many"):
            return self.model.predict_many(data)
        if isinstance(data, dict):
            return self._call(data)
        rows = data.to_dict("records") if hasattr(data, "columns") else data
        return [self._call(row) for row in rows]

    def __repr__(self) -> str:
        return f"PythonFunction({self.model!r})"


def artifacts_beside(path: str) -> dict[str, str]:
    """Give the further files of a pickled model, by name."""
    folder = os.path.dirname(path)
    try:
        with open(os.path.join(folder, ARTIFACTS), encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return {}
    return {name: os.path.join(folder, place) for name, place in found.items()}


def _load_pyfunc(path: str) -> PythonFunction:
    """Load a model, as MLflow asks for it."""
    with open(path, "rb") as file:
        return PythonFunction(cloudpickle.load(file), artifacts_beside(path))
