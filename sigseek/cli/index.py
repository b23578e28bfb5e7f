"""`sigseek index`."""

from pathlib import Path

import click

from sigseek.cli.options import (
    PathName,
    device_option,
    json_option,
    library_options,
    max_megapixels_option,
    opened,
    precision_option,
    yes_option,
)
from sigseek.cli.output import print_json, print_report
from sigseek.cli.progress import RunProgress
from sigseek.results import shown


@click.command()
@click.argument("folders", nargs=-1, type=PathName(), metavar="[FOLDER]...")
@library_options
@device_option
@precision_option
@yes_option("Go on even if more than half of a folder's files are gone.")
@max_megapixels_option
@json_option
def index(
    folders: tuple[Path, ...],
    directory: Path,
    model: str | None,
    device: str,
    precision: str,
    yes: bool,
    max_megapixels: int | None,
    as_json: bool,
) -> None:
    """Add folders to the library and bring it up to date.

    Without FOLDER, all known folders are brought up to date. Your photos are never changed.
    Unchanged files are not read again, and moved files are recognised by their content. After
    Ctrl-C the next run continues where this one stopped. The embedding of a file that is gone is
    kept until `sigseek prune`. When more than half of a folder's files are gone, nothing is changed
    without --yes.

    \b
        sigseek index ~/Pictures
        sigseek index ~/Pictures --library ~/Pictures/.sigseek
        sigseek index drawings --model mini
    """
    with opened(directory, model, device, precision) as library:
        with RunProgress() as listener:
            report = library.index(
                *folders,
                accept_missing=yes,
                max_megapixels=max_megapixels,
                listener=listener,
            )
        if not report.scanned and not report.offline:
            where = ", ".join(shown(str(folder)) for folder in folders) or "the known folders"
            click.echo(f"warning: no pictures found in {where}", err=True)
        if as_json:
            print_json(report)
        else:
            print_report(report, library)
