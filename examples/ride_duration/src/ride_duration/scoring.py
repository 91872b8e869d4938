"""Batch scoring: each month, the durations of the month before, predicted and compared with what they were.

`train_model` writes the model file, once. `score_month` is deployed with the schedule `0 3 2 * *`; the month that it
scores is the one before the instant for which it was scheduled, whenever it runs. So a backfill scores the past.
"""

from __future__ import annotations

import os
import pickle
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import pandas as pd
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import Pipeline, make_pipeline

from ostinato import flow, get_run_context, get_run_logger, task
from ride_duration.data import read_trips, select_rides
from ride_duration.features import features

MODEL: Final = os.environ.get("RIDE_MODEL", "model.pickle")
"""The model file. A deployment sets the variable for its runs."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A fitted pipeline from rides to minutes."""

    pipeline: Pipeline
    version: str
    """Hash of its file."""
    loaded_by: int
    """Id of the process that read it."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What scoring one month gave."""

    month: str
    output: str
    n_rides: int
    rmse: float
    """In minutes."""
    model_version: str
    model_loaded_by: int


def load_model(path: str | Path) -> Model:
    """Give the model of a file, read again only when it has changed."""
    file = Path(path).resolve()
    return _read_model(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _read_model(file: Path, _changed_at: int) -> Model:
    content = file.read_bytes()
    version = blake2b(content, digest_size=6).hexdigest()
    pipeline = pickle.loads(content)  # noqa: S301 - a file that `train_model` wrote
    return Model(pipeline=pipeline, version=version, loaded_by=os.getpid())


if Path(MODEL).is_file():
    # A worker imports this module once and forks a process for each run: the model that is read here is there in all
    # of them, for nothing.
    load_model(MODEL)


def month_before(instant: datetime) -> str:
    """Give the month before that of an instant, such as `2023-01` for any time in February 2023."""
    return (instant.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")


@task(persist_result=False)
def read_month(data: Path, taxi_type: str, month: str) -> pd.DataFrame:
    """Give the rides of a month."""
    source = data / f"{taxi_type}_tripdata_{month}.parquet"
    if not source.is_file():
        message = f"There are no trips of {month}: {source} is missing."
        raise FileNotFoundError(message)
    return select_rides(read_trips(source))


@task(persist_result=False)
def predict_durations(rides: pd.DataFrame, taxi_type: str, month: str, model: str) -> pd.DataFrame:
    """Give each ride with its actual and its predicted duration; the same ride has the same id every time."""
    loaded = load_model(model)
    get_run_logger().info("model %s, read by process %d", loaded.version, loaded.loaded_by)
    scored = rides[["lpep_pickup_datetime", "PULocationID", "DOLocationID", "trip_distance"]].copy()
    scored.insert(0, "ride_id", [f"{taxi_type}-{month}-{number:06d}" for number in range(len(rides))])
    scored["actual_duration"] = rides["duration"]
    scored["predicted_duration"] = loaded.pipeline.predict(features(rides))
    scored["diff"] = scored["actual_duration"] - scored["predicted_duration"]
    scored["model_version"] = loaded.version
    return scored


@task
def write_month(scored: pd.DataFrame, output: Path, taxi_type: str, month: str) -> Path:
    """Write a month into its partition, whole or not at all; give the file."""
    year, number = month.split("-")
    partition = output / f"taxi_type={taxi_type}" / f"year={year}" / f"month={number}"
    partition.mkdir(parents=True, exist_ok=True)
    unfinished = partition / f".part-0.{os.getpid()}"
    scored.to_parquet(unfinished, index=False)
    return unfinished.replace(partition / "part-0.parquet")


@flow
def score_month(
    taxi_type: str = "green", data: Path = Path("data"), output: Path = Path("scored"), model: str = MODEL
) -> dict[str, Any]:
    """Score the month before the scheduled instant, and write it to its partition of `output`.

    Args:
        taxi_type: Which trips, the first part of the names of their files.
        data: Folder of the months, `green_tripdata_2023-01.parquet` and so on.
        output: Folder of the scored months.
        model: The file that `train_model` wrote.
    """
    month = month_before(get_run_context().flow_run.expected_start_time)
    rides = read_month(data, taxi_type, month)
    scored = predict_durations(rides, taxi_type, month, model)
    written = write_month(scored, output, taxi_type, month)
    loaded = load_model(model)
    report = Scored(
        month=month,
        output=str(written),
        n_rides=len(scored),
        rmse=float(root_mean_squared_error(scored["actual_duration"], scored["predicted_duration"])),
        model_version=loaded.version,
        model_loaded_by=loaded.loaded_by,
    )
    get_run_logger().info("%s: %s rides, RMSE %.3f minutes", month, f"{report.n_rides:,}", report.rmse)
    return asdict(report)


@flow
def train_model(train: Path = Path("data/green_tripdata_2021-01.parquet"), model: str = MODEL) -> str:
    """Fit the pipeline on one month and write it to a file; give its version.

    Args:
        train: Parquet file of the month.
        model: Where to write it.
    """
    rides = select_rides(read_trips(train))
    pipeline = make_pipeline(DictVectorizer(), LinearRegression()).fit(features(rides), rides["duration"])
    file = Path(model)
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    unfinished.write_bytes(pickle.dumps(pipeline))
    unfinished.replace(file)
    version = load_model(file).version
    get_run_logger().info("model %s of %s rides is in %s", version, f"{len(rides):,}", file)
    return version
