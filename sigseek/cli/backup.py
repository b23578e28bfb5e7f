"""The command `sigseek backup`."""

from pathlib import Path

import click

from sigseek.cli.options import json_option, library_options, opened
from sigseek.cli.parameter_types import PathName
from sigseek.results import json_line, shown, size_in_words


@click.command()
@click.argument("file", type=PathName())
@library_options
@json_option
def backup(file: Path, directory: Path | str, model: str | None, as_json: bool) -> None:
    """Copy the catalog to a new file, even while the library is in use.

    The catalog holds embeddings, folders, tags and the calibration; everything else in the library
    can be rebuilt from it. Photos are not in it. To restore a backup, put it as catalog.sqlite into
    an empty directory, and name that directory with --library.

    \b
        sigseek backup ~/backups/photos-2026.sqlite
    """
    with opened(directory, model) as library:
        target = library.back_up(file)
    size = target.stat().st_size
    if as_json:
        click.echo(json_line({"file": str(target), "bytes": size}))
    else:
        click.echo(f"{shown(str(target))}: {size_in_words(size)}")
