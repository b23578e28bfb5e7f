"""`sigseek failures`."""

import json
from pathlib import Path

import click

from sigseek.cli.options import json_option, library_options, opened
from sigseek.cli.output import shown


@click.command()
@library_options
@json_option
def failures(directory: Path, model: str | None, as_json: bool) -> None:
    """List the files that could not be used, and why.

    They are tried again when they change; what could not be read at all, with every run.
    """
    with opened(directory, model) as library:
        found = library.failures()
    for failure in found:
        if as_json:
            click.echo(json.dumps({"path": failure.path, "reason": failure.reason}))
        else:
            click.echo(f"{shown(failure.path)}: {failure.reason}")
    if not found and not as_json:
        click.echo("no failures")
