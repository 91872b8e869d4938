"""A day with a server, as a user types it: up, deploy with a schedule, preview, run, cancel, pause with input, keys."""

from __future__ import annotations

import json
import signal
import textwrap
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Cli

FLOWS = """
    import time
    from ostinato import flow, pause, task


    @task
    def step(n: int) -> int:
        time.sleep(0.01)
        return n


    @flow(log_prints=True)
    def train(n: int = 3) -> int:
        print(f"training with {n}")
        return sum(step(i) for i in range(n))


    @flow
    def forever() -> None:
        while True:
            step(1)


    @flow
    def ask() -> str:
        limit = pause(wait_for_input=int)
        return f"limit {limit + 1}"
"""


def _until(look: Any, patience_s: float = 30) -> Any:
    end = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def _state(cli: Cli, name: str) -> str:
    return str(cli.json("show", name)["state"])


@pytest.mark.timeout(180)
def test_a_day_with_a_server_through_the_command_line(cli: Cli) -> None:
    (cli.folder / "flows.py").write_text(textwrap.dedent(FLOWS), encoding="utf-8")
    up = cli.start("up", "--port", "0")
    card = _until(lambda: (cli.home / "server.json").exists() and json.loads((cli.home / "server.json").read_bytes()))

    # deploy with a schedule, and see what is to come
    made = cli("deploy", "flows.py:train", "--name", "nightly", "--cron", "0 3 2 * *", "-p", "n=4")
    assert "train/nightly" in made.stdout + made.stderr
    for name in ("forever", "ask"):
        cli("deploy", f"flows.py:{name}", "--name", "now")
    preview = cli("queue", "preview", "default", "--hours", "2160").stdout
    assert preview.count("03:00:00") >= 3

    # run it now, with other parameters
    ran = cli("deploy", "run", "train/nightly", "n=5", "--watch")
    assert "Completed" in ran.stdout + ran.stderr
    newest = cli.json("runs", "deployment:train/nightly", "state:completed")[0]
    assert cli.json("show", newest["id"])["result"]["value"] == 10
    assert "training with 5" in cli("logs", newest["id"]).stdout
    refused = cli("deploy", "run", "train/nightly", "n=many", code=2)
    assert "error[" in refused.stderr

    # cancel one that would never end
    run = cli.json("deploy", "run", "forever/now")
    _until(lambda: _state(cli, run["id"]) == "Running")
    cli("cancel", run["id"])
    _until(lambda: _state(cli, run["id"]) == "Cancelled")

    # one that asks for input waits, refuses what does not fit, and goes on with what does
    run = cli.json("deploy", "run", "ask/now")
    _until(lambda: _state(cli, run["id"]) == "Paused")
    assert "integer" in cli("show", run["id"]).stdout
    cli("resume", run["id"], '"high"', code=4)
    cli("resume", run["id"], "41")
    _until(lambda: _state(cli, run["id"]) == "Completed")
    assert cli.json("show", run["id"])["result"]["value"] == "limit 42"

    # pause one, and let it go on
    run = cli.json("deploy", "run", "forever/now")
    _until(lambda: _state(cli, run["id"]) == "Running")
    cli("pause", run["id"])
    _until(lambda: _state(cli, run["id"]) == "Paused")
    cli("resume", run["id"])
    _until(lambda: _state(cli, run["id"]) == "Running")
    cli("cancel", run["id"])
    _until(lambda: _state(cli, run["id"]) == "Cancelled")

    # keys: what one may do, and no more after it is revoked
    cli("users", "create", "ann", "--role", "viewer")
    key = cli.json("keys", "create", "--user", "ann", "--role", "viewer", "--expires", "1d")
    assert _get(card["url"], key["text"]) == 200
    assert _post(card["url"], key["text"], run["id"]) == 403
    cli("keys", "revoke", key["id"])
    assert _get(card["url"], key["text"]) == 401

    up.send_signal(signal.SIGINT)
    assert up.wait(20) in (0, 3)
    assert not (cli.home / "server.json").exists()


def _ask(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def _get(url: str, key: str) -> int:
    return _ask(urllib.request.Request(f"{url}/api/runs", headers={"Authorization": f"Bearer {key}"}))


def _post(url: str, key: str, run_id: str) -> int:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return _ask(urllib.request.Request(f"{url}/api/runs/{run_id}/cancel", b"{}", headers, method="POST"))
