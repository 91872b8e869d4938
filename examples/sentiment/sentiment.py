"""A stream of reviews, a model that learns from each of them, and a watcher of its precision and recall.

Three flows that know one another only by topic. The publisher ends with its file; the other two run until
they are stopped. `python sentiment.py ../../data/yelp.csv` runs all three in one process: look at them from
another terminal with `ostinato runs` and `ostinato logs`, and end them with Ctrl-C.
"""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from collections import deque
from contextlib import suppress
from contextvars import copy_context
from itertools import cycle, islice
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from river.compose import Pipeline
from river.feature_extraction import BagOfWords
from river.metrics import ConfusionMatrix, Precision, Recall
from river.naive_bayes import MultinomialNB

from ostinato import flow, get_run_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ostinato.engine.loggers import RunLogger

NEGATIVE, POSITIVE = 0, 1


class Topic:
    """A queue between two flows of one process, each with an event loop of its own in a thread of its own."""

    def __init__(self, bound: int = 1000) -> None:
        self._events: deque[bytes] = deque()
        self._bound = bound
        self._wake: Callable[[], object] | None = None
        self._stop: Callable[[], object] | None = None

    async def publish(self, event: dict[str, Any]) -> None:
        """Append an event; wait while the reader is `bound` events behind."""
        while len(self._events) >= self._bound:  # noqa: ASYNC110 - the reader has another loop
            await asyncio.sleep(0.001)
        self._events.append(json.dumps(event).encode())
        if self._wake is not None:
            self._wake()

    async def subscribe(self) -> AsyncIterator[dict[str, Any]]:
        """Give each event once, for ever."""
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        reader = asyncio.current_task()
        self._wake = lambda: loop.call_soon_threadsafe(arrived.set)
        self._stop = lambda: reader and loop.call_soon_threadsafe(reader.cancel)
        while True:
            arrived.clear()
            while self._events:
                yield json.loads(self._events.popleft())
            await arrived.wait()

    def stop(self) -> None:
        """Cancel whoever subscribes, from any thread."""
        if self._stop is not None:
            self._stop()


RIVER_PIPELINE = Topic()
RIVER_METRICS = Topic()


class DataPublisher:
    """Emulates a feed of reviews."""

    def __init__(self, path: str | Path, n_events: int | None) -> None:
        with Path(path).open(encoding="utf-8", newline="") as file:
            reviews = [{"text": row["text"], "sentiment": int(row["sentiment"])} for row in csv.DictReader(file)]
        self.events = islice(cycle(reviews), n_events if n_events is not None else len(reviews))

    async def publish(self) -> int:
        """Publish the reviews of the file in their order, from the beginning again when more are asked for."""
        n_published = 0
        for event in self.events:
            await RIVER_PIPELINE.publish(event)
            n_published += 1
        return n_published


class DataSubscriber:
    """Serves the reviews to a model that predicts first and learns then."""

    def __init__(self) -> None:
        self.model = Pipeline(("vectorizer", BagOfWords(lowercase=True)), ("nb", MultinomialNB()))
        matrix = ConfusionMatrix(classes=[NEGATIVE, POSITIVE])
        self.confusion_matrix = matrix
        self.precision_recall = Precision(cm=matrix, pos_val=NEGATIVE) + Recall(cm=matrix, pos_val=NEGATIVE)

    async def subscribe(self) -> None:
        """Handle one review after the other."""
        async for event in RIVER_PIPELINE.subscribe():
            await self.run_model_pipeline(event)

    async def run_model_pipeline(self, record: dict[str, Any]) -> None:
        """Predict, score, tell the watcher, learn."""
        predicted = self.model.predict_one(record["text"])
        if predicted is not None:
            self.confusion_matrix.update(y_true=record["sentiment"], y_pred=predicted)
        precision, recall = self.precision_recall.get()
        print(f"precision {precision} recall {recall}")
        await RIVER_METRICS.publish({"precision": precision, "recall": recall})
        self.model.learn_one(record["text"], record["sentiment"])


class MetricsSubscriber:
    """Warns when the model is not good enough."""

    def __init__(self, logger: RunLogger, threshold: float = 0.60) -> None:
        self.logger = logger
        self.threshold = threshold

    async def subscribe(self) -> None:
        """Check one event after the other."""
        async for event in RIVER_METRICS.subscribe():
            self.check_metrics(event)

    def check_metrics(self, event: dict[str, float]) -> None:
        """Warn of precision or recall below the threshold."""
        for name in ("precision", "recall"):
            if event[name] < self.threshold:
                self.logger.warn(f"{name.title()} is below threshold: {event[name]}")  # noqa: G004, G010 - as users write it


@flow(log_prints=True)
def run_data_publisher(path: str, n_events: int | None = None) -> int:
    """Publish the reviews."""
    n_published = asyncio.run(DataPublisher(path, n_events).publish())
    print(f"published {n_published} reviews")
    return n_published


@flow(log_prints=True)
def run_data_subscriber() -> None:
    """Learn from the reviews, for ever."""
    asyncio.run(DataSubscriber().subscribe())


@flow(log_prints=True)
def run_metrics_subscriber() -> None:
    """Watch the model, for ever."""
    logger = get_run_logger()
    asyncio.run(MetricsSubscriber(logger=logger).subscribe())


@flow
def sentiment(path: str, n_events: int | None = None) -> None:
    """Run all three, the endless ones in threads of their own, until Ctrl-C."""
    watching = in_thread(run_metrics_subscriber)
    learning = in_thread(run_data_subscriber)
    try:
        run_data_publisher(path, n_events)
        learning.join()
    finally:
        for topic, thread in ((RIVER_PIPELINE, learning), (RIVER_METRICS, watching)):
            topic.stop()
            thread.join()


def in_thread(endless: Callable[[], None]) -> Thread:
    """Start a flow in a thread that knows which flow started it."""

    def run() -> None:
        with suppress(asyncio.CancelledError):
            endless()

    thread = Thread(target=copy_context().run, args=(run,), daemon=True)
    thread.start()
    return thread


if __name__ == "__main__":
    sentiment(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None)
