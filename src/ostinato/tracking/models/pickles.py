"""Pickles of models: written with the modules that they name, read with errors that say what is missing.

Classes and functions of modules that no package has installed are pickled whole, so that the model does not need
the files of its project.
"""

from __future__ import annotations

import pickle
import sys
import threading
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias

import cloudpickle

from ostinato.core.errors import ModelUnfit, ModelUnsuited
from ostinato.tracking.models.requirements import package_of, pinned, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Write: TypeAlias = "Callable[[Any, object, IO[bytes]], None]"

_NAMED: Final = (type, FunctionType, BuiltinFunctionType)
_WHOLE: Final = threading.RLock()
"""Held while modules are marked to be pickled whole: cloudpickle knows them for the process."""


def dump(model: object, path: str, write: Write | None = None) -> frozenset[str]:
    """Write a model, and give the modules that its pickle names; `write` is called with a class of Pickler.

    Raises:
        ModelUnfit: (model-unfit) it cannot be pickled.
    """
    try:
        with _WHOLE:
            return _dump(model, path, write or _write, whole=True)
    except Exception as first:  # noqa: BLE001 - pickling runs code of the model's own classes
        try:
            return _dump(model, path, write or _write, whole=False)
        except Exception:  # noqa: BLE001 - likewise
            name = f"{type(model).__module__}.{type(model).__qualname__}"
            fix = "Leave open files, locks, connections and lambdas of other libraries out of it."
            reason = f"{type(first).__name__}: {first}"
            raise ModelUnfit(model=name, what="pickled", reason=reason, fix=fix) from first


def load(path: str, *, model: str, made_with: Iterable[str], stand_ins: Mapping[tuple[str, str], Any] = {}) -> Any:
    """Read a model; `model` is how errors call it, `made_with` the packages that it was made with.

    `stand_ins` are taken in place of classes, by module and name.

    Raises:
        ModelUnsuited: (model-unsuited) names the package, its version then and now.
    """
    with open(path, "rb") as file:
        try:
            return _Reader(file, stand_ins).load()
        except Exception as error:
            raise unsuited(model, error, made_with) from error


def unsuited(model: str, error: Exception, made_with: Iterable[str]) -> ModelUnsuited:
    """Give the error of a model that does not load here."""
    versions = pinned(made_with)
    missing = error.name if isinstance(error, ImportError) and error.name else ""
    package = package_of(missing) if missing else None
    name = _package_named(missing, versions) or (package[0] if package else missing.partition(".")[0])
    changed = [name] if name else [one for one, wanted in versions.items() if version_of(one) != wanted]
    if not changed:
        reason = f"{type(error).__name__}: {error}"
        fix = "Look at what it needs beside packages: files, environment variables, code of its project."
        return ModelUnsuited(model=model, reason=reason, wanted="the same packages", found="no difference", fix=fix)
    pins = [f"{one}=={versions[one]}" if one in versions else one for one in changed]
    return ModelUnsuited(
        model=model,
        reason=f"{type(error).__name__}: {error}",
        wanted=", ".join(f"{one} {versions.get(one, 'of an unknown version')}" for one in changed),
        found=", ".join(f"{one} {version_of(one)}" if version_of(one) else f"no {one}" for one in changed),
        fix=f"pip install {' '.join(pins)}",
    )


def _package_named(module: str, versions: Mapping[str, str]) -> str:
    """Give the required package that a module most likely comes from, though it is not installed."""
    top = module.partition(".")[0].lower().replace("_", "-")
    return next((one for one in versions if top and one.lower() in (top, f"scikit-{top[2:]}", f"{top}-cpu")), "")


class _Reader(pickle.Unpickler):
    def __init__(self, file: IO[bytes], stand_ins: Mapping[tuple[str, str], Any]) -> None:
        super().__init__(file)
        self._stand_ins = stand_ins

    def find_class(self, module: str, name: str) -> Any:
        found = self._stand_ins.get((module, name))
        if found is not None:
            return found
        try:
            return super().find_class(module, name)
        except AttributeError as error:
            missing = f"{module} has no {name}"
            raise ImportError(missing, name=module) from error


class _Notes:
    """What is noted while one model is pickled."""

    def __init__(self, *, whole: bool) -> None:
        self.modules: set[str] = set()
        self.marked: list[ModuleType] = []
        """Modules that are pickled whole for now."""
        self._whole = whole

    def note(self, obj: Any) -> None:
        """Note where an object comes from."""
        if isinstance(obj, ModuleType):
            self._note(obj.__name__)
        else:
            self._note(getattr(obj if isinstance(obj, _NAMED) else type(obj), "__module__", None))

    def _note(self, name: str | None) -> None:
        if not name or name in self.modules:
            return
        self.modules.add(name)
        module = sys.modules.get(name)
        known = cloudpickle.list_registry_pickle_by_value()
        if self._whole and module is not None and name not in known and _is_of_project(name, module):
            cloudpickle.register_pickle_by_value(module)
            self.marked.append(module)


def _dump(model: object, path: str, write: Write, *, whole: bool) -> frozenset[str]:
    notes = _Notes(whole=whole)

    class Writer(cloudpickle.Pickler):  # type: ignore[misc]  # it comes without types
        def reducer_override(self, obj: Any) -> Any:
            notes.note(obj)
            return super().reducer_override(obj)

    try:
        with open(path, "wb") as file:
            write(Writer, model, file)
    finally:
        for module in notes.marked:
            cloudpickle.unregister_pickle_by_value(module)
    return frozenset(notes.modules)


def _write(pickler: Any, model: object, file: IO[bytes]) -> None:
    pickler(file).dump(model)


def _is_of_project(name: str, module: ModuleType) -> bool:
    """Say whether a module is a file of somebody's project: neither Python's, nor installed, nor ours."""
    top = name.partition(".")[0]
    file = getattr(module, "__file__", None)
    if not file or top in sys.stdlib_module_names or top in ("ostinato", "__main__"):
        return False
    return "site-packages" not in file and "dist-packages" not in file
