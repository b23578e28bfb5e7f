"""`sigseek relocate`."""

from pathlib import Path

import click

from sigseek.cli.options import PathName, json_option, library_options, opened, yes_option
from sigseek.cli.output import counted, print_json, shown


@click.command()
@click.argument("old", type=PathName())
@click.argument("new", type=PathName())
@yes_option("Go on although most of the files are not in NEW.")
@library_options
@json_option
def relocate(
    old: Path, new: Path, yes: bool, directory: Path, model: str | None, as_json: bool
) -> None:
    """Tell the library that a folder lies elsewhere now.

    OLD is where a folder was when it was indexed, or a directory in one; NEW is where its files lie
    now, just as they did there. Nothing is read or embedded again. Files that are not where they
    are expected stay known, and the next `sigseek index` sorts them out.

    \b
        sigseek relocate /media/usb/photos ~/Pictures/usb
    """
    with opened(directory, model) as library:
        moved = library.relocate(old, new, accept_missing=yes)
    if as_json:
        print_json(moved)
    else:
        click.echo(
            f"now known in {shown(moved.new)}: {counted(moved.files, 'file')} of {shown(moved.old)}"
        )
