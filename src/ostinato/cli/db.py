"""`ostinato db`: the database of a home."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from ostinato.cli import exits
from ostinato.cli.command import Command, json_option
from ostinato.cli.shapes import dumps
from ostinato.cli.sizes import size
from ostinato.session import backups, copies, maintenance

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="Migrate, check, vacuum, back up, restore and copy the database.",
)
def db() -> None:
    """Migrate, check, vacuum, back up, restore and copy the database of the home.

    The home is ~/.ostinato, or the folder that OSTINATO_HOME names; its database is a file in it, or the PostgreSQL
    database that OSTINATO_DATABASE_URL names.
    """


@db.command(
    cls=Command,
    short_help="Bring the database up to date.",
    examples={"ostinato db migrate": "after an update of Ostinato; other commands do it by themselves, too"},
)
@json_option
def migrate(*, as_json: bool) -> None:
    """Bring the database up to date.

    An old file is kept beside the new one as `ostinato.db.before-N`; back up PostgreSQL with its own tools before.
    """
    done = maintenance.migrate()
    said = f"schema {done.now}, nothing to do." if done.found == done.now else f"schema {done.found} -> {done.now}."
    click.echo(dumps(msgspec.structs.asdict(done)) if as_json else f"{done.database}: {said}")


@db.command(
    cls=Command,
    short_help="Look for damage.",
    examples={
        "ostinato db check": "database, counters, streams, journal, stored values; exit code 5 when something is wrong",
        "ostinato db check --json": "the findings as one JSON array",
    },
)
@json_option
def check(*, as_json: bool) -> int:
    """Look for damage in the database, its counters, the journal and the stored values.

    Of PostgreSQL it looks at what is in the tables; its own `pg_amcheck` looks at their files.
    """
    findings = maintenance.check()
    if as_json:
        click.echo(dumps([msgspec.structs.asdict(finding) for finding in findings]))
    else:
        lines = [f"✕ {finding.subject}: {finding.text}" for finding in findings]
        click.echo("\n".join(lines or ["✓ Nothing is wrong."]))
    return exits.UNREACHABLE if findings else exits.OK


@db.command(
    cls=Command,
    short_help="Remove what retention allows.",
    examples={
        "ostinato db vacuum --dry-run": "say what would go",
        "ostinato db vacuum": "remove raw blocks, old runs and values that nothing refers to, then shrink the file",
    },
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
def vacuum(*, dry_run: bool, as_json: bool) -> None:
    """Remove old raw blocks, old runs and unused values, then shrink the file; PostgreSQL gives room back by itself.

    How long things are kept is set by OSTINATO_KEEP_BLOCKS_DAYS, OSTINATO_KEEP_RUNS_DAYS and
    OSTINATO_KEEP_UNUSED_BLOBS_S. Pinned runs stay.
    """
    gone = maintenance.vacuum(dry_run=dry_run)
    if as_json:
        click.echo(dumps({**msgspec.structs.asdict(gone), "dry_run": dry_run}))
        return
    click.echo(
        f"{'Would remove' if dry_run else 'Removed'} {gone.n_root_runs:,} runs, {gone.n_blocks:,} raw blocks,"
        f" {gone.n_blobs:,} stored values ({size(gone.blob_bytes)})."
    )


@db.command(
    cls=Command,
    short_help="Write the home into one file.",
    examples={"ostinato db backup monday.tar": "while flows go on running"},
)
@click.argument("target", type=_FILE)
@json_option
def backup(*, target: Path, as_json: bool) -> None:
    """Write database and stored values into one tar file, TARGET, while others go on writing."""
    manifest = backups.backup(str(target))
    if as_json:
        click.echo(dumps({"target": str(target), **msgspec.structs.asdict(manifest)}))
    else:
        click.echo(f"{target}: {size(target.stat().st_size)}, {manifest.n_blobs:,} stored values.")


@db.command(
    cls=Command,
    short_help="Make a home from a backup.",
    examples={
        "OSTINATO_HOME=new ostinato db restore monday.tar": "into an empty home",
        "ostinato db restore monday.tar --replace": "in place of the database, which is kept beside the new one",
    },
)
@click.argument("archive", type=_FILE)
@click.option("--replace", is_flag=True, help="Move the database that is there aside.")
@json_option
def restore(*, archive: Path, replace: bool, as_json: bool) -> None:
    """Make the home from ARCHIVE, a file of `ostinato db backup`."""
    manifest = backups.restore(str(archive), replace=replace)
    if as_json:
        click.echo(dumps({"archive": str(archive), **msgspec.structs.asdict(manifest)}))
    else:
        click.echo(f"Restored {archive}: {manifest.n_blobs:,} stored values.")


@db.command(
    cls=Command,
    short_help="Copy everything into another home or PostgreSQL.",
    examples={
        "ostinato db copy ~/.ostinato postgresql://ostinato@db/ostinato": "from the file of a home to PostgreSQL",
        "ostinato db copy postgresql://ostinato@db/ostinato here": "and back, into the folder `here`",
        "ostinato db copy ~/.ostinato postgresql://... --blobs-to s3://BUCKET/PREFIX": "stored values into a bucket",
    },
)
@click.argument("source")
@click.argument("target")
@click.option("--blobs-from", default="", metavar="PLACE", help="Where SOURCE has its stored values.")
@click.option("--blobs-to", default="", metavar="PLACE", help="Where TARGET is to have them.")
@json_option
def copy(*, source: str, target: str, blobs_from: str, blobs_to: str, as_json: bool) -> None:
    """Copy SOURCE into TARGET, which must be empty: all rows and stored values, or nothing.

    Each is the folder of a home or a postgresql:// URL. Nothing may be using SOURCE. All rows are read again from
    TARGET, and their numbers and checksums compared, before anything is kept. A PLACE is a folder or a URL; by
    default it is the folder `blobs` of a home, and for PostgreSQL that of the settings.
    """
    done = copies.copy(source, target, blobs_from=blobs_from, blobs_to=blobs_to)
    if as_json:
        click.echo(dumps(msgspec.to_builtins(done)))
        return
    for table in done.tables:
        if table.n_rows:
            click.echo(f"{table.name:<22}{table.n_rows:>13,} rows   {table.checksum}")
    click.echo(
        f"{done.n_rows:,} rows in {len(done.tables)} tables, equal on both sides;"
        f" {done.n_blobs:,} stored values ({size(done.blob_bytes)}) to {done.blobs_place}; {done.took_s:.1f} s."
    )
    for line in _remarks(done):
        click.echo(line)


def _remarks(done: copies.Copied) -> list[str]:
    """Give what is to be known of a copy."""
    found = []
    if done.n_texts_changed:
        found.append(f"{done.n_texts_changed:,} texts had NUL in them, which PostgreSQL cannot keep: now U+FFFD.")
    if done.blobs_missing:
        found.append(f"{len(done.blobs_missing):,} stored values were missing or damaged in the source already.")
    if done.n_secrets:
        found.append(f"{done.n_secrets:,} secrets open only with the source's key: copy secret.key, too.")
    return found
