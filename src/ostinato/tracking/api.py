"""The tracking functions of the public API: they log into the active run, or into that of the running task.

Which run that is: the one of the innermost `start_run` that has not ended; else the task's own, or that of the flow,
which is there from the first thing logged on and began when they did; outside of flows the program's own, which begins
with the first thing logged and ends with the program.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ostinato.core.errors import BadOption, TrackingRunOpen
from ostinato.core.names import run_name
from ostinato.core.ports import RECORDER, resolve
from ostinato.core.tracking import DEFAULT_EXPERIMENT, check_experiment_name, check_texts
from ostinato.engine.scopes import find_scope
from ostinato.tracking.collector import collector
from ostinato.tracking.runs import OWN, Opened, Run, begin_run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ostinato.engine.scopes import Scope

_active: ContextVar[Run | None] = ContextVar("ostinato_tracking_run", default=None)


class _Program:
    """What this process tracks outside of flows."""

    opened: Opened | None = None
    beginning = threading.RLock()
    """Held while a run begins that a scope or the program has once."""
    experiment = ""
    """As `set_experiment` chose it; empty for the name of the flow, or `Default`."""


def set_experiment(name: str) -> None:
    """Have the runs that begin from now on in this process belong to an experiment; "" for the usual one again."""
    if name:
        check_experiment_name(name)
    _Program.experiment = name


def start_run(
    name: str = "",
    *,
    experiment: str = "",
    nested: bool = False,
    tags: Mapping[str, Any] | None = None,
    system_metrics: bool = False,
) -> Run:
    """Begin a tracking run and make it the active one; as a context manager it ends with the block.

    In a task or flow it is linked to it, and the same run goes on when the task is run again after a crash.
    `system_metrics` logs the CPU and memory of this process every 10 seconds.

    Raises:
        TrackingRunOpen: (tracking-run-open) a run is active, and `nested=True` is missing.
        TrackedValueInvalid: (tracked-value-invalid) a name or tag cannot be kept.
    """
    outer, scope = _opened_run(), find_scope()
    if outer is not None and not nested:
        raise TrackingRunOpen(name=outer.name)
    texts = {key: str(value) for key, value in (tags or {}).items()}
    check_texts("tag", texts)
    if experiment:
        check_experiment_name(experiment)
    if not isinstance(name, str):
        raise BadOption(option="name", value=name, where="start_run", reason="it is no text", fix="Pass a text.")
    if name:
        check_texts("run", {name: None})
    chosen = experiment or (outer.experiment if outer is not None else _experiment_of(scope))
    number = scope.ordinal_of(b"tracking-run") if scope is not None else 0
    run = begin_run(
        scope, outer, name=name or run_name(), experiment=chosen, tags=texts, label=number.to_bytes(4, "big")
    )
    _opened_in(scope).add(run)
    _active.set(run)
    if system_metrics:
        resolve("ostinato.tracking.system:watch")(run)
    return run


def active_run() -> Run | None:
    """Give the run that is logged into now, None when it would have to begin first."""
    run = _opened_run()
    if run is not None:
        return run
    scope = find_scope()
    opened = _Program.opened if scope is None else scope.tracking
    return opened.lasting if opened is not None else None


def log_param(key: str, value: Any) -> None:
    """Keep a parameter of the active run. The first value stands; another one is told and dropped."""
    _run().log_param(key, value)


def log_params(params: Mapping[str, Any]) -> None:
    """Keep parameters of the active run."""
    _run().log_params(params)


def log_metric(key: str, value: float, step: int | None = None, *, time: datetime | None = None) -> None:
    """Keep a value of a metric of the active run; without a step it has the next one."""
    _run().log_metric(key, value, step, time=time)


def log_metrics(metrics: Mapping[str, float], step: int | None = None, *, time: datetime | None = None) -> None:
    """Keep a value of each of these metrics of the active run."""
    _run().log_metrics(metrics, step, time=time)


def set_tag(key: str, value: Any) -> None:
    """Set a tag of the active run; None takes it away."""
    _run().set_tag(key, value)


def set_tags(tags: Mapping[str, Any]) -> None:
    """Set tags of the active run; None takes one away."""
    _run().set_tags(tags)


def log_artifact(file: str | os.PathLike[str], folder: str = "") -> None:
    """Keep a file, or a folder with all below it, in a folder of the active run."""
    _run().log_artifact(file, folder)


def log_artifacts(source: str | os.PathLike[str], folder: str = "") -> None:
    """Keep all files below a folder in the active run."""
    _run().log_artifacts(source, folder)


def log_text(text: str, path: str) -> None:
    """Keep a text as a file of the active run."""
    _run().log_text(text, path)


def log_dict(value: Any, path: str) -> None:
    """Keep a dict or list as a JSON file of the active run."""
    _run().log_dict(value, path)


def log_figure(figure: Any, path: str) -> None:
    """Keep a figure of matplotlib or plotly as a file of the active run."""
    _run().log_figure(figure, path)


def log_table(rows: Any, path: str) -> None:
    """Keep a table as a JSON file of the active run: a data frame, a list of dicts, or a dict of columns."""
    _run().log_table(rows, path)


def own_run() -> Run:
    """Give the active run; the task's, flow's or program's own one begins when there is none."""
    return _run()


# --- which run


def _run() -> Run:
    return active_run() or _own_run(find_scope())


def _opened_run() -> Run | None:
    """Give the innermost run of `start_run` that has not ended."""
    run = _active.get()
    while run is not None and run.ended:
        run = run.outer
    return run


def _own_run(scope: Scope | None) -> Run:
    with _Program.beginning:
        opened = _opened_in(scope)
        run = opened.lasting
        if run is None:
            name, began_at = (scope.name, scope.began_at) if scope is not None else (run_name(), 0)
            experiment = _experiment_of(scope)
            run = begin_run(scope, None, name=name, experiment=experiment, tags={}, label=OWN, began_at=began_at)
            opened.own = run
            opened.add(run)
        return run


def _opened_in(scope: Scope | None) -> Opened:
    with _Program.beginning:
        if scope is not None:
            if scope.tracking is None:
                scope.tracking = Opened()
            opened: Opened = scope.tracking
            return opened
        if _Program.opened is None:
            resolve(RECORDER)  # first: what is registered last is called first
            _Program.opened = Opened()
            atexit.register(_end_program)
        return _Program.opened


def _experiment_of(scope: Scope | None) -> str:
    if _Program.experiment or scope is None:
        return _Program.experiment or DEFAULT_EXPERIMENT
    flow: str = scope.flow.run.flow.name
    return flow


def _end_program() -> None:
    """End what the program left open, by how it ended."""
    error = getattr(sys, "last_value", None)
    state = "Completed" if error is None else "Failed" if isinstance(error, Exception) else "Cancelled"
    if _Program.opened is not None:
        _Program.opened.end(state)
    collector.flush()


def _start_afresh() -> None:
    """In a forked child nobody holds the lock."""
    _Program.beginning = threading.RLock()


os.register_at_fork(after_in_child=_start_afresh)
