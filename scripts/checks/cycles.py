"""No import cycle inside the package, imports hidden in functions and import strings counted.

Names that only the type checker reads do not count: they run nothing. Neither do the doors of `doors.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from checks.doors import DOORS
from checks.tree import PACKAGE, imports_inside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from checks.tree import Import


def violations(root: Path) -> Iterator[str]:
    """Give a sentence for each knot of modules that import one another."""
    edges = graph(root)
    for knot in knots({module: frozenset(targets) for module, targets in edges.items()}):
        yield f"{' -> '.join(knot)} import one another:"
        for module in knot:
            for target, one in sorted(edges[module].items()):
                if target in knot:
                    yield f"    {module}:{one.line} imports {target} ({one.kind})"


def graph(root: Path) -> dict[str, dict[str, Import]]:
    """Give, for each module, the modules it imports and where it first does."""
    found: dict[str, dict[str, Import]] = {}
    for file, one, target in imports_inside(root):
        table_of_names = file.module == PACKAGE and one.kind == "string"  # loaded lazily, for users only
        if one.kind != "typing" and one.door not in DOORS and target != file.module and not table_of_names:
            found.setdefault(file.module, {}).setdefault(target, one)
    return found


def knots(edges: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """Give the groups of two or more nodes that reach one another, each sorted (Tarjan, 1972)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for target in sorted(edges.get(node, ())):
            if target not in number:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], number[target])
        if low[node] == number[node]:
            group = [stack.pop()]
            while group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(edges):
        if node not in number:
            visit(node)
    return sorted(found)
