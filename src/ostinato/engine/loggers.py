"""Run loggers: what `get_run_logger()` gives, and the capture of standard `logging`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ostinato.core.errors import NoContext
from ostinato.engine import logs
from ostinato.engine.scopes import Scope, find_scope

if TYPE_CHECKING:
    from collections.abc import MutableMapping


class RunLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger of one run. It may be handed to other classes and used in any thread while the run lasts."""

    def __init__(self, scope: Scope, name: str) -> None:
        super().__init__(logging.Logger(name, logging.DEBUG), {})  # noqa: LOG001 - its own, outside the tree of loggers
        self.logger.addHandler(RunHandler(scope))
        self.logger.propagate = False

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Leave message and arguments as they are."""
        return msg, kwargs

    def warn(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a warning; the older name, without a deprecation warning."""
        self.warning(msg, *args, **kwargs)


class RunHandler(logging.Handler):
    """Puts records into the journal of a run; without a fixed scope, of the run that logs."""

    def __init__(self, scope: Scope | None = None) -> None:
        super().__init__()
        self._scope = scope

    def emit(self, record: logging.LogRecord) -> None:
        """Record one line."""
        scope = self._scope or find_scope()
        if scope is not None:
            logs.emit(scope, record.levelno, record.name, self.format(record), at=int(record.created * 1_000_000))


def get_run_logger(name: str = "") -> RunLogger:
    """Give a logger whose lines belong to the running flow or task (`.warn` included).

    Raises:
        NoContext: (no-run-context) called outside a run.
    """
    scope = find_scope()
    if scope is None:
        raise NoContext(what="get_run_logger()")
    return RunLogger(scope, name or ("ostinato.task_runs" if scope.no else "ostinato.flow_runs"))


_capturing: list[RunHandler] = []


def capture_logging() -> None:
    """Let records of standard `logging` inside runs be run log lines too (once per process)."""
    if not _capturing:
        handler = RunHandler()
        _capturing.append(handler)
        logging.getLogger().addHandler(handler)
