"""Fitting: three kinds of model and the search for the best booster, as plain functions."""

from __future__ import annotations

import time
from math import exp
from typing import TYPE_CHECKING, Any, Final

import optuna
import xgboost
from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import root_mean_squared_error

from ride_duration.predict import Boosted, Fitted, Score

if TYPE_CHECKING:
    from collections.abc import Callable

    from ride_duration.features import Dataset
    from ride_duration.predict import Regressor

DEEPEST: Final = 100
"""The deepest tree that the search may try."""


def fit_linear(data: Dataset) -> Fitted:
    """Give ordinary least squares with scikit-learn's defaults."""
    return _fit("linear", data, {}, lambda: LinearRegression().fit(data.train, data.train_minutes))


def fit_forest(data: Dataset, *, n_trees: int = 100, max_depth: int = 20, seed: int = 0) -> Fitted:
    """Give a random forest."""
    params = {"n_estimators": n_trees, "max_depth": max_depth, "random_state": seed}
    forest = RandomForestRegressor(**params, n_jobs=-1)
    return _fit("forest", data, params, lambda: forest.fit(data.train, data.train_minutes))


def fit_boosted(
    data: Dataset, *, name: str = "xgboost", params: dict[str, Any] | None = None, rounds: int = 100, patience: int = 5
) -> Fitted:
    """Give boosted trees; the fit stops when `patience` rounds in a row do not better the validation error.

    The matrices are plain `DMatrix` on purpose: `XGBRegressor` takes the quantized kind, and scoring 13,221
    sparse features from it after every round costs 60 times as much here.
    """

    def boost() -> Boosted:
        train = xgboost.DMatrix(data.train, label=data.train_minutes)
        valid = xgboost.DMatrix(data.valid, label=data.valid_minutes)
        booster = xgboost.train(
            params or {},
            train,
            num_boost_round=rounds,
            evals=[(valid, "valid")],
            early_stopping_rounds=patience,
            verbose_eval=False,
        )
        return Boosted(booster)

    return _fit(name, data, params or {}, boost)


def start_search(seed: int) -> optuna.Study:
    """Give a study whose TPE sampler proposes the same trials for the same seed and the same answers."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))


def propose(study: optuna.Study, *, max_depth: int = DEEPEST) -> tuple[optuna.Trial, dict[str, Any]]:
    """Give the next trial and its parameters for `fit_boosted`; answer it with `study.tell`.

    Depth is drawn evenly, the others evenly in their logarithm.
    """
    trial = study.ask(
        {
            "max_depth": IntDistribution(4, max_depth),
            "learning_rate": FloatDistribution(exp(-3), exp(0), log=True),
            "reg_alpha": FloatDistribution(exp(-5), exp(-1), log=True),
            "reg_lambda": FloatDistribution(exp(-6), exp(-1), log=True),
            "min_child_weight": FloatDistribution(exp(-1), exp(3), log=True),
        }
    )
    return trial, {**trial.params, "objective": "reg:squarederror", "seed": 42}


def _fit(name: str, data: Dataset, params: dict[str, Any], fit: Callable[[], Regressor]) -> Fitted:
    started = time.perf_counter()
    regressor = fit()
    fitted = time.perf_counter()
    predicted = regressor.predict(data.valid)
    answered = time.perf_counter()
    score = Score(
        model=name,
        rmse_train=float(root_mean_squared_error(data.train_minutes, regressor.predict(data.train))),
        rmse_valid=float(root_mean_squared_error(data.valid_minutes, predicted)),
        inference_time=(answered - fitted) / len(predicted),
        seconds=fitted - started,
    )
    return Fitted(vectorizer=data.vectorizer, regressor=regressor, score=score, params=params)
