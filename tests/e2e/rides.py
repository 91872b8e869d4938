"""A home with an experiment, data in two versions and a gated model, for pages to show."""

from __future__ import annotations

import contextlib
import math

import msgspec
import pandas as pd

from ostinato import dataset, flow, log_metric, log_model, log_params, promote, register_model, session, start_run, task
from ostinato.core.commands import SetPolicy
from ostinato.core.errors import GateFailed
from ostinato.core.registry import Policy

EXPERIMENT = "rides"
MODEL = "ride-duration"
LONG = "تجربة " + "x" * 190
"""A name from right to left, of nearly two hundred letters."""
N_STEPS = 30


class Rides(msgspec.Struct, frozen=True, kw_only=True):
    """What there is: tracking runs by depth, versions of the data, the flow run that made them."""

    runs: dict[int, str]
    digests: list[str]
    flow_run: str


def frame(shift: float) -> pd.DataFrame:
    """Give rides of which the distances are shifted, and some have no place."""
    return pd.DataFrame(
        {
            "distance": [shift + (n * 37 % 101) / 10 for n in range(400)],
            "place": [None if n % 10 == 0 else ("north", "south", "harbour")[n % 3] for n in range(400)],
        }
    )


def minutes(rides: pd.DataFrame) -> list[float]:
    """Predict how long rides take."""
    return [4.0 * distance for distance in rides["distance"]]


@task
def fit(depth: int, rides: pd.DataFrame) -> str:
    """Log a model, what it was made of and how good it is."""
    with start_run(f"depth-{depth}", experiment=EXPERIMENT) as run:
        dataset(rides, name="rides", context="training")
        log_params({"depth": depth, "rate": depth * 0.1234567890123, "seed": 7})
        for step in range(N_STEPS):
            log_metric("rmse", 6 + depth / 10 + 1 / (step + 1), step=step)
        log_metric("worst", math.inf if depth == 3 else 9)
        run.log_text("# Report\n<script>document.title='evil'</script>", "report.md")
        if depth == 3:
            uri = log_model(minutes, "model", example=rides[["distance"]]).uri
        else:
            run.log_text("flavors: {}", "model/MLmodel")
            uri = f"runs:/{run.id}/model"
        register_model(uri, MODEL)
    return run.id


@flow
def search() -> dict[int, str]:
    """Train on two versions of the data."""
    return {depth: fit(depth, frame(depth - 3)) for depth in (3, 4)}


@flow
def odd() -> None:
    """Log what is hard to show."""
    with start_run(LONG, experiment=LONG) as run:
        log_params({f"param-{n:04}": n for n in range(1000)})
        log_metric("odd", math.nan)
        run.set_tag("mlflow.note.content", "\u202enote\u202c")


def make() -> Rides:
    """Fill the home: version 1 has passed its gate, version 2 has not."""
    state = search(return_state=True)
    runs = state.result()
    odd()
    policy = {"checks": {"rmse": {"kind": "metric", "metric": "rmse", "max": 6.35}}, "aliases": ["production"]}
    commands = session.commands()
    commands.do(SetPolicy(name=MODEL, policy=msgspec.convert(policy, Policy)))
    commands.close()
    promote(MODEL, 1)
    with contextlib.suppress(GateFailed):
        promote(MODEL, 2)
    session.recorder().settle("database")
    reader = session.reader()
    try:
        digests = [one.digest for one in reader.datasets(name="rides")]
        flow_run = reader.find_tracking_run(runs[3]).flow_run_id
    finally:
        reader.close()
    return Rides(runs=runs, digests=digests, flow_run=flow_run)
