"""The staging flow: train, look for a model that is good and fast enough, register it, let it pass the gate to staging.

ostinato run src/ride_duration/staging.py:stage_ride_duration \
    train=data/green_tripdata_2021-01.parquet valid=data/green_tripdata_2021-02.parquet

It is deployed with a schedule, and the experiment is named by the instant for which the run was scheduled. When no
model is good enough the run fails, and says how good each one is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostinato import artifact, flow, get_run_context, get_run_logger, models, promote, register_model, search_runs, task
from ride_duration import train as training
from ride_duration.flows import Report, train_ride_duration


class NoCandidateError(Exception):
    """No model of an experiment is good and fast enough."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A tracking run whose model may go to staging."""

    run: str
    """Id of the tracking run."""
    model: str
    rmse_valid: float
    """In minutes."""
    inference_time: float
    """Seconds to predict one ride."""


@dataclass(frozen=True, kw_only=True)
class Staged:
    """What went to staging."""

    version: int
    uri: str
    """What `load_model` takes."""
    candidate: Candidate
    experiment: str
    report: Report
    """Of the training."""


@task
def find_candidates(experiment: str, max_rmse: float, max_inference_time: float) -> list[Candidate]:
    """Give the models that are good and fast enough, the best first; the table has all of them."""
    wanted = f"metrics.rmse_valid < {max_rmse} and metrics.inference_time < {max_inference_time}"
    found = _search(experiment, wanted, 5)
    everything = _search(experiment, "", 100)
    artifact.table(
        [[*Candidate.__annotations__, "candidate"], *(_row(one, one in found) for one in everything)],
        key="candidates",
        description=f"Models of {experiment}; wanted: {wanted}",
    )
    if not found:
        lines = "".join(
            f"\n  {one.model:20}  rmse_valid {one.rmse_valid:.4f}  inference_time {one.inference_time:.2e}"
            for one in everything
        )
        message = f"No model of experiment {experiment!r} has {wanted}:{lines}"
        raise NoCandidateError(message)
    return found


def _search(experiment: str, wanted: str, most: int) -> list[Candidate]:
    runs = search_runs(wanted, experiments=experiment, order_by="metrics.rmse_valid ASC", max_results=most)
    return [
        Candidate(
            run=run.id,
            model=run.name,
            rmse_valid=run.metrics["rmse_valid"],
            inference_time=run.metrics["inference_time"],
        )
        for run in runs
    ]


def _row(one: Candidate, is_candidate: bool) -> list[Any]:  # noqa: FBT001 - a cell of the table
    return [one.run, one.model, one.rmse_valid, one.inference_time, "yes" if is_candidate else "no"]


@task
def register(candidate: Candidate, name: str) -> int:
    """Register the model of a candidate; give its version."""
    version = register_model(f"runs:/{candidate.run}/model", name).version
    get_run_logger().info("%s is version %d of %s", candidate.model, version, name)
    return version


@task
def describe(name: str, version: int, candidate: Candidate, experiment: str) -> None:
    """Write down where the version comes from."""
    run = get_run_context().flow_run
    text = (
        f"{candidate.model} of experiment {experiment}: RMSE {candidate.rmse_valid:.4f} minutes. "
        f"Went to staging by flow run {run.name}, due at {run.expected_start_time:%Y-%m-%d %H:%M} UTC."
    )
    models.describe(name, text, version=version)


@flow
def stage_ride_duration(
    train: str | Path,
    valid: str | Path,
    *,
    model: str = "ride-duration",
    max_rmse: float = 6.5,
    max_inference_time: float = 20e-6,
    n_trials: int = 3,
    max_depth: int = training.DEEPEST,
    forest: bool = False,
    seed: int = 42,
) -> Staged:
    """Train models, and let the best one that is good and fast enough go to staging.

    Args:
        train: Parquet file of the training month.
        valid: Parquet file of the validation month.
        model: Name under which the model is registered.
        max_rmse: The validation error of the model must be less, in minutes.
        max_inference_time: It must predict a ride in less, in seconds.
        n_trials: How many boosters the search may try.
        max_depth: The deepest tree that the search may try.
        forest: Train the random forest too.
        seed: Where the search begins.
    """
    due = get_run_context().flow_run.expected_start_time
    experiment = f"{model} {due:%Y-%m-%d %H:%M:%S}"
    report = train_ride_duration(
        train, valid, n_trials=n_trials, max_depth=max_depth, forest=forest, seed=seed, experiment=experiment
    )
    best, *_ = find_candidates(experiment, max_rmse, max_inference_time)
    version = register(best, model)
    promote(model, version, to="staging")
    describe(model, version, best, experiment)
    return Staged(version=version, uri=f"models:/{model}@staging", candidate=best, experiment=experiment, report=report)
