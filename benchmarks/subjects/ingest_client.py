"""One flow process as the server sees it: sends blocks of events over HTTP and waits for each to be acknowledged.

Arguments: URL, token, number of blocks, events in a block, log lines for each task, whether a task ends in a later
block than it starts. The blocks are made first; then it
prints `ready`, waits for a line, sends, and prints its first and last instant (monotonic) as JSON.
"""

import json
import os
import sys
import time

import msgspec
from fleets import Line

from ostinato.core.events import Block, Event, Logged, RunCreated, RunMoved, Source, TaskMoved, TaskStarted
from ostinato.core.ids import new_id
from ostinato.core.names import run_name
from ostinato.core.results import Result
from ostinato.store.append import Appended, Writer

TASKS = ("load", "clean", "fit", "score")
SOURCE = Source("/srv/flows/daily.py", "daily", "/srv/flows", "/usr/bin/python3")


def task_events(run_id: str, no: int, at: int, n_logs: int) -> tuple[list[Event], list[Event]]:
    """Give the events of the start and of the end of a task run."""
    task, key = TASKS[no % 4], os.urandom(16)
    data = msgspec.msgpack.encode({"rows": no, "rmse": 6.9})
    result = Result("m", data, "", len(data), os.urandom(16))
    name = f"{task}-{key.hex()[:8]}-0"
    start = TaskStarted(run_id, 1, at, no, key, task, name, "Running", "", 0, 0, (), "5f2b7c9e01d34a66")
    logs: list[Event] = [Logged(run_id, no, at + 20, 20, "flow", f"{no} rows read") for _ in range(n_logs)]
    return [start], [*logs, TaskMoved(run_id, 1, at + 90, no, "Completed", "Running", no, 1, "", result)]


def blocks_of(n_blocks: int, size: int, n_logs: int, *, apart: bool) -> list[list[Event]]:
    """Give the events of one flow run, block by block, as the engine makes them.

    With `apart` each task starts in one block and ends in the next.
    """
    run_id, now = new_id(), time.time_ns() // 1000
    first: list[Event] = [
        RunCreated(
            run_id, 1, now, "daily", run_name(), "Pending", run_id, "", b"", 0, (), b'{"month": "2026-01"}', None, (),
            "v1", SOURCE, now,
        ),
        RunMoved(run_id, 1, now, "Running", "Pending"),
    ]  # fmt: skip
    blocks, no = [first], 0
    ends: list[Event] = []
    for _ in range(n_blocks):
        block, ends = ends, []
        for _ in range(size // (2 + n_logs)):
            no += 1
            start, end = task_events(run_id, no, now + no * 100, n_logs)
            block += start
            (ends if apart else block).extend(end)
        blocks.append(block)
    return [*blocks, ends] if ends else blocks


def main() -> None:
    url, token, n_blocks, size, n_logs, apart = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:7])
    writer = Writer(new_id(), os.getpid(), "bench", time.time_ns() // 1000)
    pack, seq, bodies = msgspec.msgpack.Encoder().encode, 1, []
    for events in blocks_of(n_blocks, size, n_logs, apart=bool(apart)):
        bodies.append((seq + len(events) - 1, pack((writer, [pack(Block(writer.stream, seq, events))]))))
        seq += len(events)
    line = Line({"url": url, "token": token})
    print("ready", flush=True)
    sys.stdin.readline()
    first = time.monotonic()
    for last_seq, body in bodies:
        status, answer = line.call("POST", "/api/rpc/append", body, "application/msgpack")
        if status != 200 or msgspec.msgpack.decode(answer, type=Appended).acked_seq != last_seq:
            raise SystemExit(f"{status}: {answer!r}")
    print(json.dumps({"first": first, "last": time.monotonic(), "n_events": seq - 1}), flush=True)


if __name__ == "__main__":
    main()
