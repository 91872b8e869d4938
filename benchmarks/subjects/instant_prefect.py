"""The flow of `instant_ostinato.py` for Prefect; run as a program it deploys it to a work pool and prints the id.

Argument: work pool.
"""

import json
import os
import sys
import time
from pathlib import Path

from prefect import flow


@flow
def instant(file: str, number: int) -> int:
    now = time.time_ns()
    opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(opened, f"{number} {now}\n".encode())
    finally:
        os.close(opened)
    return number


def main() -> None:
    folder = Path(__file__).parent
    remote = flow.from_source(source=str(folder), entrypoint=f"{Path(__file__).name}:instant")
    options = {"build": False, "push": False, "print_next_steps": False}
    deployment = remote.deploy(name="bench", work_pool_name=sys.argv[1], **options)
    print(json.dumps({"deployment": str(deployment)}))


if __name__ == "__main__":
    main()
