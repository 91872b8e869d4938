"""Logged models at the MLflow door, in plain HTTP: what is answered, and how what is wrong is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.served import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

API = "/api/2.0/mlflow"


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        yield one


def _refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


def _made(server: Served, **fields: Any) -> dict[str, Any]:
    answer = server.http.post(f"{API}/logged-models", json={"experiment_id": "0", **fields})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["model"]
    return found


def test_a_logged_model_is_made_finished_and_found(server: Served) -> None:
    run = server.http.post(f"{API}/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]
    made = _made(server, name="linear", source_run_id=run, params=[{"key": "depth", "value": "3"}])
    info = made["info"]
    address = f"{API}/logged-models/{info['model_id']}"
    assert info["status"] == "LOGGED_MODEL_PENDING"
    assert info["artifact_uri"] == f"mlflow-artifacts:/0/models/{info['model_id']}/artifacts"
    place = f"/api/2.0/mlflow-artifacts/artifacts/0/models/{info['model_id']}/artifacts/MLmodel"
    text = b"flavors: {sklearn: {pickled_model: model.pkl}}\n"
    assert server.http.put(place, content=text).status_code == 200
    finished = server.http.patch(address, json={"model_id": info["model_id"], "status": "LOGGED_MODEL_READY"})
    assert finished.json()["model"]["info"]["status"] == "LOGGED_MODEL_READY"
    for no, value in enumerate((5.0, "NaN", 6.5)):
        metric = {"run_id": run, "key": "rmse", "value": value, "timestamp": 1_000 + no, "model_id": info["model_id"]}
        assert server.http.post(f"{API}/runs/log-metric", json=metric).status_code == 200
    found = server.http.get(address).json()["model"]
    assert [(one["value"], one["run_id"]) for one in found["data"]["metrics"]] == [(6.5, run)]
    assert found["data"]["params"] == [{"key": "depth", "value": "3"}]
    search = {"experiment_ids": ["0"], "filter": "metrics.rmse > 6 and params.depth = '3' and name LIKE 'lin%'"}
    answer = server.http.post(f"{API}/logged-models/search", json=search).json()
    assert [one["info"]["model_id"] for one in answer["models"]] == [info["model_id"]]
    listed = server.http.get(f"{address}/artifacts/directories").json()
    assert listed == {"root_uri": info["artifact_uri"], "files": [_file("MLmodel", text)]}
    sent = server.http.get(f"{address}/artifacts/files", params={"artifact_file_path": "MLmodel"})
    assert (sent.content, sent.headers["content-disposition"]) == (text, "attachment")


def _file(path: str, content: bytes) -> dict[str, Any]:
    return {"path": path, "is_dir": False, "file_size": len(content)}


def test_what_a_run_used_and_made_is_kept(server: Served) -> None:
    run, other = (
        server.http.post(f"{API}/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]
        for _ in range(2)
    )
    made, used = (_made(server, name=name, source_run_id=run)["info"]["model_id"] for name in ("made", "used"))
    data = {"name": "rides", "digest": "d1", "source_type": "local", "source": "{}", "schema": "s", "profile": "p"}
    tags = [{"key": "fold", "value": "3"}, {"key": "mlflow.data.context", "value": "training"}]
    seen = [{"dataset": data, "tags": tags}, {"dataset": data}]  # the second as `log_metric(dataset=...)` says it
    told = {"run_id": other, "datasets": seen, "models": [{"model_id": used}]}
    assert server.http.post(f"{API}/runs/log-inputs", json=told).status_code == 200
    outputs = {"run_id": other, "models": [{"model_id": made, "step": step} for step in (2, 7)]}
    assert server.http.post(f"{API}/runs/outputs", json=outputs).status_code == 200
    found = server.http.get(f"{API}/runs/get", params={"run_id": other}).json()["run"]
    assert found["inputs"] == {"dataset_inputs": [{"dataset": data, "tags": tags}], "model_inputs": told["models"]}
    assert found["outputs"] == {"model_outputs": outputs["models"]}
    found = server.http.get(f"{API}/runs/get", params={"run_id": run}).json()["run"]
    by_itself = {(one["model_id"], one["step"]) for one in found["outputs"]["model_outputs"]}
    assert by_itself == {(made, 0), (used, 0)}
    assert _refusal(server.http.post(f"{API}/runs/outputs", json=outputs | {"run_id": "0" * 32}))[0] == 404
    assert _refusal(server.http.post(f"{API}/runs/log-inputs", json=told | {"models": [{"model_id": "m-1"}]}))[0] == 404
    nameless = {"run_id": other, "datasets": [{"dataset": {"name": "rides"}}]}
    said = server.http.post(f"{API}/runs/log-inputs", json=nameless).json()["message"]
    assert "'datasets[0].dataset.digest'" in said


def test_a_logged_model_says_what_it_is_registered_as(server: Served) -> None:
    info = _made(server, name="model")["info"]
    assert server.http.post(f"{API}/registered-models/create", json={"name": "taxi"}).status_code == 200
    told = {"name": "taxi", "source": info["artifact_uri"], "model_id": info["model_id"]}
    for _ in range(2):
        assert server.http.post(f"{API}/model-versions/create", json=told).status_code == 200
    tags = server.http.get(f"{API}/logged-models/{info['model_id']}").json()["model"]["info"]["tags"]
    versions = '[{"name": "taxi", "version": 1}, {"name": "taxi", "version": 2}]'
    assert tags == [{"key": "mlflow.modelVersions", "value": versions}]
    for source in ("mlflow-artifacts:/models/a/../../b", "mlflow-artifacts:/models/a%00"):
        refused = server.http.post(f"{API}/model-versions/create", json={"name": "taxi", "source": source})
        assert _refusal(refused) == (400, "INVALID_PARAMETER_VALUE")
        assert "without relative path references" in refused.json()["message"]


def test_models_are_found_by_the_data_that_they_were_measured_on(server: Served) -> None:
    run = server.http.post(f"{API}/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]
    measured = {"a": (("may", "1", 5.0), ("june", "9", 9.0)), "b": (("may", "1", 4.0), ("may", "2", 8.0)), "c": ()}
    for name, values in measured.items():
        model_id = _made(server, name=name, source_run_id=run)["info"]["model_id"]
        for at, (data, digest, value) in enumerate(values):
            body = {"run_id": run, "key": "rmse", "value": value, "timestamp": 1000 + at, "model_id": model_id}
            told = {**body, "dataset_name": data, "dataset_digest": digest}
            assert server.http.post(f"{API}/runs/log-metric", json=told).status_code == 200

    def found(*data: tuple[str, str], **wanted: Any) -> list[str]:
        datasets = [{"dataset_name": name} | ({"dataset_digest": digest} if digest else {}) for name, digest in data]
        order = [{"field_name": "name"}]
        body = {"experiment_ids": ["0"], "datasets": datasets, "order_by": order, **wanted}
        answer = server.http.post(f"{API}/logged-models/search", json=body)
        assert answer.status_code == 200, answer.text
        return [one["info"]["name"] for one in answer.json()["models"]]

    assert found() == ["a", "b", "c"]
    assert found(("may", "")) == ["a", "b"]
    assert found(("may", "2")) == ["b"]
    assert found(("june", ""), ("may", "2")) == ["a", "b"]
    assert found(filter="metrics.rmse > 7") == ["a", "b"]
    assert found(("june", ""), filter="metrics.rmse > 7") == ["a"]
    assert found(("may", "1"), filter="metrics.rmse > 7") == []
    by_may = {"field_name": "metrics.rmse", "dataset_name": "may", "ascending": False}
    assert found(order_by=[by_may]) == ["b", "a", "c"]
    assert found(order_by=[by_may | {"dataset_digest": "1"}]) == ["a", "b", "c"]
    assert found(("may", ""), order_by=[by_may | {"dataset_digest": "1"}], max_results=1) == ["a"]


def test_pages_of_a_search_follow_one_another(server: Served) -> None:
    names = [_made(server, name=f"model-{n}")["info"]["name"] for n in range(5)]
    found: list[str] = []
    token = ""
    for _ in range(3):
        order = [{"field_name": "creation_timestamp", "ascending": True}]
        body = {"experiment_ids": ["0"], "max_results": 2, "order_by": order, "page_token": token}
        page = server.http.post(f"{API}/logged-models/search", json=body).json()
        found += [one["info"]["name"] for one in page["models"]]
        token = page.get("next_page_token", "")
    assert sorted(found) == names
    assert token == ""


def test_models_that_a_run_logged_are_kept_in_its_tag(server: Served) -> None:
    run = server.http.post(f"{API}/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]
    for no in (1, 2):
        told = {"run_id": run, "model_json": f'{{"artifact_path": "model-{no}"}}'}
        assert server.http.post(f"{API}/runs/log-model", json=told).status_code == 200
    tags = server.http.get(f"{API}/runs/get", params={"run_id": run}).json()["run"]["data"]["tags"]
    history = next(tag["value"] for tag in tags if tag["key"] == "mlflow.log-model.history")
    assert history == '[{"artifact_path": "model-1"},{"artifact_path": "model-2"}]'
    broken = server.http.post(f"{API}/runs/log-model", json={"run_id": run, "model_json": "{"})
    assert _refusal(broken) == (400, "INVALID_PARAMETER_VALUE")


def test_what_is_wrong_is_refused_in_the_words_of_mlflow(server: Served) -> None:
    http, wrong, missing = server.http, (400, "INVALID_PARAMETER_VALUE"), (404, "RESOURCE_DOES_NOT_EXIST")
    address = f"{API}/logged-models/{_made(server, name='model')['info']['model_id']}"
    models = f"{API}/logged-models"
    for name in ("a/b", "a:b", "a.b", "a%b", 'a"b'):
        assert _refusal(http.post(models, json={"experiment_id": "0", "name": name})) == wrong
    assert _refusal(http.post(models, json={"experiment_id": "77"})) == missing
    assert _refusal(http.post(models, json={"name": "model"})) == wrong
    assert _refusal(http.get(f"{models}/m-{'0' * 32}")) == missing
    assert _refusal(http.patch(address, json={"status": "DONE"})) == wrong
    assert _refusal(http.request("DELETE", f"{address}/tags/none")) == missing
    assert http.post(f"{address}/params", json={"params": [{"key": "a", "value": "1"}]}).status_code == 200
    assert _refusal(http.post(f"{address}/params", json={"params": [{"key": "a", "value": "2"}]})) == wrong
    search = f"{models}/search"
    assert _refusal(http.post(search, json={"experiment_ids": ["0"], "filter": "metrics.a <"})) == wrong
    assert _refusal(http.post(search, json={"experiment_ids": ["0"], "page_token": "none"})) == wrong
    assert _refusal(http.post(search, json={"experiment_ids": ["0"], "datasets": [{"dataset_digest": "d"}]})) == wrong
    by_name = [{"field_name": "name", "dataset_name": "d"}]
    assert _refusal(http.post(search, json={"experiment_ids": ["0"], "order_by": by_name})) == wrong
    assert http.request("DELETE", address).status_code == 200
    assert _refusal(http.get(address)) == missing
    assert _refusal(http.get(f"{address}/artifacts/directories")) == missing
    assert http.get(address, params={"allow_deleted": "true"}).status_code == 200
    assert _refusal(http.patch(f"{address}/tags", json={"tags": [{"key": "a", "value": "b"}]})) == missing
