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
from ostinato.core.events import CheckpointSaved, Event
from ostinato.engine import loading, masks, traces
from ostinato.engine.runners import worker
from ostinato.engine.runners.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from ostinato.engine.calls import Call
    from ostinato.engine.futures import Future as TaskFuture
    from ostinato.engine.scopes import Root, TaskScope

_ENVIRONMENT = threading.Lock()
"""Held while processes are started: they inherit `OSTINATO_LOADING`."""

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
        self._workers: Workers | None = None
        self._stuck: list[Workers] = []
        """Earlier generations in which a function exceeded its timeout and may run on."""
        self._facts: bytes | None = None
        self._starting = threading.Lock()

    def invoke(self, call: Call, scope: TaskScope) -> Any:
        """Call the function in a worker process; give its value, raise what it raised."""
        from concurrent.futures import TimeoutError as Late
        from concurrent.futures.process import BrokenProcessPool

        timeout_s = call.task.options.timeout_seconds
        workers = self._start(scope)
        if self._facts is None:
            self._facts = worker.facts_of(scope)
        try:
            answer = workers.submit(cloudpickle.dumps(worker.job_of(call, scope, self._facts))).result(timeout_s)
        except Late:
            scope.root.abandoned += 1
            self._leave(workers)
            raise TaskTimedOut(name=call.name, timeout_s=timeout_s) from None
        except BrokenProcessPool as error:
            self._discard(workers)
            raise WorkerProcessDied(name=call.name, how="") from error
        ok, value, record, hidden = cloudpickle.loads(answer)
        masks.hide(hidden)
        if ok:
            return value
        if record is not None:
            setattr(value, traces.MARK, record)
        raise value

    def _start(self, scope: TaskScope) -> Workers:
        with self._starting:
            if self._workers is None:
                self._workers = Workers(self._n_processes, scope.root)
            return self._workers

    def _leave(self, workers: Workers) -> None:
        """Let the next call start new processes after a function of these exceeded its timeout."""
        with self._starting:
            if self._workers is workers:
                self._workers = None
                self._stuck.append(workers)

    def _discard(self, workers: Workers) -> None:
        """Let the next call start new processes after one died."""
        with self._starting:
            if self._workers is not workers:
                return
            self._workers = None
        workers.close()

    def cancel_all(self, pending: Sequence[TaskFuture[Any]]) -> None:
        """Cancel queued calls and end the worker processes."""
        super().cancel_all(pending)
        for workers in (self._workers, *self._stuck):
            if workers is not None:
                workers.kill()

    def close(self) -> None:
        """End worker processes and threads, once what they sent is recorded."""
        for stuck in self._stuck:
            stuck.kill()
            stuck.close()
        workers, self._workers = self._workers, None
        if workers is not None:
            workers.close()
        super().close()


class Workers:
    """One generation of worker processes with the pipe of their events."""

    def __init__(self, n_processes: int, root: Root) -> None:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        context = multiprocessing.get_context("spawn")
        self._root = root
        self._events = context.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="ostinato-events", daemon=True)
        self._reader.start()
        self._executor = ProcessPoolExecutor(
            n_processes, mp_context=context, initializer=worker.begin, initargs=(self._events,)
        )

    def submit(self, job: bytes) -> Future[bytes]:
        """Hand a job to a free process; new processes import the user's main file without running its flows."""
        with _ENVIRONMENT:
            os.environ[loading.VARIABLE] = "1"
            try:
                return self._executor.submit(worker.work, job)
            finally:
                del os.environ[loading.VARIABLE]

    def kill(self) -> None:
        """End the processes at once."""
        for process in list((self._executor._processes or {}).values()):  # noqa: SLF001 - there is no public way
            process.kill()

    def close(self) -> None:
        """End the processes, then the pipe: with all its writers gone, the reader comes to its end."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._events._writer.close()  # type: ignore[attr-defined]  # noqa: SLF001 - a writer killed in `put` keeps the lock
        self._reader.join()
        self._events.close()

    def _read(self) -> None:
        """Put the events of the worker processes into the flow's stream."""
        while True:
            try:
                block = self._events.get()
            except (EOFError, OSError):
                return
            for event in _decode(block):
                if isinstance(event, CheckpointSaved):
                    self._root.checkpoints[event.key] = event
                self._root.push(event)
