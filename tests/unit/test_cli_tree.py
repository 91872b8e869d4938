"""The tree, lines and times of the terminal, without a terminal."""

from __future__ import annotations

import io
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.cli.failure import failure_lines, place_of
from ostinato.cli.glyphs import GLYPHS, ORDER
from ostinato.cli.lines import clip, columns_of, line_width, one_line, pad, paint, spread, width, wrap, wrap_line
from ostinato.cli.live import Pane
from ostinato.cli.loglines import short_lines, text_of
from ostinato.cli.summary import summary_box, summary_lines
from ostinato.cli.survey import Branch, Group, groups_of
from ostinato.cli.times import ago, iso, took
from ostinato.cli.tree import TIMES, Pace, View, tree_of
from ostinato.core.events import Error, Source
from ostinato.core.records import FlowRun, LogLine, TaskCount, TaskRun, TaskTally
from ostinato.core.states import TABLE, StateName

NOW = 1_790_000_000_000_000
ERROR = Error("ValueError", "bad row 17\nand more", "", "/code/train.py", 12, "row=17", "score-17")


def run(name: str, flow: str, state: StateName, **changes: object) -> FlowRun:
    base = FlowRun(
        id=name, name=name, flow=flow, state=state, message="", epoch=1, attempt=1, root_id=name, parent_id="", key=b"",
        no=0, upstream=(), created_at=NOW - 13_000_000, expected_at=NOW, started_at=NOW - 12_300_000, ended_at=None,
        parameters=b"{}", arguments=None, tags=(), version="", source=Source("", "", "", ""), stream="s", result=None,
        error=None, n_reused=0, n_logs_dropped=0,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def task(no: int, name: str, state: StateName, *, group: str = "") -> TaskRun:
    return TaskRun(
        run_id="r", no=no, key=b"", task=name, name=f"{name}-{no}", state=state, message="", epoch=1, attempt=1,
        ordinal=0, parent_no=0, upstream=(), version="", tags=(), group=group, created_at=NOW,
        started_at=NOW - 2_000_000, ended_at=None, n_started=0, result=None, error=ERROR,
    )  # fmt: skip


def group(name: str, no: int, group: str = "", **states: int) -> Group:
    return Group(task=name, group=group, states=states, first_no=no)  # type: ignore[arg-type]


PREPARED = Branch(
    run=run("brave-fox", "preprocess", "Completed", ended_at=NOW - 9_000_000, no=2),
    groups=(group("read", 1, Completed=3),),
)
WIDE = Branch(
    run=run("quiet-otter", "train", "Running"),
    groups=(
        group("load", 1, Completed=1),
        group("score", 3, "g", Completed=3120, Failed=12, Running=40, Pending=828),
        group("größe_日本語_mit_einem_sehr_langen_namen_der_nicht_passt", 4003, Running=1),
    ),
    failures=tuple(task(no, "score", "Failed", group="g") for no in (17, 29, 44, 50, 61)),
    active=(),
    branches=(PREPARED,),
)


def lines_of(branch: Branch, *, columns: int = 80, rows: int = 40, pace: Pace | None = None) -> list[str]:
    view = View(columns=columns, rows=rows, now=NOW, pace=pace or Pace())
    return [paint(line, colour=False) for line in tree_of(branch, view)]


def test_a_mapped_task_is_one_line_with_counts() -> None:
    (line,) = [line for line in lines_of(WIDE) if "score ×" in line]
    assert "✕ score ×4,000" in line
    assert "3,120 ✓  12 ✕  40 ◐  828 ◌" in line


@pytest.mark.parametrize("columns", [60, 80])
def test_bar_and_name_give_way_before_a_count_does(columns: int) -> None:
    states = {"Completed": 31_200, "Failed": 1200, "Retrying": 40, "AwaitingRetry": 12, "Running": 16}
    busy = Branch(run=WIDE.run, groups=(group("score_rows_with_a_long_name", 1, "g", **states),))
    (line,) = [line for line in lines_of(busy, columns=columns) if TIMES in line]
    assert "31,200 ✓  1,200 ✕  16 ◐  40 ↻ retrying" in line
    assert line.endswith("12 ↺ to retry") or (columns < 80 and line.endswith("…"))
    assert "█" not in line


def test_a_long_name_of_a_failed_task_gives_way_to_the_reason() -> None:
    failed = msgspec.structs.replace(task(3, "score", "Failed"), name="score_rows_with_a_long_name_" * 2)
    branch = Branch(run=WIDE.run, groups=(group("score", 1, Failed=1),), failures=(failed,))
    assert any("ValueError: bad row 17" in line for line in lines_of(branch, columns=60))


def test_what_was_left_before_a_resume_is_no_failure() -> None:
    counts = [
        TaskCount(task="a", group="", state="Failed", n=3, first_no=1),
        TaskCount(task="a", group="", state="Completed", n=2, first_no=1),
        TaskCount(task="b", group="", state="Failed", n=1, first_no=6),
    ]
    old = [
        TaskTally(task=name, group="", state="Failed", epoch=1, n=n, longest_us=9, total_us=9, most_attempts=4)
        for name, n in (("a", 2), ("b", 1))
    ]
    new = [TaskTally(task="a", group="", state="Completed", epoch=1, n=2, longest_us=5, total_us=7, most_attempts=2)]
    first, second = groups_of(counts, [*old, *new], 2)
    assert (first.states, first.n_superseded) == ({"Failed": 1, "Completed": 2}, 2)
    assert (first.longest_us, first.total_us, first.most_attempts) == (5, 7, 2)
    assert (second.states, second.n_superseded) == ({}, 1)
    branch = Branch(run=run("r", "train", "Completed", ended_at=NOW, epoch=2), groups=(second,))
    assert any("· b" in line and "1 left from before the resume" in line for line in lines_of(branch))


class Sink(io.StringIO):
    """Keeps what one paint wrote."""

    def taken(self) -> str:
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text


def test_only_rows_that_changed_are_written_again() -> None:
    sink = Sink()
    pane = Pane(sink)
    pane.paint("", ["one", "two", "three"], 80)
    sink.taken()
    pane.paint("", ["one", "TWO", "three"], 80)
    again = sink.taken()
    assert "TWO" in again
    assert "one" not in again
    assert "three" not in again
    pane.paint("above\n", ["one", "TWO"], 80)
    assert "one" in sink.taken()
    pane.show_cursor()
    assert "\x1b[?25h" in sink.taken()


texts_of_rows = st.lists(st.lists(st.text("ab 日", max_size=12), max_size=4), max_size=4)


@given(texts_of_rows, st.integers(12, 40))
def test_a_wrapped_line_fits_and_keeps_its_letters_and_styles(texts: list[list[str]], columns: int) -> None:
    line = [(text, "bold" if at % 2 else "dim") for at, text in enumerate(text for row in texts for text in row)]
    rows = wrap_line(line, columns, 4)
    assert all(line_width(row) <= columns for row in rows)

    def letters(lines: list[list[tuple[str, str]]]) -> list[tuple[str, str]]:
        return [(char, style) for row in lines for text, style in row for char in text if char != " "]

    assert letters(rows) == letters([line])


def test_calls_stand_in_the_order_in_which_they_began() -> None:
    names = [name for line in lines_of(WIDE) for name in ("load", "preprocess", "score ×", "größe") if name in line]
    assert names == ["load", "preprocess", "score ×", "größe"]


def test_failures_are_open_and_the_rest_of_them_counted() -> None:
    text = "\n".join(lines_of(WIDE))
    assert "✕ score-17  ValueError: bad row 17" in text
    assert "and more" not in text
    assert "… 7 more failed" in text


def test_the_time_left_follows_from_the_pace_seen() -> None:
    pace = Pace()
    early = msgspec.structs.replace(WIDE.groups[1], states={"Completed": 3000, "Pending": 1000})
    pace.left_us(WIDE.run, early, NOW - 12_000_000)
    # 132 done in 12 seconds, 868 to go
    assert any("1m19s left" in line for line in lines_of(WIDE, pace=pace))


def test_many_subflow_runs_are_one_line() -> None:
    children = tuple(
        Branch(run=run(f"r{n}", "child", "Failed" if n == 3 else "Completed", no=n, ended_at=NOW)) for n in range(1000)
    )
    text = "\n".join(lines_of(Branch(run=WIDE.run, branches=children)))
    assert "child ×1,000" in text
    assert "999 ✓  1 ✕" in text
    assert "✕ Failed  child · r3" in text
    assert len(text.splitlines()) < 5


@given(st.integers(20, 200), st.integers(3, 40))
def test_the_tree_fits_any_terminal(columns: int, rows: int) -> None:
    view = View(columns=columns, rows=rows, now=NOW, pace=Pace())
    lines = tree_of(WIDE, view)
    assert len(lines) <= rows
    assert all(line_width(line) <= columns for line in lines)


def test_what_is_done_gives_way_before_what_runs_and_failures_stay() -> None:
    lines = lines_of(WIDE, rows=6)
    assert not any("load" in line for line in lines)
    assert any("score-17" in line for line in lines)
    assert "more lines" in lines[-1]


def test_counters_become_groups_in_order() -> None:
    counts = [
        TaskCount(task="b", group="", state="Completed", n=2, first_no=1),
        TaskCount(task="b", group="", state="Failed", n=1, first_no=1),
        TaskCount(task="b", group="", state="Running", n=0, first_no=1),
        TaskCount(task="a", group="g", state="Pending", n=1, first_no=4),
    ]
    first, second = groups_of(counts)
    assert (first.total, first.n_done, first.state) == (3, 3, "Failed")
    assert (second.total, second.n_done, second.state) == (1, 0, "Pending")


@given(st.integers(30, 150))
def test_the_summary_box_is_a_box(columns: int) -> None:
    ended = msgspec.structs.replace(
        WIDE, run=run("quiet-otter", "train größe 日本", "Failed", ended_at=NOW, error=ERROR, epoch=2, n_reused=412)
    )
    lines = summary_box(ended.run, summary_lines(ended, []), columns)
    assert len({line_width(line) for line in lines}) == 1
    assert line_width(lines[0]) <= columns


def test_every_state_has_a_glyph_of_its_own() -> None:
    assert set(GLYPHS) == set(ORDER) == set(TABLE)
    assert len({glyph for glyph, _ in GLYPHS.values()}) == len(GLYPHS)


texts = st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=60)


@given(texts, st.integers(0, 50))
def test_a_clipped_or_padded_text_has_its_width(text: str, columns: int) -> None:
    assert width(clip(text, columns)) <= columns
    assert width(pad(text, columns)) == columns or width(text) == 0
    if width(text) <= columns:
        assert clip(text, columns) == text


@given(texts, texts, st.integers(10, 100))
def test_a_spread_line_never_is_too_wide(left: str, right: str, columns: int) -> None:
    assert line_width(spread([(left, "")], [(right, "dim")], columns)) <= columns


@given(st.lists(st.lists(texts, min_size=3, max_size=3), min_size=1, max_size=5), st.integers(20, 100))
def test_columns_are_aligned_and_fit(rows: list[list[str]], columns: int) -> None:
    lines = columns_of([[(text, "") for text in row] for row in rows], columns, right=(1,))
    assert all(line_width(line) <= columns for line in lines)


@given(texts, st.integers(20, 80))
def test_a_wrapped_text_loses_no_letter(text: str, columns: int) -> None:
    rows = wrap(text, columns, 10)
    assert all(width(row) <= columns for row in rows)
    assert "".join("".join(rows).split()) == "".join(text.split())


@given(st.text())
def test_one_line_has_no_control_characters(text: str) -> None:
    assert not any(unicodedata.category(char) == "Cc" for char in one_line(text))
    assert len(one_line(text).splitlines()) <= 1


def test_log_lines_on_a_terminal_are_harmless() -> None:
    line = LogLine(
        id=1, run_id="r", no=0, task="", at=NOW, level=30, logger="user", text="a\x1b[31mred\x1b[2J\x07\n  b"
    )
    assert "\x1b[2J" not in text_of(line, "quiet-otter", terminal=True)
    assert "\x1b[31mred" in text_of(line, "quiet-otter", terminal=True)
    rows = short_lines(line, "quiet-otter", 40)
    assert len(rows) == 2
    assert all(row.startswith("\x1b[33m") for row in rows)
    assert "WARNING" in rows[0]


@pytest.mark.parametrize(
    ("us", "said"),
    [
        (0, "0ms"),
        (999_499, "999ms"),
        (999_600, "1.0s"),
        (59_940_000, "59.9s"),
        (59_960_000, "1m00s"),
        (72_000_000, "1m12s"),
        (3_599_400_000, "59m59s"),
        (3_600_000_000, "1h00m"),
        (7_500_000_000, "2h05m"),
        (90_000_000_000, "1d01h"),
        (-5, "0ms"),
    ],
)
def test_durations_are_short(us: int, said: str) -> None:
    assert took(us) == said


@pytest.mark.parametrize(("seconds", "said"), [(0, "0s ago"), (59, "59s ago"), (60, "1m ago"), (90_000, "1d ago")])
def test_instants_are_told_from_now(seconds: int, said: str) -> None:
    assert ago(NOW - seconds * 1_000_000, NOW) == said


def test_json_instants_are_utc_with_microseconds_when_there_are_any() -> None:
    assert iso(NOW) == "2026-09-21T14:13:20Z"
    assert iso(NOW + 7) == "2026-09-21T14:13:20.000007Z"
    assert iso(None) is None


TRACE = """Traceback (most recent call last):
  File "/home/me/train.py", line 44, in load
    return pd.read_parquet(source)
           ^^^^^^^^^^^^^^^^^^^^^^^
  File "/venv/lib/python3.11/site-packages/pandas/io/parquet.py", line 296, in read
    pa_table = self.api.parquet.read_table(
               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/venv/lib/python3.11/site-packages/pyarrow/dataset.py", line 437, in _ensure
    raise FileNotFoundError(path)
FileNotFoundError: rides.parquet
"""


def test_a_failure_shows_the_frames_of_the_user_and_counts_the_others() -> None:
    error = Error("FileNotFoundError", "rides.parquet", TRACE, "/x/dataset.py", 437, "source='rides.parquet'", "load-0")
    text = [paint(line, colour=False) for line in failure_lines(error, 14)]
    assert text == [
        "FileNotFoundError: rides.parquet  in load-0",
        "  /home/me/train.py:44 in load",
        "      return pd.read_parquet(source)",
        "  ... 2 frames of pandas, pyarrow",
        "  ... 14 ostinato frames, --full-trace shows them",
        "inputs  source='rides.parquet'",
    ]
    assert place_of(error) == "/home/me/train.py:44"
    assert "    raise FileNotFoundError(path)" in [
        paint(line, colour=False) for line in failure_lines(error, whole=True)
    ]


def test_a_failure_inside_a_package_alone_still_has_a_place() -> None:
    trace = TRACE.replace("/home/me/train.py", "/venv/lib/python3.11/site-packages/mine/train.py")
    error = msgspec.structs.replace(ERROR, trace=trace)
    assert place_of(error) == "/code/train.py:12"
