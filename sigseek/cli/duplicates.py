"""The command `sigseek duplicates`."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import click

from sigseek.answers import DUPLICATES_LEGEND
from sigseek.cli.arguments import QueryCommand
from sigseek.cli.fact_options import fact_options, given_facts
from sigseek.cli.hits import thumbnails_of
from sigseek.cli.options import (
    device_option,
    end_of_paths,
    html_option,
    json_option,
    library_options,
    opened,
    path_options,
    precision_option,
)
from sigseek.cli.output import bar, print_json, print_paths, show_note
from sigseek.cli.parameter_types import PathName
from sigseek.cli.progress import RunProgress
from sigseek.results import counted, duplicates_headline, shown, size_in_words
from sigseek.search.duplicates.results import (
    COPIES,
    KINDS,
    DuplicateGroup,
    DuplicateKind,
    DuplicatePhoto,
    Duplicates,
)

_MANY = 2_000
"""A progress bar is shown for this many photos or more."""


@click.command(cls=QueryCommand)
@click.argument("query", nargs=-1, metavar="[QUERY]")
@click.option(
    "--kind",
    "kinds",
    type=click.Choice(get_args(DuplicateKind)),
    multiple=True,
    help="Show only groups of this kind. Repeatable.  [default: all; with --paths identical and "
    "near]",
)
@click.option(
    "--prefer",
    type=PathName(),
    multiple=True,
    metavar="FOLDER",
    help="Rather keep photos in this folder. Repeatable.",
)
@click.option(
    "--not",
    "distinct",
    is_flag=True,
    help="Never again group the photos whose files are named in place of a query.",
)
@click.option("--again", is_flag=True, help="Take --not back for the photos whose files are named.")
@fact_options
@library_options
@device_option
@precision_option
@path_options
@html_option
@json_option
def duplicates(
    query: tuple[str, ...],
    kinds: tuple[DuplicateKind, ...],
    prefer: tuple[Path, ...],
    distinct: bool,
    again: bool,
    directory: Path | str,
    model: str | None,
    device: str,
    precision: str,
    paths_only: bool,
    print0: bool,
    html: Path | None,
    as_json: bool,
    **facts: tuple[str, ...],
) -> None:
    """Find photos that are there more than once.

    Nothing is changed or deleted. With a query or with facts, such as --in Downloads, only photos
    that match are compared.

    A group is of one of three kinds: identical files hold the same picture; near photos are one
    shot in several forms, such as smaller, cropped, in another format or turned; alike photos are
    other shots of one scene, and no copies. The first photo of a group is the one to keep. --paths
    prints the paths of the others.

    The number of a photo is the cosine of its embedding with that of the photo to keep, and no
    probability of a copy.

    \b
        sigseek duplicates
        sigseek duplicates tag:holiday --kind near --prefer ~/Pictures/originals
        sigseek duplicates --not ~/Pictures/one.jpg ~/Pictures/two.jpg
        sigseek duplicates --again ~/Pictures/one.jpg ~/Pictures/two.jpg
        sigseek duplicates --print0 | xargs -0 -I{} mv -n {} ~/copies/
    """
    path_end = end_of_paths(paths_only, print0, as_json)
    if distinct or again:
        option = "--not" if distinct else "--again"
        others = (kinds, prefer, path_end, html, as_json, *facts.values(), distinct and again)
        if any(others) or len(query) < 2:
            raise click.UsageError(f"Use {option} alone, with the files of two photos or more.")
        _decide(query, directory, model, again=again)
        return
    if html:
        from sigseek.pages.page import check_page

        check_page(html)
    wanted = kinds or (COPIES if path_end is not None else KINDS)
    with opened(directory, model, device, precision) as library:
        with RunProgress(_MANY) as listener, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the notes say the same
            asked = " ".join(query) if query else None
            found = library.duplicates(
                asked, within=given_facts(facts), kinds=wanted, prefer=prefer, listener=listener
            )
        for note in found.notes:
            show_note(note)
        if html:
            from sigseek.pages.duplicates_sheet import write_duplicates_sheet

            write_duplicates_sheet(html, found, thumbnails_of(library))
            click.echo(f"written: {html.absolute()}", err=True)
    click.echo(duplicates_headline(found), err=as_json or path_end is not None)
    _deliver(found, wanted, path_end, as_json=as_json)


def _decide(
    photos: tuple[str, ...], directory: Path | str, model: str | None, *, again: bool
) -> None:
    """Note that the photos in these files are not duplicates of each other, or with `again` take
    that back.
    """
    with opened(directory, model) as library:
        pairs = library.group_again(photos) if again else library.not_duplicates(photos)
    click.echo(
        f"{counted(pairs, 'pair')} {'no longer kept apart' if again else 'kept apart from now on'}"
    )


def _deliver(
    found: Duplicates, kinds: Sequence[DuplicateKind], path_end: str | None, *, as_json: bool
) -> None:
    """Print the groups for people or as JSON, or the paths of all but the photos to keep."""
    if as_json:
        for group in found:
            print_json(group)
    elif path_end is not None:
        print_paths((photo.path for photo in found.others(kinds)), path_end)
    else:
        for group in found:
            _print_group(group)
        if any(photo.cosine is not None for group in found for photo in group.photos):
            click.echo(f"\n{DUPLICATES_LEGEND}", err=True)


def _print_group(group: DuplicateGroup) -> None:
    """Print a group: a line with its kind, and a line for each photo."""
    click.echo(f"\n{group.kind}")
    for photo in group.photos:
        mark = "keep" if photo.keep else ""
        cosine = "" if photo.cosine is None else f"{photo.cosine:.3f}  {bar(max(photo.cosine, 0))}"
        size = f"{photo.width}x{photo.height}, {size_in_words(photo.bytes)}"
        click.echo(
            f"{mark:>6}  {cosine:<17}  {shown(photo.path)}  ({', '.join([size, *_remarks(photo)])})"
        )


def _remarks(photo: DuplicatePhoto) -> list[str]:
    remarks = [photo.why] if photo.why else []
    if photo.copies:
        remarks.append(f"+{counted(len(photo.copies), 'path')}")
    if not photo.available:
        remarks.append("file missing or changed")
    return remarks
