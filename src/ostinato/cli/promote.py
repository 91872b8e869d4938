"""`ostinato promote`: let a version of a model have an alias, after the checks of its policy."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING

import click

from ostinato.cli import exits
from ostinato.cli.command import Command, json_option, trace_option
from ostinato.cli.execute import carry_out, conclude, plain_option, quiet_option, style_of
from ostinato.cli.follow import OwnRuns
from ostinato.cli.home import carry_out as command
from ostinato.cli.home import open_reader
from ostinato.cli.run import call
from ostinato.cli.shapes import dumps
from ostinato.core.commands import OverrideGate
from ostinato.core.errors import Refused
from ostinato.core.registry import alias_of
from ostinato.core.registry_views import version_view
from ostinato.tracking.gates import promotion

if TYPE_CHECKING:
    from ostinato.engine.state import State


@click.command(
    cls=Command,
    short_help="Let a version of a model pass its gate.",
    examples={
        "ostinato promote ride-duration 3 --to production": "run the checks of its policy, then move the alias",
        "ostinato promote ride-duration latest --to staging": "the newest version",
        'ostinato promote ride-duration 3 --override "the old one is down"': "without checks; who and why is kept",
    },
    words={
        "0": "all checks passed, and the alias means the version",
        "1": "a check failed",
        "4": "another version got the alias meanwhile",
    },
)
@click.argument("name")
@click.argument("version")
@click.option("--to", default="production", show_default=True, metavar="ALIAS", help="Alias or stage.")
@click.option("--override", metavar="REASON", help="Let it pass whatever the checks say; operators may.")
@quiet_option
@plain_option
@trace_option
@json_option
def promote(
    *, name: str, version: str, to: str, override: str | None, quiet: bool, plain: bool, full_trace: bool, as_json: bool
) -> int:
    """Let VERSION of the model NAME have an alias or a stage, when it passes the checks of the model's policy.

    The checks are tasks of a flow run in this process, recorded like any other. A check by a person waits for
    `ostinato resume RUN true`, or false. VERSION is a number, @ALIAS, a stage, or latest.
    """
    with open_reader() as reader:
        number = reader.find_version(name, version).version
        policy = reader.find_model(name).policy
    if override is not None:
        made = command(OverrideGate(name=name, alias=to, version=number, reason=override))
        said = f"{name}@{to} is version {number}, whatever its checks say."
        click.echo(dumps(version_view(made)) if as_json else said)
        return 0
    style = style_of(plain=plain, quiet=quiet)
    find = OwnRuns()

    def work() -> State:
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            return call(promotion, {"name": name, "version": number, "to": to})

    state = carry_out(work, find, style)
    error = state.error if state is not None else None
    if isinstance(error, Refused):
        raise error
    code = conclude(find, style, as_json=as_json, error=error, full_trace=full_trace)
    if code == exits.OK and not quiet and (policy is None or alias_of(to) not in policy.aliases):
        click.echo(f"Nothing was checked: no policy of {name} gates {to} (`ostinato models policy --help`).", err=True)
    return code
