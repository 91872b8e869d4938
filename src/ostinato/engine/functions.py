"""What `@flow` and `@task` share: a function with a name, a version of its code, and hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, TypeVar

from ostinato.core.errors import NotATask
from ostinato.core.versions import code_version
from ostinato.engine.options import with_changes

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")
H = TypeVar("H", bound="Callable[..., Any]")


known: dict[tuple[str, str], RecordedFunction[Any, Any]] = {}
"""The flows and tasks of this process, by kind and name."""


def versions() -> dict[str, str]:
    """Give the version of each known task by name, and of each flow under `flow:NAME`."""
    return {name if kind == "task" else f"flow:{name}": one.version for (kind, name), one in known.items()}


class RecordedFunction(Generic[P, R]):
    """A function of the user whose calls are recorded."""

    kind: ClassVar[str]
    """`flow` or `task`."""

    def __init__(self, fn: Callable[P, R], options: Any, name: str) -> None:
        self.binding: type | None = None
        """`staticmethod` or `classmethod` when the decorator stands above one."""
        if isinstance(fn, (staticmethod, classmethod)):
            self.binding, fn = type(fn), fn.__func__
        if not callable(fn):
            raise NotATask(what=f"@{self.kind}", value=fn)
        self.fn = fn
        self.options = options
        self.name = name
        self.__name__ = getattr(fn, "__name__", name)
        self.__qualname__ = getattr(fn, "__qualname__", name)
        self.__module__ = fn.__module__
        self.__doc__ = fn.__doc__
        self.__wrapped__ = fn
        self.tags = tuple(options.tags)
        self.flags: int = getattr(getattr(fn, "__code__", None), "co_flags", 0)
        self.is_async = bool(self.flags & 0x80)
        self.is_generator = bool(self.flags & 0x220)
        """A generator function, sync (0x20) or async (0x200)."""
        self._version = ""
        known[self.kind, name] = self

    @property
    def title(self) -> str:
        """What errors call it."""
        return f"{self.kind} {self.name!r}"

    @property
    def description(self) -> str:
        """What it does: its option, else its docstring."""
        return self.options.description or (self.fn.__doc__ or "").strip()

    @property
    def version(self) -> str:
        """Hash of its code and of the functions of its module that it calls, behind the label of `version=`."""
        if not self._version:
            label = f"{self.options.version}+" if self.options.version else ""
            self._version = label + code_version(self.fn)
        return self._version

    def receiver(self, instance: Any, owner: Any) -> Any:
        """Give what a call through a class or an instance has as its first argument, None for nothing."""
        if self.binding is staticmethod:
            return None
        return owner if self.binding is classmethod else instance

    @property
    def wrapped(self) -> Any:
        """The function as it was decorated."""
        return self.fn if self.binding is None else self.binding(self.fn)

    # --- hooks as decorators

    def on_running(self, hook: H) -> H:
        """Call `hook(flow or task, run, state)` when a run starts: `@train.on_running` above the hook."""
        return self._hooked("on_running", hook)

    def on_completion(self, hook: H) -> H:
        """Call the hook when a run has Completed."""
        return self._hooked("on_completion", hook)

    def on_failure(self, hook: H) -> H:
        """Call the hook when a run has Failed or TimedOut."""
        return self._hooked("on_failure", hook)

    def on_crashed(self, hook: H) -> H:
        """Call the hook when the process is told to end (SIGTERM) during a run; after `kill -9` nobody can."""
        return self._hooked("on_crashed", hook)

    def on_cancellation(self, hook: H) -> H:
        """Call the hook when a run was Cancelled."""
        return self._hooked("on_cancellation", hook)

    def _hooked(self, name: str, hook: H) -> H:
        self.options = with_changes(self.options, self.title, {name: (*getattr(self.options, name), hook)})
        return hook

    def __repr__(self) -> str:
        return f"<{self.kind.capitalize()} {self.name!r}>"
