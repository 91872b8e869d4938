"""`ostinato server`: the server of a home, without a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from ostinato.cli.command import Command, json_option, quiet_lines_option
from ostinato.cli.shapes import dumps
from ostinato.core.settings import load, without_password
from ostinato.server import lifecycle
from ostinato.server.roster import tell_workers
from ostinato.session.home import Home

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

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
@quiet_lines_option
@json_option
def server(*, host: str, port: int, allowed_hosts: tuple[str, ...], quiet: bool, as_json: bool) -> None:
    """Start the server: API, feed and scheduler. Ctrl-C ends it.

    Workers are started apart: `ostinato worker`. `ostinato up` is both.
    """

    def ready(office: Office, url: str) -> None:
        tell({"server": url, **kept_in(office.home)}, as_json=as_json)

    serve(host, port, allowed_hosts, ready, quiet=quiet)


def kept_in(home: Home) -> dict[str, str]:
    """Give the home, and what of it lies elsewhere, as it may be shown."""
    elsewhere = {"database": home.database_url, "values": home.blobs_url}
    return {"home": home.folder, **{name: without_password(url) for name, url in elsewhere.items() if url}}


def serve(
    host: str,
    port: int,
    allowed_hosts: tuple[str, ...],
    ready: Callable[[Office, str], None],
    beside: Sequence[Callable[[], Awaitable[None]]] = (),
    *,
    quiet: bool,
) -> None:
    """Be the server of the configured home until a signal ends it; unless `quiet`, tell of its workers."""
    options = lifecycle.Options(host=host, port=port, allowed_hosts=allowed_hosts)
    offices: list[Office] = []

    def begin(office: Office, url: str) -> None:
        offices.append(office)
        ready(office, url)

    async def tell_of_workers() -> None:
        await tell_workers(offices[0], lambda line: click.echo(f"ostinato server: {line}", err=True))

    lifecycle.serve(Home(load().home), options, begin, beside if quiet else (tell_of_workers, *beside))


def tell(facts: Mapping[str, str], *, as_json: bool) -> None:
    """Say where the server is, and what else there is to know."""
    if as_json:
        click.echo(dumps(facts))
        return
    for name, text in facts.items():
        click.echo(f"{name:<7} {text}")
