"""No file above 600 lines of code, no function above 60; blanks, comments and docstrings are free."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from checks.tree import all_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE_LINES = 600
FUNCTION_LINES = 60


def violations(root: Path) -> Iterator[str]:
    """Give a sentence for each file and function that is too long."""
    for file in all_files(root):
        if len(file.code_lines) > FILE_LINES:
            yield f"{file.shown} has {len(file.code_lines)} lines of code (limit {FILE_LINES}): split it by nouns"
        for node in ast.walk(file.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = len(file.code_lines.intersection(range(node.lineno, (node.end_lineno or node.lineno) + 1)))
                if size > FUNCTION_LINES:
                    yield f"{file.shown}:{node.lineno} {node.name} has {size} lines of code (limit {FUNCTION_LINES})"
