"""Loading a file of flows without running them."""

from __future__ import annotations

import importlib.util
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from ostinato.core.errors import BadFile, FlowNotFound, NotAFlow, TargetNotFound
from ostinato.engine.functions import RecordedFunction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from ostinato.engine.flows import Flow

VARIABLE = "OSTINATO_LOADING"
"""Set in the environment of task processes while they import the user's main file."""

_depth = 0


def is_loading() -> bool:
    """Tell whether a file is being loaded: flow calls are then not run."""
    return _depth > 0 or VARIABLE in os.environ


@contextmanager
def loading() -> Iterator[None]:
    """Mark that a file is being loaded."""
    global _depth  # noqa: PLW0603 - one counter of the process
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1


def warn_of_call(name: str) -> None:
    """Say that a call at module level was not run."""
    if VARIABLE not in os.environ:
        sys.stderr.write(
            f"Flow {name!r} is called at module level: not run while the file is loaded. "
            'Put the call under `if __name__ == "__main__":`.\n'
        )


def load_file(file: str) -> ModuleType:
    """Import a file as a module named after it, with its package when it is in one.

    Raises:
        TargetNotFound: (target-not-found) there is no such file.
        BadFile: (file-does-not-load) it raised while it was imported.
    """
    path = os.path.abspath(file)
    if not os.path.isfile(path):
        raise TargetNotFound(file=file, directory=os.getcwd())
    folder, name = os.path.split(os.path.splitext(path)[0])
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        name = f"{package}.{name}"
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == path:
        return known
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadFile(file=file, error="it is not a Python file", line=0)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with loading():
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            raise BadFile(file=file, error=f"{type(error).__name__}: {error}", line=_line_in(path, error)) from error
    return module


def load_flow(target: str) -> Flow[Any, Any]:
    """Give the flow that `FILE:FLOW` names; FLOW may be left out when the file has one flow.

    Raises:
        TargetNotFound: (target-not-found) there is no such file.
        FlowNotFound: (flow-not-found) the file has no such flow.
        NotAFlow: (not-a-flow) the name is something else.
    """
    file, _, name = target.rpartition(":") if ".py:" in target else (target, "", "")
    return find_flow(load_file(file), name, file)


def find_flow(module: ModuleType, name: str, file: str) -> Flow[Any, Any]:
    """Give a flow of a module by variable, function or flow name."""
    flows = {key: cast("Flow[Any, Any]", value) for key, value in vars(module).items() if _is_flow(value)}
    own = {key: value for key, value in flows.items() if value.__module__ == module.__name__}
    if not name and len(own) == 1:
        return next(iter(own.values()))
    value: Any = module
    for part in name.split(".") if name else ():
        value = vars(value).get(part) if hasattr(value, "__dict__") else None
    if _is_flow(value):
        return cast("Flow[Any, Any]", value)
    for one in flows.values():
        if name in (one.name, one.__name__):
            return one
    if value is not None and value is not module:
        raise NotAFlow(name=name, file=file, kind=f"a {type(value).__name__}")
    found = ", ".join(sorted(own or flows)) or "none"
    raise FlowNotFound(file=file, name=name or "(none given)", found=found)


def _is_flow(value: Any) -> bool:
    return isinstance(value, RecordedFunction) and value.kind == "flow"


def _line_in(path: str, error: BaseException) -> int:
    if isinstance(error, SyntaxError):
        return error.lineno or 0
    line, step = 0, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == path:
            line = step.tb_lineno
        step = step.tb_next
    return line
