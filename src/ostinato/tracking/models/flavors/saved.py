"""What a flavor gives when it has written a model, and what it needs to read one."""

from __future__ import annotations

import os
import shutil
from typing import Any, Final

import msgspec

from ostinato.core.errors import ModelUnfit
from ostinato.tracking.models.flavors import portable

LOADER: Final = "ostinato_portable"
"""Module in the folder `code` of a model by which MLflow loads it."""
PICKLE: Final = "model.pkl"


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What a flavor has written."""

    flavors: dict[str, dict[str, Any]]
    """Entries of `MLmodel`."""
    modules: frozenset[str]
    """Modules that are needed to read it."""


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is to be read."""

    folder: str
    name: str
    """How errors call it."""
    conf: dict[str, Any]
    """Entry of its flavor in `MLmodel`."""
    made_with: tuple[str, ...]
    """Its requirements."""

    def path(self, *keys: str, default: str = "") -> str:
        """Give the path of the file that one of these keys names; it lies in the folder.

        Raises:
            ModelUnfit: (model-unfit) it does not, or no file is named.
        """
        relative = next((self.conf[key] for key in keys if isinstance(self.conf.get(key), str)), default)
        path = os.path.realpath(os.path.join(self.folder, relative))
        if not relative or not path.startswith(os.path.realpath(self.folder) + os.sep):
            reason = f"its file would be {relative!r}" if relative else f"MLmodel does not say {' or '.join(keys)}"
            raise ModelUnfit(model=repr(self.name), what="loaded", reason=reason, fix="Log the model again.")
        return path


def add_loader(folder: str) -> None:
    """Put the module by which MLflow loads a pickled model into its folder."""
    os.makedirs(os.path.join(folder, "code"), exist_ok=True)
    shutil.copyfile(portable.__file__, os.path.join(folder, "code", f"{LOADER}.py"))
