"""`ostinato.runtime`: ids, names and parameters of the running code; None or empty outside a run.

from ostinato import runtime
runtime.flow_run.name, runtime.task_run.run_count
"""

from __future__ import annotations

from typing import Any

from ostinato.engine.context import flow_run_info, task_run_info
from ostinato.engine.scopes import find_scope


class _Facts:
    """Looks its attributes up in the running context at each access."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        scope = find_scope()
        if scope is None:
            return None
        facts = flow_run_info(scope) if self._kind == "flow_run" else task_run_info(scope)
        return getattr(facts, name) if facts is not None else None


flow_run = _Facts("flow_run")
"""id, name, flow_name, parameters, tags, expected_start_time, run_count, epoch, parent_ and root_flow_run_id."""

task_run = _Facts("task_run")
"""id, name, task_name, tags, run_count, key."""
