"""What MLflow's client is told inside a flow run, through its entry points; nothing of MLflow is imported here.

A run that is made there is linked to the task run whose code makes it, also when several tasks do so at once.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

from ostinato.engine.scopes import TaskScope, find_scope

if TYPE_CHECKING:
    from ostinato.engine.scopes import Scope

FLOW_RUN: Final = "ostinato.flow_run_id"
TASK_RUN: Final = "ostinato.task_run"
FLOW_RUN_HEADER: Final = "X-Ostinato-Flow-Run"
TASK_RUN_HEADER: Final = "X-Ostinato-Task-Run"
ADDRESS: Final = "MLFLOW_TRACKING_URI"

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


def _facts(scope: Scope, flow_run: str, task_run: str) -> dict[str, str]:
    facts = {flow_run: scope.flow.id}
    if isinstance(scope, TaskScope):
        facts[task_run] = f"{scope.flow.id}/{scope.no}"
    return facts
