"""The command `sigseek forget`."""

from pathlib import Path

import click
from click.core import ParameterSource

from sigseek.cli.options import (
    confirm,
    json_option,
    library_options,
    opened,
    yes_option,
)
from sigseek.cli.output import print_json
from sigseek.cli.parameter_types import PathName
from sigseek.results import counted, shown


@click.command()
@click.argument("folder", required=False, type=PathName())
@click.option(
    "--keep",
    type=PathName(),
    multiple=True,
    metavar="DIR",
    help="Keep what is in this directory inside FOLDER, as a folder of its own. Repeatable.",
)
@yes_option("Do not ask.")
@library_options
@json_option
@click.pass_context
def forget(
    context: click.Context,
    folder: Path | None,
    keep: tuple[Path, ...],
    yes: bool,
    directory: Path | str,
    model: str | None,
    as_json: bool,
) -> None:
    """Remove a folder, or with --model a checkpoint, from the library.

    With FOLDER, the library forgets its photos unless they are in another folder too. No photo file
    is deleted or changed. A directory inside a folder can be forgotten once it is empty or
    gone. With --model NAME and no folder, all embeddings of this checkpoint are removed; NAME may
    also be a fingerprint from `sigseek status --json`.

    \b
        sigseek forget ~/Pictures/old
        sigseek forget ~ --keep ~/Pictures
        sigseek forget --model mini
    """
    named = model if context.get_parameter_source("model") == ParameterSource.COMMANDLINE else None
    if (folder is None) == (named is None):
        raise click.UsageError(
            "Give the FOLDER to forget before --keep."
            if keep and folder is None
            else "Give either a folder, or a checkpoint with --model."
        )
    with opened(directory, None) as library:
        if folder is not None:
            files = library.forgettable_files(folder, keep=keep)
            where = shown(str(folder.absolute()))
            confirm(
                f"the library would forget {counted(files, 'file')} in {where} "
                "(no photo file is deleted)",
                "Forget?",
                yes or not files,
            )
            gone = library.forget(folder, keep=keep)
            said = (
                f"{counted(gone.files, 'file')} forgotten, and "
                f"{counted(gone.photos, 'photo')} without any other file"
                + "".join(f"; {shown(str(kept))} is a folder of its own now" for kept in keep)
            )
            if as_json:
                print_json(gone)
        else:
            assert named is not None
            known = library.known_checkpoint(named)
            confirm(
                f"{counted(known.embeddings, 'embedding')} by {known.name} would be removed, and "
                "making them again takes long",
                "Remove?",
                yes,
            )
            dropped = library.forget_checkpoint(named)
            said = f"{counted(dropped.embeddings, 'embedding')} by {dropped.model} removed"
            if as_json:
                print_json(dropped)
    if not as_json:
        click.echo(said)
