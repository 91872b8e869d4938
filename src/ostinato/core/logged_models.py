"""Logged models: their events, and the values that reading gives.

A logged model is a folder with a model, kept with the tracking run that made it. Instants are UTC microseconds.
"""

from __future__ import annotations

import os
from typing import Final, Literal, TypeAlias

import msgspec

from ostinato.core.tracking import Lifecycle, Point

ModelStatus: TypeAlias = Literal["pending", "ready", "failed"]
ModelRole: TypeAlias = Literal["input", "output"]
"""What a logged model is to a tracking run."""

PREFIX: Final = "m-"
"""Begins the id of a logged model."""


def new_model_id() -> str:
    """Give an id that no other logged model has."""
    return PREFIX + os.urandom(16).hex()


# --- events


class LoggedModelMade(msgspec.Struct, frozen=True, array_like=True, tag="om"):
    """A model was logged, or is about to be."""

    id: str
    at: int
    run_id: str
    """The tracking run that made it, or empty."""
    experiment_id: str
    """Empty for that of the tracking run."""
    name: str
    actor: str = ""
    status: ModelStatus = "ready"
    model_type: str = ""
    """As the client calls it."""
    flavor: str = ""
    """Library that made it, such as `sklearn`; empty when it is not known."""
    signature: bytes = b""
    """JSON of a Signature, empty when there is none."""
    requirements: tuple[str, ...] = ()
    """Packages with versions, as pip takes them."""
    size: int = 0
    """Bytes of all its files."""
    params: dict[str, str] = {}
    tags: dict[str, str] = {}


class LoggedModelChanged(msgspec.Struct, frozen=True, array_like=True, tag="oc"):
    """A logged model has another status, or was deleted or restored."""

    id: str
    at: int
    status: ModelStatus | None = None
    state: Lifecycle | None = None


class LoggedModelTagged(msgspec.Struct, frozen=True, array_like=True, tag="og"):
    """Tags of a logged model; None takes one away."""

    id: str
    at: int
    tags: dict[str, str | None]


class LoggedModelParams(msgspec.Struct, frozen=True, array_like=True, tag="op"):
    """Parameters of a logged model; the first value of each stands."""

    id: str
    at: int
    params: dict[str, str]


class LoggedModelMetrics(msgspec.Struct, frozen=True, array_like=True, tag="ov"):
    """Values of metrics of a logged model; the newest of each run and version of data stands."""

    id: str
    at: int
    run_id: str
    points: tuple[Point, ...]
    dataset: str = ""
    """Name of the data that it was measured on."""
    digest: str = ""


class LoggedModelDescribed(msgspec.Struct, frozen=True, array_like=True, tag="od"):
    """The files of a logged model say what it is."""

    id: str
    at: int
    flavor: str
    signature: bytes
    requirements: tuple[str, ...]
    size: int


class LoggedModelLinked(msgspec.Struct, frozen=True, array_like=True, tag="ol"):
    """A tracking run used a logged model, or made it at a step."""

    id: str
    at: int
    run_id: str
    role: ModelRole
    step: int = 0


LoggedModelEvent: TypeAlias = (
    LoggedModelMade
    | LoggedModelChanged
    | LoggedModelTagged
    | LoggedModelParams
    | LoggedModelMetrics
    | LoggedModelDescribed
    | LoggedModelLinked
)


# --- what reading gives


class ModelLink(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model that a tracking run used or made."""

    id: str
    role: ModelRole
    step: int


class ModelMetric(msgspec.Struct, frozen=True, kw_only=True):
    """The newest value of a metric of a logged model."""

    key: str
    value: float
    step: int
    at: int
    run_id: str
    dataset: str
    digest: str


class LoggedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model as it stands."""

    id: str
    experiment_id: str
    run_id: str
    name: str
    status: ModelStatus
    state: Lifecycle
    actor: str
    model_type: str
    flavor: str
    signature: bytes
    """JSON of a Signature, empty when there is none."""
    requirements: tuple[str, ...]
    size: int
    created_at: int
    updated_at: int
    params: dict[str, str]
    tags: dict[str, str]
    metrics: tuple[ModelMetric, ...]

    @property
    def uri(self) -> str:
        """What `load_model` takes."""
        return f"models:/{self.id}"
