"""What the pages of data, experiments and models are answered when there is little, much, or something else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from tests.integration.served import Served, problem, served

from ostinato import dataset, log_metric, register_model, session, start_run

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
    series = server.http.get("/api/ui/series", params={"run": ids, "key": "loss"}).json()
    assert [[point[2] for point in line["points"]] for line in series["lines"]] == [[0.0, None, 2.0]] * 2
