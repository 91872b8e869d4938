"""`ostinato users`: who may use this home through a server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ostinato.cli.command import Command, json_option
from ostinato.cli.home import carry_out, open_reader
from ostinato.cli.lines import columns_of
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps
from ostinato.cli.times import ago, iso, now_us
from ostinato.core.access import ROLES
from ostinato.core.commands import CreateUser, DisableUser, SetRole

if TYPE_CHECKING:
    from ostinato.core.access import Role, User

_ROLE_WORDS = {
    "viewer": "looks at everything, but not at the audit",
    "editor": "runs, cancels, deploys, sets variables and secrets",
    "operator": "sets queues and limits, deletes runs; its keys may be those of workers",
    "admin": "makes users and keys, reads the audit",
}


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]}, short_help="Say who may use this home through a server."
)
def users() -> None:
    """Say who may use this home through a server.

    Whoever may read the files of the home needs no user: they are its owner.
    """


@users.command(
    cls=Command,
    short_help="Make a user.",
    examples={"ostinato users create ann --role editor": "then `ostinato keys create --user ann` gives a key"},
    words=_ROLE_WORDS,
)
@click.argument("name")
@click.option("--role", required=True, type=click.Choice(ROLES), help="What the user may do.")
@json_option
def create(*, name: str, role: Role, as_json: bool) -> None:
    """Make the user NAME."""
    _tell(carry_out(CreateUser(name=name, role=role)), as_json=as_json)


@users.command(
    name="ls",
    cls=Command,
    short_help="List users.",
    examples={"ostinato users ls": "by name", "ostinato users ls --json": "as one JSON array"},
)
@json_option
def list_users(*, as_json: bool) -> None:
    """List users by name."""
    with open_reader() as reader:
        found = reader.users()
    if as_json:
        click.echo(dumps([_shape(user) for user in found]))
    elif found:
        screen, now = screen_of(sys.stdout), now_us()
        rows = [[("USER", "dim"), ("ROLE", "dim"), ("MADE", "dim"), ("", "dim")]]
        for user in found:
            state = ("disabled", "yellow") if user.disabled else ("", "")
            rows.append([(user.name, "bold"), (user.role, ""), (ago(user.created_at, now), "dim"), state])
        screen.print(columns_of(rows, screen.table_columns))
    else:
        click.echo("No users yet. `ostinato users create NAME --role ROLE` makes one.", err=True)


@users.command(
    cls=Command,
    short_help="Give a user another role.",
    examples={"ostinato users set-role ann operator": "holds at once, for the keys of the user too"},
    words=_ROLE_WORDS,
)
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@json_option
def set_role(*, name: str, role: Role, as_json: bool) -> None:
    """Give the user NAME another ROLE; no key of a user may more than the user."""
    _tell(carry_out(SetRole(name=name, role=role)), as_json=as_json)


@users.command(
    cls=Command,
    short_help="Refuse all keys of a user.",
    examples={"ostinato users disable ann": "`ostinato users enable ann` lets them hold again"},
)
@click.argument("name")
@json_option
def disable(*, name: str, as_json: bool) -> None:
    """Refuse all keys of the user NAME."""
    _tell(carry_out(DisableUser(name=name)), as_json=as_json)


@users.command(
    cls=Command,
    short_help="Let the keys of a user hold again.",
    examples={"ostinato users enable ann": "the keys that were neither revoked nor have expired"},
)
@click.argument("name")
@json_option
def enable(*, name: str, as_json: bool) -> None:
    """Let the keys of the user NAME hold again."""
    _tell(carry_out(DisableUser(name=name, disabled=False)), as_json=as_json)


def _tell(user: User, *, as_json: bool) -> None:
    said = f"{user.name}: {user.role}{', disabled' if user.disabled else ''}."
    click.echo(dumps(_shape(user)) if as_json else said)


def _shape(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "role": user.role,
        "disabled": user.disabled,
        "created_at": iso(user.created_at),
        "updated_at": iso(user.updated_at),
    }
