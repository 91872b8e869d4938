"""The training flow: two months of trips in; models, their errors, pictures and the health of the data out.

Each model is a tracking run: parameters, errors, times, the months it learned from, and the model itself.

ostinato run src/ride_duration/flows.py:train_ride_duration \
    train=data/green_tripdata_2021-01.parquet valid=data/green_tripdata_2021-02.parquet
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
from sklearn.feature_extraction import DictVectorizer

import ostinato
from ostinato import artifact, flow, get_run_logger, log_metrics, log_model, log_params, runtime, start_run, task
from ride_duration import data, features, health, plots
from ride_duration import train as training
from ride_duration.features import Dataset
from ride_duration.health import Health
from ride_duration.predict import Fitted, Score

RIDE: Final = {"PULocationID": 130, "DOLocationID": 205, "trip_distance": 3.66}
"""One ride that every model is asked about."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the models of one run have in common."""

    train: str
    """Parquet file of the training month."""
    valid: str
    experiment: str
    """To which their tracking runs belong."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a training run found."""

    run: str
    """Name of the run."""
    months: list[Health]
    """Of the training month and the validation month."""
    unseen_routes: float
    n_features: int
    scores: list[Score]
    ride: dict[str, float]
    """What each model says about `RIDE`, in minutes."""


@task
def load_trips(source: str | Path) -> pd.DataFrame:
    """Give all trips of a month."""
    trips = data.read_trips(source)
    ostinato.dataset(source, name=f"green trips {data.month_of(trips)}")
    return trips


@task
def check_trips(trips: pd.DataFrame) -> Health:
    """Give the health of a month; absurd distances are named in a table, one by one."""
    found = health.check_trips(trips)
    logger = get_run_logger()
    if found.n_absurd:
        logger.warning(
            "%d of %s rides claim %d miles or more, up to %s",
            *(found.n_absurd, f"{found.n_rides:,}", health.ABSURD_MILES, f"{found.longest_miles:,.0f}"),
        )
        artifact.table(
            health.absurd_rides(data.select_rides(trips)),
            key=f"absurd-distances-{found.month}",
            description=f"{found.n_absurd} rides of {health.ABSURD_MILES} miles or more in {found.month}",
        )
    logger.info("passenger_count is missing in %.1f %% of the trips", 100 * found.missing_passengers)
    logger.info("%d trips began in another month than %s", found.n_other_month, found.month)
    return found


@task
def select_rides(trips: pd.DataFrame) -> pd.DataFrame:
    """Give the trips of 1 to 60 minutes."""
    rides = data.select_rides(trips)
    get_run_logger().info("%s of %s trips last 1 to 60 minutes", f"{len(rides):,}", f"{len(trips):,}")
    return rides


@task
def check_routes(train_rides: pd.DataFrame, valid_rides: pd.DataFrame) -> float:
    """Give the share of validation rides between zones that no training ride joins."""
    share = health.unseen_routes(train_rides, valid_rides)
    get_run_logger().warning("%.1f %% of the rides join zones that no ride of the training month joins", 100 * share)
    return share


@task
def fit_vectorizer(rides: pd.DataFrame) -> DictVectorizer:
    """Give a vectorizer fitted on the training rides."""
    return features.fit_vectorizer(rides)


@task
def make_dataset(vectorizer: DictVectorizer, train_rides: pd.DataFrame, valid_rides: pd.DataFrame) -> Dataset:
    """Give both months as numbers."""
    made = features.make_dataset(vectorizer, train_rides, valid_rides)
    get_run_logger().info("%s features", f"{made.train.shape[1]:,}")
    return made


@flow
def preprocess(train: str | Path, valid: str | Path) -> tuple[Dataset, list[Health], float]:
    """Give the data for training, the health of both months, and the share of unseen routes."""
    train_trips = load_trips(train)
    valid_trips = load_trips(valid)
    months = [check_trips(train_trips), check_trips(valid_trips)]
    train_rides = select_rides(train_trips)
    valid_rides = select_rides(valid_trips)
    unseen = check_routes(train_rides, valid_rides)
    vectorizer = fit_vectorizer(train_rides)
    return make_dataset(vectorizer, train_rides, valid_rides), months, unseen


@task
def fit_linear(dataset: Dataset, setting: Setting) -> Fitted:
    """Give least squares."""
    with start_run("linear", experiment=setting.experiment):
        fitted = _logged(training.fit_linear(dataset), setting)
    return _told(fitted)


@task
def fit_forest(dataset: Dataset, setting: Setting) -> Fitted:
    """Give a random forest of 100 trees."""
    with start_run("forest", experiment=setting.experiment):
        fitted = _logged(training.fit_forest(dataset), setting)
    return _told(fitted)


@task
def fit_xgboost(dataset: Dataset, setting: Setting) -> Fitted:
    """Give boosted trees with the parameters that XGBoost comes with."""
    with start_run("xgboost", experiment=setting.experiment):
        fitted = _logged(training.fit_boosted(dataset), setting)
    return _told(fitted)


@task(task_run_name="fit-trial-{number}")
def fit_trial(number: int, params: dict[str, Any], dataset: Dataset, setting: Setting) -> Fitted:
    """Give boosted trees with parameters that the search proposed."""
    name = f"xgboost, trial {number}"
    with start_run(name, experiment=setting.experiment):
        fitted = _logged(training.fit_boosted(dataset, name=name, params=params), setting)
    return _told(fitted)


def search(dataset: Dataset, setting: Setting, n_trials: int, max_depth: int, seed: int) -> list[Fitted]:
    """Give one model a trial. A resumed run hears the recorded answers first, so the search goes on where it was."""
    study = training.start_search(seed)
    found = []
    for number in range(1, n_trials + 1):
        trial, params = training.propose(study, max_depth=max_depth)
        found.append(fit_trial(number, params, dataset, setting))
        study.tell(trial, found[-1].score.rmse_valid)
    return found


@task
def compare_models(scores: list[Score]) -> str:
    """Give the name of the model with the smallest validation error; the table has them all."""
    ranked = sorted(scores, key=lambda score: score.rmse_valid)
    artifact.table([asdict(score) for score in ranked], key="models", description="Models, best first; RMSE in minutes")
    return ranked[0].model


@task
def plot_model(model: Fitted, dataset: Dataset, month: str) -> None:
    """Draw what the model says about the validation month."""
    predicted = model.regressor.predict(dataset.valid)
    name, actual = model.score.model, dataset.valid_minutes
    artifact.image(
        plots.predicted_against_actual(actual, predicted, f"{name}: predicted against actual, {month}"),
        key="predicted-against-actual",
    )
    artifact.image(plots.residuals(actual, predicted, f"{name}: residuals, {month}"), key="residuals")


@flow
def train_ride_duration(
    train: str | Path,
    valid: str | Path,
    *,
    n_trials: int = 2,
    max_depth: int = training.DEEPEST,
    forest: bool = False,
    seed: int = 42,
    experiment: str = "ride-duration",
) -> Report:
    """Train models of ride duration on one month and validate them on another.

    Args:
        train: Parquet file of the training month: a path or a URL such as `s3://...`.
        valid: Parquet file of the validation month.
        n_trials: How many boosters the search may try.
        max_depth: The deepest tree that the search may try.
        forest: Train the random forest too.
        seed: Where the search begins.
        experiment: To which the tracking runs of the models belong.
    """
    setting = Setting(train=str(train), valid=str(valid), experiment=experiment)
    dataset, months, unseen = preprocess(train, valid)
    models = [fit_linear(dataset, setting)]
    if forest:
        models.append(fit_forest(dataset, setting))
    models.append(fit_xgboost(dataset, setting))
    models += search(dataset, setting, n_trials, max_depth, seed)
    best = compare_models([model.score for model in models])
    plot_model(next(model for model in models if model.score.model == best), dataset, months[1].month)
    return Report(
        run=runtime.flow_run.name,
        months=months,
        unseen_routes=unseen,
        n_features=dataset.train.shape[1],
        scores=[model.score for model in models],
        ride={model.score.model: model.predict([RIDE])[0] for model in models},
    )


def _logged(model: Fitted, setting: Setting) -> Fitted:
    """Keep a model, and what it was made from, with the tracking run that is open."""
    score = model.score
    for source, context in ((setting.train, "training"), (setting.valid, "validation")):
        ostinato.dataset(source, context=context)
    log_params({"model": score.model.partition(",")[0], **model.params})
    log_metrics({name: value for name, value in asdict(score).items() if name != "model"})
    # For the 13,221 words of the vectorizer skops, the form that needs no trust, takes seven seconds.
    log_model(model.pipeline(), "model", example=features.features(pd.DataFrame([RIDE])), how="pickle")
    return model


def _told(model: Fitted) -> Fitted:
    """Say how good a model is."""
    score = model.score
    get_run_logger().info("%s: RMSE %.4f (training %.4f)", score.model, score.rmse_valid, score.rmse_train)
    return model
