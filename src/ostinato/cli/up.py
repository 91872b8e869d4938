"""`ostinato up`: everything in one command: server, scheduler and a worker."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from ostinato.cli.command import Command, json_option, quiet_lines_option
from ostinato.cli.server import kept_in, reach_options, serve, tell
from ostinato.core.errors import BadOption
from ostinato.server.children import keep, run_on_change

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ostinato.server.office import Office, Shelf

READY_S: Final = 3.0
"""So long a worker may take to join before it is said that all is there."""
WORKER = [sys.executable, "-m", "ostinato.cli.leash", "worker", "--drain-s", "1"]
DEPLOY = [sys.executable, "-m", "ostinato.cli", "deploy"]


@click.command(
    cls=Command,
    short_help="Start everything: server, scheduler and a worker.",
    examples={
        "ostinato up": "on this machine, at http://127.0.0.1:4200",
        "ostinato up --port 0": "at a port that is free",
        "ostinato up --watch flows/": "and deploy what flows/ostinato.toml names, anew whenever a file changes",
    },
)
@reach_options
@click.option("--no-worker", is_flag=True, help="Start no worker.")
@click.option(
    "--watch",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, resolve_path=True),
    help="Make the deployments of its ostinato.toml, and make them anew when its files change.",
)
@quiet_lines_option
@json_option
def up(
    *,
    host: str,
    port: int,
    allowed_hosts: tuple[str, ...],
    no_worker: bool,
    watch: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Start everything on this home: API, feed, scheduler and a worker. Ctrl-C ends all of it.

    Runs that are under way then go on when `ostinato up` is started again.
    """
    beside: list[Callable[[], Awaitable[None]]] = []
    if not no_worker:
        beside.append(partial(keep, [*WORKER, *["--quiet"] * quiet]))
    if watch is not None:
        if not os.path.exists(os.path.join(watch, "ostinato.toml")):
            fix = "Write the deployments of that folder into an ostinato.toml there."
            raise BadOption(option="--watch", value=watch, where="`ostinato up`", reason="no ostinato.toml", fix=fix)
        beside.append(partial(run_on_change, DEPLOY, watch))

    offices: list[Office] = []

    async def say_ready() -> None:
        if not no_worker:
            await _worker_joined(offices[0])
        click.echo("The address to open lets one browser in, once. Ctrl-C ends all.")

    def ready(office: Office, url: str) -> None:
        offices.append(office)
        facts = {
            "server": url,
            **kept_in(office.home),
            "worker": "none" if no_worker else "one, it is started again when it dies",
            "open": f"{url}/login?link={office.sessions.new_link()}",
        }
        tell(facts, as_json=as_json)

    serve(host, port, allowed_hosts, ready, beside if as_json else [*beside, say_ready], quiet=quiet)


async def _worker_joined(office: Office) -> None:
    """Wait until a worker has joined, but not for long."""

    def is_there(shelf: Shelf) -> bool:
        return any(one.joined_at >= office.started_at for one in shelf.reader.workers())

    end = time.monotonic() + READY_S
    seen = office.committed.count
    while not await office.read(is_there) and time.monotonic() < end:
        await office.committed.wait(seen, end - time.monotonic())
        seen = office.committed.count
