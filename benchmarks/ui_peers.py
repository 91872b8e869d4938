"""Looks at the web interfaces of Prefect and MLflow, each with runs of its own."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any, Final

import mlflow_door
import prefect_server
from browsers import Visitor, looks, tell
from environments import interpreter

if TYPE_CHECKING:
    from collections.abc import Callable

    from lines import Sheet
    from playwright.sync_api import Browser

    Peer = Callable[[Sheet, Browser, int, int], None]


def shows(text: str) -> str:
    """Give an expression that tells whether a text is on the page."""
    return f"document.body.innerText.includes({text!r})"


def prefect(sheet: Sheet, browser: Browser, n: int, n_runs: int) -> None:
    """Look at Prefect's interface."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, prefect_server.running(folder) as server:
        flow = server.ask("/flows/", {"name": "bench"})["id"]
        state = {"type": "COMPLETED", "name": "Completed"}
        for number in range(n_runs):
            server.ask("/flow_runs/", {"flow_id": flow, "name": f"bench-{number}", "state": state})
        visitor = Visitor(browser, server.url.removesuffix("/api"))
        tell(sheet, "start page", looks(visitor, "/dashboard", shows("total"), n), "prefect")
        tell(sheet, "Runs", looks(visitor, "/runs", shows(f"bench-{n_runs - 1}"), n), "prefect")


def mlflow(sheet: Sheet, browser: Browser, n: int, n_runs: int) -> None:
    """Look at MLflow's interface."""
    # One process: on a busy machine the one that looks after several takes those for dead that are slow to begin.
    with mlflow_door.mlflow(interpreter("mlflow"), "--workers", "1") as door:
        mlflow_door.fill(door, n_runs)
        listed: Any = door.post("runs/search", experiment_ids=["0"], max_results=1)
        name = listed["runs"][0]["info"]["run_name"]
        visitor = Visitor(browser, f"http://127.0.0.1:{door.connection.port}")
        tell(sheet, "start page", looks(visitor, "/", shows("Default"), n), "mlflow")
        tell(sheet, "Runs", looks(visitor, "/#/experiments/0/runs", shows(name), n), "mlflow")


PEERS: Final[dict[str, Peer]] = {"prefect": prefect, "mlflow": mlflow}
