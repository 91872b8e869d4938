"""What pages are told: the beginning of what is large, and headers under which nothing of users acts in our name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ostinato
from ostinato.core.happenings import KINDS
from ostinato.server.artifacts import content_headers
from ostinato.server.events import shortened
from ostinato.server.screens.artifacts import MOST_CHARACTERS, beginning
from ostinato.server.screens.flows import _usual


def test_of_a_large_value_the_beginning_is_told() -> None:
    text, whole = beginning("x" * (MOST_CHARACTERS + 1))
    assert (len(text), whole) == (MOST_CHARACTERS, False)
    rows = [[n] * 60 for n in range(300)]
    table, whole = beginning({"columns": [str(n) for n in range(60)], "rows": rows})
    assert (len(table["rows"]), len(table["rows"][0]), table["n_rows"], whole) == (200, 50, 300, False)
    assert beginning({"columns": ["a"], "rows": [["y" * 600]]})[0]["rows"] == [["y" * 500 + "…"]]
    small = {"url": "https://example.org", "text": "there"}
    assert beginning(small) == (small, True)
    deep, whole = beginning({"all": list(range(30_000))})
    assert (isinstance(deep, str), whole) == (True, False)


def test_an_event_is_told_without_the_rest_of_what_is_long_or_deep() -> None:
    deep: object = "bottom"
    for _ in range(20):
        deep = {"in": deep}
    told = shortened({"text": "x" * 5000, "many": dict.fromkeys(map(str, range(99)), 1), "deep": deep, "n": 7})
    assert len(told["text"]) == 2001
    assert len(told["many"]) == 51
    assert "bottom" not in str(told)
    assert told["n"] == 7


@pytest.mark.parametrize(
    ("media_type", "sent", "how"),
    [
        ("image/svg+xml", "image/svg+xml", "inline"),
        ("text/html", "text/html; charset=utf-8", "inline"),
        ("text/javascript", "application/octet-stream", "attachment"),
        ("text/html\r\nset-cookie: a=b", "application/octet-stream", "attachment"),
        ("", "application/octet-stream", "attachment"),
    ],
)
def test_a_file_of_users_is_shown_in_a_sandbox_or_kept(media_type: str, sent: str, how: str) -> None:
    headers = content_headers(media_type, 'a "b"\r\n/ö.html')
    assert headers["content-type"] == sent
    assert headers["content-disposition"].startswith(f'{how}; filename="a-b-.html"; filename*=UTF-8')
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none';")
    assert not any("\r" in value or "\n" in value for value in headers.values())
    scripts = content_headers(media_type, "a", scripts=True)["content-security-policy"]
    assert scripts.startswith("sandbox allow-scripts; ")
    assert "allow-same-origin" not in scripts


def test_usual_times_are_those_of_runs_that_completed() -> None:
    assert _usual([]) == (None, None)
    assert _usual([("Failed", 1.0), ("Completed", None)]) == (None, None)
    assert _usual([("Completed", float(n)) for n in range(1, 21)] + [("Failed", 99.0)]) == (10.0, 19.0)


def test_the_interface_listens_to_all_that_the_feed_tells() -> None:
    text = (Path(ostinato.__file__).parent / "ui/lib/feed.js").read_text()
    named = re.search(r"export const KINDS = \[(.*?)\]", text, re.DOTALL)
    assert named is not None
    assert sorted(re.findall(r'"([\w-]+)"', named[1])) == sorted(KINDS.values())
