"""Resume and retry: the same root run goes on in its next epoch, keeping what is completed."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Any

from ostinato.core import settings as settings_of
from ostinato.core.errors import ResumeRefused, TransitionRefused, UsageError
from ostinato.core.plan import Changed, Decision
from ostinato.core.plan import plan as plan_of
from ostinato.core.ports import RECORDER, resolve
from ostinato.core.states import ACTIVE, reopen
from ostinato.engine.flows import Flow, carry_on
from ostinato.engine.functions import versions
from ostinato.engine.loading import find_flow, load_file
from ostinato.engine.memory import remember
from ostinato.engine.runs import FlowRun
from ostinato.engine.scopes import Root
from ostinato.engine.values import Values

if TYPE_CHECKING:
    from ostinato.core import records
    from ostinato.engine.state import State


def resume(run: records.FlowRun, *, changed: Changed = "rerun") -> State:
    """Go on with a root run that did not end well, in this process; give its final state.

    Completed tasks whose code and inputs are unchanged give their recorded results. With
    `changed="refuse"` nothing runs when a completed task would have to run again because its code
    changed; with `"reuse"` its result stands all the same.

    Raises:
        ResumeRefused: (resume-refused) it is running, ended well, is a subflow, or its code cannot be found.
        PlanRefused: (plan-refused) with `changed="refuse"`.
        EpochTaken: (epoch-taken) somebody else took it up first.
    """
    flow = _flow_of(run)
    recorder = resolve(RECORDER)()
    root = Root(recorder, settings_of.load(), run.id, run.epoch, run.name)
    arguments = _arguments_of(flow, run, root.values)
    if changed == "refuse":
        plan(run, changed=changed)
    root.epoch = recorder.claim(run.id, run.epoch)
    root.memory = remember(recorder.recall(run.id), recorder, root.values, changed)
    again = FlowRun(flow, root, None, arguments)
    again.row, again.tags, again.expected_at = run, run.tags, run.expected_at
    return carry_on(again)


def plan(run: records.FlowRun, *, changed: Changed = "rerun") -> list[Decision]:
    """Give what a resume of this run would reuse and what it would run again, and why. Runs nothing.

    Raises:
        ResumeRefused: (resume-refused) as for `resume`.
        PlanRefused: (plan-refused) with `changed="refuse"`, when a completed task would run again.
    """
    flow = _flow_of(run)
    recorder = resolve(RECORDER)()
    _arguments_of(flow, run, Values(recorder, 0))
    return plan_of(recorder.recall(run.id), versions(), changed, recorder.has_blob)


def _arguments_of(flow: Flow[Any, Any], run: records.FlowRun, values: Values) -> dict[str, Any]:
    """Give the recorded arguments as the function takes them now: new parameters get their defaults."""
    found, recorded = values.value(run.arguments)
    if not found:
        raise ResumeRefused(
            run=run.name, reason="its parameters were not kept", fix="Run the flow again with its parameters."
        )
    try:
        arguments = flow.parameters.adapt(recorded or {})
        return flow.parameters.validate(arguments) if flow.options.validate_parameters else arguments
    except UsageError as error:
        reason = f"its recorded parameters do not fit the flow any more: {error.message}"
        raise ResumeRefused(run=run.name, reason=reason, fix="Keep its parameters, or run the flow anew.") from error


def _flow_of(run: records.FlowRun) -> Flow[Any, Any]:
    """Give the flow of a run, from its recorded file, in its recorded directory."""
    if run.parent_id:
        raise ResumeRefused(
            run=run.name, reason="it is a subflow", fix=f"Resume its root run: `ostinato resume {run.root_id}`."
        )
    try:
        reopen(run.state)
    except TransitionRefused as refused:
        # opening the home marks the runs of dead processes as Crashed, so this one's process lives
        fix = f"Watch it: `ostinato watch {shlex.quote(run.name)}`." if run.state in ACTIVE else refused.hint
        raise ResumeRefused(run=run.name, reason=f"it is {run.state}", fix=fix) from refused
    source = run.source
    if not source.file or "<locals>" in source.function:
        reason = "its flow exists only in the notebook, prompt or function that made it"
        raise ResumeRefused(run=run.name, reason=reason, fix="Move the flow to the top level of a file.")
    if os.path.isdir(source.directory):
        os.chdir(source.directory)
    module = load_file(source.file)
    # results pickled by `python flow.py` name their classes as `__main__.X`
    sys.modules["__main__"] = module
    return find_flow(module, source.function, source.file)
