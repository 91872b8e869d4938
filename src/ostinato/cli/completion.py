"""Completion in the shell: commands and options, names of runs, FILE:FLOW, terms of queries."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete, add_completion_class, shell_complete

from ostinato.cli.command import Command

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_BASH: Final = """\
%(complete_func)s() {
    local kind value
    COMPREPLY=()
    while IFS=, read -r kind value; do
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                COMPREPLY+=("$(printf %%q "$value")")
                [[ $value == *[:/,] ]] && compopt -o nospace
                ;;
        esac
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete "$1")
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
"""What bash runs: no space after a value that goes on (`state:`, `folder/`), values quoted for the shell."""


class Bash(BashComplete):
    """Bash cuts words at `:`; this puts `flow.py:train` together again and answers with its last part."""

    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """Give the words before the cursor and the beginning of the word at it."""
        words, incomplete = super().get_completion_args()
        while words and (incomplete.startswith(":") or words[-1].endswith(":")):
            incomplete = words.pop() + incomplete
        self._cut = incomplete.rfind(":") + 1
        return words, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """Give one answer as the script reads it."""
        return f"{item.type},{item.value[self._cut :] if item.type == 'plain' else item.value}"


add_completion_class(Bash)

_SHELLS: Final = {"bash": Bash, "zsh": ZshComplete, "fish": FishComplete}


@click.command(
    cls=Command,
    short_help="Print the completion script of your shell.",
    examples={
        'eval "$(ostinato completion bash)"': "for bash 4.4 or newer; put the line into ~/.bashrc",
        'eval "$(ostinato completion zsh)"': "for zsh; put the line into ~/.zshrc, after compinit",
        "ostinato completion fish | source": "for fish; put the line into ~/.config/fish/config.fish",
    },
)
@click.argument("shell", type=click.Choice(list(_SHELLS)))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    It completes commands, options, names and ids of runs, FILE:FLOW and terms of queries.
    """
    root = click.get_current_context().find_root().command
    click.echo(_SHELLS[shell](root, {}, "ostinato", "_OSTINATO_COMPLETE").source())


def answer(root: click.Command, variable: str) -> int:
    """Answer the shell, which asks by environment variables; give the exit code."""
    return shell_complete(root, {}, "ostinato", variable, os.environ[variable])
