"""The command `sigseek failures`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sigseek.cli.options import end_of_paths, json_option, library_options, opened, path_options
from sigseek.cli.output import print_json, print_paths
from sigseek.results import shown

if TYPE_CHECKING:
    from sigseek.storage.records import DamagedFile, LibraryFailure, SkippedFile


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
@path_options
@json_option
def failures(
    directory: Path | str,
    model: str | None,
    damaged: bool,
    skipped: bool,
    paths_only: bool,
    print0: bool,
    as_json: bool,
) -> None:
    """List the files that could not be used, and why.

    `sigseek index` tries a file again when it has changed. It tries a file that could not be read
    at all with every run.

    \b
        sigseek failures
        sigseek failures --print0 | xargs -0 -I{} ls -l {}
    """
    if damaged and skipped:
        raise click.UsageError("Use --damaged or --skipped, not both.")
    path_end = end_of_paths(paths_only, print0, as_json)
    with opened(directory, model) as library:
        found: Sequence[LibraryFailure | SkippedFile | DamagedFile]
        if damaged:
            found, none = library.damaged_files(), "no damaged photos"
        elif skipped:
            found, none = library.skipped_files(), "no files were passed over"
        else:
            found, none = library.failures(), "no failures"
    if not found:
        click.echo(none, err=as_json or path_end is not None)
    if path_end is not None:
        print_paths((file.path for file in found), path_end)
        return
    for file in found:
        if as_json:
            print_json(file)
        else:
            click.echo(_line(file))


def _line(file: LibraryFailure | SkippedFile | DamagedFile) -> str:
    reason = getattr(file, "reason", None)
    return shown(file.path) if reason is None else f"{shown(file.path)}: {reason}"
