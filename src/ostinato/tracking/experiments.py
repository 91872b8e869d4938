"""Experiments by name, as they are needed: made when they are missing, brought back when they are deleted."""

from __future__ import annotations

from ostinato.core.commands import ChangeExperiment, CreateExperiment
from ostinato.core.errors import ExperimentExists, ExperimentNotFound
from ostinato.tracking.requests import do, reading


def experiment_id(name: str) -> str:
    """Give the id of the experiment of a name, into which runs may go."""
    with reading() as reader:
        try:
            found = reader.find_experiment(name)
        except ExperimentNotFound:
            try:
                return do(CreateExperiment(name=name)).id
            except ExperimentExists:  # somebody was faster
                found = reader.find_experiment(name)
    if found.state == "deleted":
        do(ChangeExperiment(experiment=name, state="active"))
    return found.id
