"""What an import is made of: experiments, runs and models as MLflow has them, and who gives them."""

from __future__ import annotations

import math
import sys
from typing import IO, TYPE_CHECKING, Final, Protocol, TypeVar

import msgspec

from ostinato.core.datasets import Field
from ostinato.core.logged_models import ModelLink, ModelMetric, ModelStatus
from ostinato.core.tracking import InputDetails, Lifecycle, TrackingStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ostinato.core.tracking import Point

S = TypeVar("S", bound=msgspec.Struct)

CONTEXT: Final = "mlflow.data.context"
MOST_MS: Final = (1 << 62) // 1000
"""Beyond all instants."""
LARGEST: Final = sys.float_info.max
"""What MLflow's database has in place of infinity."""


class Damaged(msgspec.Struct, frozen=True, kw_only=True):
    """Something that cannot be read."""

    what: str
    reason: str


class FoundFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a run or a model."""

    path: str
    """Relative, `/` between its parts."""
    place: str
    """Where it is read from: a path, or an address."""
    size: int
    changed_ns: int


class SourceExperiment(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment."""

    id: str
    name: str
    state: Lifecycle
    location: str
    """Where the files of its runs are: a path or a URL."""
    created_at: int
    tags: dict[str, str]


class SourceData(msgspec.Struct, frozen=True, kw_only=True):
    """A version of data that a run used."""

    name: str
    digest: str
    context: str
    source: str
    fields: tuple[Field, ...]
    n_rows: int | None
    details: InputDetails


class SourceRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run, without the values of its metrics."""

    id: str
    name: str
    user: str
    status: TrackingStatus
    state: Lifecycle
    started_at: int
    """0 when it is not known."""
    ended_at: int | None
    location: str
    """Where its files are: a path or a URL."""
    params: dict[str, str]
    tags: dict[str, str]
    data: tuple[SourceData, ...]
    models: tuple[ModelLink, ...]
    """Logged models that it used and made."""
    points_mark: str
    """Another one when there are other values of metrics."""


class SourceLogged(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model of MLflow 3."""

    id: str
    run_id: str
    name: str
    status: ModelStatus
    state: Lifecycle
    model_type: str
    location: str
    created_at: int
    params: dict[str, str]
    tags: dict[str, str]
    metrics: tuple[ModelMetric, ...]


class SourceVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a registered model."""

    version: int
    source: str
    stage: str
    description: str
    run_id: str
    run_link: str
    user: str
    tags: dict[str, str]
    created_at: int


class SourceModel(msgspec.Struct, frozen=True, kw_only=True):
    """A registered model."""

    name: str
    description: str
    tags: dict[str, str]
    aliases: dict[str, int]
    created_at: int
    versions: tuple[SourceVersion, ...]

    @property
    def is_prompt(self) -> bool:
        """Whether MLflow keeps a prompt in its place."""
        return self.tags.get("mlflow.prompt.is_prompt", "").lower() == "true"


class Source(Protocol):
    """Gives all that MLflow has recorded in one place."""

    path: str
    """What people call it."""
    folder: str
    """Where relative locations begin."""

    def experiments(self) -> Iterator[SourceExperiment | Damaged]:
        """Give all experiments, those that are deleted too."""

    def runs(self, experiment_id: str) -> Iterator[SourceRun | Damaged]:
        """Give the runs of an experiment."""

    def points(self, run_id: str, tell: Callable[[str], None]) -> Iterator[Point]:
        """Give all values of the metrics of a run by key, step and instant, of those for one instant the largest last.

        Only a run that was given last; `tell` is told of what cannot be read.
        """

    def logged_models(self, experiment_id: str) -> Iterator[SourceLogged | Damaged]:
        """Give the logged models of an experiment."""

    def models(self) -> Iterator[SourceModel | Damaged]:
        """Give all registered models."""

    def beside(self) -> dict[str, int]:
        """Give what else is there, and how much of it: nothing of it is imported."""

    def close(self) -> None:
        """Let go."""


class Files(Protocol):
    """Gives the files of runs and models."""

    def is_elsewhere(self, location: str) -> bool:
        """Say whether a location is a URL of another kind than a path, such as `s3://bucket/1`."""

    def lacks(self, location: str) -> str:
        """Give the folder above all experiments when it is not there; "" when it is, and has no such files."""

    def of(self, location: str, owner: str) -> list[FoundFile]:
        """Give the files of a run or a model that can be read."""

    def open(self, file: FoundFile) -> IO[bytes]:
        """Open one of them for reading, as a file of this machine.

        Raises:
            OSError: it cannot be read.
        """


def microseconds(ms: int | None) -> int:
    """Give an instant of MLflow as ours, 0 for one that there is not."""
    return ms * 1000 if ms is not None and -MOST_MS < ms < MOST_MS else 0


def number(value: float | None, *, is_nan: bool = False) -> float:
    """Give a value of a metric from the columns of MLflow's database, which has neither NaN nor infinity."""
    if is_nan or value is None:
        return math.nan
    return math.copysign(math.inf, value) if abs(value) >= LARGEST else value


def lifecycle(text: str | None) -> Lifecycle:
    """Give a life cycle stage of MLflow as ours."""
    return "deleted" if text == "deleted" else "active"


def details_of(
    source_type: str | None, source: str | None, schema: str | None, profile: str | None, tags: dict[str, str]
) -> InputDetails:
    """Give what MLflow has written of a version of data; of some it has not."""
    return InputDetails(source_type or "", source or "", schema or "", profile or "", tags)


def data(name: str, digest: str, details: InputDetails) -> SourceData:
    """Give a version of data, by what MLflow has written of it as JSON."""
    tags = dict(details.tags)
    context = tags.pop(CONTEXT, "")
    columns = _decoded(details.schema, _Schema).mlflow_colspec
    place = _decoded(details.source, _Place)
    return SourceData(
        name=name,
        digest=digest,
        context=context,
        source=place.uri or place.url or place.path,
        fields=tuple(Field(str(one.name), str(one.type)) for one in columns),
        n_rows=_decoded(details.profile, _Profile).num_rows,
        details=msgspec.structs.replace(details, tags=tags),
    )


class _Column(msgspec.Struct, frozen=True):
    name: str | int = ""
    type: object = ""


class _Schema(msgspec.Struct, frozen=True):
    mlflow_colspec: tuple[_Column, ...] = ()


class _Place(msgspec.Struct, frozen=True):
    uri: str = ""
    url: str = ""
    path: str = ""


class _Profile(msgspec.Struct, frozen=True):
    num_rows: int | None = None


def _decoded(text: str, kind: type[S]) -> S:
    """Give what a JSON text says, nothing where it says something else."""
    try:
        return msgspec.json.decode(text or "{}", type=kind)
    except msgspec.MsgspecError:
        return kind()
