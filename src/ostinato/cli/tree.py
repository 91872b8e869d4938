"""The tree of a run as lines for the terminal: one for each task, subflows below, failures open."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.cli.failure import said_by
from ostinato.cli.glyphs import GLYPHS, ORDER
from ostinato.cli.lines import Line, Piece, clip, line_width, one_line, pad, spread, width
from ostinato.cli.survey import BAD, SHOWN_FAILURES, Branch, Group, counted, is_left_behind
from ostinato.cli.times import took
from ostinato.core.states import SUCCESSFUL, TERMINAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.records import FlowRun, TaskRun
    from ostinato.core.states import StateName

_SPIN: Final = "◐◓◑◒"
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
TIMES: Final = "\N{MULTIPLICATION SIGN}"
_SHORTEST_NAME: Final = 8
_FAILED_NAME: Final = 16
"""Names of tasks are cut down to so many columns before counts, and reasons of failures, give way."""
_ALIKE: Final = 6
"""More subflow runs of one flow than this are one line."""


class Node(msgspec.Struct, kw_only=True):
    """One line of the tree and what hangs below it."""

    glyph: Piece
    label: Line
    bar: Line = []
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


_WORDS: Final[dict[StateName, str]] = {"Retrying": "retrying", "AwaitingRetry": "to retry"}
"""Two glyphs that look too much alike have a word beside them everywhere."""


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
            word = state if words else _WORDS.get(state, "")
            line += [(f"{states[state]:,} {glyph} {word}".rstrip(), colour), ("  ", "")]
    return line[:-1]


def tasks_said(branch: Branch) -> str:
    """Give how many task runs there are in all, as long as that is not known how many are done."""
    states = branch.states
    if branch.run.state not in TERMINAL:
        n_done = sum(states.get(state, 0) for state in SUCCESSFUL)
        return f"✓ {n_done:,} done" if n_done else ""
    n_total = sum(states.values())
    said = f"{n_total:,} task{'s' * (n_total > 1)}" if n_total else ""
    return f"{said} in {branch.n_runs:,} runs" if said and branch.n_runs > 1 else said


def superseded_said(n: int) -> str:
    """Give how many task runs a resume left behind."""
    return f"{n:,} left from before the resume"


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
    since = run.started_at or run.created_at
    return Node(
        glyph=(glyph, colour),
        label=label,
        right=[(f"{tasks_said(branch)}  ".lstrip(), "dim"), (took((run.ended_at or view.now) - since), "")],
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
    left_behind: Line = [(superseded_said(group.n_superseded), "dim")] if group.n_superseded else []
    if not group.total:
        return Node(glyph=("·", "dim"), label=[(name, "dim")], middle=left_behind, rank=4)
    more: Line = [("  ", ""), *left_behind] if left_behind else []
    times: Line = [(_times(branch, group, view), "dim")]
    if group.total == 1:
        return Node(
            glyph=(glyph, colour), label=[(name, "")], middle=[(group.state, colour), *more], right=times,
            rank=_rank(group.state),
        )  # fmt: skip
    cells = 10 if view.columns >= 70 else 6
    bar: Line = [(_bar(group, cells), "blue"), ("  ", "")] if group.n_done < group.total else []
    return Node(
        glyph=(glyph, colour),
        label=[(name, ""), (f" {TIMES}{group.total:,}", "bold")],
        bar=bar,
        middle=[*counts_line(group.states), *more],
        right=times,
        rank=_rank(group.state),
    )


def _times(branch: Branch, group: Group, view: View) -> str:
    """Give how long a group took, how long it runs, or how long it will."""
    if group.n_done < group.total:
        left = view.pace.left_us(branch.run, group, view.now)
        running = next((t for t in branch.active if (t.task, t.group) == (group.task, group.group)), None)
        if left is not None:
            return f"{took(left)} left"
        return took(view.now - running.started_at) if group.total == 1 and running and running.started_at else ""
    tried = f"{group.most_attempts} attempts  " if group.most_attempts > 1 else ""
    if not group.longest_us:
        return tried.rstrip()
    if group.total == 1:
        return tried + took(group.longest_us)
    up_to = "up to " if tried else ""
    return f"{up_to}{tried}longest {took(group.longest_us)}, total {took(group.total_us)}"


def _failure_node(task: TaskRun) -> Node:
    glyph, colour = GLYPHS[task.state]
    label: Line = [(one_line(task.name), "bold"), ("  ", ""), (error_line(task), colour)]
    return Node(glyph=(glyph, colour), label=label, rank=1)


def _subflow_nodes(branch: Branch, view: View) -> Iterator[tuple[int, Node]]:
    by_flow: dict[str, list[Branch]] = {}
    for child in branch.branches:
        if is_left_behind(child.run, branch.run):
            yield child.run.no, _left_behind_node(child.run)
        else:
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


def _left_behind_node(run: FlowRun) -> Node:
    label: Line = [(f"{one_line(run.flow)} · {one_line(run.name)}  left from before the resume", "dim")]
    return Node(glyph=("·", "dim"), label=label, rank=4)


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
    right = [piece for piece in node.right if piece[0]]
    if not node.middle:
        return spread(_fit_name(head, view.columns - _space(right)), right, view.columns)
    bar = node.bar
    least = line_width(head) - max(width(head[2][0]) - _SHORTEST_NAME, 0) + 2 + line_width(node.middle)
    # What gives way to the counts: the bar, the times, then the name.
    if room + 4 + line_width(bar) + line_width(node.middle) + _space(right) > view.columns:
        bar = []
    if least + _space(right) > view.columns:
        right = []
    space = min(room + 2, view.columns - _space(right) - line_width(bar) - line_width(node.middle) - 2)
    aligned = [*_fit_label(head, max(space, width(guide) + 2 + _SHORTEST_NAME)), ("  ", "")]
    left = view.columns - line_width([*aligned, *bar]) - _space(right)
    return spread([*aligned, *bar, *_fit_pieces(node.middle, left)], right, view.columns)


def _space(right: Line) -> int:
    return line_width(right) + 2 if right else 0


def _fit_name(head: Line, columns: int) -> Line:
    """Give guide, glyph and label shortened at the name of a failed task, so that its reason can be read."""
    over = line_width(head) - columns
    name, styles = head[2]
    if over <= 0 or len(head) < 5 or styles != "bold":
        return head
    return [*head[:2], (clip(name, max(width(name) - over, _FAILED_NAME)), styles), *head[3:]]


def _fit_pieces(line: Line, columns: int) -> Line:
    """Give as many whole pieces as fit, and an ellipsis for the others: half a number would be a wrong number."""
    if line_width(line) <= columns:
        return line
    for n in range(len(line), 0, -1):
        if line_width(line[:n]) + 2 <= columns:
            return [*line[:n], (" …", "dim")]
    return [("…", "dim")] if columns > 0 else []


def _fit_label(head: Line, columns: int) -> Line:
    """Give guide, glyph and label in exactly so many columns; the name gives way, the count stays."""
    over = line_width(head) - columns
    if over <= 0:
        return [*head, (" " * -over, "")]
    name, styles = head[2]
    return [*head[:2], (clip(name, max(width(name) - over, 1)), styles), *head[3:]]
