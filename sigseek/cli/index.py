"""`sigseek index`."""

from pathlib import Path

import click

from sigseek.cli.options import (
    PathName,
    device_option,
    json_option,
    library_options,
    opened,
    precision_option,
    yes_option,
)
from sigseek.cli.output import print_json, print_report, shown
from sigseek.cli.progress import RunProgress


@click.command()
@click.argument("folders", nargs=-1, type=PathName(), metavar="[FOLDER]...")
@library_options
@device_option
@precision_option
@yes_option("Go on although more than half of a folder's files are gone.")
@click.option(
    "--max-megapixels",
    type=click.IntRange(min=1),
    metavar="N",
    help="Leave out larger pictures.  [default: what half of the memory is enough for, 250 at most]",
)
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
    """Add folders and bring the library up to date with them.

    Without a folder, all known ones are brought up to date. Photos are never changed. What is
    unchanged is not read again, a moved file is recognised by its content, and Ctrl-C loses
    nothing: the next run goes on. A file that is gone keeps its embedding until `sigseek prune`;
    when more than half of a folder is gone, nothing is changed without --yes.

    \b
        sigseek index ~/Pictures
        sigseek index ~/Pictures --library ~/Pictures/.sigseek
        sigseek index drawings --model mini
    """
    with (
        opened(directory, model, device, precision) as library,
        RunProgress() as progress,
    ):
        report = library.index(
            *folders,
            accept_missing=yes,
            max_megapixels=max_megapixels,
            listener=progress,
        )
    if not report.scanned and not report.offline:
        where = ", ".join(shown(str(folder)) for folder in folders) or "the known folders"
        click.echo(f"warning: no pictures found in {where}", err=True)
    if as_json:
        print_json(report)
    else:
        print_report(report)
