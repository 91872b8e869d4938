"""Which action each command is: what a server checks before it carries one out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ostinato.core import commands as c

if TYPE_CHECKING:
    from ostinato.core.access import Action

ACTIONS: Final[dict[type[c.Command[Any]], Action]] = {
    c.Deploy: "deploy",
    c.RemoveDeployment: "deploy",
    c.PauseDeployment: "deploy",
    c.SetQueue: "set-limits",
    c.RemoveQueue: "set-limits",
    c.SetLimit: "set-limits",
    c.RemoveLimit: "set-limits",
    # What code inside a run asks for.
    c.TakeSlots: "record",
    c.GiveSlots: "record",
    c.CreateRun: "run",
    c.CancelRun: "run",
    c.PauseRun: "run",
    c.ResumeRun: "run",
    c.DeleteRun: "delete-runs",
    c.Join: "work",
    c.Poll: "work",
    c.Ended: "work",
    c.Leave: "work",
    c.CreateUser: "manage-access",
    c.SetRole: "manage-access",
    c.DisableUser: "manage-access",
    c.CreateKey: "manage-access",
    c.RevokeKey: "manage-access",
    c.SetSecret: "set-secret",
    c.UnsetSecret: "set-secret",
    c.CreateExperiment: "track",
    c.ChangeExperiment: "track",
    c.TagExperiment: "track",
    c.StartTracking: "track",
    c.ChangeTracking: "track",
    c.LogBatch: "track",
    c.LogFile: "track",
    c.LogInput: "track",
    c.CreateLoggedModel: "track",
    c.ChangeLoggedModel: "track",
    c.TagLoggedModel: "track",
    c.LogModelParams: "track",
    c.LogModelMetrics: "track",
    c.CreateModel: "track",
    # It says who made what, and when.
    c.ImportModel: "manage-models",
    c.DescribeModel: "track",
    c.RenameModel: "manage-models",
    c.RemoveModel: "manage-models",
    c.TagModel: "track",
    c.SetPolicy: "manage-models",
    c.CreateVersion: "track",
    c.DescribeVersion: "track",
    c.RemoveVersion: "manage-models",
    c.SetAlias: "track",
    c.RemoveAlias: "track",
    c.SetStage: "track",
    c.RollBack: "track",
    c.OverrideGate: "manage-models",
    c.RecordCheck: "track",
}
"""Every command is here; a test compares this with the list of commands."""

OF_READS: Final[dict[str, Action]] = {"users": "manage-access", "api_keys": "manage-access", "audit": "read-audit"}
"""Methods of `Reader` that need more than the right to read."""
