"""Flows that say when what happened: each line has its number and the instant, in milliseconds."""

import random
import time

from ostinato import flow, get_run_logger, task


def say(number: int) -> None:
    get_run_logger().info("said %s at %s", number, time.time_ns() // 1_000_000)


@task
def step(number: int) -> None:
    say(number)


@flow
def talk(n: int) -> None:
    for number in range(n):
        time.sleep(random.uniform(0.2, 0.6))
        step(number)


@flow
def once(number: int) -> None:
    say(number)
