"""`ostinato run`: a flow of a file, in this process."""

from __future__ import annotations

import importlib
import json
import sys
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from ostinato.cli.command import Command, json_option, trace_option
from ostinato.cli.execute import carry_out, conclude, loading, plain_option, quiet_option, style_of
from ostinato.cli.follow import OwnRuns
from ostinato.cli.offers import complete_target
from ostinato.core.display import MASK, is_secret, shorten
from ostinato.core.docstrings import descriptions
from ostinato.core.errors import Refused
from ostinato.core.schema import text_of
from ostinato.engine.loading import load_flow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostinato.engine.flows import Flow
    from ostinato.engine.state import State


class RunCommand(Command):
    """`ostinato run --help`, and with a target before it the parameters of that flow."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words for the help."""
        ctx.meta["ostinato.target"] = next((word for word in args if ".py" in word), "")
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the parameters of the flow that was named, then the examples."""
        if ctx.meta.get("ostinato.target"):
            flow = load_flow(ctx.meta["ostinato.target"])
            with formatter.section(f"Parameters of {flow.name}"):
                formatter.write_dl(_parameter_rows(flow))
        super().format_epilog(ctx, formatter)


@click.command(
    cls=RunCommand,
    short_help="Run a flow of a file.",
    examples={
        "ostinato run flow.py:train n=3 model=forest": "run the flow `train` with two parameters",
        "ostinato run flow.py": "run the only flow of a file",
        "ostinato run flow.py:train --help": "show the parameters of the flow",
        "ostinato run flow.py:train 'years=[2021, 2022]' --json": "a list, written as JSON; the outcome as JSON",
        """ostinato run flow.py:train --param-json '{"n": 3}' --tag gpu""": "all parameters as one JSON object",
    },
)
@click.argument("target", metavar="FILE:FLOW", shell_complete=complete_target)
@click.argument("parameters", metavar="[NAME=VALUE]...", nargs=-1)
@click.option("--param-json", metavar="JSON", help="Parameters as one JSON object; NAME=VALUE comes on top.")
@click.option("--name", metavar="NAME", help="Name of the run.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Tag of the run; may be given again.")
@quiet_option
@plain_option
@trace_option
@json_option
def run(
    *,
    target: str,
    parameters: tuple[str, ...],
    param_json: str | None,
    name: str | None,
    tags: tuple[str, ...],
    quiet: bool,
    plain: bool,
    full_trace: bool,
    as_json: bool,
) -> int:
    """Run a flow of a file and record it.

    Values are read as the type hints of the flow want them; lists and objects are written as JSON.
    On a terminal a live tree is shown, elsewhere one line for each log line. The exit code is 0 when
    the run completed, 1 when it failed, 3 when it was cancelled (Ctrl-C).
    """
    style = style_of(plain=plain, quiet=quiet)
    with loading(target, style):
        flow = _named(load_flow(target), name, tags)
    arguments = {**from_json(param_json), **flow.parameters.parse(named_texts(parameters))}
    find = OwnRuns()

    def work() -> State:
        # With --json, stdout is for the outcome alone.
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            return call(flow, arguments)

    state = carry_out(work, find, style)
    error = state.error if state is not None else None
    if isinstance(error, Refused):
        raise error
    return conclude(find, style, as_json=as_json, error=error, full_trace=full_trace)


def call(flow: Flow[Any, Any], arguments: dict[str, Any]) -> State:
    """Run a flow to its end, in an event loop of its own when it is async; give its state."""
    outcome = flow(**arguments, return_state=True)
    state: State = importlib.import_module("asyncio").run(outcome) if hasattr(outcome, "__await__") else outcome
    return state


def _named(flow: Flow[Any, Any], name: str | None, tags: tuple[str, ...]) -> Flow[Any, Any]:
    changes: dict[str, Any] = {}
    if name:
        changes["flow_run_name"] = lambda: name
    if tags:
        changes["tags"] = tuple(dict.fromkeys((*flow.options.tags, *tags)))
    return flow.with_options(**changes) if changes else flow


def named_texts(parameters: Iterable[str]) -> dict[str, str]:
    """Give the texts of words NAME=VALUE by name."""
    texts: dict[str, str] = {}
    for word in parameters:
        name, sign, text = word.partition("=")
        if not sign or not name:
            message = f"{word!r} is no NAME=VALUE; write for example `n=3`."
            raise click.BadArgumentUsage(message)
        texts[name] = text
    return texts


def from_json(text: str | None) -> dict[str, Any]:
    """Give the parameters of `--param-json`."""
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        message = f"not JSON: {error}"
        raise click.BadParameter(message, param_hint="--param-json") from error
    if not isinstance(found, dict):
        message = 'write a JSON object such as {"n": 3}'
        raise click.BadParameter(message, param_hint="--param-json")
    return found


def _parameter_rows(flow: Flow[Any, Any]) -> list[tuple[str, str]]:
    parameters = flow.parameters
    said = descriptions(parameters.fn.__doc__)
    rows = []
    for name in parameters.names:
        kind = text_of(parameters.hints[name]) if name in parameters.hints else "any value"
        if name in (parameters.rest, parameters.others):
            default = "any number"
        elif name not in parameters.defaults:
            default = "required"
        else:
            default = f"default {MASK if is_secret(name) else shorten(parameters.defaults[name])}"
        about = said.get(name, "").strip().rstrip(".")
        rows.append((f"{name}: {kind}", f"{about} ({default})" if about else default))
    return rows or [("(none)", "")]
