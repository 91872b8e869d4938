"""`ostinato deploy`: make deployments, from a flow of a file or from `ostinato.toml`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from ostinato.cli.command import Command, json_option
from ostinato.cli.deployments import deployment_lines, deployment_shape
from ostinato.cli.offers import complete_target
from ostinato.cli.run import from_json, named_texts
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps
from ostinato.core.query import parse_duration
from ostinato.engine.deploy import make as make_deployment
from ostinato.engine.loading import load_flow

if TYPE_CHECKING:
    from ostinato.engine.deploy import Made

DEFAULT_NAME: Final = "default"


class _Deploy(click.Group):
    """A group in which words that are no command of it are those of `make`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `make` before a target, an option, or nothing."""
        if not (args and (args[0] in self.commands or args[0] in ctx.help_option_names)) and not ctx.resilient_parsing:
            args = ["make", *args]
        return super().parse_args(ctx, args)


class _Length(click.ParamType[float]):
    """A length of time; gives seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        length = parse_duration(value) if isinstance(value, str) else round(value * 1e6)
        if not length:
            self.fail(f"{value!r} is no length of time; write 30s, 5m, 1h30m or 7d.", param, ctx)
        return length / 1e6


class _Pair(click.ParamType[tuple[str, str]]):
    """A name and a text, joined by an equals sign."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, sign, text = value.partition("=")
        if not sign or not name:
            self.fail(f"{value!r} is no NAME=VALUE.", param, ctx)
        return name, text


@click.group(
    cls=_Deploy,
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="Make deployments, and list, run, pause and remove them.",
    subcommand_metavar="[FILE:FLOW | COMMAND] ...",
)
def deploy() -> None:
    """Make deployments: flows that workers run, by a schedule or when asked.

    `ostinato deploy FILE:FLOW --name NAME` makes one of a flow; `ostinato deploy --help` is this page, and
    `ostinato deploy make --help` shows the options. `ostinato deploy` alone makes those of ostinato.toml.
    """


@deploy.command(
    name="make",
    cls=Command,
    short_help="Make or change deployments; the word `make` may be left out.",
    examples={
        "ostinato deploy flow.py:train --name nightly --cron '0 3 * * *' --timezone Europe/Berlin": "each night at 3",
        "ostinato deploy flow.py:train --name often --interval 10m -p n=3": "every ten minutes, with a parameter",
        "ostinato deploy flow.py:train --name asked": "when somebody asks: `ostinato deploy run train/asked`",
        "ostinato deploy": "all deployments of ostinato.toml in this folder",
        "ostinato deploy --name nightly": "one of them",
    },
)
@click.argument("target", metavar="[FILE:FLOW]", required=False, shell_complete=complete_target)
@click.option("--name", metavar="NAME", help="Name of the deployment.  [default: default]")
@click.option("--cron", multiple=True, metavar="CRON", help="Schedule such as '0 3 * * *'; may be given again.")
@click.option("--interval", multiple=True, type=_Length(), help="Schedule: every so often, such as 10m.")
@click.option("--rrule", multiple=True, metavar="RULE", help="Schedule by a rule of iCalendar.")
@click.option("--timezone", metavar="ZONE", help="Zone of the schedules, such as Europe/Berlin.  [default: UTC]")
@click.option("-p", "--param", "parameters", multiple=True, type=_Pair(), help="Parameter of its runs.")
@click.option("--param-json", metavar="JSON", help="Parameters as one JSON object; -p comes on top.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Tag of its runs; may be given again.")
@click.option("--queue", metavar="NAME", help="Queue in which its runs wait; made if there is none.")
@click.option("--priority", type=int, help="The larger, the earlier among runs that are due.")
@click.option("--concurrency", type=click.IntRange(1), help="At most so many of its runs at once.")
@click.option(
    "--overlap",
    type=click.Choice(("allow", "queue", "skip", "cancel-previous")),
    help="What a due run does while another one runs.  [default: allow]",
)
@click.option(
    "--catchup",
    type=click.Choice(("none", "latest", "all")),
    help="Which runs that came due without a server are made up for.  [default: latest]",
)
@click.option("--skip-if-late", type=_Length(), help="Skip a run that could not begin for so long.")
@click.option("--crash-retries", type=click.IntRange(0), help="Take-ups of a run whose process died.  [default: 3]")
@click.option("--cancel-grace", type=_Length(), help="What a cancelled run has to end by itself.  [default: 30s]")
@click.option("--env", multiple=True, type=_Pair(), help="Environment variable of its processes.")
@click.option("--resource", "resources", multiple=True, type=_Pair(), help="What a run occupies, such as gpu=1.")
@click.option("--description", metavar="TEXT", help="What it is for.  [default: the docstring of the flow]")
@click.option("--version", metavar="TEXT", help="Version of the code.  [default: git commit, or hash of the code]")
@click.option(
    "--code", type=click.Choice(("local", "snapshot", "git")), help="How workers get the code.  [default: local]"
)
@click.option("--storage", metavar="PLACE", help="Folder or URL for the snapshot.  [default: the home]")
@click.option("--paused", is_flag=True, default=None, help="Make no runs by its schedules for now.")
@json_option
def make(*, target: str | None, name: str | None, as_json: bool, **given: Any) -> None:
    """Make the deployment NAME of FILE:FLOW, or change it to what is said here.

    An option that is left out has its default again. Without FILE:FLOW the tables [[deployments]] of
    ostinato.toml are read; --name picks one of them.
    """
    if target is None:
        message = "Missing argument 'FILE:FLOW'."
        raise click.UsageError(message, click.get_current_context())
    _print([_make(target, name or DEFAULT_NAME, given)], as_json=as_json)


def _make(target: str, name: str, given: dict[str, Any]) -> Made:
    flow = load_flow(target)
    options = {option: value for option, value in given.items() if value not in (None, ())}
    texts = named_texts(f"{key}={text}" for key, text in options.pop("parameters", ()))
    options["parameters"] = {**from_json(options.pop("param_json", None)), **flow.parameters.parse(texts)}
    for option in ("env", "resources"):
        options[option] = dict(options.get(option, ()))
    options["resources"] = {key: _amount(key, text) for key, text in options["resources"].items()}
    return make_deployment(flow, name, options)


def _amount(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        message = f"{text!r} is no number"
        raise click.BadParameter(message, param_hint=f"--resource {name}=...") from error


def _print(made: list[Made], *, as_json: bool) -> None:
    if as_json:
        click.echo(dumps([{**deployment_shape(one.deployment), "notes": list(one.notes)} for one in made]))
        return
    screen = screen_of(sys.stdout)
    for at, one in enumerate(made):
        screen.print([*([[]] if at else []), *deployment_lines(one.deployment, one.notes)], whole=True)
