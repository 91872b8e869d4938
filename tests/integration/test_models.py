"""Models as folders: written, checked and read again, each by its library's own format where it has one."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightgbm
import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pytest
import xgboost
import yaml
from river import linear_model as online
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from ostinato import session
from ostinato.core.commands import CreateVersion, SetAlias, SetStage
from ostinato.core.errors import (
    BadOption,
    DiskFull,
    LoggedModelNotFound,
    ModelDamaged,
    ModelUnfit,
    ModelUnsuited,
    ModelVersionNotFound,
    PathInvalid,
)
from ostinato.core.signatures import Signature
from ostinato.tracking.api import start_run
from ostinato.tracking.models import hashes
from ostinato.tracking.models.api import describe_model, load_model, log_model, save_model
from ostinato.tracking.models.flavors import portable
from ostinato.tracking.models.schemas import columns

if TYPE_CHECKING:
    from ostinato.tracking.models.folders import How

FRAME = pd.DataFrame({"miles": [1.0, 2.0, 3.0, 4.0], "riders": [1, 2, 3, 5]})
TARGET = np.array([1.0, 2.0, 3.0, 4.0])
ROWS = [{"zone": "43", "miles": 1.5}, {"zone": "7", "miles": 2.5}]


def _linear() -> Any:
    return LinearRegression().fit(FRAME, TARGET)


def _kinds(data: Any) -> list[tuple[Any, str, bool]]:
    found = columns(data) or ()
    return [(column.name, column.said, column.required) for column in found]


class Doubler:
    """A model with a file of its own."""

    def load_context(self, context: Any) -> None:
        self.factor = float(Path(context.artifacts["factor"]).read_text(encoding="utf-8"))

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        assert Path(context.artifacts["factor"]).is_file()
        return [value * self.factor + (params or {}).get("more", 0) for value in model_input]


# --- each library


@pytest.mark.parametrize("how", ["pickle", "skops", None])
def test_a_model_of_sklearn_predicts_the_same_when_it_is_read_again(tmp_path: Path, how: How | None) -> None:
    info = save_model(_linear(), tmp_path / "model", example=FRAME, how=how)
    assert info.flavor == "sklearn"
    assert load_model(tmp_path / "model").predict(FRAME) == pytest.approx(TARGET)
    assert (tmp_path / "model" / ("model.pkl" if how == "pickle" else "model.skops")).is_file()


def test_what_skops_does_not_trust_by_itself_is_pickled_unless_skops_was_asked_for(tmp_path: Path) -> None:
    forest = RandomForestRegressor(3, random_state=1).fit(FRAME, TARGET)
    save_model(forest, tmp_path / "best")
    save_model(forest, tmp_path / "safe", how="skops")
    assert (tmp_path / "best" / "model.pkl").is_file()
    assert not (tmp_path / "best" / "model.skops").exists()
    for name in ("best", "safe"):
        assert load_model(tmp_path / name).predict(FRAME) == pytest.approx(forest.predict(FRAME))


def test_a_pipeline_over_dicts_is_one_model(tmp_path: Path) -> None:
    pipeline = make_pipeline(DictVectorizer(), LinearRegression()).fit(ROWS, [1.0, 2.0])
    info = save_model(pipeline, tmp_path / "model", example=ROWS)
    assert load_model(tmp_path / "model").predict(ROWS) == pytest.approx([1.0, 2.0])
    assert info.signature is not None
    assert info.signature.inputs is not None
    assert [column.name for column in info.signature.inputs] == ["zone", "miles"]


def test_models_of_xgboost_are_kept_in_its_own_format(tmp_path: Path) -> None:
    model = xgboost.XGBRegressor(n_estimators=3).fit(FRAME, TARGET)
    save_model(model, tmp_path / "estimator", example=FRAME)
    save_model(model.get_booster(), tmp_path / "booster", example=FRAME)
    assert not list(tmp_path.glob("*/*.pkl"))
    again = load_model(tmp_path / "estimator")
    assert type(again) is xgboost.XGBRegressor
    assert again.predict(FRAME) == pytest.approx(model.predict(FRAME))
    booster = load_model(tmp_path / "booster")
    assert booster.predict(xgboost.DMatrix(FRAME)) == pytest.approx(model.predict(FRAME))


def test_models_of_lightgbm_are_text_or_hash_checked_pickles(tmp_path: Path) -> None:
    model = lightgbm.LGBMRegressor(n_estimators=3, min_child_samples=1, verbose=-1).fit(FRAME, TARGET)
    save_model(model, tmp_path / "estimator", example=FRAME)
    save_model(model.booster_, tmp_path / "booster", example=FRAME)
    assert (tmp_path / "booster" / "model.lgb").read_text(encoding="utf-8").startswith("tree")
    for name in ("estimator", "booster"):
        assert load_model(tmp_path / name).predict(FRAME) == pytest.approx(model.predict(FRAME))


def test_an_online_model_goes_on_learning(tmp_path: Path) -> None:
    model: Any = online.LinearRegression()
    rows = FRAME.to_dict("records")
    for row, target in zip(rows, TARGET, strict=True):
        model.learn_one(row, target)
    info = save_model(model, tmp_path / "model", example=rows)
    again = load_model(tmp_path / "model")
    assert info.flavor == "river"
    assert again.predict_one(rows[0]) == model.predict_one(rows[0])
    again.learn_one(rows[0], 5.0)
    assert again.predict_one(rows[0]) != model.predict_one(rows[0])
    function = portable._load_pyfunc(str(tmp_path / "model" / "model.pkl"))
    assert function.predict(rows) == [model.predict_one(row) for row in rows]
    assert list(function.predict(FRAME)) == pytest.approx([model.predict_one(row) for row in rows])


def test_a_model_of_pytorch_comes_back_ready_to_predict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs where PyTorch is installed: it is too large to be among what the tests need."""
    torch = pytest.importorskip("torch")
    (tmp_path / "project_net.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.line = torch.nn.Linear(2, 1)\n"
        "    def forward(self, x):\n        return self.line(x)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    model = importlib.import_module("project_net").Net()
    example = torch.ones(3, 2)
    info = save_model(model, tmp_path / "model", example=example)
    monkeypatch.undo()
    del sys.modules["project_net"]
    again = load_model(tmp_path / "model")
    assert not again.training
    assert again(example).tolist() == model(example).tolist()
    assert info.flavor == "pytorch"
    assert info.signature is not None
    assert info.signature.outputs is not None
    assert info.signature.outputs[0].said == "float32 (-1, 1)"
    assert any(line.startswith("torch==") for line in info.requirements)


def test_a_function_is_a_model(tmp_path: Path) -> None:
    save_model(lambda data: data["miles"] * 2, tmp_path / "model", example=FRAME)
    assert list(load_model(tmp_path / "model").predict(FRAME)) == [2.0, 4.0, 6.0, 8.0]


def test_an_object_finds_its_files_when_it_is_read_again(tmp_path: Path, home: Path) -> None:
    (tmp_path / "factor.txt").write_text("2.5", encoding="utf-8")
    with start_run("doubler"):
        info = log_model(Doubler(), artifacts={"factor": tmp_path / "factor.txt"}, example=[1.0, 2.0])
    (tmp_path / "factor.txt").unlink()
    model = load_model(info.uri)
    assert model.predict([2.0], params={"more": 1}) == [6.0]
    folder = Path(model.context.artifacts["factor"]).parent
    assert folder.is_dir()
    del model
    assert not folder.exists()


def test_classes_of_a_project_go_with_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project_steps.py").write_text(
        "from sklearn.base import BaseEstimator\n"
        "OFFSET = 40\n"
        "class Plus(BaseEstimator):\n"
        "    def fit(self, X, y=None):\n        return self\n"
        "    def predict(self, X):\n        return [x + OFFSET for x in X]\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    steps = importlib.import_module("project_steps")
    save_model(steps.Plus().fit([1]), tmp_path / "model")
    monkeypatch.undo()
    del sys.modules["project_steps"]
    assert load_model(tmp_path / "model").predict([2]) == [42]


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnfit, match="no method `predict`"):
        save_model({"a": 1}, tmp_path / "model")
    with pytest.raises(BadOption, match="not empty"):
        save_model(_linear(), tmp_path)
    with pytest.raises(BadOption, match="reads no further files"):
        save_model(_linear(), tmp_path / "with files", artifacts={"a": "b"})
    with pytest.raises(ModelUnfit, match="pickled"):
        save_model(_WithFile(), tmp_path / "open file")


class _WithFile:
    """A model that cannot be pickled."""

    def __init__(self) -> None:
        self.file = sys.stderr

    def predict(self, data: Any) -> Any:
        return data


# --- what is known of a model


def test_signatures_are_inferred_from_frames_arrays_dicts_and_lists() -> None:
    frame = pd.DataFrame(
        {
            "i": np.array([1, 2], "int32"),
            "f": np.array([1, np.nan], "float32"),
            "b": [True, False],
            "s": ["a", None],
            "t": pd.to_datetime(["2024-01-01", "2024-01-02"]),
            "c": pd.Categorical(["x", "y"]),
            "l": [[1.0], [2.0, 3.0]],
        }
    )
    assert _kinds(frame) == [
        ("i", "integer", True),
        ("f", "float", False),
        ("b", "boolean", True),
        ("s", "string", False),
        ("t", "datetime", True),
        ("c", "string", True),
        ("l", "array of double", True),
    ]
    assert _kinds(pl.DataFrame({"a": [1, None], "b": ["x", "y"], "c": [[1.5], []]})) == [
        ("a", "long", False),
        ("b", "string", True),
        ("c", "array of double", True),
    ]
    unset = msgspec.UNSET
    assert _kinds(np.zeros((3, 4), "float32")) == [(unset, "float32 (-1, 4)", True)]
    assert _kinds({"x": np.zeros(2), "y": np.array(["a"])}) == [("x", "float64 (-1,)", True), ("y", "str (-1,)", True)]
    assert _kinds({"a": "x", "b": [1, 2]}) == [("a", "string", True), ("b", "array of long", True)]
    assert _kinds([{"a": 1}, {"a": 2.5, "b": None}]) == [("a", "double", True), ("b", "any", False)]
    assert _kinds(["x", "y"]) == [(unset, "string", True)]
    assert _kinds(pd.Series([1.5], name="p")) == [("p", "double", True)]


def test_data_of_no_known_type_is_refused_with_its_type(tmp_path: Path) -> None:
    with pytest.raises(ModelUnfit, match=r"several types: double, string"):
        columns(["a", 1.5])
    with pytest.raises(ModelUnfit, match=r"builtins\.object is no type"):
        save_model(_linear(), tmp_path / "model", example=[object()])


def test_requirements_are_the_packages_that_the_model_names(tmp_path: Path) -> None:
    info = save_model(_linear(), tmp_path / "model", example=FRAME, how="pickle")
    names = [line.partition("==")[0] for line in info.requirements]
    assert names == ["cloudpickle", "numpy", "pandas", "scikit-learn", "scipy"]
    told = (tmp_path / "model" / "requirements.txt").read_text(encoding="utf-8").split()
    assert told == list(info.requirements)
    given = save_model(_linear(), tmp_path / "given", requirements=["scikit-learn>=1.8"])
    assert given.requirements == ("scikit-learn>=1.8",)


def test_the_first_rows_of_the_example_are_kept(tmp_path: Path) -> None:
    save_model(_linear(), tmp_path / "model", example=pd.concat([FRAME] * 10))
    kept = json.loads((tmp_path / "model" / "input_example.json").read_text(encoding="utf-8"))
    assert kept["columns"] == ["miles", "riders"]
    assert len(kept["data"]) == 5


def test_a_model_that_fails_on_its_example_is_kept_without_outputs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        info = save_model(_linear(), tmp_path / "model", example=["a"])
    assert info.signature is not None
    assert info.signature.outputs is None
    assert "does not predict its example" in caplog.text


def test_a_signature_may_be_given(tmp_path: Path) -> None:
    wanted = Signature(inputs=columns(FRAME))
    assert save_model(_linear(), tmp_path / "model", signature=wanted).signature == wanted
    assert describe_model(tmp_path / "model").signature == wanted


# --- logged, registered, loaded


def test_a_logged_model_is_found_by_id_and_by_run(home: Path) -> None:
    with start_run("linear", experiment="rides") as run:
        first = log_model(_linear(), example=FRAME, params={"kind": "linear"}, tags={"stage": "try"})
        second = log_model(_linear(), "other")
    for uri in (first.uri, first.id, f"runs:/{run.id}/model", f"runs:/{run.id}/other"):
        assert load_model(uri).predict(FRAME) == pytest.approx(TARGET)
    reader = session.reader()
    kept = reader.logged_model(first.id)
    assert (kept.run_id, kept.flavor, kept.params, kept.tags) == (
        run.id,
        "sklearn",
        {"kind": "linear"},
        {"stage": "try"},
    )
    assert kept.experiment_id == reader.find_experiment("rides").id
    assert kept.requirements == first.requirements
    assert [one.id for one in reader.logged_models_of(run.id)] == [second.id, first.id]
    assert "model/MLmodel" in [file.path for file in reader.tracked_files(run.id)]
    reader.close()


@pytest.mark.parametrize("name", ["", "../model", "/model", "a\\b"])
def test_a_name_that_is_no_folder_of_the_run_is_refused_before_anything_begins(home: Path, name: str) -> None:
    with pytest.raises(PathInvalid):
        log_model(_linear(), name)
    assert not (home / "journal").exists()


def test_a_newer_model_of_the_same_name_leaves_the_older_one_as_it_was(home: Path) -> None:
    with start_run("twice") as run:
        old = log_model(_linear())
        new = log_model(LinearRegression().fit(FRAME, 2 * TARGET))
    assert load_model(old.uri).predict(FRAME) == pytest.approx(TARGET)
    assert load_model(new.uri).predict(FRAME) == pytest.approx(2 * TARGET)
    assert load_model(f"runs:/{run.id}/model").predict(FRAME) == pytest.approx(2 * TARGET)


def test_a_registered_model_is_found_by_number_and_alias(home: Path) -> None:
    with start_run("registered") as run:
        info = log_model(_linear())
    commands = session.commands()
    session.recorder().settle("database", 20)
    commands.do(CreateVersion(name="rides", source=info.uri, run_id=run.id, model_id=info.id, make_model=True))
    commands.do(CreateVersion(name="rides", source=f"runs:/{run.id}/model", run_id=run.id))
    commands.do(SetAlias(name="rides", alias="champion", version=2))
    commands.do(SetStage(name="rides", version=1, stage="Production"))
    commands.do(CreateVersion(name="copies", source="models:/rides/2", make_model=True))
    commands.close()
    for uri in (
        "models:/copies/1",
        "models:/rides/1",
        "models:/rides/2",
        "models:/rides@champion",
        "models:/rides/latest",
    ):
        assert load_model(uri).predict(FRAME) == pytest.approx(TARGET)
    with pytest.raises(ModelVersionNotFound):
        load_model("models:/rides/9")


def test_what_does_not_exist_is_named(home: Path, tmp_path: Path) -> None:
    with start_run("empty") as run:
        log_model(_linear())
    for uri, said in (
        (tmp_path / "nothing", "no such folder"),
        ("m-" + "0" * 32, "no logged model"),
        (f"runs:/{run.id}/nothing", "its models are: model"),
        ("runs:/ffff0000/model", "no tracking run"),
        ("s3://bucket/model", "does not read"),
    ):
        with pytest.raises(LoggedModelNotFound, match=said):
            load_model(uri)
    with pytest.raises(ModelUnfit, match="MLmodel: No such file"):
        load_model(tmp_path)


# --- faults


@pytest.mark.parametrize("file", ["model.pkl", "requirements.txt"])
def test_a_file_that_is_not_what_was_written_stops_the_load(tmp_path: Path, file: str) -> None:
    save_model(_linear(), tmp_path / "model", how="pickle")
    path = tmp_path / "model" / file
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ModelDamaged, match=f"{file}.*its hash is"):
        load_model(tmp_path / "model")
    path.unlink()
    with pytest.raises(ModelDamaged, match=f"{file}.*missing"):
        load_model(tmp_path / "model")


def test_a_damaged_blob_stops_the_load(home: Path) -> None:
    with start_run("damaged"):
        info = log_model(_linear(), how="pickle")
    reader = session.reader()
    session.recorder().settle("database", 20)
    blob = next(file.blob for file in reader.tracked_files(info.id) if file.path == "model.pkl")
    reader.close()
    path = home / "blobs" / blob[:2] / blob
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelDamaged, match=r"model\.pkl.*damaged"):
        load_model(info.uri)


def test_a_model_that_cannot_be_stored_is_told_and_training_goes_on(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with start_run("full disk") as run, caplog.at_level(logging.WARNING):

        def full(*_: object, **__: object) -> str:
            raise DiskFull(path="/disk")

        monkeypatch.setattr(type(session.recorder()), "put_blob", full)
        info = log_model(_linear())
        monkeypatch.undo()
    assert "is not kept" in caplog.text
    session.recorder().settle("database", 20)
    reader = session.reader()
    assert reader.logged_models_of(run.id) == []
    reader.close()
    with pytest.raises(LoggedModelNotFound):
        load_model(info.uri)


def test_a_file_without_a_hash_is_never_loaded(tmp_path: Path) -> None:
    save_model(_linear(), tmp_path / "model", how="pickle")
    (tmp_path / "model" / "other.pkl").write_bytes((tmp_path / "model" / "model.pkl").read_bytes())
    with pytest.raises(ModelDamaged, match=r"other\.pkl.*not among"):
        load_model(tmp_path / "model")


@pytest.mark.parametrize("place", ["../outside.pkl", "/etc/passwd", ""])
def test_a_path_out_of_the_folder_is_refused(tmp_path: Path, place: str) -> None:
    save_model(_linear(), tmp_path / "model", how="pickle")
    path = tmp_path / "model" / "MLmodel"
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    said["flavors"]["sklearn"]["pickled_model"] = place
    path.write_text(yaml.safe_dump(said), encoding="utf-8")
    with pytest.raises(ModelUnfit, match=r"its file would be|does not say"):
        load_model(tmp_path / "model")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "flavors: 3",
        "flavors: {}\nmodel_id: 7",
        "flavors: {sklearn: null}",
        "metadata: " + "[" * 5000,
        "flavors: {a: {b: " + "[" * 990 + "]" * 990 + "}}",
        "flavors: {}\nmetadata: 2024-99-99",
        "a: !!python/object/apply:os.system [ls]",
        "flavors: {}",
        "\0",
    ],
)
def test_what_is_no_description_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "MLmodel").write_text(text, encoding="utf-8")
    with pytest.raises(ModelUnfit):
        load_model(tmp_path)


@pytest.mark.parametrize("signature", [{"inputs": 7}, {"inputs": "{"}, {"inputs": '[{"type": "unheard"}]'}, {}])
def test_a_signature_in_unknown_words_is_none(tmp_path: Path, signature: object) -> None:
    save_model(_linear(), tmp_path / "model")
    path = tmp_path / "model" / "MLmodel"
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**said, "signature": signature}), encoding="utf-8")
    assert describe_model(tmp_path / "model").signature is None
    assert load_model(tmp_path / "model").predict(FRAME) == pytest.approx(TARGET)


def test_a_missing_class_names_package_and_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(_linear(), tmp_path / "model", how="pickle")
    base = importlib.import_module("sklearn.linear_model._base")
    monkeypatch.delattr(base, "LinearRegression")
    _require(tmp_path / "model", "scikit-learn==0.99")
    with pytest.raises(
        ModelUnsuited, match=r"has no LinearRegression.*made with scikit-learn 0\.99; here is scikit-learn 1\."
    ) as caught:
        load_model(tmp_path / "model")
    assert caught.value.hint == "pip install scikit-learn==0.99"


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(np.asarray, tmp_path / "model")
    _require(tmp_path / "model", "riverlike==3.1")
    path = tmp_path / "model" / "model.pkl"
    path.write_bytes(b"\x80\x04criverlike.models\nThing\n.")
    _rehash(tmp_path / "model")
    with pytest.raises(ModelUnsuited, match=r"No module named 'riverlike'.*riverlike 3\.1; here is no riverlike"):
        load_model(tmp_path / "model")


def test_a_model_whose_loader_is_unknown_says_who_reads_it(tmp_path: Path) -> None:
    save_model(lambda data: data, tmp_path / "model")
    path = tmp_path / "model" / "MLmodel"
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    said["flavors"]["python_function"]["loader_module"] = "mlflow.spark"
    path.write_text(yaml.safe_dump(said), encoding="utf-8")
    with pytest.raises(ModelUnfit, match=r"mlflow\.spark"):
        load_model(tmp_path / "model")


def _require(folder: Path, line: str) -> None:
    (folder / "requirements.txt").write_text(f"{line}\n", encoding="utf-8")
    _rehash(folder)


def _rehash(folder: Path) -> None:
    """Record the hashes of the files as they are now, as if they had been written so."""
    path = folder / "MLmodel"
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = hashes.record(str(folder))
    said["flavors"]["ostinato"]["files"] = {name: value for name, value in found.items() if name != "MLmodel"}
    path.write_text(yaml.safe_dump(said), encoding="utf-8")
