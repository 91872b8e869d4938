"""The first program of a new user; the database is `hello.sqlite` in the working directory."""

from dbos import DBOS


@DBOS.step()
def greet(name: str) -> str:
    return f"Hello, {name}!"


@DBOS.workflow()
def hello(name: str = "world") -> None:
    print(greet(name))


if __name__ == "__main__":
    DBOS(config={"name": "hello", "system_database_url": "sqlite:///hello.sqlite"})
    DBOS.launch()
    hello()
    DBOS.destroy()
