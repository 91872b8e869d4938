"""`models` and `promote` as a person uses them: lists, one model, one version, moves, refusals."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Cli


@pytest.fixture
def rides(cli: Cli) -> Cli:
    """Give the command on a home with two versions of a model."""
    for number in (1, 2):
        said = cli("models", "register", f"s3://bucket/{number}", "rides", "--tag", f"seed={number}").stdout
        assert said == f"rides version {number} is registered.\n"
    return cli


def test_a_home_without_models_says_how_to_make_one(cli: Cli) -> None:
    assert "No registered models yet" in cli("models", "ls").stderr
    assert cli.json("models", "ls") == []
    assert "model-not-found" in cli("models", "show", "rides", code=2).stderr


def test_models_and_versions_are_listed_and_shown(rides: Cli) -> None:
    rides("models", "alias", "rides", "champion", "2")
    rides("models", "describe", "rides", "minutes of a ride")
    rides("models", "describe", "rides", "the first", "--version", "1")
    rides("models", "tag", "rides", "team=a", "unit=min")
    rides("models", "tag", "rides", "unit=", "note=x", "--version", "@champion")
    assert re.search(r"rides +2 +champion=2", rides("models", "ls").stdout)
    shown = rides("models", "show", "rides").stdout
    assert "minutes of a ride" in shown
    assert "team=a, unit=min" in shown
    assert "no policy" in shown
    assert re.search(r"2 +champion .* local", shown)
    assert re.search(r"1 .* the first", rides("models", "versions", "rides").stdout)
    (one, other) = rides.json("models", "versions", "rides")
    assert (one["version"], one["tags"], one["uri"]) == (2, {"seed": "2", "note": "x"}, "models:/rides/2")
    assert other["description"] == "the first"
    version = rides("models", "show", "rides", "latest").stdout
    assert "s3://bucket/2" in version
    assert rides.json("models", "show", "rides")["aliases"] == {"champion": 2}
    assert rides.json("models", "lineage", "rides", "@champion")["source"] == "s3://bucket/2"


def test_stages_move_go_back_and_are_remembered(rides: Cli) -> None:
    assert "stage Production, production" in rides("models", "stage", "rides", "1", "production").stdout
    assert rides.json("models", "stage", "rides", "2", "Production")["stage"] == "Production"
    assert "version 1: stage Production" in rides("models", "rollback", "rides").stdout
    assert "rollback-refused" in rides("models", "rollback", "rides", code=4).stderr
    found = [(one["version"], one["how"]) for one in rides.json("models", "history", "rides", "--alias", "production")]
    assert found == [(1, "rollback"), (2, "set"), (1, "set")]
    assert "has no alias production" in rides("models", "alias", "rides", "production", "--remove").stdout
    assert "alias-not-found" in rides("models", "show", "rides", "@production", code=2).stderr
    for stage in ("Production", "Staging"):
        said = rides("models", "show", "rides", stage, code=2).stderr
        assert f"error[stage-empty] No version of model 'rides' is in the stage {stage}." in said


def test_models_are_renamed_and_removed(rides: Cli) -> None:
    assert "rides is taxi from now on" in rides("models", "rename", "rides", "taxi").stdout
    assert "Removed version 2 of taxi." in rides("models", "delete", "taxi", "--version", "latest", "--yes").stdout
    assert [one["version"] for one in rides.json("models", "versions", "taxi")] == [1]
    rides("models", "delete", "taxi", "--yes")
    assert rides.json("models", "ls") == []


def test_a_policy_is_set_shown_and_taken_away(rides: Cli) -> None:
    file = rides.folder / "gate.toml"
    file.write_text('[checks.rmse]\nkind = "metric"\nmetric = "rmse"\nmax = 6.5\n', encoding="utf-8")
    assert "metric=rmse max=6.5" in rides("models", "policy", "rides", "gate.toml").stdout
    refused = rides("models", "stage", "rides", "1", "Production", code=4).stderr
    assert "rmse: not checked" in refused
    assert "ostinato promote rides 1 --to production" in refused
    failed = rides("promote", "rides", "1", code=1)
    assert "rmse is not recorded" in failed.stderr
    assert rides.json("models", "show", "rides", "1")["checks"][0]["passed"] is False
    assert rides.json("promote", "rides", "1", "--override", "no time")["aliases"] == ["production"]
    assert rides.json("models", "policy", "rides", "--remove") is None
    ungated = rides("promote", "rides", "2", "--to", "production", "--json")
    assert json.loads(ungated.stdout)["state"] == "Completed"
    assert "Nothing was checked: no policy of rides gates production" in ungated.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[checks", "gate.toml"),
        ('[checks.a]\nkind = "smell"\n', "smell"),
        ('[checks.a]\nkind = "metric"\n', "metric"),
        ('[checks.a]\nkind = "metric"\nmetric = "rmse"\n', "neither max nor min"),
        ("", "checks"),
    ],
)
def test_a_policy_that_is_none_is_refused(rides: Cli, text: str, said: str) -> None:
    (rides.folder / "gate.toml").write_text(text, encoding="utf-8")
    assert said in rides("models", "policy", "rides", "gate.toml", code=2).stderr


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["models", "show", "rides", "7"], 2, "model-version-not-found"),
        (["models", "register", "/tmp/model", "rides"], 2, "names no model"),
        (["models", "register", "s3://bucket/m", "a/b"], 2, "model-invalid"),
        (["models", "alias", "rides", "latest", "1"], 2, "model-invalid"),
        (["models", "alias", "rides", "champion"], 2, "--remove"),
        (["models", "tag", "rides", "x"], 2, "KEY=VALUE"),
        (["models", "stage", "rides", "1", "Gone"], 2, "Gone"),
        (["models", "policy", "rides", "nowhere.toml"], 2, "nowhere.toml"),
        (["models", "rename", "nothing", "other"], 2, "model-not-found"),
        (["promote", "nothing", "1"], 2, "model-not-found"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_code(rides: Cli, args: list[str], code: int, said: str) -> None:
    assert said in rides(*args, code=code).stderr
