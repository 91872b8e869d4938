"""The front page: the newest runs, the deployments with their next times, the workers, as plain HTML."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from html import escape
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato import __version__
from ostinato.core import zones
from ostinato.core.deployments import Deployment
from ostinato.core.query import AHEAD, Query, Term
from ostinato.core.records import FlowRun
from ostinato.core.schedules import upcoming
from ostinato.core.workers import Worker
from ostinato.store import runs, work

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ostinato.server.office import Shelf

N_RUNS: Final = 20
_MOST_LOOKS: Final = 10
"""A look takes in a bounded number of runs, whether they have begun or not."""
_BEGUN: Final = Query((Term(field=AHEAD, op="in", values=(), negated=True),))
_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Ostinato</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>:root{{color-scheme:light dark}}
body{{font:16px/1.5 system-ui;margin:2rem auto;max-width:64rem;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}th,td{{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}}
th{{font-weight:normal}}th,footer{{color:#666}}div{{overflow-x:auto}}
@media(prefers-color-scheme:dark){{body{{background:#111;color:#eee}}th,footer{{color:#aaa}}a{{color:#9cf}}}}</style>
<h1>Ostinato {version}</h1><p>{who}</p>
{body}
<footer><p>A web interface comes with a later version. The API is described at
<a href="/api/openapi.json">/api/openapi.json</a>; <a href="/health">/health</a> and
<a href="/metrics">/metrics</a> say how the server is.</p></footer></html>"""
_STRANGER: Final = """This browser is not let in. Open the address that the command ostinato up prints; each of these
lets one browser in, once."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows."""

    now: int
    runs: list[FlowRun]
    deployments: list[Deployment]
    workers: list[Worker]


def overview(shelf: Shelf) -> Overview:
    """Give what the page shows."""
    now = time.time_ns() // 1000
    return Overview(
        now=now,
        runs=_newest(shelf, now),
        deployments=work.deployments(shelf.db),
        workers=[one for one in shelf.reader.workers() if one.left_at is None],
    )


def _newest(shelf: Shelf, now: int) -> list[FlowRun]:
    found: list[FlowRun] = []
    cursor = ""
    for _ in range(_MOST_LOOKS):
        more, cursor = runs.runs(shelf.db, _BEGUN, limit=N_RUNS - len(found), after=cursor, now=now)
        found += more
        if not cursor or len(found) == N_RUNS:
            break
    return found


def page(actor: str, found: Overview | None) -> bytes:
    """Give the page for somebody, "" for who is not known; `found` is None for who may not look."""
    who = f"Signed in as {escape(actor)}." if actor else _STRANGER
    return _PAGE.format(version=__version__, who=who, body=_body(found) if found is not None else "").encode()


def _body(found: Overview) -> str:
    deployments = (
        (one.title, _schedules(one), _next(one, found.now), one.queue or "any that fits") for one in found.deployments
    )
    workers = (
        (one.info.name, f"{one.n_held} of {one.info.slots}", ", ".join(one.info.queues) or "all")
        for one in found.workers
    )
    return "\n".join(
        (
            _table("Newest runs", ("state", "run", "flow", "began, or is due", "what happened"), map(_run, found.runs)),
            _table("Deployments", ("name", "runs", "next", "queue"), deployments),
            _table("Workers", ("name", "runs", "queues"), workers),
        )
    )


def _run(run: FlowRun) -> Sequence[str]:
    at = run.started_at or run.expected_at
    message = run.message.splitlines()[:1]
    return run.state, run.name, run.deployment or run.flow, _instant(at, "UTC"), "".join(message)


def _schedules(one: Deployment) -> str:
    return "; ".join(str(each.schedule) for each in one.schedules) or "when asked"


def _next(one: Deployment, now: int) -> str:
    """Give the next time of a deployment, on the clock of its schedule."""
    if one.paused:
        return "paused"
    times = [
        (at, each.schedule.timezone) for each in one.schedules if each.active for at in upcoming(each.schedule, now, 1)
    ]
    return _instant(*min(times)) if times else ""


def _instant(at: int, zone: str) -> str:
    shown: datetime = (zones.EPOCH + timedelta(microseconds=at)).astimezone(zones.named(zone))
    return shown.strftime("%Y-%m-%d %H:%M:%S %Z")


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = ["".join(f"<td>{escape(text)}</td>" for text in row) for row in rows]
    if not cells:
        return f"<h2>{title}</h2><p>None.</p>"
    head = "".join(f"<th>{text}</th>" for text in heads)
    return f"<h2>{title}</h2><div><table><tr>{head}</tr><tr>{'</tr><tr>'.join(cells)}</tr></table></div>"
