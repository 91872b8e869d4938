"""`ostinato secrets`: encrypted values that flows read and nobody is shown."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from ostinato.cli.command import Command, json_option
from ostinato.cli.home import carry_out, open_reader
from ostinato.cli.lines import columns_of
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps
from ostinato.cli.times import ago, iso, now_us
from ostinato.core.commands import SetSecret, UnsetSecret
from ostinato.core.errors import BadOption

if TYPE_CHECKING:
    from ostinato.core.access import SecretInfo


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, short_help="Set, list and unset secrets.")
def secrets() -> None:
    """Set, list and unset secrets.

    Flows read them with `Secret.get("NAME")`. No command prints a value.
    """


@secrets.command(
    name="set",
    cls=Command,
    short_help="Set a secret.",
    examples={
        "ostinato secrets set db-password": "asks for the value, without showing it",
        "ostinato secrets set db-password < password.txt": "from a file; its last line break is left out",
    },
)
@click.argument("name")
@click.argument("value", required=False)
@json_option
def set_secret(*, name: str, value: str | None, as_json: bool) -> None:
    """Set the secret NAME to VALUE, or to what is typed or piped in.

    A value on the command line is seen by others on the machine and kept in the history of the shell.
    """
    text = _text(_asked(name) if value is None else os.fsencode(value))
    carry_out(SetSecret(name=name, value=text))
    click.echo(dumps({"name": name}) if as_json else f"Secret {name} is set.")


@secrets.command(
    name="ls",
    cls=Command,
    short_help="List secrets, without their values.",
    examples={"ostinato secrets ls": "names, when they were set, and by whom"},
)
@json_option
def list_secrets(*, as_json: bool) -> None:
    """List the names of secrets, when they were set, and by whom."""
    with open_reader() as reader:
        found = reader.secrets()
    if as_json:
        click.echo(dumps([_shape(one) for one in found]))
    elif found:
        screen, now = screen_of(sys.stdout), now_us()
        rows = [[("SECRET", "dim"), ("SET", "dim"), ("BY", "dim")]]
        rows += [[(one.name, "bold"), (ago(one.updated_at, now), "dim"), (one.updated_by, "dim")] for one in found]
        screen.print(columns_of(rows, screen.table_columns))
    else:
        click.echo("No secrets yet. `ostinato secrets set NAME` sets one.", err=True)


@secrets.command(
    cls=Command,
    short_help="Forget a secret.",
    examples={"ostinato secrets unset db-password": "flows that ask for it fail from now on"},
)
@click.argument("name")
@json_option
def unset(*, name: str, as_json: bool) -> None:
    """Forget the secret NAME."""
    carry_out(UnsetSecret(name=name))
    click.echo(dumps({"name": name}) if as_json else f"Secret {name} is forgotten.")


def _asked(name: str) -> bytes:
    if sys.stdin.isatty():
        return os.fsencode(click.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.buffer.read().removesuffix(b"\n").removesuffix(b"\r")


def _text(value: bytes) -> str:
    fix = "Give it as an argument, or pipe it in; encode what is no text, with base64 for example."
    if not value:
        raise BadOption(option="VALUE", value="", where="`ostinato secrets set`", reason="it is empty", fix=fix)
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        reason = "it is not UTF-8"
        raise BadOption(option="VALUE", value="...", where="`ostinato secrets set`", reason=reason, fix=fix) from error


def _shape(one: SecretInfo) -> dict[str, Any]:
    return {"name": one.name, "updated_at": iso(one.updated_at), "updated_by": one.updated_by}
