"""Commands over models, versions, aliases and stages. Every move of an alias passes `_let_pass` here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core import registry as rules
from ostinato.core import signatures
from ostinato.core.errors import (
    AliasNotFound,
    BadOption,
    GateRefused,
    ModelExists,
    ModelInvalid,
    PolicyInvalid,
    RollbackRefused,
    RunNotFound,
)
from ostinato.core.events import Audited
from ostinato.core.inputs import user_of
from ostinato.core.registry import (
    STAGE_OF,
    AliasMoved,
    Approval,
    BetterThanChampion,
    GateChecked,
    LatencyBound,
    MetricBound,
    ModelRemoved,
    ModelRenamed,
    ModelSet,
    ModelTagged,
    SignatureFits,
    StageMoved,
    VersionChanged,
    VersionMade,
    VersionRemoved,
)
from ostinato.core.tracking import check_texts
from ostinato.store import logged_models, registry, sql

if TYPE_CHECKING:
    from ostinato.core.commands import (
        CreateModel,
        CreateVersion,
        DescribeModel,
        DescribeVersion,
        OverrideGate,
        RecordCheck,
        RemoveAlias,
        RemoveModel,
        RemoveVersion,
        RenameModel,
        RollBack,
        SetAlias,
        SetPolicy,
        SetStage,
        TagModel,
    )
    from ostinato.core.registry import Check, GateResult, Model, ModelVersion, Move
    from ostinato.store.transaction import Tx

MOST_STEPS: Final = 10_000
"""Moves of an alias that a rollback looks back on."""
LONGEST_TEXT: Final = 100_000
"""Characters of a description, a source or a reason."""
LONGEST_ID: Final = 256

# --- models


def create_model(tx: Tx, command: CreateModel) -> Model:
    """Make a model of a name that none has."""
    rules.check_model_name(command.name)
    if registry.model(tx.db, command.name) is not None:
        raise ModelExists(name=command.name)
    check_lengths(command.description)
    check_texts("tag", command.tags)
    _make_model(tx, command.name, command.description)
    if command.tags:
        tx.append(ModelTagged(command.name, tx.now, tx.actor, dict(command.tags)))
    return registry.find_model(tx.db, command.name)


def _make_model(tx: Tx, name: str, description: str = "") -> None:
    tx.append(ModelSet(name, tx.now, tx.actor, description, ""))


def describe_model(tx: Tx, command: DescribeModel) -> Model:
    """Give a model another description."""
    check_lengths(command.description)
    found = registry.find_model(tx.db, command.name)
    tx.append(ModelSet(found.name, tx.now, tx.actor, command.description))
    return registry.find_model(tx.db, found.name)


def rename_model(tx: Tx, command: RenameModel) -> Model:
    """Give a model a name that none has."""
    found = registry.find_model(tx.db, command.name)
    rules.check_model_name(command.new_name)
    if registry.model(tx.db, command.new_name) is not None:
        raise ModelExists(name=command.new_name)
    tx.append(
        ModelRenamed(found.name, tx.now, tx.actor, command.new_name),
        Audited(tx.now, tx.actor, "rename-model", found.name, command.new_name),
    )
    return registry.find_model(tx.db, command.new_name)


def remove_model(tx: Tx, command: RemoveModel) -> None:
    """Remove a model with all its versions."""
    found = registry.find_model(tx.db, command.name)
    tx.append(
        ModelRemoved(found.name, tx.now, tx.actor),
        Audited(tx.now, tx.actor, "remove-model", found.name, f"{found.last_version} versions made"),
    )


def tag_model(tx: Tx, command: TagModel) -> None:
    """Set and take away tags of a model or a version."""
    check_texts("tag", command.tags)
    if command.version:
        registry.get_version(tx.db, command.name, command.version)
    else:
        registry.find_model(tx.db, command.name)
    tx.append(ModelTagged(command.name, tx.now, tx.actor, command.tags, command.version))


def set_policy(tx: Tx, command: SetPolicy) -> Model:
    """Say what versions must pass before they get an alias."""
    found = registry.find_model(tx.db, command.name)
    policy = command.policy
    if policy is not None:
        rules.check_policy(command.name, policy)
        policy = msgspec.structs.replace(policy, aliases=tuple(dict.fromkeys(map(rules.alias_of, policy.aliases))))
    text = "" if policy is None else msgspec.json.encode(policy).decode()
    said = "none" if policy is None else ", ".join(policy.checks)
    tx.append(
        ModelSet(found.name, tx.now, tx.actor, policy=text),
        Audited(tx.now, tx.actor, "set-policy", found.name, said),
    )
    return registry.find_model(tx.db, found.name)


# --- versions


def create_version(tx: Tx, command: CreateVersion) -> ModelVersion:
    """Register a version: one transaction writes at a time, so each gets a number of its own.

    A task that is run again, and registers the same files again, gets the version that it has made.
    """
    check_lengths(command.description, command.source, command.run_link)
    check_texts("tag", command.tags)
    for said in (command.run_id, command.model_id, command.flow_run_id):
        if len(said) > LONGEST_ID:
            raise ModelInvalid(what=f"the id {said[:30]!r}...", reason=f"it is longer than {LONGEST_ID} characters")
    run_id, model_id = _origin_of(tx, command)
    call = (command.flow_run_id, command.task_no, command.name, command.source)
    row = tx.db.execute(sql.load("registry")["version_of_call"], call).fetchone()
    if row is not None:
        return registry.get_version(tx.db, command.name, row[0])
    found = registry.model(tx.db, command.name)
    if found is None and command.make_model:
        rules.check_model_name(command.name)
        _make_model(tx, command.name)
    number = registry.find_model(tx.db, command.name).last_version + 1
    tx.append(
        VersionMade(
            command.name, number, tx.now, tx.actor, command.source, run_id, model_id,
            command.run_link, command.description, command.flow_run_id, command.task_no, command.tags,
        )
    )  # fmt: skip
    return registry.get_version(tx.db, command.name, number)


def _origin_of(tx: Tx, command: CreateVersion) -> tuple[str, str]:
    """Give tracking run and logged model of a version: those that its files belong to, and no others.

    Raises:
        ModelInvalid: (model-invalid) it is said to be made by another run than its files.
    """
    run_id, model_id = rules.traced(command.source)
    copied = rules.URI.fullmatch(command.source)
    if copied is not None and not model_id:
        other = registry.find_version(tx.db, *rules.split_uri(command.source))
        run_id, model_id = other.run_id, other.model_id
    if command.model_id and model_id in ("", command.model_id):
        model_id = command.model_id
    if model_id:
        run_id = logged_models.logged_model(tx.db, model_id).run_id or run_id
    for said, known, what in ((command.run_id, run_id, "tracking run"), (command.model_id, model_id, "logged model")):
        if said and known and said != known:
            raise ModelInvalid(what=f"a version of {what} {said}", reason=f"its source belongs to {known}")
    return run_id or command.run_id, model_id


def describe_version(tx: Tx, command: DescribeVersion) -> ModelVersion:
    """Give a version another description."""
    check_lengths(command.description)
    found = registry.get_version(tx.db, command.name, command.version)
    tx.append(VersionChanged(found.name, found.version, tx.now, tx.actor, command.description))
    return registry.get_version(tx.db, found.name, found.version)


def remove_version(tx: Tx, command: RemoveVersion) -> None:
    """Remove a version, and the aliases that mean it."""
    found = registry.get_version(tx.db, command.name, command.version)
    for alias in found.aliases:
        _leave(tx, found, alias)
    tx.append(
        VersionRemoved(found.name, found.version, tx.now, tx.actor),
        Audited(tx.now, tx.actor, "remove-version", f"{found.name}/{found.version}", ",".join(found.aliases)),
    )


# --- aliases and stages


def set_alias(tx: Tx, command: SetAlias) -> ModelVersion:
    """Let an alias mean a version, when its gate lets it pass."""
    alias = rules.alias_of(command.alias)
    found = registry.get_version(tx.db, command.name, command.version)
    if alias in found.aliases:
        return found
    return _move(tx, found, alias, "set", _let_pass(tx, found, alias))


def remove_alias(tx: Tx, command: RemoveAlias) -> None:
    """Let an alias mean nothing any more; the version that had a stage by it has none."""
    alias = rules.alias_of(command.alias)
    number = registry.holder(tx.db, command.name, alias)
    if not number:
        registry.find_model(tx.db, command.name)
        raise AliasNotFound(name=command.name, alias=command.alias)
    found = registry.get_version(tx.db, command.name, number)
    _drop(tx, found, alias, 0)
    if alias in STAGE_OF:
        for other in _in_stage(tx, found.name, STAGE_OF[alias], 0):
            _stage(tx, other, "None")


def set_stage(tx: Tx, command: SetStage) -> ModelVersion:
    """Give a version a stage: Staging and Production by their aliases, through the same gate."""
    found = registry.get_version(tx.db, command.name, command.version)
    stage = command.stage
    if found.stage == stage and not command.archive_existing:
        return found  # it may have the stage beside another one that has the alias
    alias = stage.lower()
    if alias in STAGE_OF:
        gate_run_id = "" if alias in found.aliases else _let_pass(tx, found, alias)
        return _move(tx, found, alias, "set", gate_run_id, archive=command.archive_existing)
    old = found.stage.lower()
    _stage(tx, found, stage)
    if old in found.aliases:
        _leave(tx, found, old)
    return registry.get_version(tx.db, found.name, found.version)


def roll_back(tx: Tx, command: RollBack) -> ModelVersion:
    """Let an alias mean a version again that had it: it has passed the gate, or somebody let it pass."""
    alias = rules.alias_of(command.alias)
    registry.find_model(tx.db, command.name)
    steps = registry.alias_steps(tx.db, command.name, alias=alias, limit=MOST_STEPS)
    numbers = {step.version for step in steps if step.version}
    there = frozenset(one for one in numbers if registry.version(tx.db, command.name, one) is not None)
    ways = rules.fallen_back(reversed(steps), there)
    if not ways:
        raise RollbackRefused(name=command.name, alias=alias, reason="no other version has had it before")
    if command.version and command.version not in ways:
        known = ", ".join(map(str, ways))
        raise RollbackRefused(name=command.name, alias=alias, reason=f"those that had it before are {known}")
    number = command.version or ways[0]
    previous = registry.holder(tx.db, command.name, alias)
    found = registry.get_version(tx.db, command.name, number)
    tx.append(Audited(tx.now, tx.actor, "roll-back", f"{found.name}@{alias}", f"{previous} -> {number}"))
    return _move(tx, found, alias, "rollback", "")


def override_gate(tx: Tx, command: OverrideGate) -> ModelVersion:
    """Let an alias mean a version whatever its checks say."""
    alias = rules.alias_of(command.alias)
    found = registry.get_version(tx.db, command.name, command.version)
    reason = command.reason.strip()
    if not reason:
        fix = "Say why: it is kept with your name."
        raise BadOption(option="reason", value="", where="an override", reason="it is empty", fix=fix)
    check_lengths(reason)
    tx.append(Audited(tx.now, tx.actor, "override-gate", f"{found.name}/{found.version}@{alias}", reason))
    return _move(tx, found, alias, "override", "", reason)


def _let_pass(tx: Tx, one: ModelVersion, alias: str) -> str:
    """Let a version have an alias if what its checks recorded allows it; give the flow run that checked it.

    Raises:
        GateRefused: (gate-refused) names the checks that do not let it pass.
    """
    policy = registry.find_model(tx.db, one.name).policy
    if policy is None or alias not in policy.aliases:
        return ""
    gate_run_id, results = registry.newest_results(tx.db, one.name, one.version, alias)
    reasons = rules.unmet(policy, results, registry.champion(tx.db, one.name, alias))
    if reasons:
        raise GateRefused(name=one.name, version=one.version, alias=alias, reasons="; ".join(reasons))
    return gate_run_id


def _move(
    tx: Tx,
    one: ModelVersion,
    alias: str,
    how: Move,
    gate_run_id: str,
    reason: str = "",
    *,
    archive: bool = True,
) -> ModelVersion:
    """Let an alias mean a version; the stage of one that is a stage follows."""
    previous = registry.holder(tx.db, one.name, alias)
    if previous != one.version:
        tx.append(
            AliasMoved(one.name, alias, tx.now, tx.actor, one.version, previous, how, gate_run_id, reason),
        )
    stage = STAGE_OF.get(alias)
    if stage is not None:
        old = one.stage.lower()
        _stage(tx, one, stage)
        if old != alias and old in one.aliases:
            _leave(tx, one, old)
        if archive:
            for other in _in_stage(tx, one.name, stage, one.version):
                _stage(tx, other, "Archived")
    return registry.get_version(tx.db, one.name, one.version)


def _leave(tx: Tx, one: ModelVersion, alias: str) -> None:
    """Take an alias from a version; one that is a stage goes to the highest other version of the stage."""
    stage = STAGE_OF.get(alias)
    other = 0
    if stage is not None:
        (highest,) = tx.db.execute(sql.load("registry")["newest_in_stage"], (one.name, stage, one.version)).fetchone()
        other = highest or 0
    _drop(tx, one, alias, other)


def _drop(tx: Tx, one: ModelVersion, alias: str, other: int) -> None:
    how: Move = "set" if other else "removed"
    tx.append(AliasMoved(one.name, alias, tx.now, tx.actor, other, one.version, how))


def _stage(tx: Tx, one: ModelVersion, stage: rules.Stage) -> None:
    if one.stage != stage:
        tx.append(StageMoved(one.name, one.version, tx.now, tx.actor, stage, one.stage))


def _in_stage(tx: Tx, name: str, stage: rules.Stage, but: int) -> list[ModelVersion]:
    rows = tx.db.execute(sql.load("registry")["in_stage"], (name, stage, but)).fetchall()
    return [registry.get_version(tx.db, name, number) for (number,) in rows]


# --- checks


def record_check(tx: Tx, command: RecordCheck) -> GateResult:
    """Record what a check gives; metrics and answers of people are looked up here, whoever asks."""
    alias = rules.alias_of(command.alias)
    found = registry.get_version(tx.db, command.name, command.version)
    policy = registry.find_model(tx.db, command.name).policy
    check = policy.checks.get(command.check) if policy is not None else None
    if check is None:
        raise PolicyInvalid(name=command.name, reason=f"it has no check {command.check!r}")
    row = tx.db.execute(sql.load("registry")["root_of"], (command.gate_run_id,)).fetchone()
    if row is None:
        raise RunNotFound(run=command.gate_run_id, home=tx.home)
    champion = registry.champion(tx.db, command.name, alias)
    passed, detail = _judge(tx, command, check, found, champion)
    tx.append(
        GateChecked(
            found.name, found.version, alias, command.check, tx.now, tx.actor, rules.digest_of(check), passed,
            detail[:LONGEST_TEXT], champion, command.gate_run_id,
        )
    )  # fmt: skip
    return registry.gate_results(tx.db, found.name, found.version, limit=1)[0]


def _judge(tx: Tx, command: RecordCheck, check: Check, one: ModelVersion, champion: int) -> tuple[bool, str]:
    if isinstance(check, MetricBound):
        value = registry.metric_of(tx.db, one, check.metric)
        return rules.judge_bound(check.metric, value, check.min, check.max)
    if isinstance(check, LatencyBound):
        value = registry.metric_of(tx.db, one, check.metric)
        return rules.judge_bound(check.metric, value, None, check.max_s)
    if isinstance(check, BetterThanChampion | SignatureFits) and champion == one.version:
        return True, "it had the alias last"
    if isinstance(check, BetterThanChampion):
        best = registry.version(tx.db, one.name, champion) if champion else None
        mine = registry.measured(tx.db, one, check.metric, check.data)
        theirs = registry.measured(tx.db, best, check.metric, check.data) if best is not None else []
        return rules.judge_against(check, mine, theirs, champion)
    if isinstance(check, SignatureFits):
        best = registry.version(tx.db, one.name, champion) if champion else None
        old = registry.signature_of(tx.db, best) if best is not None else None
        return signatures.judge(old, registry.signature_of(tx.db, one), champion)
    if isinstance(check, Approval):
        return _approval(tx, command.gate_run_id, command.check, check)
    return command.passed, command.detail


def _approval(tx: Tx, gate_run_id: str, name: str, check: Approval) -> tuple[bool, str]:
    """Say what a person answered to the flow run that checks."""
    queries = sql.load("registry")
    root_id, key = tx.db.execute(queries["root_of"], (gate_run_id,)).fetchone()
    asked = f"{name}-{bytes(key).hex()[:8]}" if key else name  # as a pause is named in a subflow
    row = tx.db.execute(queries["answer"], (root_id, asked)).fetchone()
    if row is None:
        return False, "nobody has answered"
    value, actor = row
    user = user_of(actor)
    if check.by and user not in check.by:
        return False, f"{user} answered, who is none of {', '.join(check.by)}"
    said_yes = msgspec.json.decode(value or b"null") is True
    return said_yes, f"{user} said {'yes' if said_yes else 'no'}"


def check_lengths(*texts: str) -> None:
    """Let texts pass that can be kept.

    Raises:
        ModelInvalid: (model-invalid) one is too long, or holds a zero byte.
    """
    for text in texts:
        if len(text) > LONGEST_TEXT or "\0" in text:
            reason = f"it is longer than {LONGEST_TEXT} characters, or holds a zero byte"
            raise ModelInvalid(what=f"the text {text[:30]!r}...", reason=reason)
