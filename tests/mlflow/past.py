"""A program that fills an MLflow with all that can be imported; it is run by MLflow's own client, without a server.

Its words: the tracking address (`sqlite:///mlflow.db` or a folder), and where files go. It prints what it has made.
"""

from __future__ import annotations

import json
import math
import os
import sys
import warnings
from pathlib import Path

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"  # MLflow 3 asks for it

import mlflow
from mlflow import MlflowClient, entities
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric

warnings.simplefilter("ignore")  # stages are deprecated there, and in use
address, files = sys.argv[1:]
mlflow.set_tracking_uri(address)
client = MlflowClient()
NEW = mlflow.__version__.startswith("3.")
MODEL = "flavors: {python_function: {loader_module: nothing}}\nmodel_uuid: one\n"


def rides() -> dict[str, str]:
    """Make an experiment with runs of all kinds."""
    experiment = client.create_experiment("rides", artifact_location=f"{files}/rides", tags={"team": "geo"})
    mlflow.set_experiment("rides")
    ids = {}
    with mlflow.start_run(run_name="parent") as run:
        ids["parent"] = run.info.run_id
        mlflow.log_params({"depth": 3, "a/b c": "x" * 400, "größe": "μ"})
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"nan": math.nan, "inf": math.inf, "less": -math.inf})
        mlflow.set_tags({"author": "ann", "mlflow.source.name": "train.py", "mlflow.source.git.commit": "c0ffee"})
        mlflow.log_text("hello", "notes/a b.txt")
        mlflow.log_text(MODEL, "model/MLmodel")
        with mlflow.start_run(run_name="child", nested=True) as child:
            ids["child"] = child.info.run_id
    schema = json.dumps({"mlflow_colspec": [{"type": "double", "name": "distance", "required": True}]})
    data = Dataset("trips", "abcd1234", "local", json.dumps({"uri": "data/trips.csv"}), schema, '{"num_rows": 7}')
    tags = [InputTag("mlflow.data.context", "training"), InputTag("fold", "3")]
    client.log_inputs(ids["parent"], [DatasetInput(data, tags)])
    same = [Metric("twice", value, 1_700_000_000_000, 1) for value in (1.0, 2.0)]
    client.log_batch(ids["parent"], metrics=same)
    for name, status in (("failed", "FAILED"), ("killed", "KILLED"), ("going", "")):
        ids[name] = client.create_run(experiment, run_name=name).info.run_id
        if status:
            client.set_terminated(ids[name], status)
    ids["deleted"] = client.create_run(experiment, run_name="deleted").info.run_id
    client.delete_run(ids["deleted"])
    return ids


def registry(run_id: str) -> None:
    """Make registered models: versions, one deleted, stages, aliases, tags."""
    client.create_registered_model("taxi", tags={"unit": "min"}, description="minutes of a ride")
    for number in range(4):
        source = f"{client.get_run(run_id).info.artifact_uri}/model"
        client.create_model_version("taxi", source, run_id, tags={"seed": str(number)}, description=f"no. {number}")
    client.delete_model_version("taxi", "2")
    client.delete_model_version("taxi", "4")
    client.transition_model_version_stage("taxi", "1", "Production")
    client.transition_model_version_stage("taxi", "3", "Staging")
    client.set_registered_model_alias("taxi", "champion", "1")


def logged_model(run_id: str) -> str:
    """Make a logged model, where MLflow has such."""
    if not NEW:
        return ""
    experiment = client.get_run(run_id).info.experiment_id
    model = client.create_logged_model(experiment, name="net", source_run_id=run_id, params={"layers": "2"})
    folder = Path(files, "made")
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text(MODEL, encoding="utf-8")
    client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    client.log_batch(run_id, metrics=[Metric("f1", 0.9, 1_700_000_000_000, 0, model_id=model.model_id)])
    client.create_model_version("taxi", f"models:/{model.model_id}", run_id, model_id=model.model_id)
    client.log_outputs(run_id, [entities.LoggedModelOutput(model.model_id, 3)])
    client.log_inputs(run_id, models=[entities.LoggedModelInput(model.model_id)])
    gone = client.create_logged_model(experiment, name="gone")
    client.finalize_logged_model(gone.model_id, "READY")
    client.delete_logged_model(gone.model_id)
    return str(model.model_id)


def main() -> None:
    """Fill it, and tell the ids."""
    made = rides()
    old = client.create_experiment("old", artifact_location=f"{files}/old")
    made["forgotten"] = client.create_run(old, run_name="forgotten").info.run_id
    client.delete_experiment(old)
    far = client.create_experiment("far", artifact_location="s3://bucket/far")
    made["far"] = client.create_run(far, run_name="far").info.run_id
    client.set_terminated(made["far"])
    registry(made["parent"])
    made["model"] = logged_model(made["parent"])
    made["experiment"] = client.get_experiment_by_name("rides").experiment_id
    print(json.dumps(made))


main()
