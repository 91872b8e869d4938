"""The packaged demo: trains models of ride duration on two months of real taxi trips; the best goes to staging."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ostinato.core.errors import ExtraMissing

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES: Final = {
    "numpy": "numpy",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "sklearn": "scikit-learn",
    "xgboost": "xgboost",
    "optuna": "optuna",
    "matplotlib": "matplotlib",
}
"""Modules that the example imports, and the package that each comes with."""

MONTHS: Final = ("green_tripdata_2021-01.parquet", "green_tripdata_2021-02.parquet")
SHORT: Final[dict[str, Any]] = {"n_trials": 2, "max_depth": 8}
FULL: Final[dict[str, Any]] = {"n_trials": 3, "forest": True}
GOOD_ENOUGH: Final[dict[str, Any]] = {"max_rmse": 7.0, "max_inference_time": 1e-3}
"""What boosted trees reach with few trials, on a busy machine too."""


def train(*, full: bool, data: Path | None = None) -> Any:
    """Run the staging flow and give what went to staging, with the report of the training.

    Args:
        full: Train the forest too, and let the search try trees of any depth.
        data: Folder with the two months, instead of those that come with Ostinato.

    Raises:
        ExtraMissing: (extra-missing) a package of the demo is not installed.
    """
    for module, package in PACKAGES.items():
        if find_spec(module) is None:
            raise ExtraMissing(what="The demo", package=package, extra="demo")
    example = _example()
    if str(example / "src") not in sys.path:
        sys.path.insert(0, str(example / "src"))
    staging = importlib.import_module("ride_duration.staging")
    january, february = months(data)
    return staging.stage_ride_duration(train=january, valid=february, **GOOD_ENOUGH, **(FULL if full else SHORT))


def months(folder: Path | None = None) -> tuple[Path, Path]:
    """Give the Parquet files of January and February 2021: in a folder, or those that come with Ostinato."""
    january, february = ((folder or _example() / "data") / name for name in MONTHS)
    return january, february


def lines(staged: Any) -> list[str]:
    """Give what the demo prints at its end."""
    return ["", *_table(staged.report), "", *_findings(staged.report), *_staging(staged), "", *_next(staged), ""]


def _example() -> Path:
    """Give the folder of the example: inside the installed package, or in the source tree."""
    installed = Path(__file__).parent / "ride_duration"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "examples" / "ride_duration"


def _table(report: Any) -> Iterator[str]:
    best = min(score.rmse_valid for score in report.scores)
    width = max(len(score.model) for score in report.scores)
    yield click.style(f"  {'model':{width}}  rmse_train  rmse_valid  seconds  130 to 205", dim=True)
    for score in report.scores:
        row = (
            f"  {score.model:{width}}  {score.rmse_train:10.4f}  {score.rmse_valid:10.4f}  {score.seconds:7.1f}"
            f"  {report.ride[score.model]:6.2f} min"
        )
        yield click.style(f"{row}  best", bold=True) if score.rmse_valid == best else row


def _findings(report: Any) -> Iterator[str]:
    train, valid = report.months
    yield f"  {train.n_rides:,} rides of {train.month} to learn from, {valid.n_rides:,} of {valid.month} to judge by."
    yield f"  {report.n_features:,} features. The last column is one ride between two zones, 3.66 miles."
    yield (
        f"  {train.n_absurd} rides of {train.month} claim {train.absurd_miles} miles or more within the hour, "
        f"the longest {train.longest_miles:,.0f}."
    )


def _staging(staged: Any) -> Iterator[str]:
    best = staged.candidate
    yield f"  {best.model} is version {staged.version} of ride-duration and in staging: {staged.uri}."


def _next(staged: Any) -> Iterator[str]:
    run = staged.report.run
    rows = {
        "ostinato runs": "the runs that are recorded so far",
        f"ostinato show {run}": "its tasks, the absurd rides, the plots",
        f"ostinato show {run} --save plots": "writes them to files",
        f"ostinato logs {run}": "what it logged",
        f'ostinato experiments runs "{staged.experiment}"': "the models side by side",
        f"ostinato models lineage ride-duration {staged.version}": "from the model back to task, code and data",
        "ostinato demo --full": "with a random forest and deeper trees; kill it with `kill -9`, and",
        "ostinato resume last": "goes on from the last completed task",
    }
    width = max(map(len, rows))
    yield click.style("  Look next", dim=True)
    for command, meaning in rows.items():
        yield f"    {click.style(f'{command:{width}}', fg='cyan')}  {meaning}"
    yield "  docs/tutorial.md builds this flow step by step."
