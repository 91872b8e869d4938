"""A home filled with real events, as flows would have recorded them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostinato import session
from ostinato.core.codec import digest
from ostinato.core.events import (
    ArtifactMade,
    Error,
    Event,
    Logged,
    RunCreated,
    RunMoved,
    Source,
    TaskMoved,
    TaskStarted,
)
from ostinato.core.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ostinato.core.states import StateName

START = 1_790_000_000_000_000
"""An instant in 2026."""
SECOND = 1_000_000

ERROR = Error(
    "ValueError",
    "bad row 17",
    'Traceback (most recent call last):\n  File "/code/train.py", line 12, in score\n    1 / 0\nValueError: bad row\n',
    "/code/train.py",
    12,
    "row=17, token='********'",
    "score-17",
    "Mend the row.",
)


class Filled:
    """Records runs into the configured home; `close` makes them visible."""

    def __init__(self) -> None:
        self._recorder = session.recorder()
        self._no: dict[str, int] = {}
        self._n_runs = 0

    def record(self, event: Event) -> None:
        self._recorder.record(event)

    def run(
        self,
        name: str,
        state: StateName = "Completed",
        *,
        flow: str = "train",
        at: int = START,
        took_s: float = 12.5,
        tags: tuple[str, ...] = (),
        parent: str = "",
        no: int = 0,
        parameters: bytes = b"{}",
        error: Error | None = None,
        message: str = "",
    ) -> str:
        """Record one flow run in its end state (or one on the way to it); give its id."""
        # Made one after the other, whatever the clock says.
        self._n_runs += 1
        run_id = f"{START // 1000:012x}7{self._n_runs:03x}{new_id()[16:]}"
        source = Source("/code/train.py", flow, "/code", "/usr/bin/python")
        self.record(
            RunCreated(
                run_id, 1, at, flow, name, "Pending", parent or run_id, parent, b"k" * 16 if parent else b"", no, (),
                parameters, None, tags, "v1", source, at,
            )
        )  # fmt: skip
        if state != "Pending":
            self.record(RunMoved(run_id, 1, at, "Running", "Pending"))
        if state not in ("Pending", "Running"):
            end = at + int(took_s * SECOND)
            self.record(RunMoved(run_id, 1, end, state, "Running", message, error=error))
        return run_id

    def tasks(
        self, run_id: str, task: str, states: Mapping[StateName, int], *, at: int = START, group: str = ""
    ) -> None:
        """Record so many task runs of one task in each state."""
        for state, n in states.items():
            for _ in range(n):
                no = self._no[run_id] = self._no.get(run_id, 0) + 1
                first: StateName = state if state in ("Pending", "Running", "Skipped", "Cached") else "Running"
                key = no.to_bytes(16, "big")
                name = f"{task}-{no}"
                self.record(TaskStarted(run_id, 1, at, no, key, task, name, first, "", 0, 0, (), "v1", (), "", group))
                if first != state:
                    error = ERROR if state == "Failed" else None
                    self.record(TaskMoved(run_id, 1, at + SECOND, no, state, first, no, error=error))

    def logs(self, run_id: str, lines: Sequence[tuple[int, int, str]], *, at: int = START) -> None:
        """Record log lines: task number (0 for the flow), level, text."""
        for step, (no, level, text) in enumerate(lines):
            self.record(Logged(run_id, no, at + step * 1000, level, "user", text))

    def artifact(self, run_id: str, kind: str, key: str, data: bytes) -> None:
        self.record(ArtifactMade(run_id, 0, START, key, kind, f"the {kind}", data))

    def image(self, run_id: str, key: str, data: bytes) -> None:
        blob = self._recorder.put_blob(data, digest(data))
        self.record(ArtifactMade(run_id, 0, START, key, "image", "the image", b"", blob, "image/png"))

    def settle(self) -> None:
        """Wait until all is in the database."""
        assert self._recorder.settle("database", 30)

    def close(self) -> None:
        """Deliver everything; a run that has not ended then counts as Crashed."""
        self.settle()
        session.close()
