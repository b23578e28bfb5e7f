"""`sigseek forget`."""

from pathlib import Path

import click
from click.core import ParameterSource

from sigseek.cli.options import PathName, confirm, json_option, library_options, opened, yes_option
from sigseek.cli.output import counted, print_json, shown


@click.command()
@click.argument("folder", required=False, type=PathName())
@yes_option("Do not ask.")
@library_options
@json_option
@click.pass_context
def forget(
    context: click.Context,
    folder: Path | None,
    yes: bool,
    directory: Path,
    model: str | None,
    as_json: bool,
) -> None:
    """Take a folder out of the library, or, with --model, a checkpoint.

    With FOLDER, its photos are found no more, unless they lie in another folder, too; the files
    themselves are never touched. A directory in a folder can be forgotten once it is empty or not
    there any more. With --model NAME and no folder, all that this checkpoint embedded is forgotten;
    NAME may be a fingerprint of `sigseek status --json`.

    \b
        sigseek forget ~/Pictures/old
        sigseek forget --model mini
    """
    named = model if context.get_parameter_source("model") == ParameterSource.COMMANDLINE else None
    if (folder is None) == (named is None):
        raise click.UsageError("Name either a folder, or a checkpoint with --model.")
    with opened(directory, None) as library:
        if folder is not None:
            files = library.known_files(folder)
            confirm(
                f"Forget {counted(files, 'file')} in {shown(str(folder))}, and the photos that lie nowhere else?",
                yes,
            )
            gone = library.forget(folder)
            said = f"{counted(gone.files, 'file')} forgotten, and {counted(gone.photos, 'photo')} that lay nowhere else"
            if as_json:
                print_json(gone)
        else:
            assert named is not None
            known = library.known_checkpoint(named)
            confirm(
                f"Forget {counted(known.embeddings, 'embedding')} by {known.name}, which take long to make again?",
                yes,
            )
            dropped = library.forget_checkpoint(named)
            said = f"{counted(dropped.embeddings, 'embedding')} by {dropped.model} forgotten"
            if as_json:
                print_json(dropped)
    if not as_json:
        click.echo(said)
