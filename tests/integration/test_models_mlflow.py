"""Models between Ostinato and the real MLflow: folders read on both sides, and logged models through the door."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from tests.integration.served import served
from tests.mlflow.environments import environment

from ostinato import session
from ostinato.tracking.api import start_run
from ostinato.tracking.models.api import load_model, log_model, save_model

pytestmark = [
    pytest.mark.timeout(600),  # MLflow takes seconds to import; its environment may have to be made first
    pytest.mark.only_sqlite("files and protocol are the same on every store"),
]

CLIENTS = ["mlflow-3", "mlflow-2"]
FRAME = pd.DataFrame({"miles": [1.0, 2.0, 3.0, 4.0], "riders": [1.0, 2.0, 3.0, 5.0]})
TARGET = np.array([1.0, 2.0, 3.0, 4.0])

COMMON = """
import json, os, sys, logging, warnings
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
import numpy as np
import pandas as pd
import mlflow
frame = pd.DataFrame({"miles": [1.0, 2.0, 3.0, 4.0], "riders": [1.0, 2.0, 3.0, 5.0]})
target = np.array([1.0, 2.0, 3.0, 4.0])
folder = sys.argv[1]
# What a model needs is named: else MLflow finds it out in a process of its own for each.
import sklearn
needs = {"pip_requirements": [f"scikit-learn=={sklearn.__version__}"]}
def numbers(values):
    return [float(value) for value in np.asarray(values).ravel()]
"""

READS = """
found = {}
for name in sorted(os.listdir(folder)):
    model = mlflow.pyfunc.load_model(os.path.join(folder, name))
    found[name] = numbers(model.predict(frame))
found["native"] = numbers(mlflow.sklearn.load_model(os.path.join(folder, "sklearn")).predict(frame))
found["signature"] = mlflow.models.Model.load(os.path.join(folder, "sklearn")).signature.inputs.to_dict()
found["example"] = mlflow.models.Model.load(os.path.join(folder, "sklearn")).load_input_example(
    os.path.join(folder, "sklearn")
).values.tolist()
print(json.dumps(found))
"""

WRITES = """
import lightgbm, xgboost
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression
linear = LinearRegression().fit(frame, target)
signature = infer_signature(frame, linear.predict(frame))
at = lambda name: os.path.join(folder, name)
mlflow.sklearn.save_model(linear, at("sklearn"), signature=signature, input_example=frame, **needs)
mlflow.sklearn.save_model(linear, at("sklearn-pickle"), serialization_format="pickle", **needs)
mlflow.xgboost.save_model(xgboost.XGBRegressor(n_estimators=3).fit(frame, target), at("xgboost"), **needs)
boosted = lightgbm.LGBMRegressor(n_estimators=3, min_child_samples=1, verbose=-1).fit(frame, target)
mlflow.lightgbm.save_model(boosted, at("lightgbm"), **needs)
mlflow.lightgbm.save_model(boosted.booster_, at("lightgbm-booster"), **needs)
class Times(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        with open(context.artifacts["factor"]) as file:
            self.factor = float(file.read())
    def predict(self, context, model_input, params=None):
        return model_input["miles"] * self.factor
factor = os.path.join(folder, "..", "factor.txt")
with open(factor, "w") as file:
    file.write("2.5")
mlflow.pyfunc.save_model(at("object"), python_model=Times(), artifacts={"factor": factor}, **needs)
print(json.dumps({
    "sklearn": numbers(linear.predict(frame)),
    "xgboost": numbers(mlflow.xgboost.load_model(at("xgboost")).predict(frame)),
    "lightgbm": numbers(boosted.predict(frame)),
    "object": numbers(frame["miles"] * 2.5),
}))
"""

LOGS = """
from sklearn.linear_model import LinearRegression
mlflow.set_experiment("rides")
with mlflow.start_run() as run:
    info = mlflow.sklearn.log_model(
        LinearRegression().fit(frame, target), "model", input_example=frame, serialization_format="cloudpickle", **needs
    )
    mlflow.log_metric("rmse", 6.4)
by_run = f"runs:/{run.info.run_id}/model"
found = {"run": run.info.run_id, "by_run": numbers(mlflow.pyfunc.load_model(by_run).predict(frame))}
found["theirs"] = numbers(mlflow.pyfunc.load_model(os.environ["THEIRS"]).predict(frame))
if hasattr(mlflow, "search_logged_models"):
    from mlflow import MlflowClient
    client = MlflowClient()
    model = client.get_logged_model(info.model_id)
    found["id"] = model.model_id
    found["outputs"] = [one.model_id for one in client.get_run(run.info.run_id).outputs.model_outputs]
    found["status"] = str(model.status)
    found["by_id"] = numbers(mlflow.pyfunc.load_model(f"models:/{info.model_id}").predict(frame))
    client.set_logged_model_tags(info.model_id, {"team": "taxi", "gone": "soon"})
    client.delete_logged_model_tag(info.model_id, "gone")
    found["tags"] = client.get_logged_model(info.model_id).tags
    found["metrics"] = [metric.key for metric in client.get_logged_model(info.model_id).metrics]
    with mlflow.start_run(run.info.run_id):
        other = mlflow.initialize_logged_model(name="other", params={"depth": "3"})
        mlflow.log_metric("rmse", 9.5, model_id=other.model_id)
        mlflow.finalize_logged_model(other.model_id, "READY")
    search = lambda **options: [m.name for m in mlflow.search_logged_models(output_format="list", **options)]
    found["all"] = sorted(search())
    found["worse"] = search(filter_string="metrics.rmse > 9 AND params.depth = '3'")
    found["best first"] = search(filter_string="name IN ('model', 'other')", order_by=[
        {"field_name": "metrics.rmse", "ascending": True}])
    client.delete_logged_model(other.model_id)
    found["left"] = sorted(search())
print(json.dumps(found))
"""


def _run(name: str, program: str, folder: Path, **env: str) -> Any:
    """Give what a program with MLflow prints."""
    done = subprocess.run(
        [environment(name), "-c", COMMON + program, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=folder.parent,  # MLflow leaves a folder where it runs
        env={**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "true", "GIT_PYTHON_REFRESH": "quiet", **env},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


class Half:
    """A model with a file of its own."""

    def load_context(self, context: Any) -> None:
        self.factor = float(Path(context.artifacts["factor"]).read_text(encoding="utf-8"))

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return model_input["miles"] * self.factor


@pytest.mark.parametrize("client", CLIENTS)
def test_mlflow_reads_what_ostinato_writes(client: str, tmp_path: Path) -> None:
    models = tmp_path / "models"
    linear = LinearRegression().fit(FRAME, TARGET)
    boosted = xgboost.XGBRegressor(n_estimators=3).fit(FRAME, TARGET)
    light = lightgbm.LGBMRegressor(n_estimators=3, min_child_samples=1, verbose=-1).fit(FRAME, TARGET)
    (tmp_path / "factor.txt").write_text("0.5", encoding="utf-8")
    save_model(linear, models / "sklearn", example=FRAME, how="pickle")
    if client == "mlflow-3":  # MLflow 2 knows no skops
        save_model(linear, models / "sklearn-skops", example=FRAME, how="skops")
    save_model(boosted, models / "xgboost", example=FRAME)
    save_model(boosted.get_booster(), models / "xgboost-booster", example=FRAME)
    save_model(light, models / "lightgbm", example=FRAME)
    save_model(light.booster_, models / "lightgbm-booster", example=FRAME)
    save_model(lambda data: data["miles"] * 2, models / "function", example=FRAME)
    save_model(Half(), models / "object", example=FRAME, artifacts={"factor": str(tmp_path / "factor.txt")})
    found = _run(client, READS, models)
    assert found["native"] == pytest.approx(TARGET)
    for name in ("sklearn", *(["sklearn-skops"] if client == "mlflow-3" else [])):
        assert found[name] == pytest.approx(TARGET)
    for name in ("xgboost", "xgboost-booster"):
        assert found[name] == pytest.approx(boosted.predict(FRAME))
    for name in ("lightgbm", "lightgbm-booster"):
        assert found[name] == pytest.approx(light.predict(FRAME))
    assert found["function"] == [2.0, 4.0, 6.0, 8.0]
    assert found["object"] == [0.5, 1.0, 1.5, 2.0]
    assert list(load_model(models / "object").predict(FRAME)) == found["object"], "MLflow has imported its loader"
    assert [(one["name"], one["type"], one["required"]) for one in found["signature"]] == [
        ("miles", "double", True),
        ("riders", "double", True),
    ]
    assert found["example"] == FRAME.to_numpy().tolist()


@pytest.mark.parametrize("client", CLIENTS)
def test_ostinato_reads_what_mlflow_writes(client: str, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    wanted = _run(client, WRITES, models)
    for name in sorted(path.name for path in models.iterdir()):
        found = load_model(models / name).predict(FRAME)
        assert [float(value) for value in found] == pytest.approx(wanted[name.partition("-")[0]]), name


@pytest.mark.parametrize("client", CLIENTS)
def test_models_logged_on_one_side_load_on_the_other(client: str, home: Path, tmp_path: Path) -> None:
    with served(home, tmp_path) as server:
        with start_run("ours"):
            ours = log_model(LinearRegression().fit(FRAME, 3 * TARGET), example=FRAME, how="pickle")
        session.recorder().settle("database", 20)
        card = server.card
        theirs = ours.uri if client == "mlflow-3" else f"runs:/{ours.run_id}/model"
        found = _run(
            client, LOGS, tmp_path, MLFLOW_TRACKING_URI=card.url, MLFLOW_TRACKING_TOKEN=card.token, THEIRS=theirs
        )
        assert found["by_run"] == pytest.approx(TARGET)
        assert found["theirs"] == pytest.approx(3 * TARGET)
        assert load_model(f"runs:/{found['run']}/model").predict(FRAME) == pytest.approx(TARGET)
        if client == "mlflow-3":
            _check_logged(found)


def _check_logged(found: dict[str, Any]) -> None:
    assert found["status"] == "READY"
    assert found["outputs"] == [found["id"]]
    assert found["by_id"] == pytest.approx(TARGET)
    assert found["tags"]["team"] == "taxi"
    assert "gone" not in found["tags"]
    assert found["all"] == ["model", "other"]
    assert found["worse"] == ["other"]
    assert found["best first"][-1] == "other" or found["best first"] == ["model", "other"]
    assert found["left"] == ["model"]
    assert load_model(found["id"]).predict(FRAME) == pytest.approx(TARGET)
    reader = session.reader()
    kept = reader.logged_model(found["id"])
    reader.close()
    assert kept.flavor == "sklearn"
    assert kept.size > 0
    assert any(line.startswith("scikit-learn==") for line in kept.requirements)
    assert json.loads(kept.signature)["inputs"][0]["name"] == "miles"


def test_a_pipeline_over_dicts_predicts_through_mlflow(tmp_path: Path) -> None:
    rows = [{"zone": "43", "miles": 1.5}, {"zone": "7", "miles": 2.5}]
    pipeline = make_pipeline(DictVectorizer(), LinearRegression()).fit(rows, [1.0, 2.0])
    info = save_model(pipeline, tmp_path / "m", how="pickle", example=rows)
    assert info.signature is not None
    program = f"print(json.dumps(numbers(mlflow.pyfunc.load_model(folder).predict({rows!r}))))"
    assert _run("mlflow-3", program, tmp_path / "m") == pytest.approx([1.0, 2.0])
