"""`ostinato queue`: the lines in which runs wait for workers, and limits on what runs at once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click
from msgspec.structs import replace

from ostinato.cli.command import Command, json_option
from ostinato.cli.foresight import coming_runs, end_of_view
from ostinato.cli.home import carry_out, open_reader
from ostinato.cli.lines import columns_of, one_line
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps
from ostinato.cli.times import ago, iso, local, now_us
from ostinato.core.commands import RemoveLimit, RemoveQueue, SetLimit, SetQueue
from ostinato.core.deployments import Limit, Queue, QueueLoad
from ostinato.core.errors import QueueNotFound

if TYPE_CHECKING:
    from ostinato.cli.foresight import Coming
    from ostinato.cli.lines import Piece
    from ostinato.core.ports import Reader
    from ostinato.core.workers import Worker

_LATE_MARK: Final = "(**)"
_MOST_SLOTS: Final = 1_000_000


class _Slots(click.ParamType[int]):
    """A number of slots."""

    name = "slots"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            slots = int(value)
        except ValueError:
            slots = -1
        if not 0 <= slots <= _MOST_SLOTS:
            self.fail(f"write a whole number from 0 to {_MOST_SLOTS:,}, not {value}.", param, ctx)
        return slots


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, short_help="Make, list and pause queues.")
def queue() -> None:
    """Make, list and pause the queues in which runs wait for workers.

    A run waits in the queue of its deployment, else in the first one whose filter takes it, else in `default`.
    """


@queue.command(
    cls=Command,
    short_help="Make or change a queue.",
    examples={
        "ostinato queue create ml --tag ml": "for runs of deployments with the tag `ml`",
        "ostinato queue create db --deployment score/monthly --concurrency 2": "at most two runs at once",
        "ostinato queue create db --concurrency 5": "five from now on; the rest stays as it was",
        "ostinato queue create urgent --priority 10": "for deployments that name it; workers look here first",
    },
)
@click.argument("name")
@click.option("--concurrency", type=click.IntRange(0), metavar="N", help="At most so many of its runs at once.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Take runs that have all of these tags.")
@click.option("--deployment", "deployments", multiple=True, metavar="FLOW/NAME", help="Take runs of these deployments.")
@click.option("--priority", type=int, help="The larger, the earlier workers look here.  [default: 0]")
@click.option("--description", metavar="TEXT", help="What it is for.")
@click.option("--reset", is_flag=True, help="Give what is not named its default again.")
@json_option
def create(*, name: str, deployments: tuple[str, ...], reset: bool, as_json: bool, **given: Any) -> None:
    """Make the queue NAME, or change of it what is named.

    Runs that schedules have made ahead move to the queue that takes them now.
    """
    with open_reader() as reader:
        given["deployments"] = tuple(reader.find_deployment(one).title for one in deployments)
        before = next((one for one in reader.queues() if one.name == name), None)
    kept = before if before is not None and not reset else Queue(name=name, paused=before is not None and before.paused)
    wanted = replace(kept, **{option: value for option, value in given.items() if value not in (None, ())})
    made = carry_out(SetQueue(queue=wanted)) if wanted != before else wanted
    if as_json:
        click.echo(dumps(_shape(made)))
    elif before is None:
        click.echo(f"Made queue {name}: {_takes(made)}.\nServe it: ostinato worker --queue {name}")
    else:
        click.echo(f"Changed queue {name}: {_changes(before, made)}." if made != before else f"Unchanged queue {name}.")


def _changes(before: Queue, after: Queue) -> str:
    old, new = _shape(before), _shape(after)
    return ", ".join(f"{key} {_said(new[key])} (was {_said(old[key])})" for key in new if new[key] != old[key])


def _said(value: Any) -> str:
    return ", ".join(value) or "none" if isinstance(value, list) else "none" if value in (None, "") else str(value)


@queue.command(
    name="ls",
    cls=Command,
    short_help="List queues, with what waits and runs.",
    examples={"ostinato queue ls": "in the order in which workers look at them"},
)
@json_option
def list_queues(*, as_json: bool) -> None:
    """List queues in the order in which workers look at them, with what waits, runs and is late."""
    with open_reader() as reader:
        found, loads = reader.queues(), {one.name: one for one in reader.queue_loads()}
        workers = [one for one in reader.workers() if one.left_at is None]
    rows = [(one, loads.get(one.name, QueueLoad(name=one.name)), _n_serving(one.name, workers)) for one in found]
    if as_json:
        click.echo(dumps([_load_shape(*row) for row in rows]))
        return
    screen = screen_of(sys.stdout)
    head = ("QUEUE", "WAITING", "LATE", "RUNNING", "LATER", "WORKERS", "TAKES")
    table: list[list[Piece]] = [[(word, "dim") for word in head]]
    for one, load, n_workers in rows:
        most = "" if one.concurrency is None else f"/{one.concurrency}"
        takes = ("paused, " if one.paused else "") + _takes(one)
        table.append(
            [
                (one_line(one.name), "bold"),
                (f"{load.n_waiting}", ""),
                (f"{load.n_late}", "yellow" if load.n_late else ""),
                (f"{load.n_running}{most}", ""),
                (f"{load.n_later}", "dim"),
                (f"{n_workers}", "yellow" if load.n_waiting and not n_workers else ""),
                (one_line(takes), "yellow" if one.paused else "dim"),
            ]
        )
    screen.print(columns_of(table, screen.table_columns, right=range(1, 6)))


def _n_serving(name: str, workers: list[Worker]) -> int:
    return sum(not one.info.queues or name in one.info.queues for one in workers)


@queue.command(
    cls=Command,
    short_help="Show the runs that are to come.",
    examples={
        "ostinato queue preview default": "of the next seven days",
        "ostinato queue preview ml --hours 2160": "of the next 90 days, those too that are not made yet",
        "ostinato queue preview ml --until 2026-12-31 --json": "as one JSON array",
    },
)
@click.argument("name")
@click.option("--hours", default=168.0, type=click.FloatRange(0, 876_000), help="How far to look (default 168).")
@click.option("--until", metavar="TIME", help="Look as far as this date (its whole day) or time.")
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1, 10_000), help="At most so many runs.")
@json_option
def preview(*, name: str, hours: float, until: str | None, limit: int, as_json: bool) -> None:
    """Show the runs of the queue NAME that are to come, the latest first: what comes next is at the bottom.

    Late ones are marked (**).

    Schedules make their runs some time ahead; those that they will make later have no id yet.
    """
    now = now_us()
    end = end_of_view(hours, until, now)
    with open_reader() as reader:
        one = _queue_named(reader, name)
        found = coming_runs(reader, one.name, end, limit + 1, now)
    more, found = len(found) > limit, found[:limit]
    if as_json:
        click.echo(dumps([_coming_shape(run) for run in reversed(found)]))
    elif found:
        _print_coming(found)
    else:
        click.echo(f"No run of queue {name} is due until {local(end)}; `--hours 2160` looks further.", err=True)
    if more:
        click.echo(f"more: only the next {limit} are shown; --limit shows others.", err=True)


def _print_coming(found: list[Coming]) -> None:
    screen = screen_of(sys.stdout)
    heads = ("SCHEDULED START, LATEST FIRST", "RUN ID", "NAME", "DEPLOYMENT")
    rows: list[list[Piece]] = [[(head, "dim") for head in heads]]
    for run in reversed(found):
        mark, style = (f" {_LATE_MARK}", "yellow") if run.late else ("", "")
        rows.append(
            [
                (local(run.due_at) + mark, style),
                (run.id or "-", "dim"),
                (one_line(run.name) or "-", "bold"),
                (one_line(run.deployment), ""),
            ]
        )
    screen.print(columns_of(rows, screen.table_columns))
    legend = f"Next, in the last line: {one_line(found[0].deployment)}, {ago(found[0].due_at, now_us())}."
    if any(run.late for run in found):
        legend += f" {_LATE_MARK} denotes a late run."
    screen.print([[(legend, "dim")]], whole=True)


@queue.command(
    cls=Command,
    short_help="Let no run of a queue start.",
    examples={"ostinato queue pause ml": "what runs goes on; `ostinato queue continue ml` lets others start"},
)
@click.argument("name")
@json_option
def pause(*, name: str, as_json: bool) -> None:
    """Let no more runs of the queue NAME start; those that run go on."""
    _set_paused(name, paused=True, as_json=as_json)


@queue.command(
    name="continue",
    cls=Command,
    short_help="Let runs of a queue start again.",
    examples={"ostinato queue continue ml": "the runs that have come due since start now"},
)
@click.argument("name")
@json_option
def go_on(*, name: str, as_json: bool) -> None:
    """Let runs of the queue NAME start again."""
    _set_paused(name, paused=False, as_json=as_json)


def _set_paused(name: str, *, paused: bool, as_json: bool) -> None:
    with open_reader() as reader:
        one = _queue_named(reader, name)
    changed = carry_out(SetQueue(queue=replace(one, paused=paused)))
    said = f"Queue {name} is paused." if paused else f"Queue {name} goes on."
    click.echo(dumps(_shape(changed)) if as_json else said)


@queue.command(
    cls=Command,
    short_help="Remove a queue.",
    examples={"ostinato queue rm ml": "refused while runs wait in it that no other queue takes"},
)
@click.argument("name")
@json_option
def rm(*, name: str, as_json: bool) -> None:
    """Remove the queue NAME, in which nothing may wait."""
    carry_out(RemoveQueue(name=name))
    click.echo(dumps({"name": name}) if as_json else f"Queue {name} is removed.")


@queue.command(
    cls=Command,
    short_help="Limit how many runs, or blocks of code, run at once.",
    examples={
        "ostinato queue limit tag:gpu 1": "at most one run with the tag `gpu` at once, in all queues",
        "ostinato queue limit db 5": 'at most five blocks `with concurrency("db")` at once',
        "ostinato queue limit db --remove": "no limit any more",
    },
)
@click.argument("name")
@click.argument("slots", metavar="SLOTS", type=_Slots(), required=False)
@click.option("--remove", is_flag=True, help="Remove the limit.")
@json_option
def limit(*, name: str, slots: int | None, remove: bool, as_json: bool) -> None:
    """Limit how many runs with a tag (`tag:NAME`), or how many blocks of code (NAME), run at once to SLOTS."""
    if remove == (slots is not None):
        message = "write the number of slots, or --remove."
        raise click.UsageError(message)
    if slots is None:
        carry_out(RemoveLimit(name=name))
        click.echo(dumps({"name": name}) if as_json else f"Limit {name} is removed.")
    else:
        made = carry_out(SetLimit(limit=Limit(name=name, slots=slots)))
        click.echo(dumps(_limit_shape(made)) if as_json else f"Limit {name}: at most {slots} at once.")


@queue.command(
    cls=Command,
    short_help="List limits.",
    examples={"ostinato queue limits": "with the slots that are taken now"},
)
@json_option
def limits(*, as_json: bool) -> None:
    """List limits by name; the slots of a limit that is no tag's show how many are taken."""
    with open_reader() as reader:
        found = reader.limits()
    if as_json:
        click.echo(dumps([_limit_shape(one) for one in found]))
    elif found:
        screen = screen_of(sys.stdout)
        rows: list[list[Piece]] = [[("LIMIT", "dim"), ("SLOTS", "dim"), ("TAKEN", "dim")]]
        for one in found:
            taken = "-" if one.name.startswith("tag:") else str(one.n_taken)
            rows.append([(one_line(one.name), "bold"), (str(one.slots), ""), (taken, "")])
        screen.print(columns_of(rows, screen.table_columns, right=(1, 2)))
    else:
        click.echo("No limits yet. `ostinato queue limit NAME SLOTS` makes one.", err=True)


def _queue_named(reader: Reader, name: str) -> Queue:
    found = {one.name: one for one in reader.queues()}
    if name not in found:
        raise QueueNotFound(name=name, known=", ".join(found))
    return found[name]


def _takes(one: Queue) -> str:
    """Give in words which runs a queue takes."""
    parts = []
    if one.tags:
        parts.append(f"runs with {'tag' if len(one.tags) == 1 else 'tags'} {', '.join(one.tags)}")
    if one.deployments:
        parts.append(f"runs of {', '.join(one.deployments)}")
    return " and ".join(parts) or ("all others" if one.name == "default" else "deployments that name it")


def _shape(one: Queue) -> dict[str, Any]:
    return {
        "name": one.name,
        "description": one.description,
        "tags": list(one.tags),
        "deployments": list(one.deployments),
        "concurrency": one.concurrency,
        "priority": one.priority,
        "paused": one.paused,
    }


def _load_shape(one: Queue, load: QueueLoad, n_workers: int) -> dict[str, Any]:
    return {
        **_shape(one),
        "n_waiting": load.n_waiting,
        "n_late": load.n_late,
        "n_running": load.n_running,
        "n_later": load.n_later,
        "n_workers": n_workers,
    }


def _limit_shape(one: Limit) -> dict[str, Any]:
    return {"name": one.name, "slots": one.slots, "n_taken": one.n_taken}


def _coming_shape(run: Coming) -> dict[str, Any]:
    return {
        "due_at": iso(run.due_at),
        "id": run.id or None,
        "name": run.name or None,
        "deployment": run.deployment,
        "schedule": run.schedule or None,
        "state": run.state or None,
        "late": run.late,
    }
