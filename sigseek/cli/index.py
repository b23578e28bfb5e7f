"""`sigseek index`."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sigseek.cli.options import (
    PathName,
    confirm,
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

if TYPE_CHECKING:
    from sigseek.indexer import IndexReport


@click.command()
@click.argument("folders", nargs=-1, type=PathName(), metavar="[FOLDER]...")
@library_options
@device_option
@precision_option
@yes_option(
    "Go on even if more than half of a folder's files are gone, or if it holds a whole system, "
    "as / does."
)
@click.option(
    "--reread",
    is_flag=True,
    help="Read all files again, even if their size and times are the same.",
)
@max_megapixels_option
@json_option
def index(
    folders: tuple[Path, ...],
    directory: Path,
    model: str | None,
    device: str,
    precision: str,
    yes: bool,
    reread: bool,
    max_megapixels: int | None,
    as_json: bool,
) -> None:
    """Add folders to the library and bring it up to date.

    Without FOLDER, all known folders are brought up to date. Your photos are never changed.
    Unchanged files are not read again, and moved files are recognised by their content. After
    Ctrl-C the next run continues where this one stopped. The embedding of a file that is gone is
    kept until `sigseek prune`. When more than half of a folder's files are gone, nothing is changed
    without --yes; a folder that holds a whole system, such as /, needs --yes, too, or a yes on the
    terminal.

    \b
        sigseek index ~/Pictures
        sigseek index ~/Pictures --library ~/Pictures/.sigseek
        sigseek index drawings --model mini
    """
    with opened(directory, model, device, precision) as library:
        with RunProgress() as listener:
            run = partial(
                library.index,
                *folders,
                accept_missing=yes,
                accept_system_folder=yes,
                reread=reread,
                max_megapixels=max_megapixels,
                listener=listener,
            )
            report = _with_consent(run)
        if not report.scanned and not report.offline:
            where = ", ".join(shown(str(folder)) for folder in folders) or "the known folders"
            click.echo(f"warning: no pictures found in {where}", err=True)
        if as_json:
            print_json(report)
        else:
            print_report(report, library)


def _with_consent(run: "Callable[..., IndexReport]") -> "IndexReport":
    """Run the indexing. On a terminal, ask first about a folder that holds a whole system."""
    from sigseek.operations.folders import SystemFolderError

    try:
        return run()
    except SystemFolderError as error:
        if not sys.stdin.isatty():
            raise
        confirm(error.found, "Index it?", yes=False)
        return run(accept_system_folder=True)
