"""Hits to where the user wants them."""

from collections.abc import Sequence
from pathlib import Path

import click

from search.results import Hit, SimilarHit
from sigseek.cli.output import print_hits, print_json


def deliver(heading: str, hits: Sequence[Hit | SimilarHit], *, paths_only: bool, html: Path | None, as_json: bool) -> None:
    """Print hits as a table, as JSON or as paths, and write the contact sheet if one is wanted."""
    if html:
        from sigseek.contact_sheet import Section, write_contact_sheet

        write_contact_sheet(html, heading, [Section(heading, hits)])
        click.echo(f"written: {html}", err=True)
    if as_json:
        for hit in hits:
            print_json(hit)
    elif paths_only:
        for hit in hits:
            click.echo(hit.path)
    else:
        print_hits(hits)
    if not hits:
        click.echo("nothing found", err=True)
