"""The command `sigseek prune`."""

from datetime import timedelta
from pathlib import Path

import click

from sigseek.cli.options import json_option, library_options, opened
from sigseek.cli.output import print_json
from sigseek.cli.parameter_types import Duration
from sigseek.results import counted


@click.command()
@click.option(
    "--older-than",
    type=Duration(zero=True),
    default="30d",
    show_default=True,
    metavar="AGE",
    help="Forget files that have been missing for longer than this; 0d means all.",
)
@library_options
@json_option
def prune(older_than: timedelta, directory: Path | str, model: str | None, as_json: bool) -> None:
    """Forget files that have been missing for a long time.

    When `sigseek index` does not find a file, the library keeps it as missing, with its embedding,
    in case it comes back. This command forgets files that have been missing for longer than AGE, a
    number and s, m, h, d or w such as 12h, 30d or 8w, and photos without any other file. Files in
    offline folders or below empty directories are kept, because their drive may only be unplugged.
    If a directory really is empty, use `sigseek forget DIRECTORY`.

    \b
        sigseek prune
        sigseek prune --older-than 0d
    """
    with opened(directory, model) as library:
        gone = library.prune(older_than)
    if as_json:
        print_json(gone)
    elif not gone.files:
        click.echo(
            "Nothing to forget. (Files on drives that may only be unplugged are never pruned.)"
        )
    else:
        click.echo(
            f"{counted(gone.files, 'missing file')} forgotten, and "
            f"{counted(gone.photos, 'photo')} without any other file"
        )
