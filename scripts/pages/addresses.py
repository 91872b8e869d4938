"""The page of all HTTP addresses, from the handlers and the tables of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostinato.core.happenings import KINDS, NEEDS
from ostinato.core.reads import READS
from ostinato.server import memory
from ostinato.server.problems import STATUS
from ostinato.server.rest import application
from pages.text import GENERATED, first_line, table

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHERS = (
    (
        "GET",
        "/health",
        "nobody",
        "Say that the server is there: `{id, status, version}`, and whether its database is: `ok` or `no-database`.",
    ),
    ("GET", "/metrics", "viewer", "Counts and durations for Prometheus."),
    ("GET", "/api/openapi.json", "nobody", "Describe the API (OpenAPI 3.1)."),
    ("GET", "/api/feed", "viewer", "Follow what happens, see below."),
    ("GET, HEAD", "/api/blobs/{digest}", "viewer", "Give a stored value."),
    ("PUT", "/api/blobs/{digest}", "editor", "Store a value under its BLAKE2b-128; the digest is checked."),
    ("GET", "/login?link=...", "nobody", "Follow a one-time link: begins a session, goes to `/`."),
    ("POST", "/api/login-links", "admin", "Make a one-time link."),
    ("GET, POST, DELETE", "/api/session", "nobody", 'Show a session; begin one with `{"key": "ost_..."}`; end it.'),
    ("POST", "/api/rpc/do, append, read/..., memory/...", "by what is asked", "The doors of our own processes."),
)
FEED = (
    ("kinds", "Only these kinds, with commas between them; `-logged` leaves a kind out of all there are."),
    ("run", "Only this run and those below it: id, beginning of an id, name, or `last`."),
    ("flow", "Only runs of this flow."),
    ("since", "Begin at an instant, as in queries: `24h`, `2026-11-01`."),
    ("after", "Begin after the event with this id. The header `Last-Event-ID` means the same and goes first."),
)

EXAMPLES = """## Three requests

With a flow that is deployed, a server and a key:

```python file=flow.py
from ostinato import flow


@flow
def train(n: int = 1) -> int:
    return 2 * n
```

```bash run
ostinato deploy flow.py:train --name nightly > made.txt
ostinato users create ann --role operator
ostinato up --port 0 > up.txt 2>&1 &
until grep -q open up.txt; do sleep 0.1; done
SERVER=$(sed -n 's/^server *//p' up.txt)
KEY=$(ostinato keys create --user ann)

curl -sw '\\n' "$SERVER/api/runs?query=state:failed+since:24h&limit=5" -H "Authorization: Bearer $KEY"
curl -sw '\\n' "$SERVER/api/deployments/train/nightly/runs" -H "Authorization: Bearer $KEY" \\
  -H "Content-Type: application/json" -d '{"parameters": {"n": 5}, "due_at": "2031-01-01T00:00:00Z", "name": "far"}'
curl -sw '\\n' -X POST "$SERVER/api/runs/far/cancel" -H "Authorization: Bearer $KEY" \\
  -H "Content-Type: application/json" -d '{"reason": "no need"}'
kill %1 && wait
```

```text output
{"items":[],"next":null}
"name":"far","flow":"train","state":"Scheduled"...
"state":"Cancelled"..."message":"cancelled by ...: no need"...
```"""


def page() -> str:
    """Give the page."""
    return "\n".join([*_head(), *_public(), *_feed(), *_rpc(), *_errors()])


def _head() -> Iterator[str]:
    yield from ("# HTTP", GENERATED, "")
    yield "Every request says who asks: `Authorization: Bearer KEY`, with an API key (`ostinato keys create`) or the"
    yield "token in the `server.json` of the home; browsers send the cookie of a session. A request is for a known name"
    yield "of the server (`Host`), and one that changes something comes from no page of elsewhere (`Origin`)."
    yield "Instants are ISO 8601 in UTC, durations seconds. Bodies have at most 64 MiB, stored values any size."
    yield ""
    yield from EXAMPLES.splitlines()
    yield ""


def _public() -> Iterator[str]:
    described: dict[str, Any] = application().openapi_schema.to_schema()
    yield from ("## Public API", "")
    components = described["components"]["schemas"]
    rows = []
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            takes = [*(f"`{name}`" for name in names), *filter(None, [_body(body, components)])]
            rows.append((method.upper(), f"`{path}`", ", ".join(takes), operation.get("description", "")))
    yield from table(("method", "address", "takes", "does"), rows)
    yield ""
    yield "A run is named by its id, a unique beginning of it, its name (the newest) or `last`; a deployment by its id,"
    yield "by a name that only one has, or by `flow/name`: `/api/deployments/train/nightly/pause`. Where a flow has a"
    yield "slash in its name, or a deployment is called `runs`, `pause` or `upcoming`, take the id: `GET"
    yield "/api/deployments?ref=flow/name` has it. `query` is the query grammar of `ostinato runs`. A page may be short"
    yield "and have a `next` nevertheless: it ends with `next: null`. A parameter that is not known is refused."
    yield from ("", "## Other addresses", "")
    yield from table(("method", "address", "for", "does"), [(a, f"`{b}`", c, d) for a, b, c, d in OTHERS])
    yield ""


def _body(schema: dict[str, Any], components: dict[str, Any]) -> str:
    """Give the fields of a body; those that may be left out are in brackets."""
    names = [one["$ref"].rpartition("/")[2] for one in (schema, *schema.get("oneOf", [])) if "$ref" in one]
    if not names:
        return ""
    found = components[names[0]]
    required = found.get("required", [])
    return "`{" + ", ".join(name if name in required else f"[{name}]" for name in found["properties"]) + "}`"


def _feed() -> Iterator[str]:
    yield from ("## The feed", "")
    yield "`GET /api/feed` is a stream of server-sent events: all that happens on the home, in commit order, each once."
    yield "The id of an event, `<block>.<index>`, is its position; a reader that comes again with `Last-Event-ID`"
    yield "misses nothing, whichever server answers. Without a position it is told where it begins, and what comes"
    yield "from now on. A position that retention has overtaken is refused with 410 `feed-too-old`. Every 15 s a"
    yield "comment says that nothing is new. Of an artifact of more than 64 KiB its size is told, not what it holds."
    yield ""
    yield from table(("parameter", "means"), [(f"`{name}`", text) for name, text in FEED])
    yield ""
    rows = ((f"`{word}`", first_line(kind), NEEDS.get(kind, "read")) for kind, word in KINDS.items())
    yield from table(("event", "says", "needs"), rows)
    yield ""


def _rpc() -> Iterator[str]:
    yield from ("## Doors of our own processes", "")
    yield "Bodies and answers are msgpack. They change with the version: use the public API from programs of yours."
    yield ""
    yield "- `POST /api/rpc/do`: a command of `core/commands.py`."
    yield "- `POST /api/rpc/append`: `(writer, blocks)`; the answer comes when they are in the database."
    yield f"- `POST /api/rpc/read/METHOD`: {', '.join(f'`{name}`' for name in READS)}."
    yield f"- `POST /api/rpc/memory/METHOD`: {', '.join(f'`{name}`' for name in memory.DOORS)}."
    yield ""


def _errors() -> Iterator[str]:
    yield from ("## Errors", "")
    yield "Every refusal is problem+json (msgpack at the doors of our own) with `type`, `title`, `status`, `code`,"
    yield "`detail`, `hint` and `values`. [Error codes](errors.md) explains each code."
    yield ""
    rows = []
    for status in sorted({*STATUS.values(), 500}):
        found = [kind for kind, number in STATUS.items() if number == status]
        words = [f"`{kind.code}`" if "code" in vars(kind) else first_line(kind).rstrip(".").lower() for kind in found]
        rows.append((str(status), ", ".join(words) or "a fault of ours"))
    yield from table(("status", "codes"), rows)
    yield ""
