"""Reading task runs in few columns, for lists, timelines and graphs: every look is bounded, however many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.events import Block, TaskMoved, TaskStarted
from ostinato.core.records import TaskBrief, TaskStep
from ostinato.store import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from ostinato.core.records import TaskCount
    from ostinato.core.states import StateName
    from ostinato.store.database import Connection

LOOKED_AT: Final = 20_000
"""Task runs that one page looks at: numbers are dense."""
FIRST_GRAPHED: Final = 5_000
LAST_GRAPHED: Final = 1_000
"""Task runs that a graph looks at, besides the first of each task."""
MOST_BLOCKS: Final = 500
ENOUGH_BYTES: Final = 4 << 20
"""Events of one run that are looked through at most."""
EARLY_US: Final = 5_000_000
LATE_US: Final = 60_000_000
"""Clocks differ, and events come a little later than what they tell."""

_ALL: Final = 1 << 62
_block: Final = msgspec.msgpack.Decoder(Block).decode
_json: Final = msgspec.json.Encoder().encode


def briefs(
    db: Connection,
    run_id: str,
    *,
    task: str = "",
    group: str = "",
    states: Sequence[StateName] = (),
    after: int = 0,
    limit: int,
) -> tuple[list[TaskBrief], int]:
    """Give task runs of a flow run after a number, of one task or `.map` if it is named, in call order.

    The second value is the number after which to go on, 0 at the end. A page may be short, and even empty, while
    there is more.
    """
    upto = after + LOOKED_AT
    wanted = (_json(states).decode(),) if states else ()
    name = ("calls_of" if task else "calls") + ("_in_states" if states else "" if task else "_after")
    of = (task, group) if task else ()
    found = _read(db, name, run_id, after, upto, *of, *wanted, limit + 1)
    if len(found) > limit:
        return found[:limit], found[limit - 1].no
    return found, upto if upto < _last(db, run_id) else 0


def graphed(db: Connection, run_id: str, counts: Iterable[TaskCount]) -> tuple[list[TaskBrief], bool]:
    """Give the task runs from which a graph is drawn, and whether nothing is missing in it.

    Those of a `.map` are called alike: its first ones tell what flows into all of them.
    """
    found = {one.no: one for one in _read(db, "calls_after", run_id, 0, _ALL, FIRST_GRAPHED)}
    n_plain = 0
    if len(found) == FIRST_GRAPHED:
        found |= {one.no: one for one in _read(db, "calls_before", run_id, _ALL, LAST_GRAPHED)}
    for count in counts:
        n_plain += 0 if count.group else count.n
        if count.first_no not in found:
            found |= {one.no: one for one in _read(db, "calls_after", run_id, count.first_no - 1, count.first_no, 1)}
    whole = sum(not one.group for one in found.values()) >= n_plain
    return [found[no] for no in sorted(found)], whole


def calls_before(db: Connection, run_id: str, no: int, keys: Iterable[bytes]) -> dict[bytes, TaskBrief]:
    """Give the task runs with these keys that were called before one; of a whole `.map` (by its key) the last one."""
    wanted = {key.hex(): key for key in keys}
    found: dict[bytes, TaskBrief] = {}
    if not wanted:
        return found
    for row in db.execute(sql.load("briefs")["calls_before"], (run_id, no, LOOKED_AT)):
        for name in (row[1].hex(), row[4]):
            if name in wanted:
                found[wanted.pop(name)] = _brief(row)
        if not wanted:
            break
    return found


def steps(
    db: Connection, stream: str, run_id: str, begin: int, end: int, wanted: AbstractSet[int]
) -> tuple[list[TaskStep], bool]:
    """Give the steps of some task runs between two instants, as far as events are kept, and whether all were seen.

    A writer has told of them; of a run that was taken up again it may have been an earlier one.
    """
    between = (begin - EARLY_US, end + LATE_US)
    found, whole = _told(db, "blocks_between", (*between, stream, MOST_BLOCKS), run_id, wanted)
    left = wanted - {step.no for step in found}
    if left:
        others, whole = _told(db, "blocks_of_all_between", (*between, MOST_BLOCKS), run_id, left)
        found += others
    return found, whole


def _told(
    db: Connection, query: str, values: tuple[object, ...], run_id: str, wanted: AbstractSet[int]
) -> tuple[list[TaskStep], bool]:
    """Give what blocks tell of some task runs, and whether all of these blocks were looked at."""
    found: list[TaskStep] = []
    name = run_id.encode()
    size = n_blocks = 0
    for (payload,) in db.execute(sql.load("briefs")[query], values):
        size += len(payload)
        n_blocks += 1
        for event in _block(payload).events if name in payload else ():  # most blocks are about other runs
            if isinstance(event, TaskStarted | TaskMoved) and event.run_id == run_id and event.no in wanted:
                attempt = event.attempt if isinstance(event, TaskMoved) else 1
                found.append(
                    TaskStep(
                        no=event.no, at=event.at, epoch=event.epoch, attempt=attempt, state=event.state,
                        message=event.message,
                    )
                )  # fmt: skip
        if size >= ENOUGH_BYTES:
            return found, False
    return found, n_blocks < MOST_BLOCKS


def _last(db: Connection, run_id: str) -> int:
    return int(db.execute(sql.load("briefs")["last_call"], (run_id,)).fetchone()[0] or 0)


def _read(db: Connection, query: str, *values: object) -> list[TaskBrief]:
    return [_brief(row) for row in db.execute(sql.load("briefs")[query], values)]


def _brief(row: Sequence[Any]) -> TaskBrief:
    no, key, task, name, group, state, epoch, attempt, message, upstream, created_at, started_at, ended_at = row
    return TaskBrief(
        no=no, key=key, task=task, name=name, group=group, state=state, epoch=epoch, attempt=attempt, message=message,
        upstream=tuple(upstream[at : at + 16] for at in range(0, len(upstream), 16)) if upstream else (),
        created_at=created_at, started_at=started_at, ended_at=ended_at,
    )  # fmt: skip
