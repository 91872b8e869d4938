"""What the pages of data, experiments and models are answered when there is little, much, or something else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from tests.integration.served import Served, problem, served

from ostinato import dataset, log_metric, promote, register_model, session, start_run
from ostinato.core.errors import GateFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOREIGN = "feed" * 8
"""A digest that only a client of MLflow knows."""


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        yield one


def test_names_of_data_come_by_pages_and_each_tells_its_newest_version(server: Served, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no table")
    with start_run("one", experiment="pages"):
        for name, n in (("a/b", 1), ("a/b", 2), ("c", 3)):
            dataset(pa.table({"x": list(range(n))}), name=name)
        dataset(tmp_path / "notes.txt", name="notes")
    session.recorder().settle("database")
    first = server.http.get("/api/ui/datasets", params={"limit": 2}).json()
    assert [(one["name"], one["n_versions"], one["n_rows"]) for one in first["items"]] == [("a/b", 2, 2), ("c", 1, 3)]
    rest = server.http.get("/api/ui/datasets", params={"limit": 2, "after": first["next"]}).json()
    assert [(one["name"], one["n_rows"]) for one in rest["items"]] == [("notes", None)]
    assert rest["next"] is None
    shown = server.http.get(f"/api/ui/datasets/{rest['items'][0]['digest']}").json()
    assert (shown["columns"], shown["has_profile"], shown["models"]) == ([], False, [])
    assert [(one["kind"], one["name"], one["where"]) for one in shown["users"]] == [("tracking-run", "one", "pages")]


def test_data_that_only_a_client_named_has_a_page_and_other_names_have_none(server: Served) -> None:
    with start_run("one") as run:
        run.use_data(FOREIGN, "theirs", "training")
        run.log_text("flavors: {}", "model/MLmodel")
    register_model(f"runs:/{run.id}/model", "m")
    session.recorder().settle("database")
    shown = server.http.get(f"/api/ui/datasets/{FOREIGN}").json()
    assert (shown["version"], shown["columns"]) == (None, [])
    assert [(one["name"], one["version"], one["run_id"]) for one in shown["models"]] == [("m", 1, run.id)]
    assert problem(server.http.get("/api/ui/datasets/nothing")) == (404, "dataset-not-found")
    assert problem(server.http.get("/api/ui/models/m/7")) == (404, "model-version-not-found")
    assert problem(server.http.get("/api/ui/tracking-runs", params={"experiment": "no"}))[1] == "experiment-not-found"
    assert problem(server.http.get("/api/ui/comparison")) == (400, "request-invalid")


def test_what_is_not_finite_is_said_in_words_and_a_comparison_has_only_what_differs(server: Served) -> None:
    ids = []
    for value in (1.0, math.nan):
        with start_run("same", experiment="pages", tags={"team": "a"}) as run:
            log_metric("odd", value)
            for step in range(3):
                log_metric("loss", math.inf if step == 1 else step, step=step)
        ids.append(run.id)
    session.recorder().settle("database")
    table = server.http.get("/api/ui/tracking-runs", params={"experiment": "pages", "best": "metrics.odd ASC"}).json()
    assert table["fields"] == ["metrics.odd", "metrics.loss", "tags.team"]
    assert table["columns"] == ["metrics.odd", "metrics.loss"]
    assert [one["values"]["metrics.odd"] for one in table["items"]] == ["nan", 1.0]
    assert table["best"]["id"] == ids[0]
    found = server.http.get("/api/ui/comparison", params={"run": ids}).json()
    assert [(one["part"], one["name"], one["values"]) for one in found["rows"]] == [("metrics", "odd", [1.0, "nan"])]
    assert found["n_equal"] > 2
    lines = server.http.get("/api/ui/series", params={"run": ids, "key": ["loss", "odd"]}).json()["lines"]
    assert [(line["run_id"], line["key"]) for line in lines] == [(one, key) for one in ids for key in ("loss", "odd")]
    assert [[point[2] for point in line["points"]] for line in lines] == [[0.0, 2.0], [1.0], [0.0, 2.0], []]
    gaps = [[(gap["value"], gap["step"], gap["last_step"], gap["goes_on"]) for gap in line["gaps"]] for line in lines]
    assert gaps == [[("inf", 1, 1, False)], [], [("inf", 1, 1, False)], [("nan", 0, 0, True)]]
    with start_run("worse", experiment="pages") as run:
        for step, value in enumerate((1.0, math.nan, math.inf, math.inf)):
            log_metric("loss", value, step=step)
    session.recorder().settle("database")
    shown = server.http.get(f"/api/ui/tracking-runs/{run.id}").json()
    assert (shown["metrics"], shown["odd_since"]) == ({"loss": "inf"}, {"loss": 1})


def test_each_version_says_how_its_last_promotion_went(server: Served) -> None:
    for rmse in (6.4, 6.6):
        with start_run() as run:
            log_metric("rmse", rmse)
            run.log_text("flavors: {}", "model/MLmodel")
        register_model(f"runs:/{run.id}/model", "rides")
    policy = {"checks": {"rmse": {"kind": "metric", "metric": "rmse", "max": 6.5}}}
    assert server.http.put("/api/models/rides/policy", json={"policy": policy}).status_code == 200

    def told() -> list[Any]:
        session.recorder().settle("database")
        found = [one["promotion"] for one in server.http.get("/api/ui/models/rides").json()["versions"]]
        return [one and (one["alias"], one["state"], one["failed"]) for one in found]

    assert told() == [None, None]
    promote("rides", 1)
    with pytest.raises(GateFailed):
        promote("rides", 2, "Production")
    passed: tuple[str, str, dict[str, str]] = ("production", "Completed", {})
    assert told() == [("production", "Failed", {"rmse": "rmse is 6.6, at most 6.5 is wanted"}), passed]
    begun = server.http.post("/api/models/rides/promotions", json={"version": 2, "to": "staging"}).json()
    assert told() == [("staging", "Scheduled", {}), passed]
    assert server.http.get("/api/ui/models/rides/2").json()["promotion"]["run_id"] == begun["id"]
