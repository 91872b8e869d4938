"""A DBOS workflow of N steps, to be killed and started again; the database is `crash.sqlite` in the working directory.

Arguments: N, diary. As in `crash_ostinato.py`, each call leaves a line in the diary. Started again, DBOS takes up by
itself what the killed process left.
"""

import os
import random
import sys
import time

from dbos import DBOS, SetWorkflowID

LONGEST_S = 0.004


def note(diary: str, text: str) -> None:
    file = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{text}\n".encode())
    os.close(file)


@DBOS.step()
def step(i: int, diary: str) -> int:
    note(diary, f"step {i}")
    time.sleep(random.uniform(0, LONGEST_S))
    return i * i


@DBOS.workflow()
def crash(n: int, diary: str) -> int:
    note(diary, "started")
    found = sum(step(i, diary) for i in range(n))
    note(diary, f"result {found}")
    return found


def main() -> None:
    n, diary = int(sys.argv[1]), sys.argv[2]
    DBOS(config={"name": "crash", "system_database_url": "sqlite:///crash.sqlite"})
    DBOS.launch()
    with SetWorkflowID("crash"):
        handle = DBOS.start_workflow(crash, n, diary)
    handle.get_result()
    DBOS.destroy()


main()
