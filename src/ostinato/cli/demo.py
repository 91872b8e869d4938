"""`ostinato demo`: the example that comes with Ostinato."""

from __future__ import annotations

from pathlib import Path

import click

from ostinato.cli import exits
from ostinato.cli.command import Command
from ostinato.cli.execute import carry_out, conclude, plain_option, quiet_option, style_of
from ostinato.cli.follow import OwnRuns
from ostinato.core.ports import resolve


@click.command(
    cls=Command,
    short_help="Train a model on taxi rides, to see it all at work.",
    examples={
        "ostinato demo": "under two minutes: linear regression, XGBoost, two trials of a search",
        "ostinato demo --full": "with the random forest and the whole search space",
        "ostinato demo --data rides/": "with other months of the same data, from a folder",
    },
)
@click.option("--full", is_flag=True, help="Add the random forest and the whole search space.")
@click.option("--data", type=click.Path(exists=True, path_type=Path), metavar="PATH", help="Folder of other months.")
@quiet_option
@plain_option
def demo(*, full: bool, data: Path | None, quiet: bool, plain: bool) -> int:
    """Train models of how long a taxi ride takes, on a month of real rides, and compare them.

    It needs the packages of the extra: pip install "ostinato[demo]".
    """
    style = style_of(plain=plain, quiet=quiet)
    main = resolve("ostinato.demo:main")
    find = OwnRuns()
    code = carry_out(lambda: int(main(full, data)), find, style)
    outcome = conclude(find, style, as_json=False)
    return exits.CANCELLED if code is None else code or outcome
