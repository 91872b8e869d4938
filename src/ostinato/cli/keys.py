"""`ostinato keys`: API keys for people and machines that use this home through a server."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import click

from ostinato.cli.command import Command, json_option
from ostinato.cli.home import carry_out, open_reader
from ostinato.cli.lines import Line, columns_of, one_line
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps
from ostinato.cli.times import ago, iso, now_us
from ostinato.core.access import ROLES, SCOPES
from ostinato.core.commands import CreateKey, RevokeKey
from ostinato.core.query import parse_duration

if TYPE_CHECKING:
    from ostinato.core.access import ApiKey, Role, Scope


class _Expiry(click.ParamType[int]):
    """A duration from now, a date (UTC), or `never`; gives UTC microseconds, 0 for never."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if value == "never":
            return 0
        length = parse_duration(value)
        if length:
            return now_us() + length
        try:
            day = date.fromisoformat(value)
            return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
        except ValueError:
            self.fail(f"{value!r} is no time to come; write 90d, 12h, 2027-01-31 or never.", param, ctx)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, short_help="Make, list and revoke API keys.")
def keys() -> None:
    """Make, list and revoke API keys.

    A program elsewhere sends its key by OSTINATO_API_KEY, to the server that OSTINATO_API_URL names.
    """


@keys.command(
    cls=Command,
    short_help="Make a key, and print it this once.",
    examples={
        "ostinato keys create --user ann": "a key that may what ann may",
        "ostinato keys create --user ci --role editor --expires 90d --name deploys": "for a pipeline, for a while",
        "ostinato keys create --user fleet --role operator --scope worker": "for workers, and nothing else",
    },
    words={
        "read": "scope: only look",
        "worker": "scope: only what a worker and its flows need",
        "tracking": "scope: only what MLflow's client needs",
    },
)
@click.option("--user", required=True, help="Whose key it is.")
@click.option(
    "--role", type=click.Choice(ROLES), help="What it may do, at most what its user may.  [default: the same]"
)
@click.option("--scope", "scopes", multiple=True, type=click.Choice(tuple(SCOPES)), help="Narrow it to this.")
@click.option("--expires", default="never", show_default=True, type=_Expiry(), help="When it ends: 90d, 2027-01-31.")
@click.option("--name", default="", help="What it is for.")
@json_option
def create(*, user: str, role: Role | None, scopes: tuple[Scope, ...], expires: int, name: str, as_json: bool) -> None:
    """Make a key and print it. Only a hash of it is kept: it is never shown again."""
    made = carry_out(CreateKey(user=user, role=role, scopes=scopes, expires_at=expires, name=name))
    if as_json:
        click.echo(dumps({"text": made.text, **_shape(made.key)}))
        return
    click.echo(made.text)
    until = f"until {(iso(made.key.expires_at) or '')[:10]}" if made.key.expires_at else "until it is revoked"
    said = f"Key {made.key.id} of {user} ({_rights(made.key)}), {until}. It is not shown again."
    click.echo(said, err=True)


@keys.command(
    name="ls",
    cls=Command,
    short_help="List keys.",
    examples={
        "ostinato keys ls": "those that hold, and those that did",
        "ostinato keys ls --user ann --json": "the keys of one user, as one JSON array",
    },
)
@click.option("--user", default="", help="Only the keys of this user.")
@json_option
def list_keys(*, user: str, as_json: bool) -> None:
    """List keys, with when they were last used (to the minute), but not the keys themselves."""
    with open_reader() as reader:
        found = reader.api_keys(user=user)
    if as_json:
        click.echo(dumps([_shape(key) for key in found]))
    elif found:
        screen, now = screen_of(sys.stdout), now_us()
        heads = ("ID", "USER", "ROLE", "NAME", "MADE", "USED", "ENDS")
        rows = [[(head, "dim") for head in heads], *(_row(key, now) for key in found)]
        screen.print(columns_of(rows, screen.table_columns))
    else:
        click.echo("No keys yet. `ostinato keys create --user NAME` makes one.", err=True)


@keys.command(
    cls=Command,
    short_help="Let a key hold no longer.",
    examples={"ostinato keys revoke k3x81mpa": "by its id, the first part of the key; holds at once"},
)
@click.argument("key_id", metavar="ID")
@json_option
def revoke(*, key_id: str, as_json: bool) -> None:
    """Let the key ID hold no longer."""
    gone = carry_out(RevokeKey(id=key_id))
    click.echo(dumps(_shape(gone)) if as_json else f"Key {gone.id} of {gone.user} is revoked.")


def _row(key: ApiKey, now: int) -> Line:
    used = ago(key.last_used_at, now) if key.last_used_at else "never"
    ends = ("", "dim")
    if key.revoked:
        ends = ("revoked", "yellow")
    elif key.expires_at:
        ends = (ago(key.expires_at, now), "yellow" if key.expires_at <= now else "dim")
    return [
        (key.id, "bold"),
        (key.user, ""),
        (_rights(key), ""),
        (one_line(key.name), ""),
        (ago(key.created_at, now), "dim"),
        (used, "dim"),
        ends,
    ]


def _rights(key: ApiKey) -> str:
    return f"{key.role}, only {' and '.join(key.scopes)}" if key.scopes else key.role


def _shape(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "user": key.user,
        "name": key.name or None,
        "role": key.role,
        "scopes": list(key.scopes),
        "created_at": iso(key.created_at),
        "expires_at": iso(key.expires_at or None),
        "last_used_at": iso(key.last_used_at or None),
        "revoked": key.revoked,
    }
