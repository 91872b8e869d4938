"""Events as the feed tells them: all kinds, in plain values, without what nobody is to see."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from ostinato.core import datasets as d
from ostinato.core import events as e
from ostinato.core import logged_models as m
from ostinato.core import registry as y
from ostinato.core import tracking as t
from ostinato.core.deployments import Code, Deployment, Queue
from ostinato.core.happenings import KINDS, NEEDS, told
from ostinato.core.results import Result
from ostinato.core.workers import WorkerInfo

AT = 1_700_000_000_000_000
SECRET = Result("m", msgspec.msgpack.encode({"password": "hunter2"}), "", 9, b"d" * 16)
SOURCE = e.Source("/f.py", "f", "/", "python")
CODE = Code(kind="local", file="/f.py", function="f")
DEPLOYMENT = Deployment(id="d", flow="f", name="n", code=CODE, env={"API_TOKEN": "hunter2"}, created_at=AT)
PLANNED = e.Planned("d", "f/n", "default", AT)
ERROR = e.Error("ValueError", "no", "trace")

EVENTS: list[Any] = [
    e.RunCreated(
        "r", 1, AT, "f", "n", "Scheduled", "r", "", b"", 0, (b"k" * 16,), b'{"n": 1}', SECRET, ("a",), "v", SOURCE, AT,
        PLANNED,
    ),
    e.RunMoved("r", 1, AT, "Failed", "Running", "", 1, None, ERROR, due_at=AT),
    e.TaskStarted("r", 1, AT, 1, b"k" * 16, "t", "t-0", "Running", "", 0, 0, (), "v"),
    e.TaskMoved("r", 1, AT, 1, "Completed", "Running", result=Result("m", b"\x05", "", 1, b"d" * 16)),
    e.Logged("r", 0, AT, 20, "logger", "text"),
    e.LogsDropped("r", AT, 3),
    e.ArtifactMade("r", 0, AT, "key", "table", "", b'{"columns": [], "rows": []}'),
    e.CheckpointSaved("r", 1, AT, b"k" * 16, "v", Result("p", b"\x80", "", 1, b"d" * 16)),
    e.CacheStored("key", AT, 0, "r", 1, None),
    e.VariableSet("x", AT, b'{"a": 1}'),
    e.RunAsked("r", 1, AT, "pause"),
    e.RunReleased("r", 1, AT),
    e.RunDropped("r", AT),
    e.RunClaimed("r", 2, AT, "s"),
    e.StreamLost("s", AT, "gone", ("r",)),
    e.TickPlanned("d", "main", AT, "r", AT),
    e.SchedulePlanned("d", "main", AT, AT),
    e.DeploymentSet(AT, DEPLOYMENT),
    e.DeploymentRemoved("d", AT),
    e.QueueSet("q", AT, Queue(name="q")),
    e.LimitSet("l", AT, None),
    e.WorkerJoined(AT, WorkerInfo(id="w", name="w", host="h", pid=1)),
    e.WorkerLeft("w", AT, "bye"),
    e.UserSet("ann", AT, "local", "viewer"),
    e.KeySet("k", AT, "local", "ann", "", "viewer", (), b"hunter2" * 4, 0),
    e.SecretSet("s", AT, "local", b"hunter2"),
    e.InputAsked("r", 1, AT, "key", b'{"type": "integer"}', 0),
    e.InputGiven("r", AT, "key", b"5"),
    e.Audited(AT, "local", "act", "subject"),
    t.ExperimentMade("x", AT),
    t.ExperimentChanged("1", AT, "local", "y"),
    t.ExperimentTagged("1", AT, {"k": None}),
    t.TrackingBegun("t", AT, "x", "n", task_key=b"k" * 16),
    t.TrackingChanged("t", AT, "finished", AT),
    t.ParamsLogged("t", AT, {"lr": "0.1"}),
    t.TagsLogged("t", AT, {"k": "v"}),
    t.MetricsLogged("t", AT, 1, (t.Point("rmse", 6.5, 0, AT), t.Point("loss", float("nan"), 0, AT))),
    t.FileLogged("t", AT, "model/MLmodel", "d" * 32, 9),
    t.InputLogged("t", AT, "d" * 32, "rides"),
    y.ModelSet("m", AT, "local", "about"),
    y.ModelRenamed("m", AT, "local", "n"),
    y.ModelRemoved("m", AT, "local"),
    y.ModelTagged("m", AT, "local", {"k": None}),
    y.VersionMade("m", 1, AT, "local", "runs:/r/model", "r"),
    y.VersionChanged("m", 1, AT, "local", "better"),
    y.VersionRemoved("m", 1, AT, "local"),
    y.AliasMoved("m", "production", AT, "local", 2, 1, "set", "g"),
    y.StageMoved("m", 2, AT, "local", "Production", "None"),
    y.GateChecked("m", 2, "production", "rmse", AT, "local", "d" * 16, True, "rmse is 6.4", 1, "g"),
    m.LoggedModelMade("m-1", AT, "t", "1", "model", signature=b"{}", params={"n": "3"}),
    m.LoggedModelChanged("m-1", AT, "ready"),
    m.LoggedModelTagged("m-1", AT, {"k": None}),
    m.LoggedModelParams("m-1", AT, {"n": "3"}),
    m.LoggedModelMetrics("m-1", AT, "t", (t.Point("rmse", 6.5, 0, AT),)),
    m.LoggedModelDescribed("m-1", AT, "sklearn", b"{}", ("numpy==2.4",), 9),
    m.LoggedModelLinked("m-1", AT, "t", "output", 3),
    d.DatasetSeen("d" * 32, AT, "rides", "", (d.Field("miles", "double"),), 3, 24, None),
    d.DatasetUsed("d" * 32, AT, "rides", "r", "r", 1),
]  # fmt: skip


def test_there_is_one_of_each() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(e.Event)) == set(KINDS)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: KINDS[type(event)])
def test_an_event_is_told_in_json_without_secrets(event: e.Event) -> None:
    text = msgspec.json.encode(told(event)).decode()
    assert '"at":"2023-11-14T22:13:20Z"' in text
    assert "hunter2" not in text
    assert "aHVudGVy" not in text  # nor in base64


def test_values_are_told_as_what_they_are() -> None:
    by_kind = {KINDS[type(event)]: told(event) for event in EVENTS}
    assert by_kind["run-created"]["parameters"] == {"n": 1}
    assert by_kind["run-created"]["planned"]["deployment"] == "f/n"
    assert by_kind["run-created"]["upstream"] == ["6b" * 16]
    assert by_kind["run-moved"]["error"]["message"] == "no"
    assert by_kind["task-moved"]["result"].value == 5
    assert by_kind["variable-set"]["value"] == {"a": 1}
    assert by_kind["input-asked"]["until"] is None
    assert "arguments" not in by_kind["run-created"]
    assert by_kind["metrics-logged"]["n_points"] == 2
    assert by_kind["metrics-logged"]["newest"]["rmse"] == 6.5


def test_kinds_are_kebab_words() -> None:
    assert all(word.replace("-", "").isalpha() and word.islower() for word in KINDS.values())
    assert set(NEEDS) <= set(KINDS)


def test_of_a_large_artifact_only_its_size_is_told() -> None:
    made = told(e.ArtifactMade("r", 0, AT, "key", "markdown", "", msgspec.json.encode("x" * 100_000)))
    assert (made["data"], made["size_bytes"], made["key"]) == (None, 100_002, "key")
