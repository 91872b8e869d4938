"""A tracking run as this process writes it: what is logged goes into the journal and never holds up training.

What was logged wrongly is refused with an error; what cannot be recorded now is told once, and training goes on.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import mmap
import os
from _blake2 import blake2b  # hashlib would load OpenSSL too
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Self

from ostinato.core.codec import digest
from ostinato.core.errors import OstinatoError, TrackedValueInvalid
from ostinato.core.ids import new_id
from ostinato.core.paths import artifact_path
from ostinato.core.ports import RECORDER, resolve
from ostinato.core.settings import load
from ostinato.core.tracking import (
    FileLogged,
    InputLogged,
    MetricsLogged,
    ParamsLogged,
    Point,
    TagsLogged,
    TrackingBegun,
    TrackingChanged,
    check_texts,
    shown,
)
from ostinato.engine.scopes import now_us
from ostinato.tracking import contents, environment
from ostinato.tracking.collector import collector

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from types import TracebackType

    from ostinato.core.events import Event
    from ostinato.core.ports import Recorder
    from ostinato.core.tracking import TrackingStatus
    from ostinato.engine.scopes import Root, Scope

MOST_POINTS: Final = 2048
"""Values of metrics that one event takes; they wait for no more than that."""
LARGEST_STEP: Final = 1 << 63
OWN: Final = b"own"
"""Names the run that a task or flow has without `start_run`."""
CHANGES_STATUS: Final[dict[str, TrackingStatus]] = {"Completed": "finished", "Cancelled": "killed"}

_log: Final = logging.getLogger("ostinato.tracking")


class Run:
    """A tracking run. As a context manager it ends with the block: finished, or failed when the block raises."""

    def __init__(self, run_id: str, name: str, experiment: str, *, root: Root | None, outer: Run | None) -> None:
        self.id = run_id
        self.name = name
        self.experiment = experiment
        self.outer = outer
        """The run that was active when this one began."""
        self.ended = False
        self._waits: object = None
        """The mark of the collector that will flush it; a forked child has another one."""
        self._root = root
        self._epoch = root.epoch if root is not None else 1
        self._points: deque[Point] = deque()
        self._steps: dict[str, itertools.count[int]] = {}
        """The next step of each metric that is logged without one."""
        self._params: dict[str, int] = {}
        """Hash of the value of each parameter."""
        self._told = False
        self._hurries = load().durability != "relaxed"
        self._at_end: list[Any] = []
        """Called before the run ends."""

    # --- what is logged

    def log_param(self, key: str, value: Any) -> None:
        """Keep a parameter. The first value stands; another one is told and dropped."""
        self.log_params({key: value})

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Keep parameters as texts."""
        texts = {key: str(value) for key, value in params.items()}
        check_texts("parameter", texts)
        new = {}
        for key, text in texts.items():
            if self._params.setdefault(key, hash(text)) == hash(text):
                new[key] = text
            else:
                _log.warning("Parameter %s of run %s keeps its first value; %s is dropped", key, self.name, shown(text))
        if new:
            self.record(ParamsLogged(self.id, now_us(), new))

    def log_metric(self, key: str, value: float, step: int | None = None, *, time: datetime | None = None) -> None:
        """Keep a value of a metric. Without a step it has the next one of this run; without a time, now.

        Raises:
            TrackedValueInvalid: (tracked-value-invalid) the value is no number, or the step no integer of 64 bits.
        """
        at = now_us() if time is None else int(time.timestamp() * 1e6)
        steps = self._steps.get(key)
        if steps is None:
            check_texts("metric", {key: None})
            steps = self._steps.setdefault(key, itertools.count())  # another thread may have been first
        if step is None:
            step = next(steps)
        elif type(step) is not int or not -LARGEST_STEP <= step < LARGEST_STEP:
            step = _step(key, step)
        self._points.append(Point(key, value if type(value) is float else _number(key, value), step, at))
        if len(self._points) >= MOST_POINTS or self._hurries:
            self.flush()
        elif self._waits is not collector.mark:
            self._waits = collector.mark
            collector.note(self)

    def log_metrics(
        self, metrics: Mapping[str, float], step: int | None = None, *, time: datetime | None = None
    ) -> None:
        """Keep a value of each of these metrics."""
        for key, value in metrics.items():
            self.log_metric(key, value, step, time=time)

    def set_tag(self, key: str, value: Any) -> None:
        """Set a tag; None takes it away."""
        self.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags as texts; None takes one away."""
        texts = {key: None if value is None else str(value) for key, value in tags.items()}
        check_texts("tag", texts)
        if texts:
            self.record(TagsLogged(self.id, now_us(), texts))

    def log_artifact(self, file: str | os.PathLike[str], folder: str = "") -> None:
        """Keep a file, or a folder with all below it, in a folder of the run."""
        source = os.path.abspath(file)
        if not os.path.isdir(source):
            self._keep_file(source, _below(folder, os.path.basename(source)))
            return
        self.log_artifacts(source, _below(folder, os.path.basename(source)))

    def log_artifacts(self, source: str | os.PathLike[str], folder: str = "") -> bool:
        """Keep all files below a folder; False when not all could be kept."""
        kept = True
        top = os.path.abspath(source)
        if not os.path.isdir(top):
            raise NotADirectoryError(top)
        for place, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(place, name)
                kept &= self._keep_file(path, _below(folder, os.path.relpath(path, top).replace(os.sep, "/")))
        return kept

    def log_text(self, text: str, path: str) -> None:
        """Keep a text as a file."""
        self.put_file(path, text.encode("utf-8", "backslashreplace"))

    def log_dict(self, value: Any, path: str) -> None:
        """Keep a dict or list as a JSON file."""
        self.put_file(path, contents.json_bytes(value))

    def log_figure(self, figure: Any, path: str) -> None:
        """Keep a figure of matplotlib or plotly, in the format that the path ends with."""
        self.put_file(path, contents.figure_bytes(figure, path))

    def log_table(self, rows: Any, path: str) -> None:
        """Keep a table as JSON: a data frame, a list of dicts, or a dict of columns."""
        self.put_file(path, contents.table_bytes(rows))

    def put_file(self, path: str, data: bytes | memoryview) -> bool:
        """Keep bytes as a file; False when they could not be kept.

        Raises:
            PathInvalid: (path-invalid) the path leads out of the run, or is absolute.
        """
        clean = artifact_path(path)
        blob = ""
        with self._telling():
            blob = self._recorder().put_blob(data, digest(data))
            self.record(FileLogged(self.id, now_us(), clean, blob, len(data), contents.media_type(clean)))
        return bool(blob)

    def use_data(self, data_digest: str, name: str, context: str = "") -> None:
        """Note that the run used a version of data."""
        self.record(InputLogged(self.id, now_us(), data_digest, name, context))

    # --- its life

    def end(self, status: TrackingStatus = "finished") -> None:
        """End the run; what is logged afterwards is still kept."""
        if self.ended:
            return
        for call in self._at_end:
            call()
        self.ended = True
        packages = environment.packages()
        if packages:
            self.record(TagsLogged(self.id, now_us(), {"ostinato.packages": packages}))
        self.flush()
        now = now_us()
        self.record(TrackingChanged(self.id, now, status, now, epoch=self._epoch))

    def at_end(self, call: Any) -> None:
        """Have something called before the run ends."""
        self._at_end.append(call)

    def flush(self) -> None:
        """Record the values of metrics that wait."""
        self._waits = None  # first: what comes from now on is noted again
        points: list[Point] = []
        with contextlib.suppress(IndexError):
            while True:
                points.append(self._points.popleft())
        for begin in range(0, len(points), MOST_POINTS):
            part = tuple(points[begin : begin + MOST_POINTS])
            self.record(MetricsLogged(self.id, now_us(), self._epoch, part))

    def record(self, event: Event) -> None:
        """Record an event of this run; when that is not possible, it is told once."""
        with self._telling():
            push = self._root.push if self._root is not None else self._recorder().record
            push(event)

    def _recorder(self) -> Recorder:
        recorder: Recorder = self._root.recorder if self._root is not None else resolve(RECORDER)()
        return recorder

    @contextlib.contextmanager
    def _telling(self) -> Any:
        try:
            yield
        except (OstinatoError, OSError) as error:
            if not self._told:
                self._told = True
                _log.warning("Run %s goes on, and what it logs is lost: %s", self.name, error)

    def _keep_file(self, source: str, path: str) -> bool:
        with open(source, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size:  # nothing can be mapped
                return self.put_file(path, b"")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as data:
                return self.put_file(path, data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end("finished" if kind is None else "failed" if issubclass(kind, Exception) else "killed")

    def __repr__(self) -> str:
        return f"Run(id={self.id!r}, name={self.name!r}, experiment={self.experiment!r})"


class Opened:
    """The tracking runs that a task, a flow or a plain program opened: what is left open ends with it."""

    def __init__(self) -> None:
        self.own: Run | None = None
        """The one that it has without `start_run`."""
        self.runs: list[Run] = []
        self._is_over = False

    @property
    def lasting(self) -> Run | None:
        """The own run while it lasts; when all is over the one that was: a function left behind may still log."""
        return self.own if self.own is not None and (self._is_over or not self.own.ended) else None

    def add(self, run: Run) -> None:
        """Take a run that has begun."""
        self.runs = [one for one in self.runs if not one.ended]
        self.runs.append(run)

    def end(self, state: str) -> None:
        """End the runs by the state in which the task or flow ended."""
        for run in reversed(self.runs):
            run.end(CHANGES_STATUS.get(state, "failed"))
        self.runs.clear()
        self._is_over = True


def begin_run(
    scope: Scope | None,
    outer: Run | None,
    *,
    name: str,
    experiment: str,
    tags: Mapping[str, str],
    label: bytes,
    began_at: int = 0,
) -> Run:
    """Begin a tracking run in a scope; the one of the same task key and label in an earlier epoch goes on.

    It began at an instant (0: now).
    """
    root = scope.root if scope is not None else None
    facts = environment.facts(scope)
    run_id = new_id() if scope is None else _id_in(scope, label)
    run = Run(run_id, name, experiment, root=root, outer=outer)
    now = now_us()
    run.record(
        TrackingBegun(
            run_id, now, experiment, name, facts.user, began_at or now, facts.source, facts.version,
            scope.flow.id if scope is not None else "", scope.no if scope is not None else 0,
            scope.key if scope is not None else b"", outer.id if outer is not None else "",
            root.epoch if root is not None else 1, {**facts.tags, **tags},
        )
    )  # fmt: skip
    return run


def _id_in(scope: Scope, label: bytes) -> str:
    """Give an id that the same call has in every epoch."""
    words = b"/".join((scope.root.id.encode(), scope.flow.id.encode(), scope.key, label))
    return blake2b(words, digest_size=16).hexdigest()


def _number(key: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise TrackedValueInvalid(
            what=f"The metric {shown(key)}", reason=f"{shown(str(value))} is no number", fix="Log a number."
        ) from error


def _step(key: str, step: Any) -> int:
    number = getattr(step, "__index__", lambda: LARGEST_STEP)()
    if not -LARGEST_STEP <= number < LARGEST_STEP:
        what, reason = f"The metric {shown(key)}", f"its step {shown(str(step))} is no integer of 64 bits"
        raise TrackedValueInvalid(what=what, reason=reason, fix="Count steps in integers.")
    return int(number)


def _below(folder: str, path: str) -> str:
    return f"{folder.rstrip('/')}/{path}" if folder else path
