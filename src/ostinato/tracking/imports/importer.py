"""The importer: brings over what a source has, and leaves what is here already as it is.

Runs and logged models are recorded as this process records its own, so they also reach a server; experiments and the
registry are changed by commands. What makes a run whole comes last: its end, and the tag by which the next import
knows it. So an import that was interrupted is begun again, and goes on where it stopped.
"""

from __future__ import annotations

import mmap
import os
import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from ostinato.core.codec import digest
from ostinato.core.commands import (
    ChangeExperiment,
    ChangeLoggedModel,
    CreateExperiment,
    LogModelMetrics,
    TagExperiment,
)
from ostinato.core.datasets import DatasetSeen
from ostinato.core.errors import (
    ImportStopped,
    LoggedModelNotFound,
    ModelUnfit,
    PathInvalid,
    TrackedValueInvalid,
    TrackingRunNotFound,
)
from ostinato.core.logged_models import PREFIX, LoggedModelLinked, LoggedModelMade
from ostinato.core.names import run_name
from ostinato.core.paths import artifact_path
from ostinato.core.ports import COMMANDS, READER, RECORDER, resolve
from ostinato.core.tracking import (
    IMPORTED,
    FileLogged,
    InputLogged,
    MetricsLogged,
    ParamsLogged,
    Point,
    TagsLogged,
    TrackingBegun,
    TrackingChanged,
    check_experiment_name,
    check_texts,
)
from ostinato.tracking.contents import media_type
from ostinato.tracking.imports.material import Damaged
from ostinato.tracking.imports.report import Report
from ostinato.tracking.models import mlmodel

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.core.commands import Command
    from ostinato.core.events import Event
    from ostinato.core.logged_models import LoggedModel
    from ostinato.core.ports import Commands, Reader, Recorder
    from ostinato.core.tracking import Experiment, TrackingRun
    from ostinato.tracking.imports.material import Files, FoundFile, Source, SourceExperiment, SourceLogged, SourceRun

R = TypeVar("R")

MOST_POINTS: Final = 2048
"""Values of metrics that one event takes."""
SETTLED_EVENTS: Final = 2000
"""After so many events it is waited until the database has them."""
PATIENCE_S: Final = 60.0
"""Longest wait for that."""
PAGE: Final = 1000
MOST_DESCRIBED: Final = 1 << 20
"""Bytes of a file that says what a model is."""
REQUIREMENTS: Final = "requirements.txt"
RUN_NAME: Final = "mlflow.runName"
PARENT: Final = "mlflow.parentRunId"
SOURCE: Final = "mlflow.source.name"
COMMIT: Final = "mlflow.source.git.commit"

_RUN_ID: Final = re.compile(r"[0-9a-f]{32}")
_MODEL_ID: Final = re.compile(rf"{PREFIX}[0-9a-f]{{32}}")
_pack: Final = msgspec.msgpack.Encoder().encode


class Importer:
    """One import from one source."""

    def __init__(
        self,
        source: Source,
        places: Files,
        *,
        dry_run: bool = False,
        tell: Callable[[Report, str], None] | None = None,
    ) -> None:
        """Prepare; `tell` is told how far it is, and in which experiment."""
        self.source = source
        self.places = places
        self.dry_run = dry_run
        self.report = Report(source=source.path, dry_run=dry_run)
        self._tell = tell or (lambda *_: None)
        self.reader: Reader = resolve(READER)()
        self._recorder: Recorder | None = None
        self._commands: Commands = resolve(COMMANDS)()
        self._n_events = 0
        self._elsewhere: dict[str, int] = {}
        """How many runs and models have files in places that are not read, by place."""
        self._data: set[str] = set()
        """Digests of data that were recorded."""

    def take_experiments(self) -> None:
        """Import all experiments of the source, with their runs and logged models."""
        here = self._experiments_here()
        for one in self.source.experiments():
            if isinstance(one, Damaged):
                self.report.experiments.left += 1
                self.report.remark(f"{one.what}: {one.reason}")
            else:
                self._experiment(one, here.get(one.name))
        self.settle()
        self._remark_files()

    def close(self) -> None:
        """Let go of the home."""
        self.reader.close()
        self._commands.close()

    # --- writing

    def do(self, command: Command[R]) -> R | None:
        """Give the answer of a command, None in a dry run."""
        return None if self.dry_run else self._commands.do(command)

    def _record(self, event: Event) -> None:
        if self.dry_run:
            return
        if self._recorder is None:
            self._recorder = resolve(RECORDER)()
        self._recorder.record(event)
        self._n_events += 1
        if self._n_events >= SETTLED_EVENTS:
            self.settle()

    def settle(self) -> None:
        """Wait until the database has what was recorded.

        Raises:
            ImportStopped: (import-stopped) it does not take it.
        """
        self._n_events = 0
        if self._recorder is not None and not self._recorder.settle("database", PATIENCE_S):
            reason = f"the database has not taken what was imported for {PATIENCE_S:g} s"
            raise ImportStopped(path=self.source.path, reason=reason)

    # --- experiments

    def _experiments_here(self) -> dict[str, Experiment]:
        found: dict[str, Experiment] = {}
        after = ""
        while True:
            page = self.reader.experiments(states=("active", "deleted"), after=after, limit=PAGE)
            found |= {one.name: one for one in page}
            if len(page) < PAGE:
                return found
            after = page[-1].name

    def _experiment(self, one: SourceExperiment, here: Experiment | None) -> None:
        """Import an experiment with its runs and logged models."""
        tally, label = self.report.experiments, f"experiment {one.name!r}"
        try:
            check_experiment_name(one.name)
        except TrackedValueInvalid as error:
            tally.left += 1
            self.report.remark(f"{label} is left with its runs: {error.message}")
            return
        if here is not None and here.state == "deleted" and one.state == "active":
            tally.left += 1
            fix = f"`ostinato experiments restore {one.name!r}`, then import again"
            self.report.remark(f"{label} is left with its runs: here it is deleted; {fix}")
            return
        tags, is_new = self.texts("tag", one.tags, label), here is None
        if here is None:
            tally.new += 1
            root = one.location.rstrip("/") if self.places.is_elsewhere(one.location) else ""
            here = self.do(
                CreateExperiment(
                    name=one.name,
                    id=one.id,
                    created_at=one.created_at,
                    artifact_root=root,
                    tags=tags | {IMPORTED: f"mlflow:{one.id}"},
                )
            )
            if here is not None and here.id != one.id:
                self.report.remark(f"{label} has the id {here.id} here, not {one.id}")
        else:
            tally.same += 1
            missing: dict[str, str | None] = {key: text for key, text in tags.items() if key not in here.tags}
            if missing:
                self.do(TagExperiment(experiment=here.name, tags=missing))
        changed = self._runs(one, here) + self._logged_models(one, here)
        if here is not None and one.state == "deleted" and IMPORTED in here.tags and (changed or is_new):
            self.settle()
            self.do(ChangeExperiment(experiment=here.name, state="deleted"))
        self._tell(self.report, one.name)

    def texts(self, what: str, given: dict[str, str], label: str) -> dict[str, str]:
        """Give the texts that can be kept; the others are remarked."""
        try:
            check_texts(what, given)
        except TrackedValueInvalid:
            pass
        else:
            return given
        kept = {}
        for key, text in given.items():
            try:
                check_texts(what, {key: text})
            except TrackedValueInvalid as error:
                self.report.remark(f"{label}: {error.message}")
            else:
                kept[key] = text
        return kept

    # --- runs

    def _runs(self, experiment: SourceExperiment, here: Experiment | None) -> int:
        """Import the runs of an experiment; give how many were new."""
        before = self.report.runs.new
        for one in self.source.runs(experiment.id):
            if isinstance(one, Damaged):
                self.report.runs.left += 1
                self.report.remark(f"{one.what}: {one.reason}")
                continue
            self._run(one, experiment, here)
            self._tell(self.report, experiment.name)
        return self.report.runs.new - before

    def _run(self, one: SourceRun, experiment: SourceExperiment, here: Experiment | None) -> None:
        run_id = run_id_of(one.id)
        found = self.places.of(one.location, one.id)
        mark = mark_of(one, found)
        known = self._known_run(run_id)
        if known is not None and known.tags.get(IMPORTED) == mark:
            self.report.runs.same += 1
            return
        self.report.runs.new += 1
        label = f"run {one.id}"
        self._note_files(one.location, found)
        tags = self.texts("tag", {key: text for key, text in one.tags.items() if key != RUN_NAME}, label)
        parent = one.tags.get(PARENT, "")
        begun_at = one.started_at or experiment.created_at
        at = one.ended_at or begun_at
        self._record(
            TrackingBegun(
                run_id, begun_at, here.name if here is not None else experiment.name,
                one.name or one.tags.get(RUN_NAME, "") or run_name(bytes.fromhex(run_id)[:8]), one.user, begun_at,
                one.tags.get(SOURCE, ""), one.tags.get(COMMIT, ""), parent_id=run_id_of(parent) if parent else "",
                tags=tags,
            )
        )  # fmt: skip
        params = self.texts("parameter", one.params, label)
        if params:
            self._record(ParamsLogged(run_id, at, params))
        self._points(one.id, run_id, at, label)
        for used in one.data:
            if used.digest not in self._data:
                self._data.add(used.digest)
                facts = (used.name, used.source, used.fields, used.n_rows, 0, None)
                self._record(DatasetSeen(used.digest, begun_at, *facts))
            self._record(InputLogged(run_id, at, used.digest, used.name, used.context, used.details))
        for link in one.models:
            self._record(LoggedModelLinked(model_id_of(link.id), at, run_id, link.role, link.step))
        all_read = self._keep_files(run_id, found, at, label)
        self._record(TrackingChanged(run_id, at, one.status, one.ended_at, None, one.state))
        if all_read:  # else the next import tries again
            self._record(TagsLogged(run_id, at, {IMPORTED: mark}))

    def _known_run(self, run_id: str) -> TrackingRun | None:
        try:
            found = self.reader.find_tracking_run(run_id)
        except TrackingRunNotFound:
            return None
        return found if found.id == run_id else None

    def _points(self, source_id: str, run_id: str, at: int, label: str) -> None:
        """Record the values of metrics; of several for the same key, step and instant the last one."""
        if self.dry_run:
            return
        waiting: list[Point] = []
        names: dict[str, bool] = {}
        n_twice = 0
        for point in self.source.points(source_id, self.report.remark):
            if point.key not in names:
                names[point.key] = bool(self.texts("metric", {point.key: ""}, label))
            if not names[point.key]:
                continue
            if waiting and _place_of(waiting[-1]) == _place_of(point):
                n_twice += 1
                waiting[-1] = point
                continue
            if len(waiting) >= MOST_POINTS:
                self._log_points(run_id, at, waiting)
                waiting = []
            waiting.append(point)
        self._log_points(run_id, at, waiting)
        if n_twice:
            self.report.remark(f"{label}: values left, as their metric, step and instant have another: {n_twice:,}")

    def _log_points(self, run_id: str, at: int, points: list[Point]) -> None:
        if points:
            self.report.points += len(points)
            self._record(MetricsLogged(run_id, at, 1, tuple(points)))

    # --- files

    def _note_files(self, location: str, found: list[FoundFile]) -> None:
        """Count files that cannot be brought over by where they are."""
        place = location
        if not self.places.is_elsewhere(location):
            place = "" if found else self.places.lacks(location)
        if place:
            place = "/".join(place.split("/")[:3]) if place == location else place
            self._elsewhere[place] = self._elsewhere.get(place, 0) + 1

    def _remark_files(self) -> None:
        """Say where files stay."""
        for place, n in self._elsewhere.items():
            if self.places.is_elsewhere(place):
                self.report.remark(
                    f"files at {place} stay there ({n:,} runs and models): MLflow's clients read them there"
                )
            else:
                fix = "import again with --artifacts and where it is now"
                self.report.remark(f"files in {place} are left ({n:,} runs and models), it is not there: {fix}")

    def _keep_files(self, owner: str, found: list[FoundFile], at: int, label: str) -> bool:
        """Keep files of a run or a logged model; False when one could not be read, and may be another time."""
        all_read = True
        for one in found:
            try:
                path = artifact_path(one.path)
                blob = "" if self.dry_run else self._put(one)
            except PathInvalid as error:
                self.report.remark(f"{label}: {error.message}")
            except OSError as error:
                all_read = False
                self.report.remark(f"{label}: the file {one.place} cannot be read: {error.strerror or error}")
            else:
                self.report.files += 1
                self.report.file_bytes += one.size
                self._record(FileLogged(owner, at, path, blob, one.size, media_type(path)))
        return all_read

    def _put(self, one: FoundFile) -> str:
        """Keep the bytes of a file, before they are named in an event."""
        if self._recorder is None:
            self._recorder = resolve(RECORDER)()
        with self.places.open(one) as file:
            if not os.fstat(file.fileno()).st_size:  # nothing can be mapped
                return self._recorder.put_blob(b"", digest(b""))
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as content:
                return self._recorder.put_blob(content, digest(content))

    def _described(self, found: list[FoundFile], name: str) -> tuple[str, bytes, tuple[str, ...]]:
        """Give flavor, signature and requirements of a model, as its files say; nothing of it is loaded."""
        by_path = {one.path: one for one in found}
        try:
            said = mlmodel.parse(self._text(by_path.get(mlmodel.FILE)), name)
            signed = said.signed()
            required = self._text(by_path.get(REQUIREMENTS)).decode("utf-8", "replace").splitlines()
        except (ModelUnfit, OSError):
            return "", b"", ()
        lines = tuple(line.strip() for line in required if line.strip() and not line.startswith("#"))
        return said.flavor, b"" if signed is None else msgspec.json.encode(signed), lines

    def _text(self, one: FoundFile | None) -> bytes:
        """Give what a small file says, nothing where there is none."""
        if one is None or one.size > MOST_DESCRIBED:
            return b""
        with self.places.open(one) as file:
            text: bytes = file.read()
        return text

    # --- logged models

    def _logged_models(self, experiment: SourceExperiment, here: Experiment | None) -> int:
        """Import the logged models of an experiment; give how many were new."""
        pending: list[SourceLogged] = []
        for one in self.source.logged_models(experiment.id):
            if isinstance(one, Damaged):
                self.report.logged_models.left += 1
                self.report.remark(f"{one.what}: {one.reason}")
                continue
            known = self._known_model(model_id_of(one.id))
            if known is not None and (known.state == "deleted" or known.status == one.status):
                self.report.logged_models.same += 1
                continue
            found = self.places.of(one.location, one.id)
            awaited = one.status == "ready" and one.state == "active"
            if awaited and not found and not self.places.is_elsewhere(one.location):
                self.report.logged_models.left += 1
                self.report.remark(f"logged model {one.id} is left: it has no files at {one.location}")
                continue
            self.report.logged_models.new += 1
            self._logged_model(one, found, here)
            pending.append(one)
        if pending:
            self.settle()
        for one in pending:
            self._finish(one)
        return len(pending)

    def _known_model(self, model_id: str) -> LoggedModel | None:
        try:
            return self.reader.logged_model(model_id)
        except LoggedModelNotFound:
            return None

    def _logged_model(self, one: SourceLogged, found: list[FoundFile], here: Experiment | None) -> None:
        """Record a logged model as one that is pending."""
        model_id, label = model_id_of(one.id), f"logged model {one.id}"
        self._note_files(one.location, found)
        self._keep_files(model_id, found, one.created_at, label)
        flavor, signature, required = self._described(found, one.id)
        self._record(
            LoggedModelMade(
                id=model_id,
                at=one.created_at,
                run_id=run_id_of(one.run_id) if one.run_id else "",
                experiment_id=here.id if here is not None else "",
                name=one.name,
                status="pending",
                model_type=one.model_type,
                flavor=flavor,
                signature=signature,
                requirements=required,
                size=sum(file.size for file in found),
                params=self.texts("parameter", one.params, label),
                tags=self.texts("tag", one.tags, label),
            )
        )

    def _finish(self, one: SourceLogged) -> None:
        """Give a logged model its metrics, then its status: now it is whole."""
        model_id = model_id_of(one.id)
        groups: dict[tuple[str, str, str], list[Point]] = {}
        for metric in one.metrics:
            place = (run_id_of(metric.run_id), metric.dataset, metric.digest)
            groups.setdefault(place, []).append(Point(metric.key, metric.value, metric.step, metric.at))
        for (run_id, dataset, data_digest), points in groups.items():
            self.do(
                LogModelMetrics(model=model_id, run=run_id, metrics=tuple(points), dataset=dataset, digest=data_digest)
            )
        state = one.state if one.state == "deleted" else None
        self.do(ChangeLoggedModel(model=model_id, status=one.status, state=state))


def run_id_of(text: str) -> str:
    """Give the id of a run here: its own, unless ours are of another form."""
    return text if _RUN_ID.fullmatch(text) else blake2b(text.encode(), digest_size=16).hexdigest()


def model_id_of(text: str) -> str:
    """Give the id of a logged model here: its own, unless ours are of another form."""
    return text if _MODEL_ID.fullmatch(text) else PREFIX + blake2b(text.encode(), digest_size=16).hexdigest()


def mark_of(run: SourceRun, found: list[FoundFile]) -> str:
    """Give what names a run and its files as they are now: another one when anything of them changes."""
    facts: Any = (run, [(one.path, one.size, one.changed_ns) for one in found])
    return f"mlflow:{blake2b(_pack(facts), digest_size=16).hexdigest()}"


def _place_of(point: Point) -> tuple[str, int, int]:
    return point.key, point.step, point.at
