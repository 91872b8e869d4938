"""The registry as MLflow's own client uses it: models, versions, stages, aliases, search, and a gate that refuses."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.served import served
from tests.mlflow.environments import environment

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.timeout(300),  # MLflow takes seconds to import; its environment may have to be made first
    pytest.mark.only_sqlite("the protocol is the same on every store"),
]

PROGRAM = """
import json, logging, urllib.request, warnings, os
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
import mlflow
from mlflow import MlflowClient

client, found = MlflowClient(), {}

def refusal(call, *words, **named):
    try:
        call(*words, **named)
    except Exception as error:
        return [getattr(error, "error_code", ""), str(error)]

def put(path, body):
    address = os.environ["MLFLOW_TRACKING_URI"] + path
    head = {"authorization": "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"], "content-type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(address, json.dumps(body).encode(), head, method="PUT")).read()

mlflow.set_experiment("rides")
infos = []
for rmse in (6.3, 6.6):
    with mlflow.start_run() as run:
        mlflow.log_metric("rmse", rmse)
        mlflow.log_text("flavors: {}", "model/MLmodel")
        infos.append(run.info)
one, two = infos
client.create_registered_model("rides", tags={"team": "a"}, description="minutes")
first = client.create_model_version("rides", f"{one.artifact_uri}/model", one.run_id, tags={"k": "v"}, description="d")
second = client.create_model_version("rides", f"runs:/{two.run_id}/model", two.run_id)
found["made"] = [first.version, first.status, first.current_stage, first.description, first.tags, second.version]
found["wrong run"] = refusal(client.create_model_version, "rides", f"runs:/{two.run_id}/model", one.run_id)
found["on disk"] = refusal(client.create_model_version, "rides", "file:///etc", one.run_id)
client.transition_model_version_stage("rides", 1, "Production")
moved = client.transition_model_version_stage("rides", 2, "production", archive_existing_versions=True)
found["moved"] = [moved.current_stage, client.get_model_version("rides", "1").current_stage]
found["latest"] = [[each.version, each.current_stage] for each in client.get_latest_versions("rides")]
found["of stage"] = [each.version for each in client.get_latest_versions("rides", ["Production"])]
client.set_registered_model_alias("rides", "champion", "1")
found["alias"] = client.get_model_version_by_alias("rides", "champion").version
found["aliases"] = {alias: int(version) for alias, version in client.get_registered_model("rides").aliases.items()}
client.delete_registered_model_alias("rides", "champion")
client.delete_registered_model_alias("rides", "champion")
found["no alias"] = refusal(client.get_model_version_by_alias, "rides", "champion")
client.set_model_version_tag("rides", "2", "x", "y")
client.set_registered_model_tag("rides", "x", "y")
client.delete_registered_model_tag("rides", "team")
found["tags"] = [client.get_model_version("rides", "2").tags, client.get_registered_model("rides").tags]
versions = lambda text, **more: [each.version for each in client.search_model_versions(text, **more)]
found["search"] = [
    versions("name = 'rides'", order_by=["version_number ASC"]), versions("tags.k = 'v'"),
    versions(f"run_id IN ('{two.run_id}')"), versions("name LIKE 'rid%' and version_number > 1"),
]
found["models"] = [
    [each.name for each in client.search_registered_models(text)]
    for text in ("name ILIKE 'RIDES'", "tags.x = 'y'", "name = 'other'")
]
found["no filter"] = refusal(client.search_model_versions, "colour = 'red'")
copy = client.copy_model_version("models:/rides/1", "copies")
found["copy"] = [copy.version, copy.run_id == one.run_id]
found["where"] = client.get_model_version_download_uri("copies", "1") == f"{one.artifact_uri}/model"
names = lambda **more: [[each.name, int(each.version)] for each in client.search_model_versions(**more)]
found["newest first"] = names()
found["by number"] = names(order_by=["version_number DESC"])
client.update_model_version("rides", "1", "better")
client.update_registered_model("rides", "in minutes")
found["described"] = [client.get_model_version("rides", 1).description]
found["described"].append(client.get_registered_model("rides").description)
rule = {"kind": "metric", "metric": "rmse", "max": 6.5}
put("/api/models/rides/policy", {"policy": {"aliases": ["production", "staging"], "checks": {"rmse": rule}}})
found["gated"] = [
    refusal(client.transition_model_version_stage, "rides", 1, "Staging"),
    refusal(client.set_registered_model_alias, "rides", "staging", "1"),
]
client.rename_registered_model("rides", "taxi")
client.delete_model_version("taxi", "1")
found["gone"] = [refusal(client.get_model_version, "taxi", "1"), refusal(client.get_registered_model, "rides")]
found["taken"] = refusal(client.create_registered_model, "taxi")
found["no number"] = refusal(client.get_model_version, "taxi", "x")
client.delete_registered_model("taxi")
found["left"] = [each.name for each in client.search_registered_models()]
print(json.dumps(found))
"""


@pytest.mark.parametrize("name", ["mlflow-3", "mlflow-2"])
def test_the_client_registers_stages_names_searches_and_is_refused(home: Path, tmp_path: Path, name: str) -> None:
    with served(home, tmp_path) as server:
        found = answer_of(name, server.card.url, server.card.token, tmp_path)
    assert found["made"][1:5] == ["READY", "None", "d", {"k": "v"}]
    assert found["wrong run"][0] == found["on disk"][0] == "INVALID_PARAMETER_VALUE"
    assert found["moved"] == ["Production", "Archived"]
    assert [[int(number), stage] for number, stage in found["latest"]] == [[1, "Archived"], [2, "Production"]]
    assert [int(number) for number in found["of stage"]] == [2]
    assert int(found["alias"]) == 1
    assert found["aliases"] == {"champion": 1, "production": 2}
    assert found["no alias"][0] == "INVALID_PARAMETER_VALUE"
    assert found["tags"] == [{"x": "y"}, {"x": "y"}]
    assert [[int(number) for number in part] for part in found["search"]] == [[1, 2], [1], [2], [2]]
    assert found["models"] == [["rides"], ["rides"], []]
    assert found["no filter"][0] == "INVALID_PARAMETER_VALUE"
    assert "colour" in found["no filter"][1]
    assert (int(found["copy"][0]), found["copy"][1], found["where"]) == (1, True, True)
    assert found["described"] == ["better", "in minutes"]
    for code, message in found["gated"]:
        assert code == "INVALID_STATE"
        assert "rmse: not checked" in message
    assert [code for code, _ in found["gone"]] == ["RESOURCE_DOES_NOT_EXIST", "RESOURCE_DOES_NOT_EXIST"]
    assert "Model Version (name=taxi, version=1) not found" in found["gone"][0][1]
    assert "Registered Model with name=rides not found" in found["gone"][1][1]
    assert found["taken"][0] == "RESOURCE_ALREADY_EXISTS"
    assert "already exists" in found["taken"][1]
    assert "must be an integer, got 'x'" in found["no number"][1]
    assert found["newest first"] == [["copies", 1], ["rides", 2], ["rides", 1]]
    assert found["by number"] == [["rides", 2], ["copies", 1], ["rides", 1]]
    assert found["left"] == ["copies"]


def answer_of(name: str, url: str, token: str, folder: Path) -> dict[str, Any]:
    """Give what the program printed in an environment with MLflow."""
    python = environment(name)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "OSTINATO", "MLFLOW"))}
    ended = subprocess.run(
        [python, "-c", PROGRAM],
        env={**kept, "MLFLOW_TRACKING_URI": url, "MLFLOW_TRACKING_TOKEN": token},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return answer
