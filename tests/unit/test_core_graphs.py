"""Graphs of runs: nodes, those of maps together, edges between them, the chain that took longest."""

from __future__ import annotations

from collections import Counter

from ostinato.core.graphs import MOST_SINGLE, Graph, graph_of
from ostinato.core.records import TaskBrief, TaskCount

MAP = "ff" * 16


def key(no: int) -> bytes:
    return no.to_bytes(16, "big")


def task(
    no: int, name: str = "fit", group: str = "", upstream: tuple[int, ...] = (), state: str = "Completed", took: int = 5
) -> TaskBrief:
    ended_at = None if state == "Running" else 10 * no + took
    return TaskBrief(
        no=no, key=key(no), task=name, name=f"{name}-{no}", group=group, state=state,  # type: ignore[arg-type]  # a name of a state
        epoch=1, attempt=1, message="", upstream=tuple(map(key, upstream)), created_at=no, started_at=10 * no,
        ended_at=ended_at,
    )  # fmt: skip


def counted(tasks: list[TaskBrief], times: int = 1) -> list[TaskCount]:
    """Give the counters of these task runs, or of so many times as many."""
    first: dict[tuple[str, str], int] = {}
    for one in tasks:
        first.setdefault((one.task, one.group), one.no)
    counters = Counter((one.task, one.group, one.state) for one in tasks)
    return [
        TaskCount(task=name, group=group, state=state, n=n * times, first_no=first[name, group])
        for (name, group, state), n in counters.items()
    ]


def graph(*tasks: TaskBrief, times: int = 1) -> Graph:
    return graph_of(tasks, counted(list(tasks), times), [])


def test_task_runs_are_nodes_and_what_flows_is_edges() -> None:
    found = graph(task(1, "load"), task(2, "fit", upstream=(1,)), task(3, "fit", upstream=(1, 2)))
    assert [(node.name, node.first_no) for node in found.nodes] == [("load-1", 1), ("fit-2", 2), ("fit-3", 3)]
    assert found.edges == [("task 1", "task 2"), ("task 1", "task 3"), ("task 2", "task 3")]


def test_a_map_is_one_node_with_its_states_and_its_time() -> None:
    mapped = [task(no, "score", MAP, (1,), "Running" if no == 4 else "Completed") for no in (2, 3, 4)]
    found = graph(task(1, "load"), *mapped, task(5, "sum", upstream=(2, 3, 4)))
    node = found.nodes[1]
    assert (node.name, node.kind, node.n, node.states) == ("score", "map", 3, {"Completed": 2, "Running": 1})
    assert (node.begin, node.end) == (20, None)
    assert (node.task, node.group) == ("score", MAP)
    assert len(found.edges) == 2


def test_who_takes_all_of_a_map_comes_after_it() -> None:
    whole = int.from_bytes(bytes.fromhex(MAP), "big")
    found = graph(task(1, "score", MAP), task(2, "sum", upstream=(whole,)))
    assert found.edges == [(f"map score {MAP}", "task 2")]


def test_of_very_many_task_runs_those_of_one_task_are_one_node_without_an_edge_to_itself() -> None:
    found = graph(*(task(no, upstream=(no - 1,)) for no in range(1, MOST_SINGLE + 3)))
    assert [(node.kind, node.n) for node in found.nodes] == [("map", MOST_SINGLE + 2)]
    assert found.edges == []


def test_numbers_are_those_of_the_counters_however_few_task_runs_were_looked_at() -> None:
    found = graph(task(1, "load"), task(2, "score", MAP, (1,)), task(9, "sum", upstream=(2,)), times=MOST_SINGLE)
    assert [(node.name, node.n) for node in found.nodes] == [(name, MOST_SINGLE) for name in ("load", "score", "sum")]
    assert found.edges == [("task load", f"map score {MAP}"), (f"map score {MAP}", "task sum")]
    unseen = TaskCount(task="late", group="", state="Completed", n=MOST_SINGLE + 1, first_no=5)
    nodes = graph_of([], [unseen], []).nodes
    assert [(node.name, node.kind, node.begin, node.end) for node in nodes] == [("late", "map", None, None)]


def test_what_came_from_elsewhere_is_no_edge() -> None:
    assert graph(task(2, upstream=(1,))).edges == []


def test_the_critical_chain_leads_back_from_what_ended_last_along_what_was_waited_for_longest() -> None:
    found = graph(
        task(1, "load", took=2), task(2, "slow", took=60), task(3, "join", upstream=(1, 2), took=70),
        task(4, "side", upstream=(1,)),
    )  # fmt: skip
    assert found.critical == ["task 2", "task 3"]
    goes_on = graph(task(1, "load", took=90), task(2, "fit", upstream=(1,), state="Running"), task(3, "side"))
    assert goes_on.critical == ["task 1", "task 2"]
    assert graph().critical == []
