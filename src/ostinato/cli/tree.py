"""The tree of a run as lines for the terminal: one for each task, subflows below, failures open."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.cli.failure import said_by
from ostinato.cli.glyphs import GLYPHS, ORDER
from ostinato.cli.lines import Line, Piece, clip, line_width, one_line, pad, spread, width
from ostinato.cli.survey import BAD, SHOWN_FAILURES, Branch, Group, counted
from ostinato.cli.times import took
from ostinato.core.states import SUCCESSFUL, TERMINAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.records import FlowRun, TaskRun
    from ostinato.core.states import StateName

_SPIN: Final = "◐◓◑◒"
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
TIMES: Final = "\N{MULTIPLICATION SIGN}"
_ALIKE: Final = 6
"""More subflow runs of one flow than this are one line."""


class Node(msgspec.Struct, kw_only=True):
    """One line of the tree and what hangs below it."""

    glyph: Piece
    label: Line
    middle: Line = []
    right: Line = []
    rank: int
    """What gives way first when there is no room: 0 never, 4 first."""
    children: list[Node] = []


class View(msgspec.Struct, frozen=True, kw_only=True):
    """How and when a tree is looked at."""

    columns: int
    rows: int
    now: int
    pace: Pace
    frame: int = 0


class Pace:
    """How fast groups of tasks get done, seen from one look to the next."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, int, str, str], tuple[int, int]] = {}

    def left_us(self, run: FlowRun, group: Group, now: int) -> int | None:
        """Give the time until all known task runs of a group are done, None as long as nobody can tell."""
        at, n_done = self._first.setdefault((run.id, run.epoch, group.task, group.group), (now, group.n_done))
        done = group.n_done - n_done
        waiting = group.total - group.n_done
        if not waiting or done < 3 or now - at < 1_000_000:
            return None
        return waiting * (now - at) // done


def tree_of(branch: Branch, view: View) -> list[Line]:
    """Give the lines of a run: at most `view.rows` of them, each at most `view.columns` wide."""
    root = _run_node(branch, view, top=True)
    n_cut = _prune(root, view.rows)
    flat = list(_flatten(root, "", ""))
    widest = max((width(guide) + line_width(node.label) for guide, node in flat if node.middle), default=0)
    room = min(widest, max(view.columns * 2 // 5, 16))
    lines = [_line(guide, node, room, view) for guide, node in flat]
    return [*lines, [(f"   … {n_cut:,} more lines", "dim")]] if n_cut else lines


def state_piece(state: StateName) -> Piece:
    """Give glyph and word of a state."""
    glyph, colour = GLYPHS[state]
    return f"{glyph} {state}", colour


def counts_line(states: dict[StateName, int], *, words: bool = False) -> Line:
    """Give how many are in each state: `3,120 ✓  12 ✕`, with words where there is room."""
    line: Line = []
    for state in ORDER:
        if states.get(state):
            glyph, colour = GLYPHS[state]
            line += [(f"{states[state]:,} {glyph}" + (f" {state}" if words else ""), colour), ("  ", "")]
    return line[:-1]


def error_line(task: TaskRun) -> str:
    """Give what went wrong in a task run, in one line."""
    if task.error is not None:
        return said_by(task.error)
    return one_line(task.message.partition("\n")[0])


# --- nodes


def _run_node(branch: Branch, view: View, *, top: bool = False) -> Node:
    run = branch.run
    glyph, colour = GLYPHS[run.state]
    label: Line = [(run.state, colour), ("  ", ""), (one_line(run.flow), "bold"), (f" · {one_line(run.name)}", "")]
    folded = not top and run.state in SUCCESSFUL
    n_total = sum(group.total for group in branch.groups)
    n_done = sum(group.n_done for group in branch.groups)
    said = f"{n_total:,} tasks" if n_done == n_total else f"{n_done:,} of {n_total:,} tasks"
    since = run.started_at or run.created_at
    return Node(
        glyph=(glyph, colour),
        label=label,
        right=[*([(f"{said}  ", "dim")] if n_total > 1 else []), (took((run.ended_at or view.now) - since), "")],
        rank=0 if top else _rank(run.state),
        children=[] if folded else _child_nodes(branch, view),
    )


def _rank(state: StateName) -> int:
    if state in BAD:
        return 1
    if state in TERMINAL:
        return 4
    return 3 if state in ("Pending", "Scheduled", "Late") else 2


def _child_nodes(branch: Branch, view: View) -> list[Node]:
    """Give what the run called, in the order of the first calls."""
    found = sorted([*_group_nodes(branch, view), *_subflow_nodes(branch, view)], key=itemgetter(0))
    return [node for _, node in found]


def _group_nodes(branch: Branch, view: View) -> Iterator[tuple[int, Node]]:
    failures: dict[tuple[str, str], list[TaskRun]] = {}
    for task in branch.failures:
        failures.setdefault((task.task, task.group), []).append(task)
    for group in branch.groups:
        node = _group_node(branch, group, view)
        shown = failures.get((group.task, group.group), [])
        node.children = [_failure_node(task) for task in shown]
        hidden = counted([group], BAD) - len(shown)
        if hidden > 0 and len(branch.failures) >= SHOWN_FAILURES:
            node.children.append(Node(glyph=("…", "dim"), label=[(f"{hidden:,} more failed", "dim")], rank=1))
        yield group.first_no, node


def _group_node(branch: Branch, group: Group, view: View) -> Node:
    glyph, colour = GLYPHS[group.state]
    name = one_line(group.task)
    if group.total == 1:
        running = next((t for t in branch.active if (t.task, t.group) == (group.task, group.group)), None)
        since = [(took(view.now - running.started_at), "dim")] if running and running.started_at else []
        return Node(
            glyph=(glyph, colour), label=[(name, "")], middle=[(group.state, colour)], right=since,
            rank=_rank(group.state),
        )  # fmt: skip
    cells = 10 if view.columns >= 70 else 6
    left = view.pace.left_us(branch.run, group, view.now)
    return Node(
        glyph=(glyph, colour),
        label=[(name, ""), (f" {TIMES}{group.total:,}", "bold")],
        middle=[(_bar(group, cells), "blue"), ("  ", ""), *counts_line(group.states)],
        right=[] if left is None else [(f"{took(left)} left", "dim")],
        rank=_rank(group.state),
    )


def _failure_node(task: TaskRun) -> Node:
    glyph, colour = GLYPHS[task.state]
    label: Line = [(one_line(task.name), "bold"), ("  ", ""), (error_line(task), colour)]
    return Node(glyph=(glyph, colour), label=label, rank=1)


def _subflow_nodes(branch: Branch, view: View) -> Iterator[tuple[int, Node]]:
    by_flow: dict[str, list[Branch]] = {}
    for child in branch.branches:
        by_flow.setdefault(child.run.flow, []).append(child)
    for flow, children in by_flow.items():
        if len(children) <= _ALIKE:
            yield from ((child.run.no, _run_node(child, view)) for child in children)
            continue
        states: dict[StateName, int] = {}
        for child in children:
            states[child.run.state] = states.get(child.run.state, 0) + 1
        node = _group_node(branch, Group(task=flow, group="subflows", states=states), view)
        bad = [child for child in children if child.run.state in BAD]
        node.children = [_run_node(child, view) for child in bad[:SHOWN_FAILURES]]
        yield children[0].run.no, node


def _bar(group: Group, cells: int) -> str:
    eighths = group.n_done * cells * 8 // group.total
    full, part = divmod(eighths, 8)
    return pad("█" * full + (_EIGHTHS[part] if part else ""), cells)


# --- room


def _prune(root: Node, rows: int) -> int:
    """Take lines out, the least telling first and the oldest first, until all fit; give how many went."""
    n_lines = sum(1 for _ in _flatten(root, "", ""))
    if n_lines <= rows:
        return 0
    over = n_lines - rows + 1  # one line more, to say how many went
    wanted = over
    for rank in (4, 3, 2, 1):
        # A parent is a leaf once its children went, so the same rank is asked again.
        while over and (leaves := _giving_way(root, rank)[:over]):
            gone = {id(leaf) for _, leaf in leaves}
            for parent in {id(parent): parent for parent, _ in leaves}.values():
                parent.children = [child for child in parent.children if id(child) not in gone]
            over -= len(leaves)
    return wanted - over


def _giving_way(root: Node, rank: int) -> list[tuple[Node, Node]]:
    """Give the leaves of a rank in the order in which they go: the oldest first, but the first failures last."""
    leaves = list(_leaves(root, rank))
    return leaves[::-1] if rank == 1 else leaves


def _leaves(node: Node, rank: int) -> Iterator[tuple[Node, Node]]:
    for child in node.children:
        if child.children:
            yield from _leaves(child, rank)
        elif child.rank >= rank:
            yield node, child


def _flatten(node: Node, guide: str, below: str) -> Iterator[tuple[str, Node]]:
    yield guide, node
    for child in node.children:
        last = child is node.children[-1]
        yield from _flatten(child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))


def _line(guide: str, node: Node, room: int, view: View) -> Line:
    glyph, colour = node.glyph
    if glyph == _SPIN[0]:
        glyph = _SPIN[view.frame % len(_SPIN)]
    head: Line = [(guide, "dim"), (pad(glyph, 2), colour), *node.label]
    if not node.middle:
        return spread(head, node.right, view.columns)
    aligned = [*_fit_label(head, room + 2), ("  ", "")]
    left = view.columns - line_width(aligned) - line_width(node.right) - 2
    return spread([*aligned, *_fit_pieces(node.middle, left)], node.right, view.columns)


def _fit_pieces(line: Line, columns: int) -> Line:
    """Give as many whole pieces as fit: half a number would be a wrong number."""
    for n in range(len(line), 0, -1):
        if line_width(line[:n]) <= columns:
            return line[:n]
    return []


def _fit_label(head: Line, columns: int) -> Line:
    """Give guide, glyph and label in exactly so many columns; the name gives way, the count stays."""
    over = line_width(head) - columns
    if over <= 0:
        return [*head, (" " * -over, "")]
    name, styles = head[2]
    return [*head[:2], (clip(name, max(width(name) - over, 1)), styles), *head[3:]]
