"""The graph of a run: its task runs and subflow runs as nodes, mapped ones as one, what flows between them as edges."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.states import StateName

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ostinato.core.records import FlowRun, TaskRun

MOST_SINGLE: Final = 300
"""With more task runs than this, those of one task are one node."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One task run, all runs of one `.map` or task, or a subflow run."""

    id: str
    name: str
    kind: str
    """`task`, `map` or `flow`."""
    n: int
    states: dict[StateName, int]
    begin: int | None
    """When the first of them began; UTC microseconds."""
    end: int | None
    """When the last of them ended; None while one goes on."""
    run_id: str = ""
    """Of a subflow run."""


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes in call order, and edges as pairs of their ids."""

    nodes: list[Node]
    edges: list[tuple[str, str]]


def graph_of(tasks: Sequence[TaskRun], subflows: Iterable[FlowRun]) -> Graph:
    """Give the graph of a run.

    An edge that would lead from a node to itself is left out; between nodes of many runs there may be circles.

    Example:
        >>> graph_of([], []).nodes
        []
    """
    single = len(tasks) <= MOST_SINGLE
    members: dict[str, list[TaskRun]] = {}
    place: dict[bytes, str] = {}
    for task in tasks:
        node = f"map {task.task} {task.group}" if task.group else f"task {task.no if single else task.task}"
        members.setdefault(node, []).append(task)
        place[task.key] = node
        if task.group:  # who takes all of a map has the key of the map
            place[bytes.fromhex(task.group)] = node
    nodes = {name: _node(name, found) for name, found in members.items()}
    runs = list(subflows)
    for run in runs:
        nodes[run.id] = Node(
            id=run.id, name=run.name, kind="flow", n=1, states={run.state: 1}, begin=run.started_at, end=run.ended_at,
            run_id=run.id,
        )  # fmt: skip
        place[run.key] = run.id
    edges: dict[tuple[str, str], None] = {}
    calls = [(one.key, one.upstream) for one in tasks] + [(one.key, one.upstream) for one in runs]
    for called, upstream in calls:
        target = place[called]
        for key in upstream:
            source = place.get(key)
            if source is not None and source != target:
                edges[source, target] = None
    return Graph(nodes=list(nodes.values()), edges=list(edges))


def _node(name: str, tasks: list[TaskRun]) -> Node:
    begins = [task.started_at for task in tasks if task.started_at is not None]
    ends = [task.ended_at for task in tasks]
    many = len(tasks) > 1 or name.startswith("map ")
    return Node(
        id=name,
        name=tasks[0].task if many else tasks[0].name,
        kind="map" if many else "task",
        n=len(tasks),
        states=dict(Counter(task.state for task in tasks)),
        begin=min(begins, default=None),
        end=None if None in ends else max((end for end in ends if end is not None), default=None),
    )
