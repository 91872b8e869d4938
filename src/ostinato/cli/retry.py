"""`ostinato retry`: go on with a run that failed."""

from __future__ import annotations

import click

from ostinato.cli.again import changed_option, go_on, plan_option
from ostinato.cli.command import Command, json_option, run_argument, trace_option
from ostinato.cli.execute import plain_option, quiet_option


@click.command(
    cls=Command,
    short_help="Go on with a run that failed.",
    examples={
        "ostinato retry quiet-otter": "run what failed again, and what depends on it",
        "ostinato retry quiet-otter --plan": "show what would be reused and what would run again, and why",
        "ostinato retry last --changed reuse": "keep results of tasks whose code has changed since",
    },
)
@run_argument
@plan_option
@changed_option
@quiet_option
@plain_option
@trace_option
@json_option
def retry(*, run: str, plan_only: bool, changed: str, quiet: bool, plain: bool, full_trace: bool, as_json: bool) -> int:
    """Go on with a run that failed or timed out: what completed is kept, the rest runs again.

    The flow function is called again with the recorded parameters, in this process. RUN is a name (the
    newest run that has it), an id or its first characters, or `last`.
    """
    return go_on(
        run, plan_only=plan_only, changed=changed, quiet=quiet, plain=plain, full_trace=full_trace, as_json=as_json
    )
