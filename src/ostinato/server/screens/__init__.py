"""What the pages of the web interface show, each in one answer; for everybody to use."""

from __future__ import annotations

from typing import Final

from ostinato.server.screens import (
    artifacts,
    datasets,
    deployments,
    experiments,
    find,
    flows,
    home,
    logs,
    models,
    run,
    runs,
    settings,
    tasks,
    workers,
)

HANDLERS: Final = (
    *datasets.HANDLERS,
    *experiments.HANDLERS,
    *models.HANDLERS,
    *workers.HANDLERS,
    *deployments.HANDLERS,
    *settings.HANDLERS,
    artifacts.artifacts_screen,
    artifacts.artifact_screen,
    flows.flows_screen,
    flows.flow_screen,
    find.find_screen,
    home.home_screen,
    runs.runs_screen,
    runs.timeline_screen,
    run.run_screen,
    run.graph_screen,
    logs.log_stretch,
    logs.log_hits,
    tasks.task_rows,
    tasks.task_screen,
)
