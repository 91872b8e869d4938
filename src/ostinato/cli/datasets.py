"""`ostinato datasets`: versions of data that runs read: list, show, compare."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click
import msgspec

from ostinato.cli.command import Command, json_option
from ostinato.cli.home import open_reader
from ostinato.cli.lines import columns_of, one_line
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps
from ostinato.cli.sizes import size
from ostinato.cli.times import ago, local, now_us
from ostinato.core.data_views import dataset_view, difference_view, link_view, profiled_view
from ostinato.core.datasets import Numbers, difference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ostinato.cli.lines import Piece
    from ostinato.core.datasets import ColumnChange, ColumnProfile, DataLink, DataVersion, Difference

DIGITS: Final = 12
"""Of a digest, in tables."""
CHANGED: Final = 0.1
FAR: Final = 0.25
"""Stability indices from which on a column is yellow, and red."""
MOST_WORDS: Final = 3
"""Of a column of words."""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]}, short_help="List versions of data, and compare them."
)
def datasets() -> None:
    """List versions of data, show what is in them and who used them, and compare two.

    Flows make them with `ostinato.dataset(...)`.
    """


@datasets.command(
    name="ls",
    cls=Command,
    short_help="List versions of data.",
    examples={
        "ostinato datasets ls": "the newest 50",
        "ostinato datasets ls --name rides": "the versions of one name",
    },
)
@click.option("--name", default="", metavar="NAME", help="Those of this name.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="At most so many.")
@json_option
def list_datasets(*, name: str, limit: int, as_json: bool) -> None:
    """List versions of data, the newest first."""
    with open_reader() as reader:
        found = reader.datasets(name=name, limit=limit + 1)
    more, found = len(found) > limit, found[:limit]
    if as_json:
        click.echo(dumps([dataset_view(one) for one in found]))
    elif found:
        _print_versions(found)
    else:
        click.echo("No versions of data yet. `ostinato.dataset(path, name=...)` in a flow makes one.", err=True)
    if more:
        click.echo(f"more: only the newest {limit} are shown; --limit shows others.", err=True)


def _print_versions(found: list[DataVersion]) -> None:
    screen, now = screen_of(sys.stdout), now_us()
    heads = ("DIGEST", "NAME", "ROWS", "COLUMNS", "SIZE", "FIRST READ", "FROM")
    rows: list[list[Piece]] = [[(head, "dim") for head in heads]]
    rows += [
        [
            (one.digest[:DIGITS], "cyan"),
            (one_line(one.name), "bold"),
            (_count(one.n_rows), ""),
            (str(len(one.schema)) if one.schema else "-", ""),
            (size(one.n_bytes), ""),
            (ago(one.created_at, now), "dim"),
            (one_line(one.source) or "memory", "dim"),
        ]
        for one in found
    ]
    screen.print(columns_of(rows, screen.table_columns, right=(2, 3, 4)))


@datasets.command(
    cls=Command,
    short_help="Show a version: its columns, and who used it.",
    examples={
        "ostinato datasets show rides": "the newest version of this name",
        "ostinato datasets show 7a4dc917": "by the first characters of its digest",
    },
)
@click.argument("dataset")
@json_option
def show(*, dataset: str, as_json: bool) -> None:
    """Show the version DATASET (its digest, the beginning of it, or a name): what is in it, and who used it."""
    with open_reader() as reader:
        one = reader.find_dataset(dataset)
        links = reader.dataset_links(one.digest)
    if as_json:
        links_shape = [msgspec.to_builtins(link_view(link)) for link in links]
        click.echo(dumps({**msgspec.to_builtins(profiled_view(one)), "links": links_shape}))
        return
    screen = screen_of(sys.stdout)
    facts = [f"{_count(one.n_rows)} rows" if one.n_rows is not None else "no table", size(one.n_bytes)]
    screen.print(
        [
            [(one_line(one.name), "bold"), (f"  {', '.join(facts)}", "")],
            [("digest      ", "dim"), (one.digest, "cyan")],
            [("read from   ", "dim"), (one_line(one.source) or "memory", "")],
            [("first read  ", "dim"), (local(one.created_at), "")],
        ]
    )
    if one.schema:
        click.echo()
        screen.print(columns_of(_columns_table(one), screen.table_columns, right=(2,)))
    if links:
        click.echo()
        screen.print(columns_of(_links_table(links), screen.table_columns))


def _columns_table(one: DataVersion) -> list[list[Piece]]:
    known = {column.name: column for column in one.profile.columns} if one.profile is not None else {}
    rows: list[list[Piece]] = [[(head, "dim") for head in ("COLUMN", "TYPE", "MISSING", "VALUES")]]
    for field in one.schema:
        column = known.get(field.name)
        share = 0.0 if column is None else column.n_missing / max(column.n, 1)
        rows.append(
            [
                (one_line(field.name), "bold"),
                (one_line(field.type), "dim"),
                (f"{share:.1%}" if share else "-", "yellow" if share else "dim"),
                (_values(column, field.type), ""),
            ]
        )
    return rows


def _values(column: ColumnProfile | None, kind: str) -> str:
    """Give in a few words what is in a column."""
    if isinstance(column, Numbers):
        if not column.n_finite:
            return ""
        least, middle, most = (_said(value, kind) for value in (column.least, column.median, column.most))
        return f"{least} to {most}, half of them up to {middle}"
    if column is None or not column.values:
        return ""
    pairs = zip(column.values[:MOST_WORDS], column.counts, strict=False)
    words = ", ".join(f"{one_line(word)[:30]} {count / max(column.n, 1):.1%}" for word, count in pairs)
    return words + (", ..." if len(column.values) > MOST_WORDS or column.n_other else "")


def _links_table(links: Iterable[DataLink]) -> list[list[Piece]]:
    now = now_us()
    rows: list[list[Piece]] = [[(head, "dim") for head in ("USED BY", "", "FOR", "WHEN")]]
    rows += [
        [(link.kind.replace("-", " "), ""), (link.ref, "cyan"), (one_line(link.context) or "-", ""),
         (ago(link.at, now), "dim")]
        for link in links
    ]  # fmt: skip
    return rows


@datasets.command(
    cls=Command,
    short_help="List the models that a version went into.",
    examples={"ostinato datasets lineage 3f2a": "by the beginning of its digest; `ostinato models lineage` leads back"},
)
@click.argument("dataset", metavar="DATASET")
@json_option
def lineage(*, dataset: str, as_json: bool) -> None:
    """List the versions of registered models that a version of data went into.

    DATASET is a digest, the unique beginning of one, or a name (the newest). What some other task of the same flow
    run has read went in too, as far as is known: the last column says which it is.
    """
    with open_reader() as reader:
        found = reader.models_from_data(dataset)
    if as_json:
        click.echo(dumps(found))
    elif found:
        screen = screen_of(sys.stdout)
        rows: list[list[Piece]] = [[(word, "dim") for word in ("MODEL", "VERSION", "STAGE", "FOR", "READ BY")]]
        for one in found:
            stage = "" if one.stage == "None" else one.stage
            via = (one.via.replace("-", " "), "dim")
            rows.append([(one_line(one.name), "bold"), (str(one.version), ""), (stage, ""), (one.context, ""), via])
        screen.print(columns_of(rows, screen.table_columns, right=(1,)))
    else:
        click.echo("No registered model was made from it.", err=True)


@datasets.command(
    cls=Command,
    short_help="Compare two versions.",
    examples={
        "ostinato datasets diff 7a4dc917 b5078173": "columns that came and went, rows, and how far each column moved",
        "ostinato datasets diff rides-january rides-february --json": "the newest versions of two names, as JSON",
    },
)
@click.argument("before")
@click.argument("after")
@json_option
def diff(*, before: str, after: str, as_json: bool) -> None:
    """Say how the version AFTER differs from BEFORE.

    PSI is the population stability index of the values: from about 0.1 a column has changed, from 0.25 it is another.
    """
    with open_reader() as reader:
        old, new = reader.find_dataset(before), reader.find_dataset(after)
    found = difference(old, new)
    if as_json:
        click.echo(dumps(difference_view(found)))
    elif found.before == found.after:
        click.echo(f"Both are {found.before}.")
    else:
        _print_difference(found, {field.name: field.type for field in old.schema})


def _print_difference(found: Difference, types: Mapping[str, str]) -> None:
    screen = screen_of(sys.stdout)
    before, after = _count(found.n_rows_before), _count(found.n_rows_after)
    screen.print([[("rows     ", "dim"), (before if before == after else f"{before} -> {after}", "bold")]])
    for word, style, fields in (("added    ", "green", found.added), ("removed  ", "red", found.removed)):
        screen.print([[(word, style), (one_line(f"{field.name} ({field.type})"), "")] for field in fields])
    screen.print(
        [[("type     ", "yellow"), (one_line(f"{one.name}: {one.before} -> {one.after}"), "")] for one in found.retyped]
    )
    if found.columns:
        click.echo()
        heads = ("COLUMN", "PSI", "MISSING", "MEAN")
        rows: list[list[Piece]] = [[(head, "dim") for head in heads]]
        rows += [
            _change_row(one, types.get(one.name, "")) for one in sorted(found.columns, key=lambda one: -(one.psi or 0))
        ]
        screen.print(columns_of(rows, screen.table_columns, right=(1,)))


def _change_row(one: ColumnChange, kind: str) -> list[Piece]:
    psi = one.psi or 0.0
    missing = (f"{one.missing_before:.1%}", f"{one.missing_after:.1%}")
    means = [_said(mean, kind) for mean in (one.mean_before, one.mean_after) if mean is not None]
    return [
        (one_line(one.name), "bold"),
        ("-" if one.psi is None else f"{psi:.3f}", "red" if psi >= FAR else "yellow" if psi >= CHANGED else ""),
        (_arrow(*missing) if missing != ("0.0%", "0.0%") else "-", ""),
        (_arrow(*means) if len(means) == 2 else "-", ""),
    ]


def _arrow(before: str, after: str) -> str:
    return before if before == after else f"{before} -> {after}"


def _count(n: int | None) -> str:
    return "-" if n is None else f"{n:,}"


def _said(value: float, kind: str) -> str:
    """Give a value of a column of this type in few characters."""
    if kind.startswith(("timestamp", "date")):
        return local(int(value))
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
