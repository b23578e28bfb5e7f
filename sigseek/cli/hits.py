"""Hits to where the user wants them: a table, JSON, paths, a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sigseek.answers import Answer, hit_explanation
from sigseek.cli.output import (
    bar,
    print_json,
    print_paths,
    remedy_in_words,
    say,
    show_notes,
)
from sigseek.results import QUERY_PHOTOS, counted, rounded, shown
from sigseek.search.results import Hit, SearchResults, SimilarHit

if TYPE_CHECKING:
    from sigseek.library import Library
    from sigseek.pages.contact_sheet import Section
    from sigseek.pages.page import Thumbnails


def deliver_answer(
    query: str,
    said: Answer,
    found: SearchResults,
    library: Library,
    *,
    path_end: str | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Print the answer to a query, and write it to `html`, with all that is said of it.

    Programs that read stdout get nothing but hits there; what is said goes to stderr.
    """
    show_notes(said.notes)
    for_programs = as_json or path_end is not None
    say(said.headline, err=for_programs)
    if not for_programs:
        for line in said.explanation:
            click.echo(line)
    below = [remedy_in_words(line) for line in said.legend]
    deliver(found, path_end=path_end, as_json=as_json, below=below)
    if html:
        from sigseek.pages.contact_sheet import Section

        section = Section(
            query,
            found,
            remedy_in_words(said.headline),
            tuple(remedy_in_words(line) for line in (*said.notes, *said.explanation)),
            tuple(below),
            best=found.best,
        )
        write_hits(html, section, library)


def write_hits(html: Path, section: Section, library: Library) -> None:
    """Write a page of hits, and say on stderr where it is."""
    from sigseek.pages.contact_sheet import write_contact_sheet

    write_contact_sheet(html, section.heading, [section], thumbnails_of(library))
    click.echo(f"written: {html.absolute()}", err=True)


def thumbnails_of(library: Library) -> Thumbnails:
    """Return what gives the small pictures of the library's photos, as pages need them."""
    return lambda photo: library.thumbnail(photo).data


def deliver(
    hits: Sequence[Hit | SimilarHit],
    *,
    path_end: str | None,
    as_json: bool,
    below: Sequence[str] = (),
) -> None:
    """Print hits as a table, as JSON or as paths.

    Only paths are printed where there is something to come after each, `path_end`. The lines
    `below` come under the table, on stderr.
    """
    if as_json:
        for hit in hits:
            print_json(hit)
    elif path_end is not None:
        _print_paths(hits, path_end)
    else:
        print_hits(hits)
        for line in below:
            click.echo(line, err=True)


def _print_paths(hits: Sequence[Hit | SimilarHit], end: str) -> None:
    """Print the paths for programs that open them; so only of files that exist."""
    present = [hit.path for hit in hits if hit.available]
    print_paths(present, end)
    if len(present) < len(hits):
        others = counted(len(hits) - len(present), "photo")
        click.echo(f"left out: {others} whose file is not there now", err=True)


def print_hits(hits: Sequence[Hit | SimilarHit]) -> None:
    """Print a table: rank, probability or cosine, a bar of it, path, and what is special."""
    for hit in hits:
        value = hit.probability if isinstance(hit, Hit) else hit.cosine
        number = rounded(value, 3) if isinstance(hit, Hit) else f"{value:.3f}"
        remarks = [f"(+{counted(len(hit.copies), 'copy', 'copies')})"] if hit.copies else []
        if hit.query_photo:
            remarks.append(f"({QUERY_PHOTOS[hit.query_photo]})")
        if not hit.available:
            remarks.append("(file not there now)")
        if hit.damaged:
            remarks.append("(damaged)")
        if isinstance(hit, Hit) and hit.verdict in ("maybe", "no match"):
            remarks.append(hit.verdict)
        line = f"{hit.rank:>4}  {number}  {bar(value)}  {shown(hit.path)}"
        click.echo("  ".join([line, *remarks]))
        explanation = hit_explanation(hit) if isinstance(hit, Hit) else None
        if explanation:
            click.echo(" " * 13 + explanation)
