"""Flows that run without end: the publisher, the learner and the watcher of a stream of reviews, in one process.

The numbers are those of an independent run of the same model over the same 750 reviews; the first warnings
equal, to the last digit, the log that the authors of the example published.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ostinato.core.ports import READER, resolve
from ostinato.core.query import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ostinato.core.ports import Reader
    from ostinato.core.records import FlowRun, LogLine
    from ostinato.core.states import StateName

ROOT = Path(__file__).resolve().parents[2]
STREAM = ROOT / "examples" / "sentiment" / "sentiment.py"
REVIEWS = ROOT / "data" / "yelp.csv"
WARNING = 30

FIRST_WARNINGS = [
    *(["Precision is below threshold: 0.0", "Recall is below threshold: 0.0"] * 4),
    "Recall is below threshold: 0.3333333333333333",
    "Recall is below threshold: 0.25",
    "Precision is below threshold: 0.5",
    "Recall is below threshold: 0.25",
    "Recall is below threshold: 0.4",
    "Recall is below threshold: 0.5",
    "Recall is below threshold: 0.5714285714285714",
]


def test_the_endless_flows_run_until_ctrl_c_and_every_warning_is_recorded_in_order(home: Path) -> None:
    learner, watcher = Follower("run-data-subscriber"), Follower("run-metrics-subscriber")
    with started() as stream:
        until(lambda: len(learner.scores()) == 750 and len(watcher.warnings()) == 234)
        assert states() == {
            "sentiment": "Running",
            "run-data-publisher": "Completed",
            "run-data-subscriber": "Running",
            "run-metrics-subscriber": "Running",
        }
        stream.send_signal(signal.SIGINT)
        assert stream.wait(timeout=20) != 0

    assert states() == {
        "sentiment": "Cancelled",
        "run-data-publisher": "Completed",
        "run-data-subscriber": "Cancelled",
        "run-metrics-subscriber": "Cancelled",
    }
    warnings = watcher.warnings()
    assert len(warnings) == 234
    assert sum(text.startswith("Precision") for text in warnings) == 44
    assert warnings[: len(FIRST_WARNINGS)] == FIRST_WARNINGS
    scores = learner.scores()
    assert len(scores) == 750
    assert scores[-1] == (0.7507002801120448, 0.7184986595174263)
    assert runs()["run-data-subscriber"].n_logs_dropped == 0


def test_a_killed_process_leaves_crashed_runs_and_all_that_was_reported(home: Path) -> None:
    learner = Follower("run-data-subscriber")
    with started("100000") as stream:
        until(lambda: len(learner.scores()) > 500)
        reported = learner.scores()
        stream.kill()
        stream.wait(timeout=20)

    assert states() == {
        "sentiment": "Crashed",
        "run-data-publisher": "Crashed",
        "run-data-subscriber": "Crashed",
        "run-metrics-subscriber": "Crashed",
    }
    assert Follower("run-data-subscriber").scores()[: len(reported)] == reported


def test_memory_does_not_grow_with_the_events_of_a_stream(home: Path) -> None:
    learner = Follower("run-data-subscriber")
    with started("20000") as stream:
        until(lambda: len(learner.scores()) >= 2000)
        early_mb = resident_mb(stream.pid)
        until(lambda: len(learner.scores()) >= 20_000)
        growth_mb = resident_mb(stream.pid) - early_mb
        stream.send_signal(signal.SIGINT)
        stream.wait(timeout=20)

    assert growth_mb < 40
    assert len(learner.scores()) == 20_000


def test_ctrl_c_cancels_an_endless_loop_inside_a_sync_flow(home: Path, tmp_path: Path) -> None:
    program = tmp_path / "endless.py"
    program.write_text(
        "import asyncio\n"
        "from ostinato import flow\n"
        "async def beat():\n"
        "    while True:\n"
        "        print('beat')\n"
        "        await asyncio.sleep(0.01)\n"
        "@flow(log_prints=True)\n"
        "def endless():\n"
        "    asyncio.run(beat())\n"
        "endless()\n",
        encoding="utf-8",
    )
    beats = Follower("endless")
    with started(program=program) as process:
        until(lambda: len(beats.lines()) > 3)
        assert states() == {"endless": "Running"}
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) != 0

    assert states() == {"endless": "Cancelled"}


# ------------------------------------------------------------------------------------------- the process


@contextmanager
def started(*arguments: str, program: Path = STREAM) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program of flows; kill it when the test has not ended it."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(program), *([str(REVIEWS), *arguments] if program == STREAM else [])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OSTINATO_CONSOLE": "false"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(holds: Callable[[], bool], patience_s: float = 40) -> None:
    """Wait until something holds."""
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end, f"not within {patience_s} s; the runs are {states()}"
        time.sleep(0.1)


def resident_mb(pid: int) -> float:
    """Give the resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


# ------------------------------------------------------------------------------------------- the home


@contextmanager
def reading() -> Iterator[Reader]:
    """Give a reader of the home."""
    reader: Reader = resolve(READER)()
    try:
        yield reader
    finally:
        reader.close()


def runs() -> dict[str, FlowRun]:
    """Give the one run of each flow."""
    with reading() as reader:
        return {run.flow: run for run in reader.runs(Query())[0]}


def states() -> dict[str, StateName]:
    """Give the state of each flow's run."""
    return {flow: run.state for flow, run in runs().items()}


class Follower:
    """Reads the log of a flow's one run, each line once."""

    def __init__(self, flow: str) -> None:
        self.flow = flow
        self._lines: list[LogLine] = []

    def lines(self) -> list[LogLine]:
        """Give all lines so far."""
        run = runs().get(self.flow)
        if run is not None:
            with reading() as reader:
                while page := reader.logs([run.id], after=self._lines[-1].id if self._lines else 0, limit=10_000):
                    self._lines += page
        return self._lines

    def scores(self) -> list[tuple[float, float]]:
        """Give precision and recall as the learner printed them after each review."""
        texts = [line.text.split() for line in self.lines() if line.text.startswith("precision ")]
        return [(float(precision), float(recall)) for _, precision, _, recall in texts]

    def warnings(self) -> list[str]:
        """Give what the watcher warned of."""
        return [line.text for line in self.lines() if line.level == WARNING]
