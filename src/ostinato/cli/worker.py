"""`ostinato worker`: runs what a server hands out."""

from __future__ import annotations

import click

from ostinato.cli.command import Command, quiet_lines_option
from ostinato.cli.home import open_reader
from ostinato.core.errors import OstinatoError
from ostinato.workers import loop


@click.command(
    cls=Command,
    short_help="Start a worker.",
    examples={
        "ostinato worker": "runs of all queues of the server on this home",
        "ostinato worker --queue gpu --resource gpu=1": "one queue, and one run at a time that needs the GPU",
        "ostinato worker --once": "what is due now, then end",
    },
)
@click.option("--queue", "queues", multiple=True, metavar="QUEUE", help="Serve this queue only (may be repeated).")
@click.option("--name", default="", metavar="NAME", help="Its name; else host and process.")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Runs at once; else twice the cores, and eight at least."
)
@click.option(
    "--resource",
    "resources",
    multiple=True,
    metavar="NAME=AMOUNT",
    help="What it has, such as gpu=1 (may be repeated).",
)
@click.option(
    "--lease",
    "lease_s",
    type=click.FloatRange(1.0, 3600.0),
    default=loop.LEASE_S,
    show_default=True,
    metavar="SECONDS",
    help="Its runs are taken over when it was not heard of for so long.",
)
@click.option("--once", is_flag=True, help="Run what is due now, then end.")
@quiet_lines_option
@click.option(
    "--drain-s",
    type=click.FloatRange(0.0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="So long runs may take to end after Ctrl-C or SIGTERM; then they go on elsewhere.",
)
def worker(
    *,
    queues: tuple[str, ...],
    name: str,
    limit: int | None,
    resources: tuple[str, ...],
    lease_s: float,
    once: bool,
    quiet: bool,
    drain_s: float,
) -> None:
    """Start a worker: it takes runs from a server and starts a process for each.

    The server is the one of the home, or the one at OSTINATO_API_URL. Ctrl-C lets what runs come to its end.
    """
    if queues:
        _warn_of_unknown(queues)
    options = loop.Options(
        name=name,
        queues=queues,
        slots=limit or 0,
        resources=dict(map(_amount, resources)),
        lease_s=lease_s,
        once=once,
        quiet=quiet,
        drain_s=drain_s,
    )
    loop.work(options)


def _warn_of_unknown(queues: tuple[str, ...]) -> None:
    """Say which of these queues are not there, if there is a home or a server to ask."""
    try:
        with open_reader() as reader:
            known = [one.name for one in reader.queues()]
    except OstinatoError:  # it is told, or mended, when the worker joins
        return
    for name in queues:
        if name not in known:
            text = f"there is no queue {name!r} yet; there are: {', '.join(known)}."
            click.echo(f"ostinato worker: {text}", err=True)


def _amount(word: str) -> tuple[str, float]:
    name, _, text = word.partition("=")
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not name or not 0 <= amount < float("inf"):
        message = f"{word!r} is no NAME=AMOUNT; write for example gpu=1."
        raise click.BadParameter(message, param_hint="--resource")
    return name, amount
