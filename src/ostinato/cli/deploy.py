"""`ostinato deploy`: make deployments, from a flow of a file or from `ostinato.toml`."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec
from msgspec.structs import replace

from ostinato.cli import deployed
from ostinato.cli.changes import change_lines
from ostinato.cli.command import Command, json_option
from ostinato.cli.deployments import deployment_shape, fact_lines
from ostinato.cli.home import carry_out, is_served, open_reader
from ostinato.cli.lines import Line, one_line
from ostinato.cli.offers import complete_target
from ostinato.cli.run import from_json, named_texts
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps
from ostinato.core.commands import Deploy
from ostinato.core.deployments import Deployment
from ostinato.core.errors import ManifestInvalid, UsageError
from ostinato.core.manifest import place_of, read_manifest
from ostinato.core.query import parse_duration
from ostinato.core.settings import FILE
from ostinato.engine.deploy import plan
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
            self.fail(f"{value!r} is no length of time; write it with its unit: 30s, 5m, 1h30m or 7d.", param, ctx)
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


for one in (
    deployed.list_deployments,
    deployed.inspect,
    deployed.run,
    deployed.pause,
    deployed.go_on,
    deployed.remove,
):
    deploy.add_command(one)


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
@click.option("--skip-if-late", type=_Length(), help="Skip a run that could not begin for so long, such as 30m.")
@click.option("--crash-retries", type=click.IntRange(0), help="Take-ups of a run whose process died.  [default: 3]")
@click.option(
    "--cancel-grace", type=_Length(), help="What a cancelled run has to end by itself, such as 2m.  [default: 30s]"
)
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
    made = _of_manifest(name, given) if target is None else [_planned(target, name or DEFAULT_NAME, given)]
    done = _carried_out(made)
    if as_json:
        shapes = [
            {**deployment_shape(one.deployment), "done": one.what.lower(), "notes": list(one.notes)} for one in done
        ]
        click.echo(dumps(shapes))
        return
    screen, told = screen_of(sys.stdout), set[str]()
    for at, one in enumerate(done):
        screen.print([*([[]] if at else []), *_lines(one, told)], whole=True)
    screen.print([[], *_end_lines(done)], whole=True)


class _Done(msgspec.Struct, frozen=True):
    """What was done about one deployment."""

    what: str
    deployment: Deployment
    before: Deployment | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, wanted: Deployment, before: Deployment | None, notes: tuple[str, ...]) -> _Done:
        """Make or change a deployment; leave it alone when it is as it shall be."""
        if before is not None:
            same = replace(wanted, id=before.id, created_at=before.created_at, updated_at=before.updated_at)
            if same == before:
                return cls("Unchanged", before, None, notes)
        return cls("Made" if before is None else "Changed", carry_out(Deploy(deployment=wanted)), before, notes)


def _carried_out(made: list[Made]) -> list[_Done]:
    with open_reader() as reader:
        before = {one.title: one for one in reader.deployments()}
        known = {one.name for one in reader.queues()}
        workers = [one.info.queues for one in reader.workers() if one.left_at is None]
    done = []
    for one in made:
        queue, notes = one.deployment.queue, one.notes
        if queue and queue not in known:
            is_served = any(not queues or queue in queues for queues in workers)
            notes = (*notes, f"Queue {queue} is new{'' if is_served else '; no worker serves it'}.")
            known.add(queue)
        done.append(_Done.of(one.deployment, before.get(one.deployment.title), notes))
    return done


def _lines(done: _Done, told: set[str]) -> list[Line]:
    """Give what is to be said of one deployment; notes that were `told` are not told again."""
    one = done.deployment
    title: Line = [
        ("✓ ", "green"),
        (f"{done.what} ", ""),
        (one_line(one.title), "bold"),
        (f"  version {one_line(one.version)}", "dim"),
    ]
    changes = change_lines(done.before, one) if done.before is not None else []
    notes: list[Line] = [[("! ", "yellow"), (one_line(note), "yellow")] for note in done.notes if note not in told]
    told.update(done.notes)
    return [title, *fact_lines(one), *changes, *notes]


def _end_lines(done: list[_Done]) -> list[Line]:
    """Give how many were made and changed, when there are several, and what to type next."""
    ref, lines = shlex.quote(done[0].deployment.title), list[Line]()
    if len(done) > 1:
        counts = Counter(one.what.lower() for one in done)
        said = ", ".join(f"{n} {what}" for what, n in counts.items())
        ref, lines = "NAME", [[(f"{len(done)} deployments: {said}.", "bold")], []]
    commands = {f"ostinato deploy run {ref}": "run it now", f"ostinato deploy inspect {ref}": "all of it"}
    if not is_served():
        commands["ostinato up"] = "start server and worker"
    width = max(map(len, commands))
    return [*lines, *([(f"  {line:<{width}}", "cyan"), (f"   {about}", "dim")] for line, about in commands.items())]


def _of_manifest(name: str | None, given: dict[str, Any]) -> list[Made]:
    """Give the deployments of the manifest, or the one that is named; all are checked before the first is made."""
    said = [option for option, value in given.items() if value not in (None, ())]
    if said:
        message = f"--{said[0].replace('_', '-')} goes with FILE:FLOW; in {FILE} it is a key of the deployment."
        raise click.UsageError(message, click.get_current_context())
    try:
        text = Path(FILE).read_text(encoding="utf-8")
    except OSError as error:
        message = f"Missing argument 'FILE:FLOW'; without it {FILE} is read, and there is none here."
        raise click.UsageError(message, click.get_current_context()) from error
    entries = list(enumerate(read_manifest(text, FILE, os.environ), 1))
    wanted = [(number, entry) for number, entry in entries if name in (None, entry.name)]
    if not wanted:
        known = ", ".join(entry.name for _, entry in entries)
        fix = f"It has: {known}."
        raise ManifestInvalid(file=FILE, place="[[deployments]]", reason=f"none is called {name!r}", fix=fix)
    made = []
    for number, entry in wanted:
        try:
            made.append(plan(load_flow(entry.flow), entry.name, entry.options))
        except UsageError as error:
            place = place_of(number, entry.name)
            raise ManifestInvalid(file=FILE, place=place, reason=error.message.rstrip("."), fix=error.hint) from error
    return made


def _planned(target: str, name: str, given: dict[str, Any]) -> Made:
    flow = load_flow(target)
    options = {option: value for option, value in given.items() if value not in (None, ())}
    texts = named_texts(f"{key}={text}" for key, text in options.pop("parameters", ()))
    options["parameters"] = {**from_json(options.pop("param_json", None)), **flow.parameters.parse(texts)}
    for option in ("env", "resources"):
        options[option] = dict(options.get(option, ()))
    options["resources"] = {key: _amount(key, text) for key, text in options["resources"].items()}
    return plan(flow, name, options)


def _amount(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        message = f"{text!r} is no number"
        raise click.BadParameter(message, param_hint=f"--resource {name}=...") from error
