"""Logs a small model of scikit-learn with an example, again and again. Prints the seconds that each took as JSON.

Usage: models_ostinato.py N pickle|skops
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

from ostinato import log_model, start_run

frame = pd.DataFrame(np.random.default_rng(7).random((1000, 8)), columns=[f"column {n}" for n in range(8)])
model = LinearRegression().fit(frame, frame.sum(axis=1))
took: list[float] = []
with start_run("models"):
    for _ in range(int(sys.argv[1])):
        begin = time.perf_counter()
        log_model(model, "model", example=frame, how=sys.argv[2])
        took.append(time.perf_counter() - begin)
print(json.dumps({"first_s": took[0], "again_s": sorted(took[1:])[len(took[1:]) // 2]}))
