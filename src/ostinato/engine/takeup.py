"""Taking up a run that a server made: this process has its epoch already, and brings it to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostinato.core import settings as settings_of
from ostinato.core.errors import BadFile, ParametersMisfit, PlanRefused, UsageError
from ostinato.core.events import Logged, RunMoved
from ostinato.core.ports import RECORDER, resolve
from ostinato.engine import traces
from ostinato.engine.flows import Flow, carry_on
from ostinato.engine.functions import versions
from ostinato.engine.memory import remember
from ostinato.engine.runs import FlowRun
from ostinato.engine.scopes import Root, now_us
from ostinato.engine.state import State

if TYPE_CHECKING:
    from ostinato.core import records
    from ostinato.core.plan import Changed
    from ostinato.engine.values import Values


def take_up(run: records.FlowRun, flow: Flow[Any, Any]) -> State:
    """Bring a leased root run to its end in this process; give its final state.

    Completed tasks of earlier epochs give their recorded results. A run whose parameters do not fit
    the flow has Failed.
    """
    recorder = resolve(RECORDER)()
    root = Root(recorder, settings_of.load(), run.id, run.epoch, run.name)
    try:
        arguments = _arguments_of(flow, run, root.values)
    except UsageError as error:
        return refuse(run, error)
    if run.epoch > 1:
        changed: Changed = "reuse" if run.asked == "reuse" else "refuse" if run.asked == "refuse" else "rerun"
        try:
            root.memory = remember(recorder.recall(run.id), recorder, root.values, changed)
        except PlanRefused as error:
            return refuse(run, error)
    again = FlowRun(flow, root, None, arguments)
    again.row, again.tags, again.expected_at = run, run.tags, run.expected_at
    return carry_on(again)


def warm_up(flow: Flow[Any, Any]) -> None:
    """Do once, in a process that is to be forked, what each of the others would do again."""
    settings_of.load()
    flow.parameters.validate({})
    versions()


def refuse(run: records.FlowRun, error: BaseException) -> State:
    """Record that a leased run Failed before its flow began, and why; give its state."""
    recorder = resolve(RECORDER)()
    cause = error.__cause__ if isinstance(error, BadFile) and error.__cause__ is not None else error
    kept = traces.describe(cause, "", lambda: None, (), {})
    message = traces.said(error)
    recorder.record(Logged(run.id, 0, now_us(), 40, "ostinato.engine", f"{message}\n{kept.trace}"))
    recorder.record(RunMoved(run.id, run.epoch, now_us(), "Failed", run.state, message, error=kept))
    recorder.settle("database", settings_of.load().exit_wait_s)
    told = error if isinstance(error, Exception) else None
    return State(name="Failed", message=message, value=None, error=told, run_id=run.id)


def _arguments_of(flow: Flow[Any, Any], run: records.FlowRun, values: Values) -> dict[str, Any]:
    """Give the arguments that the run was made with, as the function takes them."""
    found, recorded = values.value(run.arguments)
    if not found:
        raise ParametersMisfit(deployment=run.deployment, reason="they were not kept")
    arguments = flow.parameters.adapt(recorded or {})
    return flow.parameters.validate(arguments) if flow.options.validate_parameters else arguments
