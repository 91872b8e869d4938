"""Trips as the taxi commission publishes them, and the rides among them that a model may learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = (
    "lpep_pickup_datetime",
    "lpep_dropoff_datetime",
    "PULocationID",
    "DOLocationID",
    "trip_distance",
    "passenger_count",
)
"""The columns that this package reads; a month has about 20."""

SHORTEST_MIN, LONGEST_MIN = 1, 60
"""A ride of less is a false start, a ride of more a meter that was left on."""


def read_trips(source: str | Path) -> pd.DataFrame:
    """Give all trips of a Parquet file: a path, or what pandas opens (`s3://bucket/2021-01.parquet`)."""
    return pd.read_parquet(source, columns=list(COLUMNS))


def select_rides(trips: pd.DataFrame) -> pd.DataFrame:
    """Give the trips of 1 to 60 minutes, with their `duration` in minutes."""
    seconds = (trips["lpep_dropoff_datetime"] - trips["lpep_pickup_datetime"]).dt.total_seconds()
    rides = trips.assign(duration=seconds / 60)
    return rides[rides["duration"].between(SHORTEST_MIN, LONGEST_MIN)].reset_index(drop=True)


def month_of(trips: pd.DataFrame) -> str:
    """Give the month in which most of the trips began, such as `2021-01`."""
    months = trips["lpep_pickup_datetime"].dt.strftime("%Y-%m")
    return str(months.mode().iloc[0])
