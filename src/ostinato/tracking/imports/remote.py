"""MLflow's server, asked over HTTP: for records in any database, and files that only it can reach."""

from __future__ import annotations

import base64
import json
import os
import tempfile
import urllib.error
import urllib.request
from math import isnan
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import unquote, urlencode, urlsplit

import msgspec

from ostinato.core.errors import ImportStopped, ImportUnreadable
from ostinato.core.logged_models import ModelLink, ModelMetric
from ostinato.core.tracking import InputDetails, Point
from ostinato.tracking.imports.database import STATUSES
from ostinato.tracking.imports.material import (
    FoundFile,
    SourceExperiment,
    SourceLogged,
    SourceModel,
    SourceRun,
    SourceVersion,
    data,
    lifecycle,
    microseconds,
    number,
)
from ostinato.tracking.imports.places import PROXIED, URL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ostinato.core.logged_models import ModelStatus
    from ostinato.tracking.imports.material import Damaged, SourceData

API: Final = "api/2.0/mlflow"
TIMEOUT_S: Final = 60.0
PAGE: Final = 1000
FEW: Final = 100
"""On a page of models."""
PART_BYTES: Final = 1 << 20
MODEL: Final = "m-"
"""How the ids of logged models begin."""
MODEL_STATUSES: Final[dict[str, ModelStatus]] = {"LOGGED_MODEL_READY": "ready", "LOGGED_MODEL_PENDING": "pending"}
NOT_THERE: Final = 404

T = TypeVar("T", bound=msgspec.Struct)


class Pair(msgspec.Struct, frozen=True):
    """A tag or a parameter."""

    key: str
    value: str = ""


class Value(msgspec.Struct, frozen=True):
    """A value of a metric."""

    key: str
    value: float | str
    timestamp: int = 0
    step: int = 0
    run_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""

    @property
    def number(self) -> float:
        """Give it as a number: what JSON cannot say is a text."""
        return number(float(self.value))


class ExperimentWords(msgspec.Struct, frozen=True):
    """An experiment."""

    experiment_id: str
    name: str
    artifact_location: str = ""
    lifecycle_stage: str = ""
    creation_time: int = 0
    tags: tuple[Pair, ...] = ()


class RunInfo(msgspec.Struct, frozen=True):
    """What a run is."""

    run_id: str
    run_name: str = ""
    user_id: str = ""
    status: str = "RUNNING"
    lifecycle_stage: str = ""
    start_time: int = 0
    end_time: int | None = None
    artifact_uri: str = ""


class RunData(msgspec.Struct, frozen=True):
    """What a run has logged."""

    metrics: tuple[Value, ...] = ()
    params: tuple[Pair, ...] = ()
    tags: tuple[Pair, ...] = ()


class DataWords(msgspec.Struct, frozen=True):
    """A version of data."""

    name: str = ""
    digest: str = ""
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""


class InputWords(msgspec.Struct, frozen=True):
    """A version of data that a run used."""

    dataset: DataWords
    tags: tuple[Pair, ...] = ()


class LinkWords(msgspec.Struct, frozen=True):
    """A logged model that a run used or made."""

    model_id: str
    step: int = 0


class RunInputs(msgspec.Struct, frozen=True):
    """What a run used."""

    dataset_inputs: tuple[InputWords, ...] = ()
    model_inputs: tuple[LinkWords, ...] = ()


class RunOutputs(msgspec.Struct, frozen=True):
    """What a run made."""

    model_outputs: tuple[LinkWords, ...] = ()


class RunWords(msgspec.Struct, frozen=True):
    """A run."""

    info: RunInfo
    data: RunData = RunData()
    inputs: RunInputs = RunInputs()
    outputs: RunOutputs = RunOutputs()


class LoggedInfo(msgspec.Struct, frozen=True):
    """What a logged model is."""

    model_id: str
    name: str
    creation_timestamp_ms: int = 0
    artifact_uri: str = ""
    status: str = ""
    model_type: str = ""
    source_run_id: str = ""
    tags: tuple[Pair, ...] = ()


class LoggedWords(msgspec.Struct, frozen=True):
    """A logged model."""

    info: LoggedInfo
    data: RunData = RunData()


class AliasWords(msgspec.Struct, frozen=True):
    """An alias, and the version that it means."""

    alias: str
    version: int


class ModelWords(msgspec.Struct, frozen=True):
    """A registered model."""

    name: str
    description: str = ""
    creation_timestamp: int = 0
    tags: tuple[Pair, ...] = ()
    aliases: tuple[AliasWords, ...] = ()


class VersionWords(msgspec.Struct, frozen=True):
    """A version of a registered model."""

    version: int
    source: str = ""
    current_stage: str = "None"
    description: str = ""
    run_id: str = ""
    run_link: str = ""
    user_id: str = ""
    creation_timestamp: int = 0
    tags: tuple[Pair, ...] = ()


class FileWords(msgspec.Struct, frozen=True):
    """An entry of a folder."""

    path: str
    is_dir: bool = False
    file_size: int = 0


class MlflowServer:
    """A server of MLflow, as a source, and as what gives the files that it keeps or reaches."""

    folder = ""

    def __init__(self, url: str) -> None:
        """Ask whether it is one. User and password may stand in the URL, or in MLflow's variables, as a token may.

        Raises:
            ImportUnreadable: (import-unreadable) it does not answer, or is none.
        """
        parts = urlsplit(url)
        self.path = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
        user = unquote(parts.username or "") or os.environ.get("MLFLOW_TRACKING_USERNAME", "")
        password = unquote(parts.password or "") or os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
        token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
        self._headers = {"Content-Type": "application/json"}
        if user:
            self._headers["Authorization"] = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
        elif token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._keys: dict[str, tuple[str, ...]] = {}
        """Metrics of the runs that were given last."""
        try:
            self._ask("POST", "experiments/search", {"max_results": 1})
        except ImportStopped as error:
            fix = "Name the address that MLFLOW_TRACKING_URI has, with its user and password if it has some."
            raise ImportUnreadable(path=self.path, reason=str(error.values["reason"]), fix=fix) from error

    # --- what there is

    def experiments(self) -> Iterator[SourceExperiment | Damaged]:
        """Give all experiments, those that are deleted too."""
        wanted = {"view_type": "ALL", "max_results": PAGE}
        for one in self._pages("POST", "experiments/search", "experiments", ExperimentWords, wanted):
            yield SourceExperiment(
                id=one.experiment_id,
                name=one.name,
                state=lifecycle(one.lifecycle_stage),
                location=one.artifact_location,
                created_at=microseconds(one.creation_time),
                tags=_texts(one.tags),
            )

    def runs(self, experiment_id: str) -> Iterator[SourceRun | Damaged]:
        """Give the runs of an experiment, the oldest first."""
        order = ["attributes.start_time ASC"]
        wanted = {"experiment_ids": [experiment_id], "run_view_type": "ALL", "max_results": PAGE, "order_by": order}
        for one in self._pages("POST", "runs/search", "runs", RunWords, wanted):
            info, said = one.info, one.data
            self._keys = {info.run_id: tuple(metric.key for metric in said.metrics)}
            yield SourceRun(
                id=info.run_id,
                name=info.run_name,
                user=info.user_id,
                status=STATUSES.get(info.status, "running"),
                state=lifecycle(info.lifecycle_stage),
                started_at=microseconds(info.start_time),
                ended_at=microseconds(info.end_time) if info.end_time else None,
                location=info.artifact_uri,
                params=_texts(said.params),
                tags=_texts(said.tags),
                data=tuple(map(_data, one.inputs.dataset_inputs)),
                models=(
                    *(ModelLink(id=each.model_id, role="input", step=each.step) for each in one.inputs.model_inputs),
                    *(ModelLink(id=each.model_id, role="output", step=each.step) for each in one.outputs.model_outputs),
                ),
                points_mark=" ".join(f"{each.key} {each.timestamp} {each.step} {each.value}" for each in said.metrics),
            )

    def points(self, run_id: str, tell: Callable[[str], None]) -> Iterator[Point]:  # noqa: ARG002 - all can be read
        """Give all values of the metrics of a run."""
        for key in self._keys[run_id]:
            wanted = {"run_id": run_id, "metric_key": key, "max_results": 25 * PAGE}
            found = [
                Point(key, one.number, one.step, microseconds(one.timestamp))
                for one in self._pages("GET", "metrics/get-history", "metrics", Value, wanted)
            ]
            yield from sorted(found, key=lambda one: (one.step, one.at, not isnan(one.value), one.value))

    def logged_models(self, experiment_id: str) -> Iterator[SourceLogged | Damaged]:
        """Give the logged models of an experiment that are not deleted; MLflow 2 has none."""
        wanted = {"experiment_ids": [experiment_id], "max_results": FEW}
        for one in self._pages("POST", "logged-models/search", "models", LoggedWords, wanted, missing=True):
            info = one.info
            yield SourceLogged(
                id=info.model_id,
                run_id=info.source_run_id,
                name=info.name,
                status=MODEL_STATUSES.get(info.status, "failed"),
                state="active",
                model_type=info.model_type,
                location=info.artifact_uri,
                created_at=microseconds(info.creation_timestamp_ms),
                params=_texts(one.data.params),
                tags=_texts(info.tags),
                metrics=tuple(
                    ModelMetric(
                        key=each.key,
                        value=each.number,
                        step=each.step,
                        at=microseconds(each.timestamp),
                        run_id=each.run_id,
                        dataset=each.dataset_name,
                        digest=each.dataset_digest,
                    )
                    for each in one.data.metrics
                ),
            )

    def models(self) -> Iterator[SourceModel | Damaged]:
        """Give all registered models."""
        for found in self._pages(
            "GET", "registered-models/search", "registered_models", ModelWords, {"max_results": FEW}
        ):
            whole = self._ask("GET", "registered-models/get", {"name": found.name})
            one = self._read(whole.get("registered_model"), ModelWords)
            wanted = {"filter": f"name={_quoted(one.name)}", "max_results": PAGE}
            versions = self._pages("GET", "model-versions/search", "model_versions", VersionWords, wanted)
            yield SourceModel(
                name=one.name,
                description=one.description,
                tags=_texts(one.tags),
                aliases={each.alias: each.version for each in one.aliases},
                created_at=microseconds(one.creation_timestamp),
                versions=tuple(sorted(map(_version, versions), key=lambda each: each.version)),
            )

    def beside(self) -> dict[str, int]:
        """Give nothing: a server is not asked what else it has."""
        return {}

    def close(self) -> None:
        """Let go of nothing."""

    # --- files

    def is_elsewhere(self, location: str) -> bool:
        """Say whether files are in a bucket, or another place that clients reach without the server."""
        return bool(URL.match(location)) and not location.startswith(("file:", PROXIED))

    def lacks(self, location: str) -> str:  # noqa: ARG002 - the server knows
        """Give nothing: what the server does not have is not there."""
        return ""

    def of(self, location: str, owner: str) -> list[FoundFile]:
        """Give the files of a run or a model."""
        return [] if not location or self.is_elsewhere(location) else list(self._below(owner, ""))

    def _below(self, owner: str, folder: str) -> Iterator[FoundFile]:
        if owner.startswith(MODEL):
            path, wanted = f"logged-models/{owner}/artifacts/directories", {"artifact_directory_path": folder}
            place, name = f"ajax-api/2.0/mlflow/logged-models/{owner}/artifacts/files", {"artifact_file_path": ""}
        else:
            path, wanted = "artifacts/list", {"run_id": owner, "path": folder}
            place, name = "get-artifact", {"run_id": owner, "path": ""}
        wanted = {key: value for key, value in wanted.items() if value}
        for one in self._pages("GET", path, "files", FileWords, wanted, missing=True):
            if one.is_dir:
                yield from self._below(owner, one.path)
            else:
                query = urlencode({**name, list(name)[-1]: one.path})
                yield FoundFile(path=one.path, place=f"{place}?{query}", size=one.file_size, changed_ns=0)

    def open(self, file: FoundFile) -> IO[bytes]:
        """Bring a file to this machine, and open it."""
        kept = tempfile.TemporaryFile(prefix="ostinato-import-")  # noqa: SIM115 - who asks for it closes it
        try:
            with self._send("GET", file.place) as answer:
                while part := answer.read(PART_BYTES):
                    kept.write(part)
            kept.seek(0)
        except BaseException:
            kept.close()
            raise
        return kept

    # --- HTTP

    def _pages(
        self, method: str, path: str, field: str, kind: type[T], wanted: dict[str, Any], *, missing: bool = False
    ) -> Iterator[T]:
        """Give what all pages of a list have in a field; nothing when it may be `missing` there."""
        while True:
            answer = self._ask(method, path, wanted, missing=missing)
            for one in answer.get(field) or ():
                yield self._read(one, kind)
            if not answer.get("next_page_token"):
                return
            wanted["page_token"] = answer["next_page_token"]

    def _read(self, said: object, kind: type[T]) -> T:
        try:
            return msgspec.convert(said, kind, strict=False)
        except msgspec.ValidationError as error:
            raise ImportStopped(path=self.path, reason=f"it answers what is not known here: {error}") from error

    def _ask(self, method: str, path: str, wanted: dict[str, Any], *, missing: bool = False) -> dict[str, Any]:
        body = json.dumps(wanted).encode() if method == "POST" else None
        query = "" if method == "POST" or not wanted else f"?{urlencode(wanted)}"
        try:
            with self._send(method, f"{API}/{path}{query}", body) as answer:
                said = json.loads(answer.read())  # it may hold NaN, which is no JSON
        except urllib.error.HTTPError as error:
            if missing and error.code == NOT_THERE:
                return {}
            reason = f"{path} answers {error.code}: {error.read(300).decode('utf-8', 'replace').strip()}"
            raise ImportStopped(path=self.path, reason=reason) from error
        except (OSError, ValueError) as error:
            raise ImportStopped(path=self.path, reason=f"it does not answer as MLflow does: {error}") from error
        if not isinstance(said, dict):
            raise ImportStopped(path=self.path, reason="it does not answer as MLflow does")
        return said

    def _send(self, method: str, place: str, body: bytes | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - http or https, as the user wrote it
            f"{self.path}/{place}", body, self._headers, method=method
        )
        return urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310 - as above


def _data(one: InputWords) -> SourceData:
    said = one.dataset
    details = InputDetails(said.source_type, said.source, said.schema, said.profile, _texts(one.tags))
    return data(said.name, said.digest, details)


def _version(one: VersionWords) -> SourceVersion:
    return SourceVersion(
        version=one.version,
        source=one.source,
        stage=one.current_stage,
        description=one.description,
        run_id=one.run_id,
        run_link=one.run_link,
        user=one.user_id,
        tags=_texts(one.tags),
        created_at=microseconds(one.creation_timestamp),
    )


def _texts(pairs: tuple[Pair, ...]) -> dict[str, str]:
    return {one.key: one.value for one in pairs}


def _quoted(name: str) -> str:
    """Give a name as a filter has it; one with both kinds of quotes cannot be asked for."""
    return f'"{name}"' if "'" in name else f"'{name}'"
