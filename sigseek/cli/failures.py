"""`sigseek failures`."""

from pathlib import Path

import click

from sigseek.cli.options import json_option, library_options, opened
from sigseek.cli.output import print_json
from sigseek.results import shown


@click.command()
@library_options
@json_option
def failures(directory: Path, model: str | None, as_json: bool) -> None:
    """List the files that could not be used, and why.

    `sigseek index` tries a file again when it has changed. It tries a file that could not be read
    at all with every run.
    """
    with opened(directory, model) as library:
        found = library.failures()
    for failure in found:
        if as_json:
            print_json(failure)
        else:
            click.echo(f"{shown(failure.path)}: {failure.reason}")
    if not found and not as_json:
        click.echo("no failures")
