"""Logs values of metrics: as fast as it can, or while it trains. Prints what that took as JSON.

Usage: tracking_ostinato.py enqueue N
       tracking_ostinato.py train EPOCHS yes|no
"""

from __future__ import annotations

import json
import random
import sys
import time

EPOCH_STEPS = 120_000
N_METRICS = 5


def enqueue(n: int) -> dict[str, float]:
    """Log n values; give the seconds until the last call returned, until all were committed, and the CPU of it all."""
    import ostinato
    from ostinato import session

    begin, cpu = time.perf_counter(), time.process_time()
    with ostinato.start_run("enqueue") as run:
        begun = time.perf_counter()
        for step in range(n):
            ostinato.log_metric("loss", 0.5, step)
        logged_s = time.perf_counter() - begun
    session.recorder().settle("database")
    found = {"logged_s": logged_s, "committed_s": time.perf_counter() - begin, "cpu_s": time.process_time() - cpu}
    reader = session.reader()
    points = reader.metric_history(run.id, "loss", most=2 * n)
    reader.close()
    return found | {"n_missing": n - len(points)}


def train(epochs: int, *, tracked: bool) -> dict[str, float]:
    """Fit a line by stochastic descent, with or without tracking; the CPU of the process counts from its start."""
    from contextlib import nullcontext

    if tracked:
        import ostinato
        from ostinato import session
    numbers = random.Random(7)
    a = b = 0.0
    with ostinato.start_run("train") if tracked else nullcontext():
        if tracked:
            ostinato.log_params({f"param_{number}": number for number in range(10)})
        for epoch in range(epochs):
            loss = 0.0
            for _ in range(EPOCH_STEPS):
                x = numbers.random()
                error = a * x + b - (3 * x + 1)
                a -= 0.01 * error * x
                b -= 0.01 * error
                loss += error * error
            if tracked:
                for number in range(N_METRICS):
                    ostinato.log_metric(f"loss_{number}", loss, epoch)
    if tracked:
        session.close()
    return {"cpu_s": time.process_time(), "a": a}


if __name__ == "__main__":
    words = sys.argv[1:]
    print(
        json.dumps(enqueue(int(words[1])) if words[0] == "enqueue" else train(int(words[1]), tracked=words[2] == "yes"))
    )
