"""Large results in a folder or a bucket of the user's choice."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ostinato import flow, task
from ostinato.core.ports import READER, RECORDER, Reader, Recorder, resolve
from ostinato.engine.resume import resume
from ostinato.engine.values import Values

if TYPE_CHECKING:
    from pathlib import Path

    from ostinato.core.results import Result

LARGE = list(range(20_000))
READY = "OSTINATO_TEST_READY"
"""In the environment, since resume loads this file anew."""


@task
def make(n: int) -> list[int]:
    return list(range(n))


@task
def check(numbers: list[int]) -> int:
    if READY not in os.environ:
        raise ValueError("not yet")
    return len(numbers)


@flow
def inner() -> list[int]:
    return make(20_000)


@flow
def outer() -> int:
    return check(inner())


def _results(reader: Reader, run_id: str) -> list[Result]:
    runs = reader.subflow_runs(run_id)
    return [row.result for run in runs for row in reader.task_runs(run.id) if row.result is not None]


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_large_results_go_where_the_flow_says_and_come_back_on_retry(
    home: Path, tmp_path: Path, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = f"{scheme}{tmp_path / 'results'}"
    run_id = outer.with_options(result_storage=storage)(return_state=True).run_id
    reader: Reader = resolve(READER)()
    (kept,) = _results(reader, run_id)
    assert kept.storage == storage
    assert list((tmp_path / "results").rglob(kept.blob))
    assert not list(home.rglob(kept.blob))

    recorder: Recorder = resolve(RECORDER)()
    assert Values(recorder, 1 << 30).value(kept) == (True, LARGE)
    monkeypatch.setenv(READY, "1")
    state = resume(reader.find_run(run_id))
    assert state.result() == len(LARGE)
    assert reader.find_run(run_id).n_reused == 1  # inside the subflow, which was taken over whole
    reader.close()
