"""The command `sigseek status`."""

from pathlib import Path

import click

from sigseek.cli.options import json_option, library_options, opened
from sigseek.cli.output import print_json
from sigseek.indexer.shared_work import SharedProgress
from sigseek.operations.status import CheckpointStatus, FolderStatus, Status
from sigseek.results import counted, shown, size_in_words
from sigseek.siglip.yardstick.steps import WHOLE


@click.command()
@library_options
@json_option
def status(directory: Path | str, model: str | None, as_json: bool) -> None:
    """Show the library's folders, counts, checkpoints and sizes."""
    with opened(directory, model) as library:
        found = library.status()
    if as_json:
        print_json(found)
        return
    for name, value in _rows(found):
        click.echo(f"{name:<10}  {value}")


def _rows(found: Status) -> list[tuple[str, str]]:
    photos = (
        f"{counted(found.photos, 'photo')}; {counted(found.files, 'file')} present, "
        f"{found.missing:,} missing, {found.failures:,} unreadable"
    )
    if found.damaged:
        photos += f"; {found.damaged:,} damaged"
    catalog, index = size_in_words(found.catalog_bytes), size_in_words(found.index_bytes)
    only_one = len(found.checkpoints) == 1
    return [
        ("library", shown(found.library)),
        ("photos", photos),
        *(("folder", _folder(folder)) for folder in found.folders),
        *(
            ("checkpoint", _checkpoint(checkpoint, found.photos, only_one))
            for checkpoint in found.checkpoints
        ),
        *([("indexing", _shared(found.shared_run))] if found.shared_run else []),
        ("size", f"catalog {catalog}, index {index}"),
        ("thumbnails", _thumbnails(found)),
    ]


def _shared(run: SharedProgress) -> str:
    processes = counted(run.workers, "process", "processes")
    done, total = f"{run.done:,}", counted(run.total, "file")
    return f"{done} of {total}, by {processes} ({run.rate:.1f} files/s)"


def _thumbnails(found: Status) -> str:
    taken, most = size_in_words(found.thumbnails_bytes), size_in_words(found.thumbnails_max_bytes)
    return f"{shown(found.thumbnails)}: {taken} of at most {most}, for all libraries"


def _folder(folder: FolderStatus) -> str:
    when = "indexing not finished"
    if folder.indexed_at:
        when = f"indexed {folder.indexed_at.astimezone():%Y-%m-%d %H:%M}"
    missing = f", {folder.missing:,} missing" if folder.missing else ""
    offline = "" if folder.online else ", offline"
    without = f", without {shown(', '.join(folder.excluded))}" if folder.excluded else ""
    files = counted(folder.files, "file")
    return f"{shown(folder.path)}: {files}{missing}, {when}{offline}{without}"


def _checkpoint(checkpoint: CheckpointStatus, photos: int, only_one: bool) -> str:
    default = " (default for searches)" if checkpoint.searched and not only_one else ""
    embedded = f"{checkpoint.embeddings:,} of {counted(photos, 'photo')}"
    judged = "not judged yet"
    if checkpoint.reference_captions:
        known, every = checkpoint.reference_captions, WHOLE.texts
        some = f"all {every}" if known == every else f"the first {known} of {every}"
        judged = f"judged by {some} reference captions"
    return f"{checkpoint.model}: {embedded}, {judged}{default}"
