"""From rides to numbers: the same few lines for training and for prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sklearn.feature_extraction import DictVectorizer

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from scipy.sparse import csr_matrix


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Training and validation rides as sparse matrices (n_rides, n_features) and durations in minutes."""

    vectorizer: DictVectorizer
    train: csr_matrix
    valid: csr_matrix
    train_minutes: np.ndarray[Any, Any]
    valid_minutes: np.ndarray[Any, Any]


def routes(rides: pd.DataFrame) -> pd.Series[str]:
    """Give each ride's pair of zones, such as `130_205`."""
    return rides["PULocationID"].astype(str) + "_" + rides["DOLocationID"].astype(str)


def features(rides: pd.DataFrame) -> list[dict[str, Any]]:
    """Give one dictionary a ride: the pair of zones as one category, and the miles."""
    pairs = zip(routes(rides), rides["trip_distance"].tolist(), strict=True)
    return [{"PU_DO": route, "trip_distance": miles} for route, miles in pairs]


def fit_vectorizer(rides: pd.DataFrame) -> DictVectorizer:
    """Give a vectorizer that knows every pair of zones in `rides`; others become all zeros."""
    return DictVectorizer().fit(features(rides))


def make_dataset(vectorizer: DictVectorizer, train: pd.DataFrame, valid: pd.DataFrame) -> Dataset:
    """Give both months as numbers."""
    return Dataset(
        vectorizer=vectorizer,
        train=vectorizer.transform(features(train)),
        valid=vectorizer.transform(features(valid)),
        train_minutes=train["duration"].to_numpy(),
        valid_minutes=valid["duration"].to_numpy(),
    )
