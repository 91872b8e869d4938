"""The `ostinato` command: finds the command, runs it, and turns every error into code, message, hint and exit code."""

from __future__ import annotations

import importlib
import keyword
import os
import sys
from typing import TYPE_CHECKING, Final

import click

from ostinato.cli import exits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostinato.core.errors import OstinatoError

COMPLETE: Final = "_OSTINATO_COMPLETE"
"""The variable by which a shell asks for completions."""

SECTIONS: Final[dict[str, dict[str, str]]] = {
    "Run": {
        "run": "Run a flow of a file.",
        "resume": "Go on with a run that crashed, was cancelled or paused.",
        "retry": "Go on with a run that failed, or all that match a query.",
        "pause": "Let a run of a worker wait.",
        "cancel": "Stop a run, or all that match a query.",
        "delete": "Forget a run, or all that match a query.",
        "demo": "Train a model on taxi rides, to see it all at work.",
    },
    "Deploy": {
        "deploy": "Make deployments, and list, run, pause and remove them.",
    },
    "Look": {
        "runs": "List runs.",
        "show": "Show one run: state, failure, tasks, artifacts, history.",
        "logs": "Print the log lines of a run.",
        "watch": "Watch a run until it ends.",
    },
    "Track": {
        "experiments": "List experiments and tracking runs, search and compare these.",
        "models": "List registered models; move aliases and stages, roll back, gate.",
        "promote": "Let a version of a model pass its gate.",
        "datasets": "List versions of data, and compare them.",
        "import": "Bring over what MLflow has recorded.",
    },
    "Serve": {
        "up": "Start everything: server, scheduler and a worker.",
        "server": "Start the server without a worker.",
        "worker": "Start a worker.",
    },
    "Plan": {
        "schedule": "Look at schedules, pause them.",
        "queue": "Make, list and pause queues.",
        "backfill": "Run a deployment for past instants of its schedule.",
        "workers": "List workers.",
    },
    "Let in": {
        "users": "Say who may use this home through a server.",
        "keys": "Make, list and revoke API keys.",
        "secrets": "Set, list and unset secrets.",
    },
    "Keep": {
        "db": "Migrate, check, vacuum, back up, restore and copy the database.",
        "doctor": "Check this installation and its home.",
        "explain": "Explain an error code.",
        "version": "Print the version.",
        "completion": "Print the completion script of your shell.",
    },
}
"""The commands, each `ostinato.cli.<name>:<name>`, by what they are for, with their one-line help."""

COMMANDS: Final[dict[str, str]] = {name: text for names in SECTIONS.values() for name, text in names.items()}


class Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Give the names of all commands."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Give a command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if cmd_name in keyword.kwlist else cmd_name  # `import` cannot be a name
        command: click.Command = getattr(importlib.import_module(f"ostinato.cli.{name}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Give the command that the words begin with; a wrong one names the nearest."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise click.exceptions.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section, without importing them."""
        for section, names in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(list(names.items()))

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of exit codes."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in exits.EXITS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Ostinato runs your flows and records them for good.

    Begin with `ostinato demo`, or with a flow of your own: `ostinato run flow.py:train n=3`.
    """


def main() -> None:
    """Run the command line and end the process with its exit code."""
    code = exits.FAULT
    try:
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read us has seen enough (`| head`); nothing more may be written, not even by the interpreter.
        code = exits.OK
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _run(args: list[str]) -> int:
    # A daemon may have closed them.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for the life of the process
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter shows a question mark; that is no reason to fail.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    if COMPLETE in os.environ:
        answer: int = importlib.import_module("ostinato.cli.completion").answer(cli, COMPLETE)
        return answer
    as_json = "--json" in args
    try:
        # Not `cli.main`: it takes a closed pipe for a failure.
        with cli.make_context("ostinato", args) as context:
            code = cli.invoke(context)
        return code if isinstance(code, int) else exits.OK
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return exits.OK
    except click.ClickException as error:
        return _refuse("usage", _message_of(error), _help_for(error), exits.USAGE, as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        return exits.CANCELLED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - here every error becomes a message and an exit code
        known = _known(error)
        if known is None:
            importlib.import_module("traceback").print_exc()
            return _refuse("internal", f"{type(error).__name__}: {error}", _REPORT, exits.FAULT, as_json=as_json)
        return _refuse(known.code, known.message, known.hint, known.exit_code, as_json=as_json)


_REPORT: Final = "This is a fault in Ostinato. Report it with the output of `ostinato doctor`."


def _known(error: Exception) -> OstinatoError | None:
    # Looked up here so that commands that fail in nothing do not load the errors.
    kind = importlib.import_module("ostinato.core.errors").OstinatoError
    return error if isinstance(error, kind) else None


def _message_of(error: click.ClickException) -> str:
    text = error.format_message().replace("?).", "?)").strip()
    return text if text.endswith((".", "?", ")")) else text + "."


def _help_for(error: click.ClickException) -> str:
    ctx = getattr(error, "ctx", None)
    return f"`{ctx.command_path if ctx else 'ostinato'} --help` shows how it is written."


def _refuse(code: str, message: str, hint: str, exit_code: int, *, as_json: bool) -> int:
    """Print an error to stderr and give its exit code."""
    if as_json:
        json = importlib.import_module("json")
        body = {"code": code, "message": message, "hint": hint, "exit_code": exit_code}
        _to_stderr([json.dumps({"error": body}, ensure_ascii=False)])
    else:
        red, bold, end = ("\x1b[31m", "\x1b[1m", "\x1b[0m") if _colour() else ("", "", "")
        head = f"error[{code}]"
        first, *rest = _wrapped(f"{head} {message}")
        first = f"{red}{head}{end} {bold}{first.removeprefix(head).lstrip()}{end}"
        _to_stderr([first, *(f"{bold}{row}{end}" for row in rest), *_wrapped(f"  hint: {hint}")])
    return exit_code


def _wrapped(text: str) -> list[str]:
    """Give a text as rows that fit the terminal, broken between words; whole elsewhere."""
    if not sys.stderr.isatty():
        return [text]
    columns = importlib.import_module("shutil").get_terminal_size().columns
    rows: list[str] = importlib.import_module("ostinato.cli.lines").wrap(text, max(columns, 40), 2)
    return rows


def _colour() -> bool:
    refused = os.environ.get("NO_COLOR") or "never" in os.environ.get("OSTINATO_COLOR", "")
    return sys.stderr.isatty() and not refused and os.environ.get("TERM") != "dumb"


def _to_stderr(lines: Iterable[str]) -> None:
    sys.stderr.write("".join(line + "\n" for line in lines))
