"""The registry of models: its events, what reading gives, and the rules of aliases, stages and gates.

Instants are UTC microseconds. A version of a model is a number that is never used twice. An alias is a name for one
version; the stages Staging and Production are the aliases of these names, and a version also knows its stage.
"""

from __future__ import annotations

import re
from _blake2 import blake2b  # hashlib would load OpenSSL too
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import msgspec

from ostinato.core.errors import ModelInvalid, ModelUriInvalid, PolicyInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Stage: TypeAlias = Literal["None", "Staging", "Production", "Archived"]
Move: TypeAlias = Literal["set", "removed", "rollback", "override"]
Goal: TypeAlias = Literal["lower", "higher"]

STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
STAGE_OF: Final[dict[str, Stage]] = {"staging": "Staging", "production": "Production"}
"""Reserved aliases -> the stage of the version that has one."""
EVALUATES: Final = "ostinato.evaluates"
"""Tag of a tracking run that measures a version again, NAME/VERSION, such as a champion on newer rows."""
LONGEST_NAME: Final = 256
MOST_CHECKS: Final = 50
LONGEST_WAIT_S: Final = 31_536_000
"""For a person: a year."""

_ALIAS: Final = r"[\w-]{1,255}"
_NUMBER_LIKE: Final = r"v?\d+"
_NOT_ALIASES: Final = frozenset({"latest", "none", "archived"})
URI: Final = re.compile(r"models:/{1,3}(?P<name>[^/@]+)(?:/(?P<ref>[^/@]+)|@(?P<alias>[^/@]+))")
ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]+:/")
"""How an address begins that means the same on every machine (`c:/` does not)."""
_LEADS_OUT: Final = r"(?:^|[/\\\\]|%2f|%5c)(?:\.|%2e){2}(?:$|[/\\\\?#]|%2f|%5c)|%(?:25|00)"
_OF_RUN: Final = r"^runs:/{1,3}(?P<named>[0-9a-f]{32})/|^mlflow-artifacts:/.*?/(?P<kept>[0-9a-f]{32})/artifacts(?:/|$)"
_LOGGED: Final = r"^models:/{1,3}(?P<named>m-[0-9a-f]{32})|^mlflow-artifacts:/.*/models/(?P<kept>m-[0-9a-f]{32})/"
_CHECK_NAME: Final = r"[\w][\w.-]{0,63}"


# --- policies


class MetricBound(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="metric", forbid_unknown_fields=True
):
    """A metric of the version's tracking run lies within bounds."""

    metric: str
    max: float | None = None
    min: float | None = None


class BetterThanChampion(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="champion", forbid_unknown_fields=True
):
    """A metric is better than that of the version that has the alias, both measured on the same data."""

    metric: str
    goal: Goal = "lower"
    by: float = 0.0
    """By so much at least; a negative number lets it be so much worse."""
    data: str = ""
    """Context of the data, such as `validation`; empty for all but what was trained on."""


class SignatureFits(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="signature", forbid_unknown_fields=True
):
    """What the version that has the alias takes, this one takes too."""


class LatencyBound(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="latency", forbid_unknown_fields=True
):
    """A recorded time, in seconds, is short enough."""

    max_s: float
    metric: str = "inference_time"


class TaskPasses(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="task", forbid_unknown_fields=True):
    """A task of the user's own, called with name and version, neither fails nor gives False."""

    task: str
    """FILE:TASK, from the folder in which the promotion runs."""


class Approval(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="approval", forbid_unknown_fields=True):
    """A person says yes."""

    by: tuple[str, ...] = ()
    """Names of users who may; empty for all who may resume a run."""
    within_s: float = 86_400.0
    """How long it is waited for."""


Check: TypeAlias = MetricBound | BetterThanChampion | SignatureFits | LatencyBound | TaskPasses | Approval


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a version must pass before it gets an alias."""

    checks: dict[str, Check]
    aliases: tuple[str, ...] = ("production",)


def policy_of(text: str) -> Policy | None:
    """Give a policy from its JSON, None for an empty text."""
    return msgspec.json.decode(text, type=Policy) if text else None


def check_policy(name: str, policy: Policy) -> None:
    """Let a policy pass that can be met.

    Raises:
        PolicyInvalid: (policy-invalid).
    """
    fault = _fault_of(policy)
    if fault:
        raise PolicyInvalid(name=name, reason=fault)


def _fault_of(policy: Policy) -> str:
    if not 0 < len(policy.checks) <= MOST_CHECKS:
        return f"it has {len(policy.checks)} checks; 1 to {MOST_CHECKS} are taken"
    if not policy.aliases:
        return "it names no alias"
    for alias in policy.aliases:
        if not _is_alias(alias):
            return f"{alias!r} is no alias"
    for name, check in policy.checks.items():
        if not re.fullmatch(_CHECK_NAME, name):
            return f"{name!r} is no name of a check: use letters, digits, dots, dashes and underscores"
        if isinstance(check, MetricBound) and check.max is None and check.min is None:
            return f"check {name!r} has neither max nor min"
        if isinstance(check, Approval) and not 0 < check.within_s <= LONGEST_WAIT_S:
            return f"check {name!r} waits {check.within_s:g} s; more than 0 and at most {LONGEST_WAIT_S:g} are taken"
        if isinstance(check, TaskPasses) and not re.fullmatch(r".+\.py:\w+", check.task):
            return f"the task of check {name!r} is not written as FILE.py:TASK"
    return ""


def digest_of(check: Check) -> str:
    """Give what names a check as it is defined: another bound is another check."""
    return blake2b(msgspec.json.encode(check, order="deterministic"), digest_size=8).hexdigest()


# --- events


class ModelSet(msgspec.Struct, frozen=True, array_like=True, tag="ym"):
    """A model was made or changed; None leaves what is there."""

    name: str
    at: int
    actor: str
    description: str | None = None
    policy: str | None = None
    """JSON; empty when nothing is gated any more."""


class ModelRenamed(msgspec.Struct, frozen=True, array_like=True, tag="yn"):
    """A model has another name, and all that belongs to it."""

    name: str
    at: int
    actor: str
    new_name: str


class ModelRemoved(msgspec.Struct, frozen=True, array_like=True, tag="yx"):
    """A model was removed with all its versions."""

    name: str
    at: int
    actor: str


class ModelTagged(msgspec.Struct, frozen=True, array_like=True, tag="yt"):
    """Tags of a model, or of one of its versions; None takes one away."""

    name: str
    at: int
    actor: str
    tags: dict[str, str | None]
    version: int = 0
    """0 = the model itself."""


class VersionMade(msgspec.Struct, frozen=True, array_like=True, tag="yv"):
    """A version was registered."""

    name: str
    version: int
    at: int
    actor: str
    source: str
    """Where its files are."""
    run_id: str = ""
    """Tracking run that made it."""
    model_id: str = ""
    """Logged model that it is."""
    run_link: str = ""
    description: str = ""
    flow_run_id: str = ""
    """Flow run that registered it."""
    task_no: int = 0
    tags: dict[str, str] = {}


class VersionChanged(msgspec.Struct, frozen=True, array_like=True, tag="yc"):
    """A version has another description."""

    name: str
    version: int
    at: int
    actor: str
    description: str


class VersionRemoved(msgspec.Struct, frozen=True, array_like=True, tag="yd"):
    """A version was removed."""

    name: str
    version: int
    at: int
    actor: str


class AliasMoved(msgspec.Struct, frozen=True, array_like=True, tag="ya"):
    """An alias means another version."""

    name: str
    alias: str
    at: int
    actor: str
    version: int
    """0 = none any more."""
    previous: int
    how: Move
    gate_run_id: str = ""
    """Flow run whose checks let it pass."""
    reason: str = ""


class StageMoved(msgspec.Struct, frozen=True, array_like=True, tag="ys"):
    """A version has another stage."""

    name: str
    version: int
    at: int
    actor: str
    stage: Stage
    previous: Stage


class GateChecked(msgspec.Struct, frozen=True, array_like=True, tag="yg"):
    """A check of a policy gave a result for a version that is to get an alias."""

    name: str
    version: int
    alias: str
    check: str
    at: int
    actor: str
    digest: str
    """Of the check as it was defined."""
    passed: bool
    detail: str
    champion: int
    """Version that had the alias, or had it last; 0 = none."""
    gate_run_id: str


RegistryEvent: TypeAlias = (
    ModelSet
    | ModelRenamed
    | ModelRemoved
    | ModelTagged
    | VersionMade
    | VersionChanged
    | VersionRemoved
    | AliasMoved
    | StageMoved
    | GateChecked
)


# --- what reading gives


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A registered model."""

    name: str
    description: str
    policy: Policy | None
    last_version: int
    """Highest number given so far; 0 = none."""
    actor: str
    created_at: int
    updated_at: int
    tags: dict[str, str]
    aliases: dict[str, int]


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a registered model."""

    name: str
    version: int
    description: str
    source: str
    run_id: str
    model_id: str
    run_link: str
    stage: Stage
    actor: str
    flow_run_id: str
    task_no: int
    created_at: int
    updated_at: int
    tags: dict[str, str]
    aliases: tuple[str, ...]


class AliasStep(msgspec.Struct, frozen=True, kw_only=True):
    """One move of an alias; `id` grows in commit order."""

    id: int
    at: int
    name: str
    alias: str
    version: int
    previous: int
    how: Move
    actor: str
    gate_run_id: str
    reason: str


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one check gave."""

    id: int
    at: int
    name: str
    version: int
    alias: str
    check: str
    digest: str
    passed: bool
    detail: str
    champion: int
    gate_run_id: str
    actor: str


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of a version, and the data on which a tracking run measured it."""

    run_id: str
    value: float
    digests: frozenset[str]


class DataUse(msgspec.Struct, frozen=True, kw_only=True):
    """A version of data that went into something."""

    digest: str
    name: str
    context: str
    via: Literal["tracking-run", "flow-run"]
    """What used it: the tracking run of the version (or the one around it), or some task of the same flow run."""
    run_id: str
    """Its id."""


class VersionOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a version of a model comes from; empty where nothing is recorded."""

    name: str
    version: int
    source: str
    model_id: str
    run_id: str
    """Tracking run that made it."""
    run_name: str = ""
    experiment_id: str = ""
    experiment: str = ""
    code_version: str = ""
    """Code version of the flow, or git commit."""
    code_file: str = ""
    flow_run_id: str = ""
    flow_run: str = ""
    """Its name."""
    flow: str = ""
    root_run_id: str = ""
    task_no: int = 0
    """Task run that made it; 0 = none."""
    task_run: str = ""
    """Its name."""
    task_version: str = ""
    """Hash of the task's code."""
    data: tuple[DataUse, ...] = ()


class DataModel(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a model that some data went into."""

    name: str
    version: int
    stage: Stage
    run_id: str
    context: str
    via: Literal["tracking-run", "flow-run"]


# --- names


def check_model_name(name: str) -> None:
    """Let the name of a model pass.

    Raises:
        ModelInvalid: (model-invalid).
    """
    reason = ""
    if not name.strip():
        reason = "it is empty"
    elif len(name) > LONGEST_NAME:
        reason = f"it is longer than {LONGEST_NAME} characters"
    elif any(sign in name for sign in "/:@"):
        reason = "it has one of the signs / : @, which part it from its version in `models:/NAME/VERSION`"
    elif not name.isprintable():
        reason = "it is no printable text"
    elif name in (".", ".."):
        reason = "it means another place in the address of a page or a file"
    if reason:
        raise ModelInvalid(what=f"the name {name!r}", reason=reason)


def alias_of(text: str) -> str:
    """Give an alias as it is kept: one that is a stage in lower case, any other as it is.

    Raises:
        ModelInvalid: (model-invalid).

    Example:
        >>> alias_of("Production"), alias_of("champion")
        ('production', 'champion')
    """
    if not _is_alias(text):
        reason = "use letters, digits, dashes and underscores, and no number, `latest`, `none` or `archived`"
        raise ModelInvalid(what=f"the alias {text!r}", reason=reason)
    return text.lower() if text.lower() in STAGE_OF else text


def _is_alias(text: str) -> bool:
    lower = text.lower()
    return (
        re.fullmatch(_ALIAS, text) is not None and lower not in _NOT_ALIASES and not re.fullmatch(_NUMBER_LIKE, lower)
    )


def stage_of(text: str) -> Stage:
    """Give a stage by its name in any case.

    Raises:
        ModelInvalid: (model-invalid).
    """
    for stage in STAGES:
        if text.lower() == stage.lower():
            return stage
    raise ModelInvalid(what=f"the stage {text!r}", reason=f"the stages are {', '.join(STAGES)}")


def split_uri(uri: str) -> tuple[str, str]:
    """Give the name of a model, and which version is meant: a number, an alias as `@alias`, a stage, or `latest`.

    Raises:
        ModelUriInvalid: (model-uri-invalid).

    Example:
        >>> split_uri("models:/ride-duration@champion"), split_uri("models:/ride-duration/3")
        (('ride-duration', '@champion'), ('ride-duration', '3'))
    """
    found = URI.fullmatch(uri)
    if found is None:
        raise ModelUriInvalid(uri=uri)
    return found["name"], found["ref"] or f"@{found['alias']}"


def traced(source: str) -> tuple[str, str]:
    """Give the tracking run and the logged model that the files of a source belong to, each "" when it says none.

    Raises:
        ModelInvalid: (model-invalid) it is a place on some machine's disk, or leads out of where it begins.

    Example:
        >>> traced("mlflow-artifacts:/0/0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a/artifacts/model")[0][:4]
        '0a0a'
    """
    reason = ""
    if not ADDRESS.match(source) or source.startswith("file:"):
        reason = "it is no address that others can reach, such as runs:/RUN/model or s3://bucket/model"
    elif re.search(_LEADS_OUT, source, re.IGNORECASE):
        reason = "it leads out of the place where it begins"
    if reason:
        raise ModelInvalid(what=f"the source {source!r}", reason=reason)
    run, logged = re.match(_OF_RUN, source), re.match(_LOGGED, source)
    return _either(run), _either(logged)


def _either(found: re.Match[str] | None) -> str:
    return "" if found is None else found["named"] or found["kept"]


# --- rules


def fallen_back(history: Iterable[AliasStep], there: frozenset[int]) -> list[int]:
    """Give the versions to which an alias can go back, the nearest first, from its history, the oldest first.

    A rollback takes back what came after: going back twice does not lead forward again. `there` are the versions
    that still exist.
    """
    stack: list[int] = []
    for step in history:
        if step.how == "rollback":
            while stack and stack[-1] != step.version:
                stack.pop()
            stack = stack or [step.version]
        elif step.version and (not stack or stack[-1] != step.version):
            stack.append(step.version)
    current = stack.pop() if stack else 0
    found = (version for version in reversed(stack) if version in there and version != current)
    return list(dict.fromkeys(found))


def unmet(policy: Policy, results: Mapping[str, GateResult], champion: int) -> list[str]:
    """Say, for each check that does not let a version have the alias, why; `champion` has it now, or had it last."""
    found = []
    for name, check in policy.checks.items():
        result = results.get(name)
        if result is None:
            found.append(f"{name}: not checked")
        elif result.digest != digest_of(check):
            found.append(f"{name}: checked by an older policy")
        elif not result.passed:
            found.append(f"{name}: {result.detail}")
        elif isinstance(check, BetterThanChampion | SignatureFits) and result.champion != champion:
            found.append(f"{name}: compared with {_version(result.champion)}, the champion is {_version(champion)}")
    return found


def _version(number: int) -> str:
    return f"version {number}" if number else "no version"


def judge_bound(metric: str, value: float | None, low: float | None, high: float | None) -> tuple[bool, str]:
    """Say whether a metric lies within bounds, and why. What is no number lies nowhere."""
    if value is None:
        return False, f"{metric} is not recorded"
    if high is not None and not value <= high:
        return False, f"{metric} is {value:g}, at most {high:g} is wanted"
    if low is not None and not value >= low:
        return False, f"{metric} is {value:g}, at least {low:g} is wanted"
    bounds = [f"{sign} {bound:g}" for sign, bound in ((">=", low), ("<=", high)) if bound is not None]
    return True, f"{metric} is {value:g} ({' and '.join(bounds)})"


def judge_against(
    check: BetterThanChampion, candidate: Iterable[Measured], champion: Iterable[Measured], number: int
) -> tuple[bool, str]:
    """Say whether a version is better than the champion, version `number`, on data that both were measured on."""
    theirs = list(champion)
    mine = list(candidate)
    if not number:
        return True, "no version has had the alias"
    if not any(one.digests for one in mine):
        return False, f"{check.metric} is not recorded on a known version of data"
    pairs = [(one, other) for one in mine for other in theirs if one.digests and one.digests == other.digests]
    if not pairs:
        return False, f"version {number} has no {check.metric} on the same data"
    one, other = pairs[0]
    gain = other.value - one.value if check.goal == "lower" else one.value - other.value
    data = ", ".join(sorted(digest[:12] for digest in one.digests))
    said = f"{check.metric} is {one.value:g}, that of version {number} {other.value:g}, on data {data}"
    passed = gain >= check.by if check.by else gain > 0
    if passed:
        return True, said
    wanted = f" by {check.by:g}" if check.by else ""
    return False, f"{said}: not {check.goal}{wanted}"
