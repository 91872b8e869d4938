"""Settings: where each comes from, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ostinato.core.errors import SettingInvalid
from ostinato.core.settings import Settings, describe, load

if TYPE_CHECKING:
    from pathlib import Path


def test_defaults_need_nothing(tmp_path: Path) -> None:
    settings = load({"OSTINATO_HOME": str(tmp_path / "home")}, str(tmp_path))
    assert (settings.durability, settings.disk_lag_ms, settings.console) == ("relaxed", 50, True)
    assert settings.where("durability") == "default"
    assert settings.where("home") == "OSTINATO_HOME"


def test_the_default_home_is_below_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load({}, str(tmp_path)).home == str(tmp_path / ".ostinato")


def test_environment_comes_before_the_working_directory_and_that_before_the_home(tmp_path: Path) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    (home / "ostinato.toml").write_text("disk_lag_ms = 1\ngroup_ms = 1\ncommit_ms = 1\n")
    (here / "ostinato.toml").write_text("disk_lag_ms = 2\ngroup_ms = 2\n")
    settings = load({"OSTINATO_HOME": str(home), "OSTINATO_DISK_LAG_MS": "3"}, str(here))
    assert (settings.disk_lag_ms, settings.group_ms, settings.commit_ms) == (3, 2, 1)
    assert settings.where("disk_lag_ms") == "OSTINATO_DISK_LAG_MS"
    assert settings.where("group_ms") == "ostinato.toml"
    assert settings.where("commit_ms") == str(home / "ostinato.toml")


def test_a_file_in_the_working_directory_may_name_the_home(tmp_path: Path) -> None:
    (tmp_path / "ostinato.toml").write_text(f'home = "{tmp_path}/elsewhere"\n')
    assert load({}, str(tmp_path)).home == str(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("text", "value"), [("on", True), ("no", False), ("1", True), ("False", False), ("OFF", False)]
)
def test_switches_are_read_in_the_usual_words(tmp_path: Path, text: str, *, value: bool) -> None:
    environ = {"OSTINATO_HOME": str(tmp_path), "OSTINATO_CONSOLE": text}
    assert load(environ, str(tmp_path)).console is value


def test_an_empty_variable_is_no_setting(tmp_path: Path) -> None:
    environ = {"OSTINATO_HOME": str(tmp_path), "OSTINATO_DURABILITY": ""}
    assert load(environ, str(tmp_path)).durability == "relaxed"


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("OSTINATO_DURABILITY", "sometimes", "Invalid enum value"),
        ("OSTINATO_DISK_LAG_MS", "soon", "Expected `int`"),
        ("OSTINATO_DISK_LAG_MS", "0", ">= 1"),
        ("OSTINATO_RESULT_LIMIT_MB", "-1", "> 0"),
        ("OSTINATO_CONSOLE", "perhaps", "Expected `bool`"),
    ],
)
def test_a_wrong_value_is_refused_by_name(tmp_path: Path, variable: str, value: str, reason: str) -> None:
    with pytest.raises(SettingInvalid, match=reason) as caught:
        load({"OSTINATO_HOME": str(tmp_path), variable: value}, str(tmp_path))
    assert variable.removeprefix("OSTINATO_").lower() in str(caught.value)
    assert variable in str(caught.value)


def test_an_unknown_name_in_a_file_is_refused_and_in_the_environment_ignored(tmp_path: Path) -> None:
    load({"OSTINATO_HOME": str(tmp_path), "OSTINATO_API_URL": "x"}, str(tmp_path))
    (tmp_path / "ostinato.toml").write_text("durabilty = 1\n")
    with pytest.raises(SettingInvalid, match="durabilty"):
        load({"OSTINATO_HOME": str(tmp_path)}, str(tmp_path))


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ostinato.toml").write_text("= 1")
    with pytest.raises(SettingInvalid, match=r"ostinato\.toml"):
        load({"OSTINATO_HOME": str(tmp_path / "home")}, str(tmp_path))


def test_each_setting_is_described(tmp_path: Path) -> None:
    settings = load({"OSTINATO_HOME": str(tmp_path), "OSTINATO_COLOR": "never"}, str(tmp_path))
    described = {one.name: one for one in describe(settings)}
    assert list(described) == [name for name in Settings.__struct_fields__ if name != "origins"]
    assert all(one.doc.endswith(".") and one.variable == f"OSTINATO_{name.upper()}" for name, one in described.items())
    assert (described["color"].value, described["color"].default, described["color"].origin) == (
        "never",
        "auto",
        "OSTINATO_COLOR",
    )
