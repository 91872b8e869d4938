"""`ostinato version`: the version of Ostinato."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version as version_of

import click

from ostinato.cli.command import Command, json_option


@click.command(
    cls=Command,
    short_help="Print the version.",
    examples={"ostinato version": "one line", "ostinato version --json": "with the versions of Python and the system"},
)
@json_option
def version(*, as_json: bool) -> None:
    """Print the version of Ostinato."""
    found = version_of("ostinato")
    if as_json:
        system = {"python": platform.python_version(), "platform": platform.platform()}
        click.echo(json.dumps({"ostinato": found, **system}))
    else:
        click.echo(f"ostinato {found}")
