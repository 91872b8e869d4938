"""Graphs of runs: nodes, those of maps together, and the edges between them."""

from __future__ import annotations

from ostinato.core.graphs import MOST_SINGLE, graph_of
from ostinato.core.records import TaskRun

MAP = "ff" * 16


def key(no: int) -> bytes:
    return no.to_bytes(16, "big")


def task(
    no: int, name: str = "fit", group: str = "", upstream: tuple[int, ...] = (), state: str = "Completed"
) -> TaskRun:
    ended_at = None if state == "Running" else 10 * no + 5
    return TaskRun(
        run_id="r", no=no, key=key(no), task=name, name=f"{name}-{no}", state=state,  # type: ignore[arg-type]
        message="", epoch=1, attempt=1, ordinal=0, parent_no=0, upstream=tuple(map(key, upstream)), version="",
        tags=(), group=group, created_at=no, started_at=10 * no, ended_at=ended_at, n_started=1, result=None,
        error=None,
    )  # fmt: skip


def test_task_runs_are_nodes_and_what_flows_is_edges() -> None:
    graph = graph_of([task(1, "load"), task(2, "fit", upstream=(1,)), task(3, "fit", upstream=(1, 2))], [])
    assert [node.name for node in graph.nodes] == ["load-1", "fit-2", "fit-3"]
    assert graph.edges == [("task 1", "task 2"), ("task 1", "task 3"), ("task 2", "task 3")]


def test_a_map_is_one_node_with_its_states_and_its_time() -> None:
    mapped = [task(no, "score", MAP, (1,), "Running" if no == 4 else "Completed") for no in (2, 3, 4)]
    graph = graph_of([task(1, "load"), *mapped, task(5, "sum", upstream=(2, 3, 4))], [])
    node = graph.nodes[1]
    assert (node.name, node.kind, node.n, node.states) == ("score", "map", 3, {"Completed": 2, "Running": 1})
    assert (node.begin, node.end) == (20, None)
    assert len(graph.edges) == 2


def test_who_takes_all_of_a_map_comes_after_it() -> None:
    whole = int.from_bytes(bytes.fromhex(MAP), "big")
    graph = graph_of([task(1, "score", MAP), task(2, "sum", upstream=(whole,))], [])
    assert graph.edges == [(f"map score {MAP}", "task 2")]


def test_of_very_many_task_runs_those_of_one_task_are_one_node_without_an_edge_to_itself() -> None:
    graph = graph_of([task(no, upstream=(no - 1,)) for no in range(1, MOST_SINGLE + 3)], [])
    assert [(node.kind, node.n) for node in graph.nodes] == [("map", MOST_SINGLE + 2)]
    assert graph.edges == []


def test_what_came_from_elsewhere_is_no_edge() -> None:
    assert graph_of([task(2, upstream=(1,))], []).edges == []
