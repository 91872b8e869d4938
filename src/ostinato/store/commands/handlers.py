"""Which function carries out which command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from ostinato.core import commands as asked
from ostinato.store.commands import access, deployments, imports, logged_models, registry, runs, tracking, workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.store.transaction import Tx

R = TypeVar("R")

HANDLERS: Final[dict[type[asked.Command[Any]], Callable[[Tx, Any], Any]]] = {
    asked.Deploy: deployments.deploy,
    asked.RemoveDeployment: deployments.remove_deployment,
    asked.PauseDeployment: deployments.pause_deployment,
    asked.SetQueue: deployments.set_queue,
    asked.RemoveQueue: deployments.remove_queue,
    asked.SetLimit: deployments.set_limit,
    asked.RemoveLimit: deployments.remove_limit,
    asked.TakeSlots: deployments.take_slots,
    asked.GiveSlots: deployments.give_slots,
    asked.CreateRun: runs.create_run,
    asked.CancelRun: runs.cancel_run,
    asked.PauseRun: runs.pause_run,
    asked.ResumeRun: runs.resume_run,
    asked.DeleteRun: runs.delete_run,
    asked.Join: workers.join,
    asked.Poll: workers.poll,
    asked.Ended: workers.ended,
    asked.Leave: workers.leave,
    asked.CreateUser: access.create_user,
    asked.SetRole: access.set_role,
    asked.DisableUser: access.disable_user,
    asked.CreateKey: access.create_key,
    asked.RevokeKey: access.revoke_key,
    asked.SetSecret: access.set_secret,
    asked.UnsetSecret: access.unset_secret,
    asked.CreateExperiment: tracking.create_experiment,
    asked.ChangeExperiment: tracking.change_experiment,
    asked.TagExperiment: tracking.tag_experiment,
    asked.StartTracking: tracking.start_tracking,
    asked.ChangeTracking: tracking.change_tracking,
    asked.LogBatch: tracking.log_batch,
    asked.LogFile: tracking.log_file,
    asked.LogInput: tracking.log_input,
    asked.CreateModel: registry.create_model,
    asked.ImportModel: imports.import_model,
    asked.DescribeModel: registry.describe_model,
    asked.RenameModel: registry.rename_model,
    asked.RemoveModel: registry.remove_model,
    asked.TagModel: registry.tag_model,
    asked.SetPolicy: registry.set_policy,
    asked.CreateVersion: registry.create_version,
    asked.DescribeVersion: registry.describe_version,
    asked.RemoveVersion: registry.remove_version,
    asked.SetAlias: registry.set_alias,
    asked.RemoveAlias: registry.remove_alias,
    asked.SetStage: registry.set_stage,
    asked.RollBack: registry.roll_back,
    asked.OverrideGate: registry.override_gate,
    asked.RecordCheck: registry.record_check,
    asked.CreateLoggedModel: logged_models.create_logged_model,
    asked.ChangeLoggedModel: logged_models.change_logged_model,
    asked.TagLoggedModel: logged_models.tag_logged_model,
    asked.LogModelParams: logged_models.log_model_params,
    asked.LogModelMetrics: logged_models.log_model_metrics,
}

RELAXED: Final = frozenset({asked.TakeSlots, asked.GiveSlots})
"""Commands that a power cut may undo."""


def carry_out(tx: Tx, command: asked.Command[R]) -> R:
    """Carry out a command in a transaction."""
    answer: R = HANDLERS[type(command)](tx, command)
    return answer
