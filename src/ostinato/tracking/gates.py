"""The promotion of a version as a flow: the checks of the model's policy are its tasks, then the alias moves.

The decision is not made here: whoever keeps the records looks at the results that were recorded, see
`store/commands/registry.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta

from ostinato.core.commands import RecordCheck, SetAlias
from ostinato.core.errors import CheckFailed, GateFailed, NotATask, PauseTimedOut
from ostinato.core.inputs import ANSWERED_BY
from ostinato.core.registry import Approval, TaskPasses, alias_of
from ostinato.engine import artifacts
from ostinato.engine.context import get_run_context
from ostinato.engine.flows import flow
from ostinato.engine.loading import load_file
from ostinato.engine.loggers import get_run_logger
from ostinato.engine.pauses import pause
from ostinato.engine.tasks import Task, task
from ostinato.tracking.requests import do, reading, settle

if TYPE_CHECKING:
    from ostinato.core.registry import Check, Policy
    from ostinato.engine.state import State

PASSED: Final = "passed"
FAILED: Final = "failed"


@task(name="check", task_run_name="check-{check}", persist_result=False)
def record_check(
    name: str, version: int, alias: str, check: str, gate_run_id: str, *, passed: bool = True, detail: str = ""
) -> str:
    """Have one check decided and recorded; give what it says.

    Raises:
        CheckFailed: (check-failed) it did not pass.
    """
    result = do(
        RecordCheck(
            name=name,
            version=version,
            alias=alias,
            check=check,
            gate_run_id=gate_run_id,
            passed=passed,
            detail=detail,
        )
    )
    if not result.passed:
        raise CheckFailed(name=name, check=check, detail=result.detail)
    return result.detail


@task(name="move-alias", persist_result=False)
def move_alias(name: str, version: int, alias: str) -> None:
    """Let the alias mean the version, if the recorded results allow it."""
    do(SetAlias(name=name, alias=alias, version=version))


@flow(name="promotion", flow_run_name="{name}-{version}-to-{to}")
def promotion(name: str, version: int, to: str = "production") -> dict[str, str]:
    """Record what each check of the policy gives, then let the alias mean the version.

    People are asked last, and only when everything else has passed. A retry checks everything again.
    """
    alias = alias_of(to)
    policy = _policy_of(name, version)
    gated = policy is not None and alias in policy.aliases
    settle()  # the results belong to this run: it must be known
    run_id = get_run_context().flow_run.id
    found: dict[str, tuple[bool, str]] = {}
    for check, rule in _in_order(policy.checks if policy is not None and gated else {}):
        if isinstance(rule, Approval):
            if all(passed for passed, _ in found.values()):
                _ask(check, rule, f"May version {version} of {name} become {alias}?")
                found[check] = _said(record_check(name, version, alias, check, run_id, return_state=True))
            continue
        passed, detail = _outcome_of(rule.task, name, version) if isinstance(rule, TaskPasses) else (True, "")
        state = record_check(name, version, alias, check, run_id, passed=passed, detail=detail, return_state=True)
        found[check] = _said(state)
    if found:
        rows = [[check, PASSED if passed else FAILED, detail] for check, (passed, detail) in found.items()]
        artifacts.table([["check", "result", "detail"], *rows], key=f"gate-{name}", description=f"Checks for {alias}")
    if not all(passed for passed, _ in found.values()):
        reasons = "; ".join(f"{check}: {detail}" for check, (passed, detail) in found.items() if not passed)
        raise GateFailed(name=name, version=version, alias=alias, reasons=reasons)
    move_alias(name, version, alias)
    return {check: detail for check, (_, detail) in found.items()}


def promote(name: str, version: int, to: str = "production") -> dict[str, str]:
    """Let a version of a model have an alias or a stage, when it passes the checks of the model's policy.

    A flow run does it, a subflow run inside a flow; each check is a task of it. Gives what each check said.

    Raises:
        GateFailed: (gate-failed) names the checks that failed; the run has the table of all.
        GateRefused: (gate-refused) another version got the alias meanwhile.
        ModelNotFound: (model-not-found), ModelVersionNotFound: (model-version-not-found).
    """
    return promotion(name, version, to)


def _policy_of(name: str, version: int) -> Policy | None:
    with reading() as reader:
        reader.find_version(name, str(version))
        return reader.find_model(name).policy


def _said(state: State) -> tuple[bool, str]:
    """Give whether a check passed, and what it said; raise what kept it from being decided."""
    if isinstance(state.error, CheckFailed):
        return False, str(state.error.values["detail"])
    return True, state.result()


def _in_order(checks: dict[str, Check]) -> list[tuple[str, Check]]:
    """Give checks with those last that ask a person."""
    return sorted(checks.items(), key=lambda one: isinstance(one[1], Approval))


def _ask(check: str, rule: Approval, question: str) -> None:
    """Wait until somebody says yes or no; what they said is looked up when the check is recorded."""
    run = get_run_context().flow_run
    ref = run.name if run.id == run.root_flow_run_id else run.root_flow_run_id
    who = f" ({', '.join(rule.by)} may answer)" if rule.by else ""
    get_run_logger().info("%s Say `ostinato resume %s true`, or false%s", question, ref, who)
    by = {ANSWERED_BY: list(rule.by)} if rule.by else {}
    try:
        pause(wait_for_input=Annotated[bool, Meta(extra_json_schema=by)], key=check, timeout_seconds=rule.within_s)
    except PauseTimedOut:
        return


def _outcome_of(target: str, name: str, version: int) -> tuple[bool, str]:
    """Run a task of the user's own; give whether it passed, and what it said."""
    file, _, function = target.rpartition(":")
    found: Any = getattr(load_file(file), function, None)
    if not isinstance(found, Task):
        raise NotATask(what=f"The check {target}", value=found)
    state = found(name, version, return_state=True)
    if not state.is_completed():
        return False, f"{function} is {state.name}: {state.error or state.message}"
    value = state.result()
    said = value if isinstance(value, str) else f"{function} gave {value!r}" if value is not None else f"{function} ran"
    return value is not False, said
