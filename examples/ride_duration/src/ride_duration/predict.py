"""Predictions in minutes from a fitted model, for a matrix or for rides as they come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
import xgboost
from sklearn.pipeline import Pipeline, make_pipeline

from ride_duration.features import features

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction import DictVectorizer


class Regressor(Protocol):
    """Whatever gives one number for each row."""

    def predict(self, rows: csr_matrix) -> np.ndarray[Any, Any]:
        """Give one prediction a row."""


@dataclass(frozen=True)
class Boosted:
    """XGBoost's own model behind the same `predict` as scikit-learn's."""

    booster: xgboost.Booster

    def predict(self, rows: csr_matrix) -> np.ndarray[Any, Any]:
        """Give one prediction a row, from the trees up to the best round."""
        best = self.booster.best_iteration + 1
        return np.asarray(self.booster.predict(xgboost.DMatrix(rows), iteration_range=(0, best)))


@dataclass(frozen=True, kw_only=True)
class Score:
    """How good and how fast a model is: root mean squared errors in minutes, times in seconds."""

    model: str
    rmse_train: float
    rmse_valid: float
    inference_time: float
    """Seconds to predict one row, in a batch of all validation rows."""
    seconds: float
    """Wall time of the fit."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A model with what it needs to predict: the vectorizer it was trained with."""

    vectorizer: DictVectorizer
    regressor: Regressor
    score: Score
    params: dict[str, Any]

    def predict(self, rides: Sequence[Mapping[str, Any]]) -> list[float]:
        """Give minutes for rides such as `{"PULocationID": 130, "DOLocationID": 205, "trip_distance": 3.66}`."""
        rows = self.vectorizer.transform(features(pd.DataFrame(rides)))
        return [float(minutes) for minutes in self.regressor.predict(rows)]

    def pipeline(self) -> Pipeline:
        """Give both as one model of scikit-learn; it takes what `features` gives, and needs none of this code."""
        if not isinstance(self.regressor, Boosted):
            return make_pipeline(self.vectorizer, self.regressor)
        booster = self.regressor.booster
        regressor = xgboost.XGBRegressor()
        regressor.load_model(booster[: booster.best_iteration + 1].save_raw("ubj"))
        return make_pipeline(self.vectorizer, regressor)
