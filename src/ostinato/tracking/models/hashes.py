"""Hashes of the files of a model: recorded when it is written, checked before anything of it is loaded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ostinato.core.errors import ModelDamaged
from ostinato.tracking.fingerprints import of_file

if TYPE_CHECKING:
    from collections.abc import Mapping


def files(folder: str) -> list[str]:
    """Give the paths of all files of a folder, relative to it, with `/` between their parts, sorted.

    What Python leaves beside modules that were imported is no file of the model.
    """
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        found += [os.path.relpath(os.path.join(place, name), folder).replace(os.sep, "/") for name in names]
    return sorted(found)


def record(folder: str) -> dict[str, str]:
    """Give the hash of each file of a folder."""
    return {path: of_file(os.path.join(folder, path)) for path in files(folder)}


def check(folder: str, recorded: Mapping[str, str], model: str) -> None:
    """See that the files of a model are those that were written; `model` is how errors call it.

    Raises:
        ModelDamaged: (model-damaged) one is missing or not what it was.
    """
    for path, wanted in recorded.items():
        place = os.path.join(folder, path)
        if not os.path.isfile(place):
            raise ModelDamaged(model=model, file=path, how="missing")
        found = of_file(place)
        if found != wanted:
            raise ModelDamaged(model=model, file=path, how=f"not what was logged: its hash is {found}, not {wanted}")
