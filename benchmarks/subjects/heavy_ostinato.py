"""The same behind imports that many flows of the field have."""

import time

import pandas as pd
import sklearn.linear_model
from instant_ostinato import note

from ostinato import flow

LIBRARIES = (pd.__version__, sklearn.__version__)


@flow
def heavy(file: str, number: int) -> int:
    now = time.time_ns()
    note(file, number, now)
    return number
