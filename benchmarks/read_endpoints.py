"""How fast are reads with a million flow runs and two million task runs? Every read of the API and of our own wire.

One client asks for each many times over one connection, each time for another part of the home where that is possible.
Pages that look for something rare are short and have a cursor, so what it takes to follow them is told apart.
The home is made once (`large_home.py`) and kept in the folder named by --home.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import re
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import fleets
import large_home
import large_tracking
import msgspec
import postgres
from homes import Home, temporary_home
from lines import Bar, Sheet, at_most

from ostinato.core.query import RUN_FIELDS, parse
from ostinato.core.reads import READS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fleets import Line

MOST_MS = 50.0
MOST_POSTGRES_MS = 60.0
QUERIES = (
    "",
    "parent:none",
    "state:failed since:24h",
    "state:failed",
    "state:active",
    "state:ended",
    "state:unsuccessful since:7d",
    "flow:flow-003 tag:prod",
    "flow:flow-003 state:failed since:7d",
    "flow:flow-140,flow-149",
    "deployment:flow-003/nightly",
    "deployment:flow-003/nightly state:crashed",
    "queue:gpu state:scheduled",
    f"tag:{large_home.RARE_TAG}",
    "tag:no-such-tag",
    "quick otter",
    "name:quick-otter",
    "no-such-word",
    "duration:>3h",
    "attempt:>1",
    "version:v3",
    "since:50d until:45d",
    "started:none",
    "-state:completed -tag:prod",
    "id:01",
)
WHOLE = (
    *("server", "counts", "flows", "variables", "deployments", "queues", "limits", "workers"),
    *("users", "keys", "secrets", "audit", "experiments", "models", "datasets"),
)
"""What is asked for as a whole, or its first page."""
PAGES = (
    *("home", "flows", "artifacts", "deployments", "datasets", "workers", "variables"),
    *("settings", "access"),
)
"""Pages of the web interface that are asked for without more."""
OF_RUN = (
    *("find_run", "subflow_runs", "task_runs", "counts", "tallies", "history", "artifacts", "recall", "inputs"),
    *("logs", "why_waiting", "tracking_runs_of", "datasets_of_run"),
)
"""Methods of the wire that are about one run."""
SEARCHES = (
    ("", ()),
    ("", ("metrics.rmse_valid ASC",)),
    ("metrics.rmse_valid < 5.2 and metrics.inference_time < 20e-6", ("metrics.rmse_valid ASC",)),
    ("metrics.rmse_valid < 6.5 and metrics.inference_time < 20e-6", ()),
    ("params.depth = '6' and tags.phase = 'final'", ("metrics.mae DESC",)),
    ("params.model = 'no-such-model'", ()),
    ("attributes.status = 'FAILED'", ("attributes.start_time DESC",)),
    ("attributes.run_name LIKE 'quick-%'", ()),
)
"""Filter and order; each is asked of the largest experiment and of all."""
FOLLOWED = ("no-such-word", "attempt:>1", "version:v3")
N_SAMPLES = 500
_TYPED = re.compile(":(str|int)}")
EVERY = (
    "SELECT id, name FROM (SELECT id, name, row_number() OVER (ORDER BY id) AS n FROM flow_runs) AS r WHERE n % ? = 0"
)
TRACKED = "SELECT id, flow_run_id FROM tracking_runs ORDER BY name, id LIMIT ?"
UNTIMED = {"/api/feed", "/api/openapi.json"}
"""The first goes on for ever, the second is the same for every home."""


@dataclass(frozen=True)
class Case:
    """One kind of request."""

    name: str
    ask: Callable[[], bytes]
    door: str
    """The path of the API, or the method of the wire, that it stands for."""


class Rest:
    """The public API."""

    def __init__(self, line: Line, some: Sample) -> None:
        self.line, self.some = line, some

    def get(self, path: str, **query: Any) -> bytes:
        """Give the body of an answer."""
        text = f"{path}?{urlencode(query, doseq=True)}" if query else path
        status, body = self.line.call("GET", text)
        if status != 200:
            raise RuntimeError(f"{text}: {status} {body[:300]!r}")
        return body

    def of_run(self, part: str) -> bytes:
        """Ask for a run, or for something of it."""
        return self.get(f"/api/runs/{self.some.run()}{part}")

    def deep(self, text: str) -> bytes:
        """Ask for a page that begins at some run."""
        return self.get("/api/runs", query=text, after=self.some.run(), limit=200)

    def deep_tasks(self) -> bytes:
        """Ask for a page of the tasks of a large run that begins at some task."""
        return self.get(f"/api/runs/{self.some.examples['large run']}/tasks", after=self.some.rng.randrange(19_000))

    def cases(self) -> Iterator[Case]:
        """Give a request, or several, for each read of the API."""
        get, run = partial(partial, self.get), "/api/runs/{ref}"
        for text in QUERIES:
            yield Case(f"runs, {text or 'all'}", get("/api/runs", query=text), "/api/runs")
        for text in ("", "state:completed", "flow:flow-000", "tag:prod"):
            yield Case(f"runs, {text or 'all'}, deep inside", partial(self.deep, text), "/api/runs")
        for part in ("", "/tasks", "/counts", "/logs", "/history", "/artifacts", "/inputs", "/subflows", "/why"):
            yield Case(f"a run{part}", partial(self.of_run, part), run + part)
        large = f"/api/runs/{self.some.examples['large run']}"
        yield Case("tasks of a large run, deep inside", self.deep_tasks, f"{run}/tasks")
        yield Case("failed tasks of a large run", get(f"{large}/tasks", state="Failed"), f"{run}/tasks")
        yield Case("counts of a large run", get(f"{large}/counts"), f"{run}/counts")
        yield Case("a run by name", get(f"/api/runs/{self.some.name}"), run)
        yield Case("the last run", get("/api/runs/last"), run)
        for part in ("", "/upcoming"):
            path = f"/api/deployments/{self.some.deployment}{part}"
            yield Case(f"a deployment{part}", get(path), f"/api/deployments/{{ref}}{part}")
        preview = "/api/queues/{name}/preview"
        yield from self.tracking_cases()
        yield from self.screen_cases()
        yield Case("queue preview", get("/api/queues/gpu/preview", hours=2160), preview)
        yield Case("a variable", get("/api/variables/limit_007"), "/api/variables/{name}")
        yield Case("flows, one day", get("/api/flows", hours=24), "/api/flows")
        for name in WHOLE:
            yield Case(name, get(f"/api/{name}"), f"/api/{name}")
        for name in ("metrics", "health"):
            yield Case(name, get(f"/{name}"), f"/{name}")

    def of_trained(self, part: str, **query: Any) -> bytes:
        """Ask for something of a run that trained a model."""
        return self.get(f"/api/runs/{self.some.trained()}{part}", **query)

    def of_tracking(self, part: str, **query: Any) -> bytes:
        """Ask for a tracking run, or for something of it."""
        return self.get(f"/api/tracking-runs/{self.some.tracking_run()}{part}", **query)

    def tracking_cases(self) -> Iterator[Case]:
        """Give requests for what is tracked and registered."""
        get, of = partial(partial, self.get), partial(partial, self.of_tracking)
        largest, door = large_tracking.experiment(0), "/api/tracking-runs"
        for text, order in SEARCHES:
            said = " ".join(filter(None, (text, *order))) or "all"
            query = {"where": text, "order_by": order}
            yield Case(f"tracking runs, {said}", get(door, **query), door)
            yield Case(f"tracking runs of an experiment, {said}", get(door, experiment=largest, **query), door)
        for part in ("", "/files", "/inputs"):
            yield Case(f"a tracking run{part}", of(part), f"{door}/{{ref}}{part}")
        yield Case("values of a metric", of("/history", key="rmse_valid"), f"{door}/{{ref}}/history")
        long = f"{door}/{self.some.examples['longest history']}/history"
        yield Case("values of a long metric", get(long, key="loss"), f"{door}/{{ref}}/history")
        yield Case("an experiment", get(f"/api/experiments/{largest}"), "/api/experiments/{ref}")
        runs = partial(partial, self.of_trained)
        yield Case("tracking runs of a run", runs("/tracking-runs"), "/api/runs/{run_id}/tracking-runs")
        yield Case("data of a run", runs("/datasets"), "/api/runs/{ref}/datasets")
        one, other = large_tracking.digest(0), large_tracking.digest(1)
        for part in ("", "/links", "/models", f"/diff/{other}"):
            named = part.replace(other, "{other}")
            yield Case(f"a version of data{named}", get(f"/api/datasets/{one}{part}"), f"/api/datasets/{{ref}}{named}")
        model, version = "/api/models/{name}", "/versions/{version}"
        for part in ("", "/history", "/versions", version, f"{version}/checks", f"{version}/lineage"):
            path = f"/api/models/{self.some.model}{part}".replace("{version}", "@production")
            yield Case(f"a model{part}", get(path), model + part)

    def screen_cases(self) -> Iterator[Case]:
        """Give requests for the pages of the web interface."""
        get, ui, run = partial(partial, self.get), "/api/ui", "/api/ui/runs/{ref}"
        for text in ("", "state:failed", "flow:flow-003 state:failed since:7d", "no-such-word"):
            yield Case(f"page: runs, {text or 'all'}", get(f"{ui}/runs", query=text), f"{ui}/runs")
        for hours in (24, 720):
            yield Case(f"page: all runs by time, {hours} h", get(f"{ui}/timeline", hours=hours), f"{ui}/timeline")
        large = f"{ui}/runs/{self.some.examples['large run']}"
        for part in ("", "/graph", "/logs", "/tasks"):
            yield Case(f"page: a run{part}", partial(self.page_of_run, part), run + part)
            yield Case(f"page: a large run{part}", get(large + part), run + part)
        yield Case("page: a task run", partial(self.page_of_run, "/tasks/1"), f"{run}/tasks/{{no}}")
        yield Case("page: a task run of a large run", get(f"{large}/tasks/19000"), f"{run}/tasks/{{no}}")
        yield Case("page: words in a log", get(f"{large}/logs/hits", text="empty"), f"{run}/logs/hits")
        model, data, experiment = self.some.model, large_tracking.digest(0), large_tracking.experiment(0)
        two = [row[0] for row in self.some.tracked[:2]]
        asked: dict[str, dict[str, Any]] = {
            **{name: {} for name in PAGES},
            "find": {"text": "otter"},
            "flow": {"name": "flow-000"},
            "deployment": {"ref": self.some.deployment},
            "tracking-runs": {"experiment": experiment},
            "comparison": {"run": two},
            "series": {"run": two, "key": "rmse_valid"},
        }
        for name, query in asked.items():
            yield Case(f"page: {name}", get(f"{ui}/{name}", **query), f"{ui}/{name}")
        artifact = self.some.artifact
        for door, path in (
            ("artifacts/{number}", f"artifacts/{artifact}"),
            ("datasets/{ref}", f"datasets/{data}"),
            ("models/{name}", f"models/{model}"),
            ("models/{name}/{version}", f"models/{model}/1"),
        ):
            yield Case(f"page: {door}", get(f"{ui}/{path}"), f"{ui}/{door}")
        yield Case("page: a tracking run", self.page_of_tracking, f"{ui}/tracking-runs/{{ref}}")
        content = f"/api/artifacts/{artifact}/content"
        yield Case("an artifact", get(content), "/api/artifacts/{number}/content")
        yield Case("events", get("/api/events"), "/api/events")
        yield Case("events of a kind that is rare", get("/api/events", kinds="variable-set"), "/api/events")
        yield Case("a log as text", partial(self.of_run, "/logs.txt"), "/api/runs/{ref}/logs.txt")

    def page_of_tracking(self) -> bytes:
        """Ask for the page of a tracking run."""
        return self.get(f"/api/ui/tracking-runs/{self.some.tracking_run()}")

    def page_of_run(self, part: str) -> bytes:
        """Ask for the page of a run, or for something of it."""
        return self.get(f"/api/ui/runs/{self.some.run()}{part}")

    def doors(self) -> set[str]:
        """Give the paths that the description of the API says can be read."""
        described = json.loads(self.get("/api/openapi.json"))["paths"]
        return {_TYPED.sub("}", path) for path, methods in described.items() if "get" in methods} - UNTIMED

    def follow(self, text: str) -> tuple[int, int, float]:
        """Follow a query to its end; give the number of runs and pages, and the seconds."""
        began, cursor, n_runs, n_pages = time.monotonic(), "", 0, 0
        while n_pages == 0 or cursor:
            page = json.loads(self.get("/api/runs", query=text, after=cursor, limit=1000))
            n_runs, n_pages, cursor = n_runs + len(page["items"]), n_pages + 1, page["next"]
        return n_runs, n_pages, time.monotonic() - began


class Wire:
    """The doors of our own processes."""

    def __init__(self, line: Line, some: Sample) -> None:
        self.line, self.some = line, some

    def read(self, method: str, *args: Any, **kwargs: Any) -> bytes:
        """Give the body of an answer."""
        body = READS[method].pack(*args, **kwargs)
        status, answer = self.line.call("POST", f"/api/rpc/read/{method}", body, "application/msgpack")
        if status != 200:
            raise RuntimeError(f"{method}: {status} {answer[:300]!r}")
        return answer

    def of_run(self, method: str) -> bytes:
        """Ask for something of a run."""
        return self.read(method, [self.some.run()] if method == "logs" else self.some.run())

    def of_tracking(self, method: str, *args: Any) -> bytes:
        """Ask for something of a tracking run."""
        return self.read(method, self.some.tracking_run(), *args)

    def tracking_asks(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """Give a request for each method about what is tracked and registered, by its name."""
        for name in ("find_tracking_run", "tracked_files", "tracked_inputs", "logged_models_of"):
            yield name, partial(self.of_tracking, name)
        yield "metric_history", partial(self.of_tracking, "metric_history", "rmse_valid")
        data, model = large_tracking.digest(0), self.some.model
        asked: dict[str, tuple[Any, ...]] = {
            "find_experiment": (large_tracking.experiment(0),),
            "logged_model": (f"m-{self.some.examples['tracking run with a model']}",),
            "find_version": (model, "@production"),
        }
        asked |= dict.fromkeys(("find_dataset", "dataset_links", "models_from_data"), (data,))
        asked |= dict.fromkeys(("find_model", "model_versions", "alias_steps"), (model,))
        asked |= dict.fromkeys(("gate_results", "version_origin"), (model, 1))
        yield from ((name, partial(self.read, name, *args)) for name, args in asked.items())

    def cases(self) -> Iterator[Case]:
        """Give a request for each method."""
        failed = parse("state:failed since:24h", RUN_FIELDS)
        ahead = time.time_ns() // 1000 + 90 * large_home.DAY_US
        asks: dict[str, Callable[[], bytes]] = {name: partial(self.read, name) for name in READS if asks_for_all(name)}
        asks |= {name: partial(self.of_run, name) for name in OF_RUN}
        asks |= dict(self.tracking_asks())
        asks |= {
            "runs": partial(self.read, "runs", failed, limit=50),
            "find_deployment": partial(self.read, "find_deployment", self.some.deployment),
            "preview": partial(self.read, "preview", "default", ahead, 1000),
            "tick_runs": partial(self.read, "tick_runs", self.some.deployment, "main", 0, ahead, limit=1000),
        }
        for method, ask in sorted(asks.items()):
            yield Case(f"wire: {method}", ask, method)


def asks_for_all(method: str) -> bool:
    """Tell whether a method of the wire can be asked without arguments."""
    try:
        READS[method].arguments(READS[method].pack())
    except msgspec.ValidationError:
        return False
    return True


class Sample:
    """Parts of the home to ask for."""

    def __init__(self, home: Home, examples: dict[str, str], n_runs: int) -> None:
        self.examples = examples
        self.rng = random.Random(7)
        with contextlib.closing(home.look()) as database:
            rows = database.execute(EVERY, (n_runs // N_SAMPLES,)).fetchall()
            self.runs = [run_id for run_id, _ in rows]
            self.name = rows[len(rows) // 2][1]
            query = "SELECT id FROM deployments WHERE flow = 'flow-000' AND name = 'nightly'"
            self.deployment = database.execute(query).fetchone()[0]
            self.artifact = database.execute("SELECT max(id) FROM artifacts").fetchone()[0]
            self.tracked = database.execute(TRACKED, (N_SAMPLES,)).fetchall()
        self.model = quote(examples["model"])

    def run(self) -> str:
        """Give the id of a run."""
        return quote(self.rng.choice(self.runs))

    def tracking_run(self) -> str:
        """Give the id of a tracking run."""
        return str(self.rng.choice(self.tracked)[0])

    def trained(self) -> str:
        """Give the id of a flow run that has a tracking run."""
        return str(self.rng.choice(self.tracked)[1])


def measure(sheet: Sheet, case: Case, n: int, bar: Bar) -> None:
    """Print how long one kind of request takes: the first and slowest one counts like the others."""
    found = []
    size = 0
    for _ in range(n):
        began = time.perf_counter()
        size = max(size, len(case.ask()))
        found.append((time.perf_counter() - began) * 1e3)
    median = round(fleets.share(found, 0.5), 2)
    sheet.add(
        case.name, fleets.share(found, 0.95), "ms, 95 %", n=n, bar=bar, median=median,
        longest=round(max(found), 2), most_bytes=size,
    )  # fmt: skip


def main() -> int:
    """Measure; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=None, help="folder of the large home; made when it is not there")
    parser.add_argument("--runs", type=int, default=large_home.N_RUNS)
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--only", default="", help="only the cases with this text in their names")
    parser.add_argument("--settle-s", type=float, default=3)
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL of its own, kept with the home")
    options = parser.parse_args()
    sheet = Sheet("read_endpoints_postgres" if options.postgres else "read_endpoints")
    bar = at_most(MOST_POSTGRES_MS if options.postgres else MOST_MS)
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(temporary_home())
        kept = None if options.home is None else options.home.resolve()
        if options.postgres:
            server = stack.enter_context(postgres.running(kept and kept / "postgres"))
            home = Home(kept or home.folder, server.url())
        elif kept is not None:
            home = Home(kept)
        made = large_home.ready(home.path, options.runs, home.url)
        with fleets.fleet_on(home) as fleet:
            fleet.server()
            time.sleep(options.settle_s)  # it takes over what the workers of the home have left
            line = fleets.Line(fleets.card(home))
            some = Sample(home, made["examples"], made["n_runs"])
            rest, wire = Rest(line, some), Wire(line, some)
            cases = [case for case in (*rest.cases(), *wire.cases()) if options.only in case.name]
            try:
                for case in cases:
                    measure(sheet, case, options.calls, bar)
            except RuntimeError:
                sys.stderr.write(fleet.told())
                raise
            for text in () if options.only else FOLLOWED:
                n_runs, n_pages, seconds = rest.follow(text)
                sheet.add(f"runs, {text}, to the end", seconds, "s, all pages", n=n_runs, pages=n_pages)
            missing = (rest.doors() | READS.keys()) - {"blob"} - {case.door for case in cases}
            line.close()
    if not options.only:
        sheet.add("reads that are not measured", len(missing), "doors", bar=at_most(0), doors=sorted(missing))
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
