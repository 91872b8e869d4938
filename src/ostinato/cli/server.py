"""`ostinato server`: the server of a home, without a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from ostinato.cli.command import Command
from ostinato.core.settings import load
from ostinato.server import lifecycle
from ostinato.session.home import Home

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ostinato.server.office import Office

F = TypeVar("F", bound="Callable[..., Any]")


def reach_options(function: F) -> F:
    """Add the options that say how the server is reached."""
    for option in (
        click.option(
            "--allowed-host",
            "allowed_hosts",
            metavar="NAME",
            multiple=True,
            help="Another name by which clients call the server (may be repeated).",
        ),
        click.option(
            "--port", type=click.IntRange(0, 65535), default=4200, show_default=True, help="0 lets a free one be found."
        ),
        click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on."),
    ):
        function = option(function)
    return function


@click.command(
    cls=Command,
    short_help="Start the server without a worker.",
    examples={
        "ostinato server": "on this machine only; `ostinato worker` adds workers",
        "ostinato server --host 0.0.0.0 --allowed-host flows.example.org": "for a fleet; API keys are needed",
    },
)
@reach_options
def server(*, host: str, port: int, allowed_hosts: tuple[str, ...]) -> None:
    """Start the server: API, feed and scheduler. Ctrl-C ends it.

    Workers are started apart: `ostinato worker`. `ostinato up` is both.
    """
    serve(host, port, allowed_hosts, tell)


def serve(
    host: str,
    port: int,
    allowed_hosts: tuple[str, ...],
    ready: Callable[[Office, str], None],
    beside: Sequence[Callable[[], Awaitable[None]]] = (),
) -> None:
    """Be the server of the configured home until a signal ends it."""
    options = lifecycle.Options(host=host, port=port, allowed_hosts=allowed_hosts)
    lifecycle.serve(Home(load().home), options, ready, beside)


def tell(office: Office, url: str) -> None:
    """Say where the server is."""
    click.echo(f"server  {url}")
    click.echo(f"home    {office.home.folder}")
