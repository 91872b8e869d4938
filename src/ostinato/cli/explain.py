"""`ostinato explain`: what an error code means and what to do."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from ostinato.cli.command import Command, json_option
from ostinato.cli.exits import EXITS
from ostinato.cli.reasons import REASONS
from ostinato.cli.shapes import dumps
from ostinato.core.errors import CodeUnknown, OstinatoError, all_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

_SLOT = re.compile(r"\{(\w+)(?:![rs])?\}")


def _complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(code) for code in all_errors() if code.startswith(incomplete)]


@click.command(
    cls=Command,
    short_help="Explain an error code.",
    examples={
        "ostinato explain run-ambiguous": "what `error[run-ambiguous]` means",
        "ostinato explain": "the list of all codes",
    },
)
@click.argument("code", required=False, shell_complete=_complete)
@json_option
def explain(*, code: str | None, as_json: bool) -> None:
    """Explain an error code: its message, why it comes, and what to do.

    Without CODE all codes are listed.
    """
    errors = all_errors()
    if code is None:
        shapes = [_shape(kind) for kind in errors.values()]
        lines = [f"{shape['code']:<24}{_first_sentence(str(shape['why']))}" for shape in shapes]
        click.echo(dumps(shapes) if as_json else "\n".join(lines))
        return
    kind = errors.get(code.removeprefix("error[").removesuffix("]"))
    if kind is None:
        raise CodeUnknown(name=code, suggestion=_suggestion(code, errors))
    shape = _shape(kind)
    if as_json:
        click.echo(dumps(shape))
    else:
        click.echo(f"error[{shape['code']}] {shape['message']}\n")
        click.echo(f"why   {shape['why']}\ndo    {shape['hint']}")
        click.echo(f"exit  {kind.exit_code}: {EXITS[kind.exit_code]}")


def _shape(kind: type[OstinatoError]) -> dict[str, str | int]:
    return {
        "code": kind.code,
        "message": _readable(kind.template),
        "why": REASONS.get(kind.code) or (kind.__mro__[1].__doc__ or ""),
        "hint": _readable(kind.hint_template),
        "exit_code": kind.exit_code,
    }


def _readable(template: str) -> str:
    """Give a template with `<name>` where values will stand; one that is a value only has nothing to say yet."""
    if _SLOT.fullmatch(template):
        return "Do what the hint below the message says; it depends on the case."
    return _SLOT.sub(r"<\1>", template).replace("{{", "{").replace("}}", "}")


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.;:]) ", text)[0].rstrip(";:")


def _suggestion(code: str, errors: Mapping[str, type[OstinatoError]]) -> str:
    close = get_close_matches(code.lower(), errors, n=1, cutoff=0.5)
    meant = f"Did you mean `ostinato explain {close[0]}`? " if close else ""
    return f"{meant}`ostinato explain` lists all codes."
