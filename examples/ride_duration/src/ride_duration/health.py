"""What is wrong with a month of trips before any model sees it."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ride_duration.data import month_of, select_rides
from ride_duration.features import routes

ABSURD_MILES = 100
"""No green taxi drives so far within an hour."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """Counts and shares of one month."""

    month: str
    n_trips: int
    n_rides: int
    absurd_miles: int
    n_absurd: int
    """Rides of `absurd_miles` or more."""
    longest_miles: float
    missing_passengers: float
    """Share of the trips without a passenger count."""
    n_other_month: int
    """Trips that began in another month than the file's."""


def check_trips(trips: pd.DataFrame) -> Health:
    """Give the health of one month of trips."""
    rides = select_rides(trips)
    month = month_of(trips)
    return Health(
        month=month,
        n_trips=len(trips),
        n_rides=len(rides),
        absurd_miles=ABSURD_MILES,
        n_absurd=int((rides["trip_distance"] >= ABSURD_MILES).sum()),
        longest_miles=float(rides["trip_distance"].max()),
        missing_passengers=float(trips["passenger_count"].isna().mean()),
        n_other_month=int((trips["lpep_pickup_datetime"].dt.strftime("%Y-%m") != month).sum()),
    )


def absurd_rides(rides: pd.DataFrame) -> pd.DataFrame:
    """Give the rides of 100 miles or more, longest first, each with the speed it would have needed."""
    absurd = rides[rides["trip_distance"] >= ABSURD_MILES].sort_values("trip_distance", ascending=False)
    return pd.DataFrame(
        {
            "pickup": absurd["lpep_pickup_datetime"].astype(str),
            "from": absurd["PULocationID"],
            "to": absurd["DOLocationID"],
            "miles": absurd["trip_distance"],
            "minutes": absurd["duration"].round(1),
            "mph": (absurd["trip_distance"] / absurd["duration"] * 60).round().astype("int64"),
        }
    )


def unseen_routes(train: pd.DataFrame, valid: pd.DataFrame) -> float:
    """Give the share of the rides in `valid` whose pair of zones never occurs in `train`."""
    known = set(routes(train))
    return float((~routes(valid).isin(known)).mean())
