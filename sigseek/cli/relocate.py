"""The command `sigseek relocate`."""

from pathlib import Path

import click

from sigseek.cli.options import (
    json_option,
    library_options,
    opened,
    yes_option,
)
from sigseek.cli.output import print_json
from sigseek.cli.parameter_types import PathName
from sigseek.results import counted, shown


@click.command()
@click.argument("old", type=PathName())
@click.argument("new", type=PathName())
@yes_option("Go on even if most of the files are not in NEW.")
@library_options
@json_option
def relocate(
    old: Path, new: Path, yes: bool, directory: Path | str, model: str | None, as_json: bool
) -> None:
    """Tell the library that a folder has moved.

    OLD is a folder of the library, or a directory inside one. NEW is where the same files and
    sub-folders are now. Nothing is read or embedded again. Files that are not in NEW stay in the
    library as missing until `sigseek index` looks for them.

    \b
        sigseek relocate /media/usb/photos ~/Pictures/usb
    """
    with opened(directory, model) as library:
        moved = library.relocate(old, new, accept_missing=yes)
    if as_json:
        print_json(moved)
    else:
        click.echo(
            f"{counted(moved.files, 'file')} moved in the catalog from {shown(moved.old)} to "
            f"{shown(moved.new)}"
        )
