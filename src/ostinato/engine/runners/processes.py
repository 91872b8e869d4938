"""Processes: user code runs outside the GIL of the flow; its events come back through a pipe.

The rule of each call is driven in the flow's process; only the function runs in a worker process,
which is started afresh (spawn) and imports the user's main file without running its flows. What the
function records there (log lines, prints, nested calls, artifacts) joins the flow's stream as it
happens. A worker process ends with the flow's process, also when that is killed.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import cloudpickle
import msgspec

from ostinato.core.errors import TaskTimedOut, WorkerProcessDied
from ostinato.core.events import Event
from ostinato.engine import loading, traces
from ostinato.engine.runners import worker
from ostinato.engine.runners.pool import Pool

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

    from ostinato.engine.calls import Call
    from ostinato.engine.scopes import TaskScope

_decode = msgspec.msgpack.Decoder(list[Event]).decode


class ProcessRunner(msgspec.Struct, frozen=True):
    """Runs submitted sync tasks in worker processes; `max_workers` defaults to the number of cores.

    Arguments and results travel by cloudpickle. Async tasks run in the flow's process.
    """

    max_workers: int | None = None

    def open(self) -> Pool:
        """Give the pool for one flow run."""
        return ProcessPool(self.max_workers or os.cpu_count() or 1)


class ProcessPool(Pool):
    """Worker processes of one flow run, started at the first call."""

    elsewhere = True

    def __init__(self, n_processes: int) -> None:
        super().__init__(n_processes)
        self._n_processes = n_processes
        self._executor: ProcessPoolExecutor | None = None
        self._events: Any = None
        self._reader: threading.Thread | None = None
        self._starting = threading.Lock()
        self._scope: Any = None

    def invoke(self, call: Call, scope: TaskScope) -> Any:
        """Call the function in a worker process; give its value, raise what it raised."""
        from concurrent.futures import TimeoutError as Late
        from concurrent.futures.process import BrokenProcessPool

        job = worker.job_of(call, scope)
        timeout_s = call.task.options.timeout_seconds
        executor = self._start(scope)
        try:
            answer = executor.submit(worker.work, cloudpickle.dumps(job)).result(timeout_s)
        except Late:
            scope.root.abandoned += 1
            raise TaskTimedOut(name=call.name, timeout_s=timeout_s) from None
        except BrokenProcessPool as error:
            self._discard(executor)
            raise WorkerProcessDied(name=call.name, how="") from error
        ok, value, record = cloudpickle.loads(answer)
        if ok:
            return value
        if record is not None:
            setattr(value, traces.MARK, record)
        raise value

    def _start(self, scope: TaskScope) -> ProcessPoolExecutor:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        with self._starting:
            if self._executor is None:
                context = multiprocessing.get_context("spawn")
                if self._events is None:
                    self._events = context.SimpleQueue()
                    self._reader = threading.Thread(
                        target=self._read, args=(scope.root,), name="ostinato-events", daemon=True
                    )
                    self._reader.start()
                os.environ[loading.VARIABLE] = "1"
                self._executor = ProcessPoolExecutor(
                    self._n_processes,
                    mp_context=context,
                    initializer=worker.begin,
                    initargs=(self._events, os.getpid()),
                )
            return self._executor

    def _read(self, root: Any) -> None:
        """Put the events of the worker processes into the flow's stream."""
        while True:
            block = self._events.get()
            if block is None:
                return
            for event in _decode(block):
                root.push(event)

    def _discard(self, executor: ProcessPoolExecutor) -> None:
        """Let the next call start new processes after one died."""
        with self._starting:
            if self._executor is executor:
                self._executor = None
        executor.shutdown(wait=False, cancel_futures=True)

    def cancel_all(self) -> None:
        """Cancel queued calls and end the worker processes."""
        super().cancel_all()
        executor = self._executor
        if executor is not None:
            for process in list((executor._processes or {}).values()):  # noqa: SLF001 - the executor has no public way to end them
                process.terminate()

    def close(self) -> None:
        """End threads, worker processes and the pipe, once what they sent is recorded."""
        super().close()
        os.environ.pop(loading.VARIABLE, None)
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True, cancel_futures=True)
        if self._events is not None and self._reader is not None:
            self._events.put(None)
            self._reader.join()
            self._events = self._reader = None
