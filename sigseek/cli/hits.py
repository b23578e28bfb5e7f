"""Hits to where the user wants them: a table, JSON, paths, a page."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from sigseek.answers import Answer, hit_explanation
from sigseek.cli.output import bar, print_json, print_paths, remedy_in_words, say
from sigseek.errors import Remedy
from sigseek.results import QUERY_PHOTOS, counted, shown
from sigseek.search.results import Hit, SimilarHit


def deliver_answer(
    query: str,
    said: Answer,
    hits: Sequence[Hit],
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
    above = [*said.notes, said.headline, *said.explanation]
    deliver(
        query,
        hits,
        path_end=path_end,
        html=html,
        as_json=as_json,
        above=[remedy_in_words(line) for line in above],
        below=[remedy_in_words(line) for line in said.legend],
    )


def show_notes(notes: Iterable[Remedy | str]) -> None:
    """Print on stderr what a reader of an answer should know."""
    for note in notes:
        show_note(note)


def show_note(note: Remedy | str) -> None:
    """Print a note on stderr."""
    click.echo(f"note: {remedy_in_words(note)}", err=True)


def deliver(
    heading: str,
    hits: Sequence[Hit | SimilarHit],
    *,
    path_end: str | None,
    html: Path | None,
    as_json: bool,
    above: Sequence[str] = (),
    below: Sequence[str] = (),
) -> None:
    """Print hits as a table, as JSON or as paths, and write a page of them to `html`.

    Only paths are printed where there is something to come after each, `path_end`. The page has the
    lines `above` over the hits. The lines `below` come under the table, on stderr, and on the page.
    """
    if html:
        from sigseek.pages.contact_sheet import Section, write_contact_sheet

        section = Section(heading, hits, tuple(above), tuple(below))
        write_contact_sheet(html, heading, [section])
    if as_json:
        for hit in hits:
            print_json(hit)
    elif path_end is not None:
        _print_paths(hits, path_end)
    else:
        print_hits(hits)
        for line in below:
            click.echo(line, err=True)
    if html:
        click.echo(f"written: {html.absolute()}", err=True)


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
        explanation = hit_explanation(hit) if isinstance(hit, Hit) else None
        if explanation:
            click.echo(" " * 13 + explanation)
