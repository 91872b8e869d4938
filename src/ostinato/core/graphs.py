"""The graph of a run: its task runs and subflow runs as nodes, mapped ones as one, what flows between them as edges."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.states import TERMINAL, StateName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ostinato.core.records import FlowRun, TaskBrief, TaskCount

MOST_SINGLE: Final = 1_000
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
    """When the last of them ended, as far as they were looked at; None while one goes on."""
    first_no: int
    """Position of the first of them among the calls of the run."""
    task: str = ""
    group: str = ""
    run_id: str = ""
    """Of a subflow run."""


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes in call order, and edges as pairs of their ids."""

    nodes: list[Node]
    edges: list[tuple[str, str]]
    critical: list[str]
    """Nodes of the chain of results that took longest, the first one first."""


def graph_of(tasks: Iterable[TaskBrief], counts: Sequence[TaskCount], subflows: Iterable[FlowRun]) -> Graph:
    """Give the graph of a run from its counters and from task runs that were looked at, which need not be all.

    How many task runs a node stands for, and in which states, is what the counters say. An edge that would lead from
    a node to itself is left out; between nodes of many runs there may be circles.

    Example:
        >>> graph_of([], [], []).nodes
        []
    """
    single = sum(count.n for count in counts) <= MOST_SINGLE
    members: dict[str, list[TaskBrief]] = {}
    place: dict[str, str] = {}
    for task in tasks:
        node = _id(task.task, task.group, task.no if single else 0)
        members.setdefault(node, []).append(task)
        place[task.key.hex()] = node
        if task.group:  # who takes all of a map has the key of the map
            place[task.group] = node
    together: dict[str, list[TaskCount]] = {}
    for count in counts:
        if count.group or not single:
            node = _id(count.task, count.group, 0)
            together.setdefault(node, []).append(count)
            if count.group:
                place[count.group] = node
    found = [_node(name, members.get(name, []), together.get(name, [])) for name in {**together, **members}]
    runs = list(subflows)
    for run in runs:
        found.append(_subflow(run))
        place[run.key.hex()] = run.id
    nodes = {node.id: node for node in sorted(found, key=lambda node: (node.first_no, node.id))}
    edges: dict[tuple[str, str], None] = {}
    calls = [(one.key, one.upstream) for some in members.values() for one in some]
    for called, upstream in calls + [(one.key, one.upstream) for one in runs]:
        target = place[called.hex()]
        for key in upstream:
            source = place.get(key.hex())
            if source is not None and source != target:
                edges[source, target] = None
    return Graph(nodes=list(nodes.values()), edges=list(edges), critical=_critical(nodes, edges))


def _id(task: str, group: str, no: int) -> str:
    """Give the id of the node that a task run belongs to; `no` is 0 when it does not stand alone."""
    return f"map {task} {group}" if group else f"task {no or task}"


def _node(name: str, tasks: list[TaskBrief], counts: list[TaskCount]) -> Node:
    begins = [task.started_at for task in tasks if task.started_at is not None]
    ends = [task.ended_at for task in tasks if task.ended_at is not None]
    states = {count.state: count.n for count in counts} or dict(Counter(task.state for task in tasks))
    first = tasks[0] if tasks else None
    return Node(
        id=name,
        name=first.name if first and not counts else counts[0].task,
        kind="map" if counts or name.startswith("map ") else "task",
        n=sum(states.values()),
        states=states,
        begin=min(begins, default=None),
        end=max(ends, default=None) if states.keys() <= TERMINAL else None,
        first_no=min(count.first_no for count in counts) if counts else tasks[0].no,
        task=first.task if first else counts[0].task,
        group=first.group if first else counts[0].group,
    )


def _subflow(run: FlowRun) -> Node:
    return Node(
        id=run.id, name=run.name, kind="flow", n=1, states={run.state: 1}, begin=run.started_at, end=run.ended_at,
        first_no=run.no, run_id=run.id,
    )  # fmt: skip


def _critical(nodes: Mapping[str, Node], edges: Iterable[tuple[str, str]]) -> list[str]:
    """Give the chain from what ended last, or goes on, back along what each of them waited for longest."""
    begun = {name for name, node in nodes.items() if node.begin is not None}
    before: dict[str, list[str]] = {}
    for source, target in edges:
        if source in begun:
            before.setdefault(target, []).append(source)

    def end(name: str) -> float:
        found = nodes[name].end
        return math.inf if found is None else found

    path: list[str] = []
    earlier = list(begun)
    while earlier:
        path.append(max(earlier, key=lambda name: (end(name), name)))
        earlier = [name for name in before.get(path[-1], ()) if name not in path]
    return path[::-1]
