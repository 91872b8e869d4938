"""Ostinato: train, track, gate, serve, watch and retrain models in ordinary Python.

The public names are loaded when they are first used; importing this does no I/O.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ostinato.core.cachekeys import DEFAULT, FLOW_PARAMETERS, INPUTS, NO_CACHE, RUN_ID, TASK_SOURCE
    from ostinato.core.retry import exponential_backoff
    from ostinato.core.schedules import Cron, Interval, RRule
    from ostinato.engine import artifacts as artifact
    from ostinato.engine import runtime
    from ostinato.engine.concurrency import concurrency
    from ostinato.engine.context import get_run_context
    from ostinato.engine.deployed import run_deployment
    from ostinato.engine.flows import Flow, flow
    from ostinato.engine.futures import Future, as_completed, wait
    from ostinato.engine.loggers import get_run_logger
    from ostinato.engine.marks import allow_failure, quote, tags, unmapped
    from ostinato.engine.pauses import pause, pause_async, suspend, suspend_async
    from ostinato.engine.runners.processes import ProcessRunner
    from ostinato.engine.runners.threads import ConcurrentTaskRunner, SequentialTaskRunner, ThreadRunner
    from ostinato.engine.secrets import Secret
    from ostinato.engine.state import State
    from ostinato.engine.tasks import Task, task
    from ostinato.engine.variables import Variable
    from ostinato.tracking import registry as models
    from ostinato.tracking.api import (
        active_run,
        log_artifact,
        log_artifacts,
        log_dict,
        log_figure,
        log_metric,
        log_metrics,
        log_param,
        log_params,
        log_table,
        log_text,
        set_experiment,
        set_tag,
        set_tags,
        start_run,
    )
    from ostinato.tracking.datasets import dataset
    from ostinato.tracking.gates import promote
    from ostinato.tracking.models.api import describe_model, load_model, log_model, save_model
    from ostinato.tracking.registry import register_model
    from ostinato.tracking.search import search_runs

__version__ = "0.1.0"

_WHERE: Final = {
    "flow": "engine.flows",
    "Flow": "engine.flows",
    "task": "engine.tasks",
    "Task": "engine.tasks",
    "unmapped": "engine.marks",
    "allow_failure": "engine.marks",
    "quote": "engine.marks",
    "tags": "engine.marks",
    "Future": "engine.futures",
    "State": "engine.state",
    "wait": "engine.futures",
    "pause": "engine.pauses",
    "pause_async": "engine.pauses",
    "suspend": "engine.pauses",
    "suspend_async": "engine.pauses",
    "concurrency": "engine.concurrency",
    "as_completed": "engine.futures",
    "get_run_logger": "engine.loggers",
    "get_run_context": "engine.context",
    "runtime": "engine.runtime:",
    "artifact": "engine.artifacts:",
    "Variable": "engine.variables",
    "Secret": "engine.secrets",
    "ThreadRunner": "engine.runners.threads",
    "ConcurrentTaskRunner": "engine.runners.threads",
    "SequentialTaskRunner": "engine.runners.threads",
    "ProcessRunner": "engine.runners.processes",
    "exponential_backoff": "core.retry",
    "run_deployment": "engine.deployed",
    "Cron": "core.schedules",
    "Interval": "core.schedules",
    "RRule": "core.schedules",
    "DEFAULT": "core.cachekeys",
    "INPUTS": "core.cachekeys",
    "TASK_SOURCE": "core.cachekeys",
    "FLOW_PARAMETERS": "core.cachekeys",
    "RUN_ID": "core.cachekeys",
    "NO_CACHE": "core.cachekeys",
    "active_run": "tracking.api",
    "models": "tracking.registry:",
    "register_model": "tracking.registry",
    "promote": "tracking.gates",
    "log_artifact": "tracking.api",
    "log_artifacts": "tracking.api",
    "log_dict": "tracking.api",
    "log_figure": "tracking.api",
    "log_metric": "tracking.api",
    "log_metrics": "tracking.api",
    "log_param": "tracking.api",
    "log_params": "tracking.api",
    "log_table": "tracking.api",
    "log_text": "tracking.api",
    "search_runs": "tracking.search",
    "log_model": "tracking.models.api",
    "load_model": "tracking.models.api",
    "save_model": "tracking.models.api",
    "describe_model": "tracking.models.api",
    "set_experiment": "tracking.api",
    "set_tag": "tracking.api",
    "set_tags": "tracking.api",
    "start_run": "tracking.api",
    "dataset": "tracking.datasets",
}
"""Public name -> module below `ostinato`; with a colon the module itself is the name."""

__all__ = [
    "DEFAULT",
    "FLOW_PARAMETERS",
    "INPUTS",
    "NO_CACHE",
    "RUN_ID",
    "TASK_SOURCE",
    "ConcurrentTaskRunner",
    "Cron",
    "Flow",
    "Future",
    "Interval",
    "ProcessRunner",
    "RRule",
    "Secret",
    "SequentialTaskRunner",
    "State",
    "Task",
    "ThreadRunner",
    "Variable",
    "active_run",
    "allow_failure",
    "artifact",
    "as_completed",
    "concurrency",
    "dataset",
    "describe_model",
    "exponential_backoff",
    "flow",
    "get_run_context",
    "get_run_logger",
    "load_model",
    "log_artifact",
    "log_artifacts",
    "log_dict",
    "log_figure",
    "log_metric",
    "log_metrics",
    "log_model",
    "log_param",
    "log_params",
    "log_table",
    "log_text",
    "models",
    "pause",
    "pause_async",
    "promote",
    "quote",
    "register_model",
    "run_deployment",
    "runtime",
    "save_model",
    "search_runs",
    "set_experiment",
    "set_tag",
    "set_tags",
    "start_run",
    "suspend",
    "suspend_async",
    "tags",
    "task",
    "unmapped",
    "wait",
]


def __getattr__(name: str) -> Any:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(name)
    module = import_module(f"ostinato.{where.rstrip(':')}")
    value = module if where.endswith(":") else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
