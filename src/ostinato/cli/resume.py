"""`ostinato resume`: go on with a run that crashed, was cancelled or paused."""

from __future__ import annotations

import click

from ostinato.cli.again import Manner, changed_option, go_on, plan_option
from ostinato.cli.command import Command, json_option, run_argument, trace_option
from ostinato.cli.execute import plain_option, quiet_option


@click.command(
    cls=Command,
    short_help="Go on with a run that crashed, was cancelled or paused.",
    examples={
        "ostinato resume quiet-otter": "go on from the last completed task",
        "ostinato resume quiet-otter approved=true n=3": "give a paused run what it waits for (`show` says what)",
        "ostinato resume quiet-otter --plan": "show what would be reused and what would run again, and why",
        "ostinato resume last --changed reuse": "keep results of tasks whose code has changed since",
    },
)
@run_argument
@click.argument("given", nargs=-1, metavar="[NAME=VALUE...|VALUE]")
@plan_option
@changed_option
@quiet_option
@plain_option
@trace_option
@json_option
def resume(
    *,
    run: str,
    given: tuple[str, ...],
    plan_only: bool,
    changed: str,
    quiet: bool,
    plain: bool,
    full_trace: bool,
    as_json: bool,
) -> int:
    """Go on with a run: in its process when it is paused there, else in its next epoch.

    In a next epoch the flow function is called again with the recorded parameters, on a worker for a run
    of a deployment, else in this process; completed tasks give their recorded results. RUN is a name (the
    newest run that has it), an id or its first characters, or `last`.
    """
    manner = Manner(plan_only=plan_only, changed=changed, quiet=quiet, plain=plain, full_trace=full_trace)
    return go_on(run, manner, given=given, as_json=as_json)
