"""The command `sigseek copy`."""

from pathlib import Path

import click

from sigseek.cli.options import json_option
from sigseek.cli.parameter_types import LibraryName
from sigseek.cli.progress import RunProgress
from sigseek.cli.remedies import note_library
from sigseek.results import json_line, shown


@click.command()
@click.argument("library", type=LibraryName(), callback=note_library)
@click.argument("to", type=LibraryName())
@json_option
def copy(library: Path | str, to: Path | str, as_json: bool) -> None:
    """Copy a library to another directory, or into a PostgreSQL database, or out of one.

    LIBRARY and TO are directories, or addresses such as postgresql://me@server/photos. The copy has
    everything: embeddings, folders, facts, tags and decisions. Photos are not copied, and the copy
    knows them where they are. Others may use the library meanwhile. After Ctrl-C, the same command
    goes on where it was.

    \b
        sigseek copy ~/.local/share/sigseek postgresql://me@server/photos
        sigseek copy postgresql://me@server/photos ~/photos-library
    """
    from sigseek.library import open_library  # `--help` needs none of it

    with open_library(library) as source, RunProgress() as listener:
        where = source.copy_to(to, listener=listener)
    if as_json:
        click.echo(json_line({"library": where}))
    else:
        click.echo(f"copied to {shown(where)}", err=True)
