"""`sigseek similar`."""

from pathlib import Path

import click

from sigseek.cli.options import (
    PathName,
    device_option,
    html_option,
    json_option,
    library_options,
    limit_option,
    opened,
    paths_option,
    precision_option,
)
from sigseek.cli.results import deliver


@click.command()
@click.argument("photo", type=PathName())
@library_options
@device_option
@precision_option
@limit_option
@paths_option
@html_option
@json_option
def similar(
    photo: Path,
    directory: Path,
    model: str | None,
    device: str,
    precision: str,
    limit: int,
    paths_only: bool,
    html: Path | None,
    as_json: bool,
) -> None:
    """Find photos like a photo.

    The photo need not be in the library; if it is, it is left out. The number is the cosine of the
    two photos' embeddings, 1 for the same picture.

    \b
        sigseek similar ~/Pictures/cat.jpg
    """
    if html:
        from sigseek.pages.page import check_page

        check_page(html)
    with opened(directory, model, device, precision) as library:
        hits = library.similar(photo, limit)
    deliver(f"like {photo}", hits, paths_only=paths_only, html=html, as_json=as_json)
