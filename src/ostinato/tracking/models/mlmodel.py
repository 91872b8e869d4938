"""The file `MLmodel` of a model's folder: what the model is, and how it is loaded, as MLflow writes it."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, Final

import msgspec

from ostinato.core.errors import ModelUnfit
from ostinato.core.signatures import Signature, read, written

FILE: Final = "MLmodel"
OWN: Final = "ostinato"
"""Our entry among the flavors: the hashes of all other files, and a signature that MLflow is not to see."""
NATIVE: Final = ("xgboost", "lightgbm", "pytorch", "river", "sklearn")
"""Flavors that give the model as its library has it; one that has none of them is a `python_function`."""


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What an `MLmodel` file says; what it says besides is left out."""

    flavors: dict[str, dict[str, Any]]
    signature: dict[str, Any] | None = None
    """Its parts as texts of JSON."""
    artifact_path: str | None = None
    run_id: str | None = None
    model_id: str | None = None
    model_uuid: str | None = None
    model_size_bytes: int | None = None
    utc_time_created: Any = None
    saved_input_example_info: dict[str, Any] | None = None
    metadata: Any = None
    mlflow_version: str | None = None

    @property
    def flavor(self) -> str:
        """The flavor by which it is loaded."""
        return next((name for name in NATIVE if name in self.flavors), "python_function")

    @property
    def hashes(self) -> dict[str, str] | None:
        """Path of each other file -> BLAKE2b-128 of it, None when they were not recorded."""
        found = self.flavors.get(OWN, {}).get("files")
        return found if isinstance(found, dict) else None

    def signed(self) -> Signature | None:
        """Give what the model takes and gives, None when that is not said, or not in words that are known here."""
        said = self.flavors.get(OWN, {}).get("signature") or self.signature
        try:
            return read(said) if isinstance(said, dict) else None
        except (msgspec.MsgspecError, TypeError):  # not JSON, or no text at all
            return None


def describe(folder: str) -> Description:
    """Give what the `MLmodel` file of a folder says.

    Raises:
        ModelUnfit: (model-unfit) there is none, or it is none.
    """
    try:
        with open(os.path.join(folder, FILE), "rb") as file:
            text = file.read()
    except OSError as error:
        raise _unfit(folder, error.strerror or str(error)) from error
    return parse(text, folder)


def parse(text: bytes, name: str) -> Description:
    """Give what the text of an `MLmodel` file says; `name` is how errors call the model.

    Raises:
        ModelUnfit: (model-unfit) it is none.
    """
    yaml: Any = import_module("yaml")
    try:
        said = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return msgspec.convert(said, Description)
    except (ValueError, RecursionError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise _unfit(name, " ".join(str(error).split())) from error


def _unfit(name: str, reason: str) -> ModelUnfit:
    fix = "Name a folder that `log_model`, `save_model` or MLflow has written."
    return ModelUnfit(model=repr(name), what="loaded", reason=f"{FILE}: {reason}", fix=fix)


def write(folder: str, description: Description) -> None:
    """Write the `MLmodel` file of a folder."""
    yaml: Any = import_module("yaml")
    said = {name: value for name, value in msgspec.structs.asdict(description).items() if value is not None}
    with open(os.path.join(folder, FILE), "w", encoding="utf-8") as file:
        yaml.dump(said, file, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), default_flow_style=False)


def signature_of(signature: Signature | None) -> dict[str, Any] | None:
    """Give a signature as an `MLmodel` file has it."""
    return None if signature is None else dict(written(signature))
