"""The first program of a new user."""

from prefect import flow, task


@task
def greet(name: str) -> str:
    return f"Hello, {name}!"


@flow
def hello(name: str = "world") -> None:
    print(greet(name))


if __name__ == "__main__":
    hello()
