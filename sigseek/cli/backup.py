"""`sigseek backup`."""

import json
from pathlib import Path

import click

from sigseek.cli.options import PathName, json_option, library_options, opened
from sigseek.cli.output import bytes_shown, shown


@click.command()
@click.argument("file", type=PathName())
@library_options
@json_option
def backup(file: Path, directory: Path, model: str | None, as_json: bool) -> None:
    """Copy the library's catalog to a new file, also while it is in use.

    The catalog is all that cannot be made anew: embeddings, folders, tags, calibration. To go back
    to a copy, put it as catalog.sqlite into an empty directory, and name that with --library.
    Photos are not in it.

    \b
        sigseek backup ~/backups/photos-2026.sqlite
    """
    with opened(directory, model) as library:
        target = library.back_up(file)
    size = target.stat().st_size
    if as_json:
        click.echo(json.dumps({"file": str(target), "bytes": size}))
    else:
        click.echo(f"{shown(str(target))}: {bytes_shown(size)}")
