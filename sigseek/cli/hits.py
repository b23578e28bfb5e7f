"""Hits to where the user wants them: a table, JSON, paths, a page."""

from collections.abc import Sequence
from pathlib import Path

import click

from sigseek.cli.output import advise, bar, print_json, print_paths, remedy_in_words
from sigseek.errors import Remedy
from sigseek.results import FINISH_INDEXING, QUERY_PHOTOS, counted, shown
from sigseek.search.results import Hit, SearchResults, SimilarHit


def show_notes(found: SearchResults) -> None:
    """Print on stderr what a reader of the answer should know."""
    for note in found.notes:
        show_note(note)
    if found.judged_by == "nothing":
        advise(FINISH_INDEXING)


def show_note(note: Remedy | str) -> None:
    """Print on stderr what a reader of an answer should know."""
    click.echo(f"note: {remedy_in_words(note)}", err=True)


def deliver(
    heading: str,
    hits: Sequence[Hit | SimilarHit],
    *,
    path_end: str | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Print hits as a table, as JSON or as paths, and write a page of them to `html`.

    Only paths are printed where there is something to come after each, `path_end`.
    """
    if html:
        from sigseek.pages.contact_sheet import Section, write_contact_sheet

        write_contact_sheet(html, heading, [Section(heading, hits)])
        click.echo(f"written: {html.absolute()}", err=True)
    if as_json:
        for hit in hits:
            print_json(hit)
    elif path_end is not None:
        _print_paths(hits, path_end)
    else:
        print_hits(hits)


def _print_paths(hits: Sequence[Hit | SimilarHit], end: str) -> None:
    """Print the paths for programs that open them; so only of files that exist."""
    present = [hit.path for hit in hits if hit.available]
    print_paths(present, end)
    if len(present) < len(hits):
        missing = counted(len(hits) - len(present), "photo")
        click.echo(f"left out: {missing} whose file is missing", err=True)


def print_hits(hits: Sequence[Hit | SimilarHit]) -> None:
    """Print a table: rank, probability or cosine, a bar of it, path, and what is special."""
    for hit in hits:
        value = hit.probability if isinstance(hit, Hit) else hit.cosine
        remarks = [f"(+{counted(len(hit.copies), 'copy', 'copies')})"] if hit.copies else []
        if hit.query_photo:
            remarks.append(f"({QUERY_PHOTOS[hit.query_photo]})")
        if not hit.available:
            remarks.append("(file missing)")
        if hit.damaged:
            remarks.append("(damaged)")
        if isinstance(hit, Hit) and hit.verdict in ("maybe", "no match"):
            remarks.append(hit.verdict)
        line = f"{hit.rank:>4}  {value:.3f}  {bar(value)}  {shown(hit.path)}"
        click.echo("  ".join([line, *remarks]))
        if isinstance(hit, Hit) and hit.terms:
            terms = (f"{shown(term)} {score:.2f}" for term, score in hit.terms.items())
            click.echo(" " * 13 + ", ".join(terms))
