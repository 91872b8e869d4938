"""Tracking of the large home: runs that train, the data they read, the models they register."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ostinato.core.datasets import Categories, DatasetSeen, DatasetUsed, Field, Numbers, Profile
from ostinato.core.logged_models import LoggedModelMade
from ostinato.core.names import run_name
from ostinato.core.registry import AliasMoved, GateChecked, ModelSet, VersionMade
from ostinato.core.tracking import (
    ExperimentMade,
    FileLogged,
    InputLogged,
    MetricsLogged,
    ParamsLogged,
    Point,
    TrackingBegun,
    TrackingChanged,
    experiment_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.events import Event

N_EXPERIMENTS: Final = 60
N_MODELS: Final = 100
N_DATA: Final = 500
LONG_HISTORY: Final = 10_000
"""Values of the metric of which one run has very many."""
METRICS: Final = ("rmse_valid", "rmse_train", "inference_time", "mae", "r2")
ALIASES: Final = ("staging", "production", "champion")

_SCHEMA: Final = (Field("trip_distance", "double"), Field("duration", "double"), Field("zone", "string"))
_EDGES: Final = tuple(float(value) for value in range(10))
_PROFILE: Final = Profile(
    70_000,
    (
        *(
            Numbers(name, 70_000, 12, _EDGES, (3_684,) * 19, 69_988, 4.5, 578_000.0)
            for name in ("distance", "duration")
        ),
        Categories("zone", 70_000, 0, ("74", "75", "41", "166"), (9_000, 8_000, 7_000, 6_000), 40_000),
    ),
)
_DIGEST_OF_CHECK: Final = "c" * 32


def digest(number: int) -> str:
    """Give the content hash of a version of data."""
    return hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()


def experiment(number: int) -> str:
    """Give the name of an experiment; the first ones have most runs."""
    return f"rides-{number:02}"


@dataclass
class Tracking:
    """What is tracked in the home, and how far that is."""

    rng: random.Random = field(default_factory=lambda: random.Random(20260201))
    n_runs: int = 0
    n_versions: dict[int, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def set_up(self, at: int) -> Iterator[Event]:
        """Give the events that make experiments, data and models."""
        for number in range(N_EXPERIMENTS):
            yield ExperimentMade(experiment(number), at, "ada", "", {"team": f"team-{number % 7}"})
        for number in range(N_DATA):
            yield DatasetSeen(
                digest(number), at + number, f"green-{number % 20:02}", f"/data/{number}.parquet", _SCHEMA, 70_000,
                1_400_000, _PROFILE, "ada",
            )  # fmt: skip
        for number in range(N_MODELS):
            yield ModelSet(f"model-{number:02}", at + number, "ada", f"Number {number}")

    def training(self, run_id: str, at: int, flow_run_id: str) -> Iterator[Event]:
        """Give the events of a tracking run that the first task of a flow run makes."""
        number, rng = self.n_runs, self.rng
        self.n_runs += 1
        self.examples.setdefault("longest history", run_id)
        group = int(N_EXPERIMENTS * rng.random() ** 3)
        data = int(N_DATA * rng.random() ** 2)
        tags = {"team": f"team-{number % 7}", "phase": "search" if number % 3 else "final"}
        yield TrackingBegun(
            run_id, at, experiment(group), run_name(number.to_bytes(8, "big")), "ada", at, "/srv/flows/train.py",
            f"v{number % 20}", flow_run_id, 1, b"", "", 1, tags,
        )  # fmt: skip
        yield ParamsLogged(run_id, at, {"depth": str(number % 12), "eta": f"{rng.random():.4f}", "model": "xgboost"})
        yield MetricsLogged(run_id, at, 1, tuple(self._points(number, at)))
        yield DatasetUsed(digest(data), at, f"green-{data % 20:02}", flow_run_id, flow_run_id, 1, "training")
        yield InputLogged(run_id, at, digest(data), f"green-{data % 20:02}", "training")
        yield TrackingChanged(run_id, at, "finished" if number % 50 else "failed", at + 30_000_000, epoch=1)
        if number % 10 == 0:
            yield FileLogged(run_id, at, "model/MLmodel", digest(0), 700, "text/yaml")
            yield FileLogged(run_id, at, f"plots/{number}.png", digest(1), 40_000, "image/png")
        if number % 20 == 0:
            yield from self._registered(run_id, at, flow_run_id, group)

    def _points(self, number: int, at: int) -> Iterator[Point]:
        values = (5 + 3 * self.rng.random(), 4 + 3 * self.rng.random(), 1e-5 + 5e-5 * self.rng.random(), 3.1, 0.7)
        n_steps = 10 if number % 10 == 0 else 1
        for step in range(n_steps):
            for key, value in zip(METRICS, values, strict=True):
                yield Point(key, value + (n_steps - 1 - step) / 100, step, at + step)
        if number == 0:
            for step in range(LONG_HISTORY):
                yield Point("loss", 1 / (1 + step), step, at + step)

    def _registered(self, run_id: str, at: int, flow_run_id: str, group: int) -> Iterator[Event]:
        number = int(N_MODELS * self.rng.random() ** 2)
        name = f"model-{number:02}"
        version = self.n_versions[number] = self.n_versions.get(number, 0) + 1
        model_id = f"m-{run_id}"
        self.examples |= {"tracking run with a model": run_id, "model": name}
        yield LoggedModelMade(
            model_id, at, run_id, experiment_id(experiment(group)), "model", "ada", flavor="xgboost",
            requirements=("xgboost==2.1.3",), size=220_000,
        )  # fmt: skip
        yield VersionMade(
            name, version, at, "ada", f"models:/{model_id}", run_id, model_id, flow_run_id=flow_run_id, task_no=1
        )
        for alias in ALIASES[: 1 + version % 3]:
            yield GateChecked(
                name, version, alias, "rmse", at, "ada", _DIGEST_OF_CHECK, True, "6.4 <= 6.5", version - 1, flow_run_id
            )
            yield AliasMoved(name, alias, at, "ada", version, version - 1, "set", flow_run_id)
