"""`ostinato workers`: the list of workers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ostinato.cli.command import Command, json_option
from ostinato.cli.home import open_reader
from ostinato.cli.lines import columns_of, one_line
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps
from ostinato.cli.times import ago, iso, now_us, took

if TYPE_CHECKING:
    from ostinato.cli.lines import Piece
    from ostinato.core.workers import Worker


@click.command(
    cls=Command,
    short_help="List workers.",
    examples={
        "ostinato workers": "those that are there, with what they run",
        "ostinato workers --all": "those too that are gone, and why",
    },
)
@click.option("--all", "gone_too", is_flag=True, help="List workers that are gone, too.")
@json_option
def workers(*, gone_too: bool, as_json: bool) -> None:
    """List the workers that are there, the newest first."""
    with open_reader() as reader:
        found = [one for one in reader.workers() if gone_too or one.left_at is None]
    if as_json:
        click.echo(dumps([_shape(one) for one in found]))
    elif found:
        screen, now = screen_of(sys.stdout), now_us()
        head = ("WORKER", "STATE", "RUNS", "QUEUES", "RESOURCES", "SEEN", "WHERE")
        rows: list[list[Piece]] = [[(word, "dim") for word in head]]
        rows += [_row(one, now) for one in found]
        screen.print(columns_of(rows, screen.table_columns))
    else:
        click.echo("No worker is there. `ostinato worker` starts one, `ostinato up` a server with one.", err=True)


def _row(one: Worker, now: int) -> list[Piece]:
    info, gone = one.info, one.left_at is not None
    state, style = (one.message or "gone", "dim") if gone else ("here", "green")
    if one.is_silent(now):
        state, style = f"silent {took(now - one.seen_at)}", "yellow"
    resources = ", ".join(f"{name}={amount:g}" for name, amount in info.resources.items())
    return [
        (one_line(info.name), "bold"),
        (one_line(state), style),
        (f"{one.n_held} of {info.slots}", ""),
        (one_line(", ".join(info.queues)) or "all", ""),
        (resources or "-", "dim"),
        (ago(one.seen_at, now), "dim"),
        (f"{one_line(info.host)}:{info.pid}", "dim"),
    ]


def _shape(one: Worker) -> dict[str, Any]:
    info = one.info
    return {
        "id": info.id,
        "name": info.name,
        "host": info.host,
        "pid": info.pid,
        "queues": list(info.queues),
        "deployments": list(info.deployments),
        "slots": info.slots,
        "n_held": one.n_held,
        "resources": info.resources,
        "version": info.version,
        "joined_at": iso(one.joined_at),
        "seen_at": iso(one.seen_at),
        "lease_until": iso(one.lease_until),
        "left_at": iso(one.left_at),
        "message": one.message,
    }
