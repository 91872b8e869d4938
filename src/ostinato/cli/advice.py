"""What to type next: the commands that make sense for a run in its state."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from ostinato.core.views import parameters_of

if TYPE_CHECKING:
    from ostinato.core.records import FlowRun


def next_commands(run: FlowRun, ref: str | None = None) -> list[tuple[str, str]]:
    """Give command lines with what each does; `ref` is how to name the run."""
    name = shlex.quote(ref) if ref else reference(run)
    logs = (f"ostinato logs {name}", "its log lines")
    if run.parent_id:
        return [(f"ostinato show {run.root_id}", "the outermost run"), logs]
    if run.error is not None and run.error.type == "CodeMissing" and run.deployment:
        title = shlex.quote(run.deployment)
        return [(f"ostinato deploy inspect {title}", "where its code should be; deploy it again"), logs]
    if run.state == "Failed" and run.error is not None and run.error.type == "GateFailed":  # a retry finds the same
        return [*_past_gate(run, name), logs]
    if run.state in ("Failed", "TimedOut"):
        return [(f"ostinato retry {name}", "go on, keeping what completed"), logs]
    if run.state in ("Crashed", "Cancelled", "Paused") and (run.ended or run.state == "Paused"):
        return [
            (f"ostinato resume {name}", "go on where it stopped"),
            (f"ostinato resume {name} --plan", "what runs again, and why"),
            logs,
        ]
    if not run.ended:
        watch = (f"ostinato watch {name}", "watch it until it ends")
        return [watch, (f"ostinato cancel {name}", "stop it"), logs]
    return [(f"ostinato show {name}", "tasks, artifacts, history"), logs]


def _past_gate(run: FlowRun, name: str) -> list[tuple[str, str]]:
    """Give what tells why a version did not pass its gate, and the command that checks it again."""
    told = [(f"ostinato show {name}", "the table of checks")]
    if run.flow != "promotion":
        return told
    asked = [shlex.quote(str(parameters_of(run).get(key))) for key in ("name", "version", "to")]
    again = "ostinato promote {} {} --to {}".format(*asked)
    return [*told, (again, "check again, once something has changed")]


def reference(run: FlowRun) -> str:
    """Give how to name a run in a shell: its name, its id when the name cannot be typed."""
    return shlex.quote(run.name) if run.name.isprintable() else run.id
