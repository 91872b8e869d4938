"""A flow whose parameters changed between a failure and the retry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ostinato.core.errors import ResumeRefused
from ostinato.core.ports import READER, Reader, resolve
from ostinato.engine.loading import load_flow
from ostinato.engine.resume import plan, resume

if TYPE_CHECKING:
    from pathlib import Path

FLOW = """
from ostinato import flow

@flow
def train({parameters}):
    if {fails}:
        raise ValueError("not yet")
    return {value}
"""


def _write(folder: Path, name: str, parameters: str, value: str, *, fails: bool) -> str:
    file = folder / f"{name}.py"
    file.write_text(FLOW.format(parameters=parameters, value=value, fails=fails))
    return str(file)


def _failed_once(tmp_path: Path, name: str) -> str:
    file = _write(tmp_path, name, "n=1", "n", fails=True)
    state = load_flow(f"{file}:train")(n=7, return_state=True)
    assert state.is_failed()
    return str(state.run_id)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("name", "parameters", "value", "expected"),
    [
        ("grown", "n=1, m=2", "(n, m)", (7, 2)),
        ("typed", "n: str = ''", "n", None),
        ("renamed", "k=1", "k", None),
        ("needy", "n, other", "n", None),
    ],
)
def test_a_retry_takes_new_defaults_and_refuses_what_does_not_fit(
    tmp_path: Path, name: str, parameters: str, value: str, expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = _failed_once(tmp_path, name)
    _write(tmp_path, name, parameters, value, fails=False)
    monkeypatch.delitem(__import__("sys").modules, name)
    reader: Reader = resolve(READER)()
    run = reader.find_run(run_id)
    if expected is not None:
        plan(run)
        assert resume(run).result() == expected
    else:
        for attempt in (plan, resume):
            with pytest.raises(ResumeRefused, match="do not fit"):
                attempt(run)
        assert reader.find_run(run_id).epoch == 1
    reader.close()
