"""What the commands share: help with examples, the `--json` option, the RUN argument."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from click.shell_completion import CompletionItem

F = TypeVar("F", bound="Callable[..., Any]")


class Command(click.Command):
    """A command whose help ends with examples."""

    def __init__(
        self, *args: Any, examples: Mapping[str, str], words: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.examples = examples
        """Command lines, each with what it does."""
        self.words = words or {}
        """Words that the arguments may have, each with what it means."""

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the words and the examples."""
        if self.words:
            with formatter.section("Words"):
                formatter.write_dl(list(self.words.items()))
        with formatter.section("Examples"):
            for line, meaning in self.examples.items():
                formatter.write_text(f"$ {line}")
                formatter.indent()
                formatter.write_text(meaning)
                formatter.dedent()


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
quiet_lines_option = click.option("--quiet", is_flag=True, help="Say nothing of single runs and workers.")
trace_option = click.option("--full-trace", is_flag=True, help="Show every frame of tracebacks.")


def run_argument(function: F) -> F:
    """Add the argument RUN: a name, an id or its beginning, or `last`."""
    return click.argument("run", metavar="RUN", shell_complete=complete_run)(function)


def complete_run(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Give the names (or ids) of the newest runs that begin so."""
    found: list[CompletionItem] = importlib.import_module("ostinato.cli.offers").runs_beginning(incomplete)
    return found
