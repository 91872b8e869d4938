"""Runs of deployments from code: make one, wait for it, and what it gave."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core import settings as settings_of
from ostinato.core.commands import CreateRun
from ostinato.core.errors import DeployedRunEnded, NotEnded, ResultLost
from ostinato.core.literals import literals
from ostinato.core.ports import READER, RECORDER, resolve
from ostinato.core.records import FlowRun  # noqa: TC001 - the type of a field
from ostinato.core.states import SUCCESSFUL
from ostinato.engine import loading, logs
from ostinato.engine.calls import Call
from ostinato.engine.deploy import carry_out
from ostinato.engine.scopes import find_scope, now_us, running_loop
from ostinato.engine.state import State
from ostinato.engine.values import Values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ostinato.core.ports import Reader
    from ostinato.engine.scopes import Scope

SHORTEST_S: Final = 0.05
LONGEST_S: Final = 1.0
"""The pauses between two looks at a run grow from the one to the other."""
PATIENCE_S: Final = 3.0
"""After so long it is told why a run has not begun."""


class DeployedState(State, frozen=True, kw_only=True):
    """The state of a run that another process runs; its value is fetched when it is asked for."""

    record: FlowRun

    def result(self, raise_on_failure: bool = True) -> Any:  # noqa: FBT001, FBT002 - known name
        """Give the value; raise (or give, with `raise_on_failure=False`) the exception.

        Raises:
            DeployedRunEnded: (deployed-run-ended) it did not complete.
            NotEnded: (not-ended) it goes on.
            ResultLost: (result-lost) its value is not kept.
        """
        error = self._error()
        if error is None:
            recorder = resolve(RECORDER)()
            found, value = Values(recorder, 0).value(self.record.result)
            if found:
                return value
            note = self.record.result.note if self.record.result is not None else ""
            reason = note or "its stored bytes are gone"
            error = ResultLost(name=self.record.name, reason=reason, fix="Run it again, or keep it in a file.")
        if raise_on_failure:
            raise error
        return error

    def _error(self) -> Exception | None:
        run = self.record
        if run.state in SUCCESSFUL:
            return None
        if not self.is_final():
            waited_s = round((now_us() - run.created_at) / 1e6, 1)
            return NotEnded(what=f"Run {run.name!r} has", timeout_s=waited_s)
        reason = f"{run.error.type}: {run.error.message}" if run.error is not None else run.message
        return DeployedRunEnded(
            name=run.name, deployment=run.deployment, state=run.state, reason=reason or "no reason is known", id=run.id
        )


class DeployedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a deployment, as it was when `run_deployment` looked last."""

    id: str
    name: str
    deployment: str
    """`flow/name`."""
    state: DeployedState
    parameters: dict[str, Any]
    """For reading: bounded in size, secrets masked."""
    tags: tuple[str, ...]
    expected_start_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    epoch: int

    def result(self) -> Any:
        """Give its value; raise when it did not complete."""
        return self.state.result()


def run_deployment(
    name: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    timeout: float | None = None,
    scheduled_time: datetime | None = None,
    flow_run_name: str = "",
    tags: Iterable[str] = (),
    queue: str = "",
    idempotency_key: str = "",
    as_subflow: bool = True,
    poll_interval: float = LONGEST_S,
) -> Any:
    """Run a deployment on a worker, wait until the run has ended, and give it (a `DeployedRun`).

    `name` is `flow/name`, or a name that only one deployment has. A run that ends badly raises nothing here:
    ask `run.state`, or `run.result()` for its value. After `timeout` seconds (0: at once) the run is given as it
    is then, and goes on.

    In a flow the call has a key like that of a subflow: when the flow is resumed, it waits for the same run again,
    unless that one has ended badly; then it makes a new one. The caller is its parent (`as_subflow`). Where an event
    loop runs (in `async def`) it gives an awaitable; elsewhere it waits.

    Raises:
        DeploymentNotFound: (deployment-not-found), DeploymentAmbiguous: (deployment-ambiguous).
        ParametersMisfit: (parameters-misfit), NotLiteral: (not-literal) the parameters do not fit.
    """
    if loading.is_loading():
        loading.warn_of_call(name)
        return None
    scope = find_scope()
    given = dict(parameters or {})
    key = idempotency_key
    if scope is not None:
        call = Call.of_flow(f"deployment:{name}", scope, (), given)
        given = call.kwargs
        key = key or f"{scope.root.id}-{call.key.hex()}"
    due_at = 0 if scheduled_time is None else _instant(scheduled_time)
    asked = CreateRun(
        deployment=name,
        parameters=literals(given),
        name=flow_run_name,
        tags=(tags,) if isinstance(tags, str) else tuple(tags),
        due_at=due_at,
        queue=queue,
        key=key,
        parent_id=scope.flow.id if scope is not None and as_subflow else "",
    )
    wait = _Wait(asked, scope, timeout, max(poll_interval, SHORTEST_S), is_chosen=bool(idempotency_key))
    return wait.run_async() if running_loop() is not None else wait.run()


class _Wait:
    """One wait for one run."""

    def __init__(
        self, asked: CreateRun, scope: Scope | None, timeout_s: float | None, longest_s: float, *, is_chosen: bool
    ) -> None:
        self._asked = asked
        self._scope = scope
        self._timeout_s = timeout_s
        self._longest_s = longest_s
        self._is_chosen = is_chosen
        """Whether the idempotency key is the caller's own."""
        self._pause_s = SHORTEST_S
        self._began_s = time.monotonic()
        self._told = False
        self._reader: Reader | None = None
        self._record: FlowRun

    def run(self) -> DeployedRun:
        """Make the run and wait for it."""
        try:
            self._begin()
            while not self._look():
                time.sleep(self._pause())
        finally:
            self._end()
        return _shown(self._record)

    async def run_async(self) -> DeployedRun:
        """Do the same without holding up the event loop."""
        in_thread, sleep = resolve("asyncio:to_thread"), resolve("asyncio:sleep")
        try:
            await in_thread(self._begin)
            while not await in_thread(self._look):
                await sleep(self._pause())
        finally:
            self._end()
        return _shown(self._record)

    def _begin(self) -> None:
        """Make the run, or find the one that this call made before; one that ended badly is made anew."""
        asked, n = self._asked, 1
        self._record = carry_out(asked)
        while asked.key and not self._is_chosen and self._record.ended and self._record.state not in SUCCESSFUL:
            n += 1
            self._record = carry_out(msgspec.structs.replace(asked, key=f"{asked.key}:{n}"))
        self._tell(20, f"Waits for run {self._record.name!r} of {self._record.deployment}")

    def _look(self) -> bool:
        """Look at the run; say whether the wait is over."""
        if self._scope is not None:
            self._scope.check()
        if self._reader is None:
            self._reader = resolve(READER)()
        run = self._record = self._reader.find_run(self._record.id)
        if run.ended:
            return True
        if not self._told and run.state in ("Scheduled", "Late") and time.monotonic() - self._began_s > PATIENCE_S:
            self._told = True
            reason = self._reader.why_waiting(run.id)
            if reason:
                self._tell(30, f"Run {run.name!r} of {run.deployment} has not begun: {reason}")
        return self._timeout_s is not None and self._left_s() <= 0

    def _tell(self, level: int, text: str) -> None:
        if self._scope is not None:
            logs.emit(self._scope, level, "ostinato.engine", text)
        elif settings_of.load().console:
            logs.write(logs.line(level, text, now_us()))

    def _left_s(self) -> float:
        return self._began_s + (self._timeout_s or 0.0) - time.monotonic()

    def _pause(self) -> float:
        pause_s = self._pause_s
        self._pause_s = min(pause_s * 1.5, self._longest_s)
        return pause_s if self._timeout_s is None else max(min(pause_s, self._left_s()), 0.0)

    def _end(self) -> None:
        if self._reader is not None:
            self._reader.close()


def _shown(run: FlowRun) -> DeployedRun:
    return DeployedRun(
        id=run.id,
        name=run.name,
        deployment=run.deployment,
        state=DeployedState(name=run.state, message=run.message, run_id=run.id, record=run),
        parameters=msgspec.json.decode(run.parameters or b"{}"),
        tags=run.tags,
        expected_start_time=datetime.fromtimestamp(run.expected_at / 1e6, UTC),
        start_time=_datetime(run.started_at),
        end_time=_datetime(run.ended_at),
        epoch=run.epoch,
    )


def _datetime(at: int | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at / 1e6, UTC)


def _instant(moment: datetime) -> int:
    """Give UTC microseconds; a naive datetime is one of UTC."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1e6)
