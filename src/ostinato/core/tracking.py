"""Experiments and tracking runs: their events, and the values that reading gives.

Instants are UTC microseconds. A tracking run is what MLflow calls a run: the parameters, metrics, tags
and files of one training, linked to the task run in which it was made.
"""

from __future__ import annotations

from _blake2 import blake2b  # hashlib would load OpenSSL too
from math import isnan
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from ostinato.core.errors import TrackedValueInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Lifecycle: TypeAlias = Literal["active", "deleted"]
TrackingStatus: TypeAlias = Literal["running", "scheduled", "finished", "failed", "killed"]

DEFAULT_EXPERIMENT: Final = "Default"
DEFAULT_ID: Final = "0"
IMPORTED: Final = "ostinato.imported"
"""Tag of what was brought over from elsewhere: where it was, or what it was made of."""
MOST_ID_DIGITS: Final = 19
MOST_KEY_BYTES: Final = 1000
"""Of the name of an experiment, a parameter, a metric or a tag."""
MOST_TEXT_BYTES: Final = 1 << 20
"""Of the value of a parameter or a tag."""
MOST_SHOWN: Final = 60
FIX_TEXT: Final = "Keep it as a file: log_text(text, path)."


def experiment_id(name: str, n_taken: int = 0) -> str:
    """Give the id that an experiment of this name gets, digits in text; `n_taken` when so many ids are others'."""
    if name == DEFAULT_EXPERIMENT and not n_taken:
        return DEFAULT_ID
    digest = blake2b(f"{n_taken}/{name}".encode(), digest_size=8).digest()
    return str(10**17 + int.from_bytes(digest, "big") % (9 * 10**17))


def may_be_experiment_id(text: str) -> bool:
    """Say whether an experiment other than `Default` may have this id."""
    return text.isascii() and text.isdecimal() and len(text) <= MOST_ID_DIGITS and text != DEFAULT_ID


def check_experiment_name(name: str) -> None:
    """Let a name of an experiment pass.

    Raises:
        TrackedValueInvalid: (tracked-value-invalid).
    """
    if not name.strip():
        raise TrackedValueInvalid(what="An experiment without a name", reason="it could not be found", fix="Name it.")
    _check_key("experiment name", name)


def check_texts(what: str, texts: Mapping[str, str | None]) -> None:
    """Let keys with their texts pass: parameters, tags, or metrics (which have none).

    Raises:
        TrackedValueInvalid: (tracked-value-invalid) one is empty, too long, or holds what a database does not keep.
    """
    for key, value in texts.items():
        _check_key(f"{what} name", key)
        if value is None:
            continue
        fault = _fault(value, MOST_TEXT_BYTES)
        if fault:
            raise TrackedValueInvalid(what=f"The {what} {shown(key)}", reason=f"its value {fault}", fix=FIX_TEXT)


def _check_key(what: str, key: object) -> None:
    if not isinstance(key, str):
        raise TrackedValueInvalid(what=f"The {what} {shown(str(key))}", reason="it is no text", fix="Pass a text.")
    fault = _fault(key, MOST_KEY_BYTES) if key else "is empty"
    if fault:
        raise TrackedValueInvalid(
            what=f"The {what} {shown(key)}", reason=f"it {fault}", fix="Take a name of 1 to 1,000 bytes."
        )


def _fault(text: str, most_bytes: int) -> str:
    if len(text) > most_bytes or (not text.isascii() and len(text.encode("utf-8", "replace")) > most_bytes):
        return f"is longer than {most_bytes:,} bytes"
    if "\0" in text:
        return "holds the character NUL"
    return "" if text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text) else "is no Unicode text"


def shown(text: str) -> str:
    """Give a text for a message: quoted, its beginning when it is long."""
    return repr(text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}...")


def sampled(points: Sequence[Point], n: int) -> list[Point]:
    """Give at most n (at least 4) of many points, in order: of each of equal parts the least and the greatest value.

    The first and the last one stay. What is no number is left out of a part that has numbers.

    Example:
        >>> [point.value for point in sampled([Point("m", float(v % 7), v, 0) for v in range(100)], 6)]
        [0.0, 6.0, 0.0, 6.0, 0.0, 1.0]
    """
    if len(points) <= n:
        return list(points)
    inner, n_parts = len(points) - 2, max(n - 2, 2) // 2
    chosen = [points[0]]
    for part in range(n_parts):
        begin, end = 1 + inner * part // n_parts, 1 + inner * (part + 1) // n_parts
        places = [at for at in range(begin, end) if not isnan(points[at].value)] or [begin]
        least = min(places, key=lambda at: points[at].value)
        greatest = max(places, key=lambda at: points[at].value)
        chosen += [points[at] for at in sorted({least, greatest})]
    return [*chosen, points[-1]]


class Point(msgspec.Struct, frozen=True, array_like=True):
    """One value of a metric. Of a run there is one for each key, step and instant; the newest epoch wins."""

    key: str
    value: float
    """Any double: NaN and the infinities too."""
    step: int
    at: int


# --- events


class ExperimentMade(msgspec.Struct, frozen=True, array_like=True, tag="xm"):
    """An experiment is there; nothing happens when one of this name is."""

    name: str
    at: int
    actor: str = ""
    artifact_root: str = ""
    """As the client gave it; empty for the server's own place."""
    tags: dict[str, str] = {}
    id: str = ""
    """The id that it has elsewhere; it gets another one when that is taken."""


class ExperimentChanged(msgspec.Struct, frozen=True, array_like=True, tag="xc"):
    """An experiment has another name, or was deleted or restored."""

    id: str
    at: int
    actor: str = ""
    name: str | None = None
    state: Lifecycle | None = None


class ExperimentTagged(msgspec.Struct, frozen=True, array_like=True, tag="xt"):
    """Tags of an experiment; None takes one away."""

    id: str
    at: int
    tags: dict[str, str | None]


class TrackingBegun(msgspec.Struct, frozen=True, array_like=True, tag="xb"):
    """A tracking run begins, or goes on in a newer epoch of its flow run."""

    run_id: str
    at: int
    experiment: str
    """Name; made when it is missing."""
    name: str
    actor: str = ""
    started_at: int = 0
    source: str = ""
    """File of the program."""
    version: str = ""
    """Code version of the flow, or git commit."""
    flow_run_id: str = ""
    task_no: int = 0
    task_key: bytes = b""
    parent_id: str = ""
    """Tracking run around it."""
    epoch: int = 1
    tags: dict[str, str] = {}


class TrackingChanged(msgspec.Struct, frozen=True, array_like=True, tag="xr"):
    """A tracking run ended, has another name, or was deleted or restored."""

    run_id: str
    at: int
    status: TrackingStatus | None = None
    ended_at: int | None = None
    name: str | None = None
    state: Lifecycle | None = None
    epoch: int = 0
    """In which it ended; an older one than that of the run changes nothing. 0 for who is not part of a flow run."""


class ParamsLogged(msgspec.Struct, frozen=True, array_like=True, tag="xp"):
    """Parameters of a tracking run; the first value of each stands."""

    run_id: str
    at: int
    params: dict[str, str]


class TagsLogged(msgspec.Struct, frozen=True, array_like=True, tag="xg"):
    """Tags of a tracking run; None takes one away."""

    run_id: str
    at: int
    tags: dict[str, str | None]


class MetricsLogged(msgspec.Struct, frozen=True, array_like=True, tag="xv"):
    """Values of metrics of a tracking run."""

    run_id: str
    at: int
    epoch: int
    points: tuple[Point, ...]


class FileLogged(msgspec.Struct, frozen=True, array_like=True, tag="xf"):
    """A file of a tracking run, stored by its content; a blob of "" takes it away."""

    run_id: str
    at: int
    path: str
    """Relative, `/` between its parts."""
    blob: str
    size: int
    media_type: str = ""


class InputDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a client says of a version of data that was used, in forms of its own."""

    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""
    tags: dict[str, str] = {}


class InputLogged(msgspec.Struct, frozen=True, array_like=True, tag="xi"):
    """A tracking run used a version of data."""

    run_id: str
    at: int
    digest: str
    name: str
    context: str = ""
    """What for: training, validation, ..."""
    details: InputDetails = InputDetails()


TrackingEvent: TypeAlias = (
    ExperimentMade
    | ExperimentChanged
    | ExperimentTagged
    | TrackingBegun
    | TrackingChanged
    | ParamsLogged
    | TagsLogged
    | MetricsLogged
    | FileLogged
    | InputLogged
)


# --- what reading gives


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment: tracking runs that are to be compared."""

    id: str
    name: str
    state: Lifecycle
    artifact_root: str
    created_at: int
    updated_at: int
    tags: dict[str, str]


class Latest(msgspec.Struct, frozen=True, kw_only=True):
    """The newest value of a metric: that of the highest step, then instant, then value."""

    key: str
    value: float
    step: int
    at: int


class TrackingRun(msgspec.Struct, frozen=True, kw_only=True):
    """A tracking run as it stands."""

    id: str
    experiment_id: str
    name: str
    status: TrackingStatus
    state: Lifecycle
    actor: str
    source: str
    version: str
    flow_run_id: str
    task_no: int
    parent_id: str
    epoch: int
    started_at: int
    ended_at: int | None
    created_at: int
    updated_at: int
    params: dict[str, str]
    tags: dict[str, str]
    metrics: tuple[Latest, ...]


class TrackedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a tracking run."""

    path: str
    blob: str
    """BLAKE2b-128 of its content, hex."""
    size: int
    media_type: str
    at: int


class TrackedInput(msgspec.Struct, frozen=True, kw_only=True):
    """A version of data that a tracking run used."""

    digest: str
    name: str
    context: str
    at: int
    details: InputDetails = InputDetails()
