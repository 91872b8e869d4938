"""A program of somebody who uses MLflow and knows nothing of Ostinato; it is run with MLFLOW_TRACKING_URI set.

Its words: `basics` needs `mlflow-skinny` only; `sklearn` and `xgboost` fit, log, register and load a model.
"""

from __future__ import annotations

import importlib
import math
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException

warnings.simplefilter("ignore")  # stages are deprecated there, and in use
client = MlflowClient()


def basics() -> None:
    """Experiments, runs, metrics, tags, files, search, errors."""
    assert "Default" in [one.name for one in client.search_experiments()]
    experiment = mlflow.set_experiment("rides")
    runs = [trial(number) for number in range(5)]
    found = client.search_runs(
        [experiment.experiment_id],
        "metrics.rmse_valid < 6.5 and metrics.inference_time < 20e-6",
        ViewType.ACTIVE_ONLY,
        5,
        ["metrics.rmse_valid ASC"],
    )
    assert [run.info.run_id for run in found] == runs[:2]
    assert [run.info.run_id for run in client.search_runs([experiment.experiment_id], "tags.author = 'ann'")] == runs[
        ::-1
    ]
    page = client.search_runs([experiment.experiment_id], max_results=3)
    assert len(page) == 3
    assert len(client.search_runs([experiment.experiment_id], max_results=3, page_token=page.token)) == 2
    logged(runs[0])
    files(runs[0])
    lives(experiment.experiment_id, runs[0])
    errors(experiment.experiment_id, runs[0])


def trial(number: int) -> str:
    """Make one run of some trials."""
    with mlflow.start_run(run_name=f"trial-{number}") as run:
        mlflow.log_params({"depth": number, "a/b c": "x" * 6000, "größe": "μ"})
        mlflow.log_param("max_depth", number)
        mlflow.log_metric("rmse_valid", 6.427 + number * 0.054)
        mlflow.log_metrics({"inference_time": 7.7e-6, "nan": math.nan, "inf": -math.inf})
        for step in range(3):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.set_tag("author", "ann")
        mlflow.log_text("hello", "notes/a.txt")
        run_id: str = run.info.run_id
        return run_id


def logged(run_id: str) -> None:
    """Look at what a run has logged."""
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == run.data.tags["mlflow.runName"] == "trial-0"
    assert run.info.end_time >= run.info.start_time > 1_600_000_000_000
    assert run.data.params == {"depth": "0", "a/b c": "x" * 6000, "größe": "μ", "max_depth": "0"}
    assert run.data.metrics["loss"] == 1 / 3
    assert math.isnan(run.data.metrics["nan"])
    assert run.data.metrics["inf"] < -1e308
    assert [(one.step, one.value) for one in client.get_metric_history(run_id, "loss")] == [
        (0, 1.0),
        (1, 0.5),
        (2, 1 / 3),
    ]
    client.log_batch(
        run_id,
        metrics=[Metric("many", float(step), 1_700_000_000_000, step) for step in range(1000)],
        params=[Param("late", "1")],
        tags=[RunTag("more", "yes")],
    )
    assert len(client.get_metric_history(run_id, "many")) == 1000
    assert client.get_run(run_id).data.tags["more"] == "yes"
    client.delete_tag(run_id, "more")
    assert "more" not in client.get_run(run_id).data.tags
    with mlflow.start_run(run_id=run_id), mlflow.start_run(nested=True) as child:
        assert child.data.tags["mlflow.parentRunId"] == run_id
    client.delete_run(child.info.run_id)


def files(run_id: str) -> None:
    """Send files, list them, get them back."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        (tree / "deep").mkdir(parents=True)
        (tree / "one.bin").write_bytes(bytes(range(256)) * 40_000)
        (tree / "deep" / "größe 50%.txt").write_text("two", encoding="utf-8")
        client.log_artifacts(run_id, str(tree), "data")
        client.log_artifact(run_id, str(tree / "one.bin"))
        listed = {one.path: (one.is_dir, one.file_size) for one in client.list_artifacts(run_id)}
        assert listed == {"data": (True, None), "notes": (True, None), "one.bin": (False, 10_240_000)}
        assert [one.path for one in client.list_artifacts(run_id, "data")] == ["data/deep", "data/one.bin"]
        assert [one.path for one in client.list_artifacts(run_id, "data/deep")] == ["data/deep/größe 50%.txt"]
        back = Path(client.download_artifacts(run_id, "data", folder))
        assert (back / "one.bin").read_bytes() == (tree / "one.bin").read_bytes()
        assert (back / "deep" / "größe 50%.txt").read_text(encoding="utf-8") == "two"
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/notes/a.txt") == "hello"


def lives(experiment_id: str, run_id: str) -> None:
    """Rename, delete and restore."""
    client.update_run(run_id, name="renamed")
    assert client.get_run(run_id).info.run_name == "renamed"
    client.delete_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    assert run_id in [
        one.info.run_id for one in client.search_runs([experiment_id], run_view_type=ViewType.DELETED_ONLY)
    ]
    client.restore_run(run_id)
    client.set_experiment_tag(experiment_id, "team", "a")
    client.rename_experiment(experiment_id, "Rides")
    assert client.get_experiment_by_name("Rides").tags["team"] == "a"
    other = client.create_experiment("other", tags={"a": "b"})
    client.delete_experiment(other)
    assert client.get_experiment(other).lifecycle_stage == "deleted"
    assert refused(client.create_run, other) == "INVALID_PARAMETER_VALUE"
    client.restore_experiment(other)
    assert [one.name for one in client.search_experiments(filter_string="tags.a = 'b'")] == ["other"]


def errors(experiment_id: str, run_id: str) -> None:
    """Be refused as MLflow refuses."""
    assert refused(client.get_run, "0" * 32) == "RESOURCE_DOES_NOT_EXIST"
    assert refused(client.get_experiment, "12345") == "RESOURCE_DOES_NOT_EXIST"
    assert client.get_experiment_by_name("none") is None
    assert refused(client.create_experiment, "Rides") == "RESOURCE_ALREADY_EXISTS"
    assert refused(client.log_param, run_id, "depth", "9") == "INVALID_PARAMETER_VALUE"
    assert refused(client.search_runs, [experiment_id], "metrics.a <") == "INVALID_PARAMETER_VALUE"
    assert refused(client.get_registered_model, "none") == "RESOURCE_DOES_NOT_EXIST"


def refused(call: Any, *values: object) -> str:
    """Give the code by which a call is refused."""
    try:
        call(*values)
    except MlflowException as error:
        return str(error.error_code)
    return ""


def fitted(flavor: str) -> None:
    """Fit with autolog; register the model, move stage and alias, and predict with what is loaded."""
    numpy = importlib.import_module("numpy")
    getattr(mlflow, flavor).autolog()
    rows = numpy.random.default_rng(1).random((60, 3))
    target = rows.sum(axis=1)
    name = f"{flavor}-rides"
    with mlflow.start_run() as run:
        model = estimator(flavor).fit(rows, target)
        mlflow.log_metric("rmse_valid", 0.1)
    logged_run = client.get_run(run.info.run_id)
    assert len(logged_run.data.params) > 3
    assert logged_run.data.metrics["rmse_valid"] == 0.1
    data = [one.dataset for one in logged_run.inputs.dataset_inputs]
    assert all(one.schema and one.profile and one.source_type for one in data)
    assert data or flavor != "sklearn"
    if mlflow.__version__.startswith("3."):
        assert [one.step for one in logged_run.outputs.model_outputs] == [0]
    version = mlflow.register_model(f"runs:/{run.info.run_id}/model", name)
    assert (version.version, version.run_id) == ("1", run.info.run_id) or str(version.version) == "1"
    client.transition_model_version_stage(name, version.version, "Production")
    client.set_registered_model_alias(name, "champion", version.version)
    client.update_model_version(name, version.version, description="The first one.")
    client.set_model_version_tag(name, version.version, "checked", "yes")
    found = client.get_model_version_by_alias(name, "champion")
    assert (found.description, found.current_stage, found.tags) == ("The first one.", "Production", {"checked": "yes"})
    assert [one.version for one in client.get_latest_versions(name, ["Production"])] == [version.version]
    assert [one.name for one in client.search_registered_models(f"name = '{name}'")] == [name]
    expected = model.predict(rows[:5])
    for uri in (
        f"models:/{name}/Production",
        f"models:/{name}@champion",
        f"models:/{name}/1",
        f"runs:/{run.info.run_id}/model",
    ):
        assert numpy.allclose(mlflow.pyfunc.load_model(uri).predict(rows[:5]), expected), uri
    native = getattr(mlflow, flavor).load_model(f"models:/{name}@champion")
    assert numpy.allclose(native.predict(rows[:5]), expected)


def estimator(flavor: str) -> Any:
    """Give a small model."""
    if flavor == "sklearn":
        return importlib.import_module("sklearn.linear_model").Ridge()
    return importlib.import_module("xgboost").XGBRegressor(n_estimators=3, max_depth=2)


if __name__ == "__main__":
    for word in sys.argv[1:]:
        if word == "basics":
            basics()
        else:
            fitted(word)
    print("passed")
