"""The command `sigseek failures`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sigseek.cli.options import json_option, library_options, opened
from sigseek.cli.output import print_json
from sigseek.results import shown

if TYPE_CHECKING:
    from sigseek.storage.records import DamagedFile


@click.command()
@library_options
@click.option(
    "--damaged",
    is_flag=True,
    help="List instead the files of which only a part of the picture could be used.",
)
@click.option(
    "--skipped",
    is_flag=True,
    help="List instead the files that seem to hold photos and were passed over, and why.",
)
@json_option
def failures(
    directory: Path, model: str | None, damaged: bool, skipped: bool, as_json: bool
) -> None:
    """List the files that could not be used, and why.

    `sigseek index` tries a file again when it has changed. It tries a file that could not be read
    at all with every run.
    """
    if damaged and skipped:
        raise click.UsageError("Use --damaged or --skipped, not both.")
    with opened(directory, model) as library:
        if damaged:
            _list_damaged(library.damaged_files(), as_json=as_json)
            return
        found = library.skipped_files() if skipped else library.failures()
    for file in found:
        if as_json:
            print_json(file)
        else:
            click.echo(f"{shown(file.path)}: {file.reason}")
    if not found and not as_json:
        click.echo("no files were passed over" if skipped else "no failures")


def _list_damaged(found: Sequence[DamagedFile], *, as_json: bool) -> None:
    for file in found:
        if as_json:
            print_json(file)
        else:
            click.echo(shown(file.path))
    if not found and not as_json:
        click.echo("no damaged photos")
