"""`sigseek status`."""

from datetime import UTC
from pathlib import Path

import click

from sigseek.cli.options import json_option, library_options, opened
from sigseek.cli.output import bytes_shown, counted, print_json, shown
from sigseek.operations.status import FolderStatus


@click.command()
@library_options
@json_option
def status(directory: Path, model: str | None, as_json: bool) -> None:
    """Show what the library holds: folders, counts, checkpoint, sizes, when last indexed."""
    with opened(directory, model) as library:
        found = library.status()
    if as_json:
        print_json(found)
        return
    click.echo(f"library     {shown(found.library)}")
    click.echo(
        f"photos      {found.photos:,} in {counted(found.files, 'file')}, {found.missing:,} missing, {found.failures:,} failed"
    )
    for folder in found.folders:
        click.echo(f"folder      {_folder(folder)}")
    for checkpoint in found.checkpoints:
        searched = (
            ", searched when none is named"
            if checkpoint.searched and len(found.checkpoints) > 1
            else ""
        )
        click.echo(
            f"checkpoint  {checkpoint.model}: {checkpoint.embeddings:,} of {counted(found.photos, 'photo')} "
            f"in {checkpoint.dimension} dimensions{searched}"
        )
    click.echo(
        f"size        catalog {bytes_shown(found.catalog_bytes)}, index {bytes_shown(found.index_bytes)}"
    )


def _folder(folder: FolderStatus) -> str:
    when = "never wholly indexed"
    if folder.indexed_at:
        when = f"indexed {folder.indexed_at.replace(tzinfo=UTC).astimezone():%Y-%m-%d %H:%M}"
    missing = f", {folder.missing:,} missing" if folder.missing else ""
    offline = "" if folder.online else ", offline"
    return f"{shown(folder.path)}: {counted(folder.files, 'file')}{missing}, {when}{offline}"
