"""The MLflow door over plain HTTP: shapes, refusals, and files that come whole or not at all."""

from __future__ import annotations

import http.client
import math
import os
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from tests.integration.served import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


class Door:
    """One server, and a run on it."""

    def __init__(self, server: Served) -> None:
        self.server = server
        self.http = server.http
        self.run = self.post("runs/create", experiment_id="0", run_name="one")["run"]["info"]["run_id"]

    def post(self, path: str, **body: Any) -> Any:
        answer = self.http.post(f"{API}/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path: str, **params: Any) -> Any:
        answer = self.http.get(f"{API}/{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, path: str, *, method: str = "POST", **body: Any) -> tuple[int, str, str]:
        answer = self.http.request(method, f"{API}/{path}", json=body)
        assert answer.headers["content-type"] == "application/json"
        told = answer.json()
        assert set(told) == {"error_code", "message"}
        return answer.status_code, told["error_code"], told["message"]

    @property
    def place(self) -> str:
        return f"{FILES}/0/{self.run}/artifacts"


@pytest.fixture
def door(home: Path, tmp_path: Path) -> Iterator[Door]:
    with served(home, tmp_path) as one:
        yield Door(one)


def test_what_is_not_there_is_an_endpoint_that_is_not_found(door: Door) -> None:
    for path in ("traces/search", "registered-models", "runs/create/more", "webhooks", ""):
        assert door.refused(path)[:2] == (404, "ENDPOINT_NOT_FOUND"), path
    assert door.refused("runs/create", method="GET")[:2] == (404, "ENDPOINT_NOT_FOUND")
    assert door.http.get("/api/3.0/mlflow/traces/t").json()["error_code"] == "ENDPOINT_NOT_FOUND"
    assert door.http.get("/version").text.count(".") == 2
    assert door.http.get("/api/3.0/mlflow/server-info").json()["store_type"]
    assert door.http.get("/ajax-api/2.0/mlflow/experiments/get?experiment_id=0").status_code == 200


def test_who_has_no_key_is_not_let_in(door: Door) -> None:
    stranger = door.server.client("")
    answer = stranger.post(f"{API}/runs/search", json={})
    assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")
    assert "MLFLOW_TRACKING_TOKEN" in answer.json()["message"]
    viewer = door.server.key("vera", "viewer")
    assert viewer.post(f"{API}/runs/search", json={"experiment_ids": ["0"]}).status_code == 200
    answer = viewer.post(f"{API}/runs/create", json={"experiment_id": "0"})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")
    answer = viewer.put(f"{door.place}/a.txt", content=b"x")
    assert answer.status_code == 403


def test_requests_that_do_not_fit_say_what_is_wrong(door: Door) -> None:
    status, code, message = door.refused("experiments/create")
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert "Missing value for required parameter 'name'" in message
    assert "'max_results'" in door.refused("runs/search", max_results=0)[2]
    assert "'run_view_type'" in door.refused("runs/search", run_view_type="SOME")[2]
    assert door.refused("runs/log-metric", key="a", value=1.0, timestamp=1)[1] == "INVALID_PARAMETER_VALUE"
    assert "column 12" in door.refused("runs/search", experiment_ids=["0"], filter="metrics.a <")[2]
    answer = door.http.post(f"{API}/runs/search", content=b"{no json")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    huge = {"run_id": door.run, "key": "m", "value": 1, "timestamp": 1 << 70, "step": 0}
    assert door.refused("runs/log-metric", **huge)[0] == 400
    assert door.refused("runs/log-metric", **huge | {"timestamp": 1, "step": 1 << 70})[0] == 400


def test_numbers_come_as_protocol_buffers_write_them(door: Door) -> None:
    values = {"nan": "NaN", "inf": "Infinity", "less": "-Infinity", "plain": 0.1}
    for key, value in values.items():
        door.post("runs/log-metric", run_id=door.run, key=key, value=value, timestamp="1700000000123", step="3")
    data = door.get("runs/get", run_id=door.run)["run"]["data"]
    assert {one["key"]: one["value"] for one in data["metrics"]} == values
    assert {(one["timestamp"], one["step"]) for one in data["metrics"]} == {(1700000000123, 3)}
    point = door.get("metrics/get-history", run_id=door.run, metric_key="nan")["metrics"][0]
    assert math.isnan(float(point["value"]))


def test_a_value_that_comes_twice_is_kept_once(door: Door) -> None:
    for value in (1.0, 1.0, 2.0):
        door.post("runs/log-metric", run_id=door.run, key="m", value=value, timestamp=5, step=1)
    history = door.get("metrics/get-history", run_id=door.run, metric_key="m")["metrics"]
    assert [one["value"] for one in history] == [2.0]


def test_much_at_once_is_kept_or_refused_whole(door: Door) -> None:
    params = [{"key": f"p{number}", "value": "x"} for number in range(10_000)]
    params.append({"key": "long", "value": "y" * 250_000})
    door.post("runs/log-batch", run_id=door.run, params=params, tags=[{"key": "größe/µ", "value": "1"}])
    data = door.get("runs/get", run_id=door.run)["run"]["data"]
    assert len(data["params"]) == 10_001
    assert {"key": "größe/µ", "value": "1"} in data["tags"]
    bad = [{"key": "new", "value": "1"}, {"key": "p0", "value": "other"}]
    assert door.refused("runs/log-batch", run_id=door.run, params=bad)[1] == "INVALID_PARAMETER_VALUE"
    twice = [{"key": "new", "value": "1"}, {"key": "new", "value": "2"}]
    assert door.refused("runs/log-batch", run_id=door.run, params=twice)[1] == "INVALID_PARAMETER_VALUE"
    assert "new" not in {one["key"] for one in door.get("runs/get", run_id=door.run)["run"]["data"]["params"]}


def test_histories_are_paged_and_thinned(door: Door) -> None:
    metrics = [{"key": "m", "value": step, "timestamp": 1000 + step, "step": step} for step in range(1000)]
    door.post("runs/log-batch", run_id=door.run, metrics=metrics)
    first = door.get("metrics/get-history", run_id=door.run, metric_key="m", max_results=600)
    token = first["next_page_token"]
    rest = door.get("metrics/get-history", run_id=door.run, metric_key="m", max_results=600, page_token=token)
    assert [one["step"] for one in first["metrics"] + rest["metrics"]] == list(range(1000))
    assert "next_page_token" not in rest
    words = {"run_ids": [door.run], "metric_key": "m", "start_step": 100, "end_step": 899, "max_results": 50}
    thinned = door.get("metrics/get-history-bulk-interval", **words)["metrics"]
    assert len(thinned) <= 50
    assert (thinned[0]["step"], thinned[-1]["step"], thinned[0]["run_id"]) == (100, 899, door.run)
    assert len(door.get("metrics/get-history-bulk", run_id=[door.run], metric_key="m")["metrics"]) == 1000


def test_a_deleted_experiment_is_not_used_again(door: Door) -> None:
    made = door.post("experiments/create", name="gone")["experiment_id"]
    door.post("experiments/delete", experiment_id=made)
    assert door.refused("runs/create", experiment_id=made)[:2] == (400, "INVALID_PARAMETER_VALUE")
    assert door.refused("experiments/create", name="gone")[:2] == (400, "RESOURCE_ALREADY_EXISTS")
    assert door.refused("experiments/update", experiment_id=made, new_name="x")[:2] == (400, "INVALID_STATE")
    door.post("experiments/restore", experiment_id=made)
    door.post("runs/create", experiment_id=made)


def test_the_name_of_an_experiment_may_be_the_id_of_another(door: Door) -> None:
    door.post("experiments/create", name="0")
    run = door.post("runs/create", experiment_id="0")["run"]
    assert run["info"]["experiment_id"] == "0"
    assert door.get("experiments/get", experiment_id="0")["experiment"]["name"] == "Default"


def test_a_file_is_listed_read_and_taken_away(door: Door) -> None:
    for path in ("a.txt", "deep/b.txt", "deep/deeper/c.txt", "deep-not/d.txt"):
        assert door.http.put(f"{door.place}/{path}", content=path.encode()).status_code == 200
    listed = door.get("artifacts/list", run_id=door.run)
    assert listed["root_uri"] == f"mlflow-artifacts:/0/{door.run}/artifacts"
    assert [one["path"] for one in listed["files"]] == ["a.txt", "deep-not", "deep"]
    folder = door.http.get(FILES, params={"path": f"0/{door.run}/artifacts/deep"}).json()["files"]
    assert folder == [{"path": "b.txt", "is_dir": False, "file_size": 10}, {"path": "deeper", "is_dir": True}]
    answer = door.http.get(f"{door.place}/deep/b.txt")
    assert (answer.content, answer.headers["content-disposition"]) == (b"deep/b.txt", "attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert door.http.delete(f"{door.place}/deep").status_code == 200
    assert [one["path"] for one in door.get("artifacts/list", run_id=door.run)["files"]] == ["a.txt", "deep-not"]
    assert door.http.get(f"{door.place}/deep/b.txt").json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "%2e%2e/x", "a%2f..%2fx", "/etc/passwd", "a\\b", "a%00b", "..%5cx", "%252e%252e/x"]
)
def test_a_path_that_leads_out_is_refused(door: Door, path: str, request: pytest.FixtureRequest) -> None:
    # Not by the client, which would tidy the path.
    url = urlsplit(door.server.card.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=20)
    request.addfinalizer(connection.close)
    headers = {"authorization": f"Bearer {door.server.card.token}", "content-length": "1"}
    connection.request("PUT", f"{door.place}/{quote(path, safe='/%')}", body=b"x", headers=headers)
    answer = connection.getresponse()
    assert answer.status in (400, 404), answer.read()
    assert door.get("artifacts/list", run_id=door.run)["files"] == []
    listing = door.http.get(f"{API}/artifacts/list", params={"run_id": door.run, "path": "../.."})
    assert listing.status_code == 400


def test_a_file_of_nobody_is_refused(door: Door) -> None:
    assert door.http.put(f"{FILES}/0/{'0' * 32}/artifacts/a.txt", content=b"x").status_code == 404
    assert door.http.put(f"{FILES}/elsewhere/a.txt", content=b"x").status_code == 404


def test_an_upload_that_is_cut_off_leaves_nothing(door: Door, home: Path) -> None:
    url = urlsplit(door.server.card.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=20)
    connection.putrequest("PUT", f"{door.place}/big.bin")
    connection.putheader("authorization", f"Bearer {door.server.card.token}")
    connection.putheader("content-length", str(8 << 20))
    connection.endheaders()
    connection.send(bytes(1 << 20))
    assert _in_time(lambda: _kept(home) == [".new"])
    connection.close()
    assert _in_time(lambda: _kept(home) == [])
    assert door.get("artifacts/list", run_id=door.run)["files"] == []


def test_a_file_comes_in_parts_also_to_a_server_that_was_started_anew(door: Door) -> None:
    place = f"/api/2.0/mlflow-artifacts/mpu/%s/0/{door.run}/artifacts/deep"
    made = door.http.post(place % "create", json={"path": "/home/ann/big.bin", "num_parts": 3}).json()
    sent = [os.urandom(300_000), os.urandom(300_000), b"end"]
    parts = []
    for one, data in zip(made["credentials"], sent, strict=True):
        answer = httpx.put(one["url"], headers=one["headers"], content=data)
        parts.append({"part_number": one["part_number"], "etag": answer.headers["etag"], "url": one["url"]})
    assert httpx.put(made["credentials"][0]["url"], content=b"x").status_code == 401
    door.server.restart()
    door.http = door.server.http
    whole = {"path": "/home/ann/big.bin", "upload_id": made["upload_id"], "parts": parts}
    for bad in (parts[1:], [], [{**parts[0], "etag": "../../etc/passwd"}], [{**parts[0], "etag": "0" * 32}]):
        answer = door.http.post(place % "complete", json=whole | {"parts": bad})
        assert answer.status_code in (400, 404)
    assert door.get("artifacts/list", run_id=door.run)["files"] == []
    assert door.http.post(place % "complete", json=whole).status_code == 200
    assert door.http.get(f"{door.place}/deep/big.bin").content == b"".join(sent)


def test_a_full_disk_is_told_and_leaves_nothing(door: Door, home: Path) -> None:
    hard = resource.prlimit(door.server.card.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(door.server.card.pid, resource.RLIMIT_FSIZE, (8 << 20, hard))
    answer = door.http.put(f"{door.place}/big.bin", content=bytes(9 << 20))
    assert (answer.status_code, answer.json()["error_code"]) == (507, "RESOURCE_EXHAUSTED")
    assert _kept(home) == []
    resource.prlimit(door.server.card.pid, resource.RLIMIT_FSIZE, (hard, hard))
    assert door.http.put(f"{door.place}/big.bin", content=bytes(9 << 20)).status_code == 200


def _kept(home: Path) -> list[str]:
    """Give how the names of all stored files end."""
    blobs = home / "blobs"
    return [file.suffix for file in blobs.rglob("*") if file.is_file() and file.name != "lock"]


def _in_time(what: Any) -> bool:
    end = time.monotonic() + 10
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_a_large_file_passes_through_in_little_memory(door: Door) -> None:
    def peak() -> int:
        status = Path(f"/proc/{door.server.card.pid}/status").read_text(encoding="utf-8")
        return int(status.split("VmHWM:")[1].split()[0])

    before = peak()
    part = os.urandom(1 << 20)
    assert door.http.put(f"{door.place}/large.bin", content=(part for _ in range(192))).status_code == 200
    with door.http.stream("GET", f"{door.place}/large.bin") as answer:
        assert sum(len(one) for one in answer.iter_bytes()) == 192 << 20
    assert peak() - before < 64 << 10, "kilobytes"
