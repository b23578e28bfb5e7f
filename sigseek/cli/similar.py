"""The command `sigseek similar`."""

import warnings
from pathlib import Path

import click

from sigseek.answers import LIKENESS_LEGEND
from sigseek.cli.hits import deliver, write_hits
from sigseek.cli.options import (
    device_option,
    end_of_paths,
    html_option,
    json_option,
    library_options,
    limit_option,
    opened,
    path_options,
    precision_option,
    self_option,
)
from sigseek.cli.output import remedy_in_words, show_notes
from sigseek.cli.parameter_types import PathName
from sigseek.errors import RemedyWarning
from sigseek.results import counted


@click.command()
@click.argument("photo", type=PathName())
@library_options
@device_option
@precision_option
@limit_option
@self_option
@path_options
@html_option
@json_option
def similar(
    photo: Path,
    directory: Path | str,
    model: str | None,
    device: str,
    precision: str,
    limit: int,
    include_self: bool,
    paths_only: bool,
    print0: bool,
    html: Path | None,
    as_json: bool,
) -> None:
    """Find photos that look like a given photo.

    PHOTO need not be in the library; if it is, its file may be away. PHOTO itself is listed only
    with --self; exact copies of it are always listed. The number is the cosine of the two photos'
    embeddings, which is 1 for the same picture.

    \b
        sigseek similar ~/Pictures/cat.jpg
    """
    path_end = end_of_paths(paths_only, print0, as_json)
    if html:
        from sigseek.pages.page import check_page

        check_page(html)
    with opened(directory, model, device, precision) as library, warnings.catch_warnings():
        warnings.simplefilter("ignore", RemedyWarning)  # the note says the same
        hits = library.similar(photo, limit, include_self=include_self)
        notes = library.checkpoint_notes
        show_notes(notes)
        if not hits:
            click.echo("nothing found: the library has no other photo", err=True)
        below = [LIKENESS_LEGEND] if hits else []
        deliver(hits, path_end=path_end, as_json=as_json, below=below)
        if html:
            from sigseek.pages.contact_sheet import Section

            section = Section(
                f"Like {photo.name}",
                hits,
                f"The {counted(len(hits), 'photo')} most like it" if hits else "",
                tuple(map(remedy_in_words, notes)),
                tuple(below),
                asked=photo.absolute(),
            )
            write_hits(html, section, library)
