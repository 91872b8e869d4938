"""`ostinato retry`: go on with runs that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import click

from ostinato.cli.again import Manner, changed_option, go_on, plan_option
from ostinato.cli.command import json_option, trace_option
from ostinato.cli.execute import plain_option, quiet_option
from ostinato.cli.home import open_commands
from ostinato.cli.selection import FIELD_WORDS, QueryCommand, complete_selection, do_to_all, is_query, yes_option
from ostinato.core.commands import ResumeRun
from ostinato.core.states import UNSUCCESSFUL

if TYPE_CHECKING:
    from ostinato.core.plan import Changed
    from ostinato.core.records import FlowRun
    from ostinato.core.states import StateName

RETRIED: Final[list[StateName]] = sorted(UNSUCCESSFUL - {"Skipped"})


@click.command(
    cls=QueryCommand,
    short_help="Go on with a run that failed, or all that match a query.",
    examples={
        "ostinato retry quiet-otter": "run what failed again, and what depends on it",
        "ostinato retry quiet-otter --plan": "show what would be reused and what would run again, and why",
        "ostinato retry last --changed reuse": "keep results of tasks whose code has changed since",
        "ostinato retry state:failed,crashed since:24h": "all of yesterday's, on workers; a terminal is asked first",
    },
    words=FIELD_WORDS,
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN|QUERY...", shell_complete=complete_selection)
@plan_option
@changed_option
@yes_option
@quiet_option
@plain_option
@trace_option
@json_option
def retry(
    *,
    runs: tuple[str, ...],
    plan_only: bool,
    changed: str,
    yes: bool,
    quiet: bool,
    plain: bool,
    full_trace: bool,
    as_json: bool,
) -> int:
    """Go on with a run that failed or timed out: what completed is kept, the rest runs again.

    The flow function is called again with the recorded parameters, on a worker for a run of a deployment,
    else in this process. RUN is a name (the newest run that has it), an id or its first characters, or
    `last`. With a term such as `flow:train` among the words, they are a query as for `ostinato runs`.
    """
    if is_query(runs) and not plan_only:
        with open_commands() as commands:

            def again(run: FlowRun) -> None:
                commands.do(ResumeRun(run=run.id, changed=cast("Changed", changed)))

            return do_to_all(runs, RETRIED, "retry", again, yes=yes, as_json=as_json)
    if len(runs) != 1:
        message = "Name one run, or write a query such as `state:failed since:24h`."
        raise click.UsageError(message)
    manner = Manner(plan_only=plan_only, changed=changed, quiet=quiet, plain=plain, full_trace=full_trace)
    return go_on(runs[0], manner, as_json=as_json)
