"""The command `sigseek facets`."""

import warnings
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sigseek.cli.arguments import QueryCommand
from sigseek.cli.fact_options import fact_options, given_facts
from sigseek.cli.options import (
    device_option,
    json_option,
    library_options,
    opened,
    precision_option,
)
from sigseek.cli.output import bar, print_json, show_notes
from sigseek.results import counted, facet_in_words, facets_headline
from sigseek.storage.facets import FACET_KINDS, FacetKind

if TYPE_CHECKING:
    from sigseek.operations.facets import Facets


@click.command(cls=QueryCommand)
@click.argument("query", nargs=-1, metavar="[QUERY]")
@click.option(
    "--by",
    type=click.Choice(FACET_KINDS),
    help="Count by this alone, and show all values.  [default: the first five of each]",
)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    help="Show at most N values, and how many more there are.",
)
@fact_options
@library_options
@device_option
@precision_option
@json_option
def facets(
    query: tuple[str, ...],
    by: FacetKind | None,
    limit: int | None,
    directory: Path | str,
    model: str | None,
    device: str,
    precision: str,
    as_json: bool,
    **facts: tuple[str, ...],
) -> None:
    """Count photos by year, camera, place and so on.

    Without a query all photos of the library are counted. With one, those that match it are
    counted; facts alone, as in date:2024 or --date 2024, need no model.

    What most photos have comes first, but the newest years and months. Photos of which a value is
    not known come last. A photo counts for each of its tags and folders. Years and months are those
    of the camera's clock; a date such as 1978, without a month, counts for its year. --by folder
    counts by directories, one level below what all photos, or those of --in, have in common.

    \b
        sigseek facets
        sigseek facets --by camera -n 10
        sigseek facets --by month --place Lisbon
        sigseek facets a dog on a beach --by year
        sigseek facets rating:4 --by tag --json
    """
    with opened(directory, model, device, precision) as library, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the notes say the same
        found = library.facets(" ".join(query), by=by, within=given_facts(facts), limit=limit)
    show_notes(found.notes)
    click.echo(facets_headline(found), err=as_json)
    if as_json:
        for facet in found:
            print_json(facet)
    else:
        _print_table(found)


def _print_table(found: "Facets") -> None:
    """Print the values kind by kind, each with its number of photos and its share of them all."""
    for kind, values in groupby(found, key=lambda facet: facet.by):
        click.echo(f"\n{kind}")
        rows = [(facet_in_words(facet), facet.photos) for facet in values]
        width = max(len(name) for name, _ in rows)
        digits = max(len(f"{photos:,}") for _, photos in rows)
        for name, photos in rows:
            share = bar(photos / max(found.photos, 1))
            click.echo(f"  {name:<{width}}  {photos:>{digits},}  {share}".rstrip())
        if found.left_out[kind]:
            click.echo(f"  and {counted(found.left_out[kind], 'more value', 'more values')}")
