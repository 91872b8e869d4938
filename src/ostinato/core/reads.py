"""The methods of `Reader` on the wire: names and types of their arguments, and the type of their answer.

The body of a call is a msgpack map of arguments by name; those that are missing have their defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import msgspec

from ostinato.core.access import ApiKey, AuditLine, SecretInfo, User
from ostinato.core.datasets import DataLink, DataVersion
from ostinato.core.deployments import Deployment, Limit, Queue, QueueLoad
from ostinato.core.logged_models import LoggedModel
from ostinato.core.query import Query
from ostinato.core.records import (
    Artifact,
    FlowRun,
    LogLine,
    Recall,
    RunInput,
    StateChange,
    TaskCount,
    TaskRun,
    TaskTally,
    Variable,
)
from ostinato.core.registry import AliasStep, DataModel, GateResult, Model, ModelVersion, VersionOrigin
from ostinato.core.states import StateName
from ostinato.core.tracking import Experiment, Lifecycle, Point, TrackedFile, TrackedInput, TrackingRun
from ostinato.core.workers import Worker

_pack: Final = msgspec.msgpack.Encoder(enc_hook=list).encode
"""Any iterable is an array."""


class Read:
    """One method: how a call and its answer are written and read."""

    def __init__(self, answer: Any, **arguments: Any) -> None:
        self.answer = answer
        """Type of the answer."""
        self._fields = [(name, *kind) if isinstance(kind, tuple) else (name, kind) for name, kind in arguments.items()]

    def pack(self, *args: Any, **kwargs: Any) -> bytes:
        """Give the body of a call with these arguments."""
        return _pack(dict(zip((name for name, *_ in self._fields), args, strict=False)) | kwargs)

    def arguments(self, body: bytes) -> dict[str, Any]:
        """Give the arguments of a call, defaults included.

        Raises:
            msgspec.MsgspecError: they are not those of the method.
        """
        return msgspec.structs.asdict(self._arguments.decode(body))

    def value(self, body: bytes) -> Any:
        """Give the value of an answer."""
        return self._value.decode(body)

    @cached_property
    def _arguments(self) -> msgspec.msgpack.Decoder[msgspec.Struct]:
        kind = msgspec.defstruct("Arguments", self._fields, frozen=True, kw_only=True, forbid_unknown_fields=True)
        return msgspec.msgpack.Decoder(kind)

    @cached_property
    def _value(self) -> msgspec.msgpack.Decoder[Any]:
        return msgspec.msgpack.Decoder(self.answer)


READS: Final[dict[str, Read]] = {
    "runs": Read(tuple[list[FlowRun], str], query=Query, limit=(int, 50), after=(str, "")),
    "find_run": Read(FlowRun, ref=str),
    "subflow_runs": Read(list[FlowRun], run_id=str),
    "task_runs": Read(list[TaskRun], run_id=str, states=(Sequence[StateName], ()), limit=(int, 200), after=(int, 0)),
    "counts": Read(list[TaskCount], run_id=str),
    "tallies": Read(list[TaskTally], run_id=str),
    "state_counts": Read(dict[StateName, int]),
    "history": Read(list[StateChange], run_id=str),
    "logs": Read(
        list[LogLine], run_ids=list[str], after=(int, 0), limit=(int, 1000), level=(int, 0), tail=(bool, False)
    ),
    "artifacts": Read(list[Artifact], run_id=str),
    "blob": Read(bytes, blob=str),
    "recall": Read(Recall, root_id=str),
    "variables": Read(list[Variable]),
    "deployments": Read(list[Deployment]),
    "find_deployment": Read(Deployment, ref=str),
    "queues": Read(list[Queue]),
    "queue_loads": Read(list[QueueLoad]),
    "limits": Read(list[Limit]),
    "workers": Read(list[Worker]),
    "preview": Read(list[FlowRun], queue=str, until=int, limit=(int, 1000)),
    "tick_runs": Read(
        list[FlowRun],
        deployment_id=str,
        slug=str,
        begin=int,
        end=int,
        limit=(int, 1000),
        newest_first=(bool, False),
    ),
    "inputs": Read(list[RunInput], run_id=str),
    "why_waiting": Read(str, run_id=str),
    "users": Read(list[User], after=(str, ""), limit=(int, 1000)),
    "api_keys": Read(list[ApiKey], user=(str, ""), after=(str, ""), limit=(int, 1000)),
    "secrets": Read(list[SecretInfo], after=(str, ""), limit=(int, 1000)),
    "audit": Read(list[AuditLine], before=(int, 1 << 62), limit=(int, 1000)),
    "experiments": Read(
        list[Experiment], states=(Sequence[Lifecycle], ("active",)), after=(str, ""), limit=(int, 1000)
    ),
    "find_experiment": Read(Experiment, ref=str),
    "find_tracking_run": Read(TrackingRun, ref=str),
    "search_tracking_runs": Read(
        tuple[list[TrackingRun], str],
        experiments=(Sequence[str], ()),
        text=(str, ""),
        order_by=(Sequence[str], ()),
        state=(Lifecycle | None, "active"),
        limit=(int, 100),
        after=(str, ""),
    ),
    "tracking_runs_of": Read(list[TrackingRun], flow_run_id=str, limit=(int, 1000)),
    "metric_history": Read(list[Point], run_id=str, key=str, most=(int, 1000)),
    "tracked_files": Read(list[TrackedFile], run_id=str, under=(str, ""), after=(str, ""), limit=(int, 1000)),
    "tracked_inputs": Read(list[TrackedInput], run_id=str),
    "logged_model": Read(LoggedModel, model_id=str),
    "logged_models_of": Read(list[LoggedModel], run_id=str, name=(str, ""), limit=(int, 1000)),
    "datasets": Read(list[DataVersion], name=(str, ""), after=(str, ""), limit=(int, 50)),
    "find_dataset": Read(DataVersion, ref=str),
    "dataset_links": Read(list[DataLink], digest=str, limit=(int, 100)),
    "datasets_of_run": Read(list[DataLink], run_id=str, limit=(int, 100)),
    "models": Read(list[Model], after=(str, ""), limit=(int, 1000)),
    "find_model": Read(Model, name=str),
    "model_versions": Read(list[ModelVersion], name=str, before=(int, 1 << 62), limit=(int, 1000)),
    "find_version": Read(ModelVersion, name=str, ref=str),
    "alias_steps": Read(list[AliasStep], name=str, alias=(str, ""), before=(int, 1 << 62), limit=(int, 1000)),
    "gate_results": Read(list[GateResult], name=str, version=int, before=(int, 1 << 62), limit=(int, 1000)),
    "version_origin": Read(VersionOrigin, name=str, version=int),
    "models_from_data": Read(list[DataModel], ref=str),
}
"""Name of a method -> its call and answer. `close` is none: it concerns this side only."""
