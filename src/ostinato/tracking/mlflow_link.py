"""What MLflow's client is told inside a flow run, through its entry points; nothing of MLflow is imported here.

A run that is made there is linked to the task run whose code makes it, also when several tasks do so at once.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, ClassVar, Final

from ostinato.core.ports import resolve
from ostinato.core.runtokens import PREFIX as TOKEN_PREFIX
from ostinato.core.tracking import DEFAULT_EXPERIMENT
from ostinato.engine.scopes import TaskScope, find_scope

if TYPE_CHECKING:
    from ostinato.engine.scopes import Scope

FLOW_RUN: Final = "ostinato.flow_run_id"
TASK_RUN: Final = "ostinato.task_run"
FLOW_RUN_HEADER: Final = "X-Ostinato-Flow-Run"
TASK_RUN_HEADER: Final = "X-Ostinato-Task-Run"
ADDRESS: Final = "MLFLOW_TRACKING_URI"
TOKEN: Final = "MLFLOW_TRACKING_TOKEN"  # noqa: S105 - the name of a variable

_log: Final = logging.getLogger("ostinato.tracking")


class RunContext:
    """Gives the tags of a new run (entry point `mlflow.run_context_provider`)."""

    _told = False

    def in_context(self) -> bool:
        """Say whether the calling code belongs to a flow run; where MLflow would log past it, say so once."""
        scope = find_scope()
        if scope is not None and not os.environ.get(ADDRESS) and not RunContext._told:
            RunContext._told = True
            _log.warning(
                "MLflow's client does not know of a server, so this run is not linked to flow run %r: "
                "`ostinato up` starts one on this home.",
                scope.root.name,
            )
        return scope is not None

    def tags(self) -> dict[str, str]:
        """Give the flow run and task run of the calling code."""
        scope = find_scope()
        return {} if scope is None else _facts(scope, FLOW_RUN, TASK_RUN)


class RequestHeaders:
    """Gives headers of each request (entry point `mlflow.request_header_provider`)."""

    def in_context(self) -> bool:
        """Say whether the calling code belongs to a flow run."""
        return find_scope() is not None

    def request_headers(self) -> dict[str, str]:
        """Give the flow run and task run of the calling code."""
        scope = find_scope()
        return {} if scope is None else _facts(scope, FLOW_RUN_HEADER, TASK_RUN_HEADER)


class DefaultExperiment:
    """Gives the experiment of runs for which none is chosen (entry point `mlflow.default_experiment_provider`).

    It has the name of the flow, as that of runs which Ostinato's own functions log.
    """

    _ids: ClassVar[dict[str, str]] = {}
    """Ids by name, as this process has found them."""

    def in_context(self) -> bool:
        """Say whether the calling code belongs to a flow run, and its client speaks with the server that this lends."""
        if find_scope() is None or not os.environ.get(TOKEN, "").startswith(TOKEN_PREFIX):
            return False
        client = sys.modules.get("mlflow")  # it asks, so it is there; an address that code sets wins
        return client is not None and bool(client.get_tracking_uri() == os.environ.get(ADDRESS))

    def get_experiment_id(self) -> str:
        """Give the id of the experiment that has the name of the flow; it is made when it is missing."""
        scope = find_scope()
        name: str = scope.flow.run.flow.name if scope is not None else DEFAULT_EXPERIMENT
        if name not in self._ids:
            self._ids[name] = resolve("ostinato.tracking.experiments:experiment_id")(name)
        return self._ids[name]


def _facts(scope: Scope, flow_run: str, task_run: str) -> dict[str, str]:
    facts = {flow_run: scope.flow.id}
    if isinstance(scope, TaskScope):
        facts[task_run] = f"{scope.flow.id}/{scope.no}"
    return facts
