"""Hits to where the user wants them."""

from collections.abc import Sequence
from pathlib import Path

import click

from sigseek.cli.output import advice, bar, counted, print_json, shown
from sigseek.search.results import Hit, SearchResults, SimilarHit
from sigseek.search.verdicts import FEW_PHOTOS


def deliver(
    heading: str,
    hits: Sequence[Hit | SimilarHit],
    *,
    paths_only: bool,
    html: Path | None,
    as_json: bool,
) -> None:
    """Print hits as a table, as JSON or as paths, and write the contact sheet if one is wanted."""
    if html:
        _write_page(html, heading, hits)
    if as_json:
        for hit in hits:
            print_json(hit)
    elif paths_only:
        _print_paths(hits)
    else:
        print_hits(hits)
    if not hits:
        click.echo("nothing found", err=True)


def deliver_results(
    heading: str, found: SearchResults, *, paths_only: bool, html: Path | None, as_json: bool
) -> None:
    """Print what a query found, as `deliver` does, under how many photos match; or that none does,
    and the best.
    """
    for_programs = as_json or paths_only
    if found.photos and found.photos < FEW_PHOTOS:
        click.echo(
            f"only {counted(found.photos, 'photo')}, too few to judge by: verdicts rest on {_GROUNDS[found.judged_by]}",
            err=True,
        )
    if found.judged_by == "nothing":
        click.echo(
            advice("hits are not judged yet in this library; to have them judged: sigseek index"),
            err=True,
        )
    matches = found.judged_by == "nothing" or any(hit.verdict == "match" for hit in found.hits)
    if found.hits:
        click.echo(_expected(found) if matches else no_match(found), err=for_programs)
        deliver(heading, found.hits, paths_only=paths_only, html=html, as_json=as_json)
        return
    click.echo(no_match(found), err=for_programs)
    if html:
        _write_page(html, heading, [])


def _print_paths(hits: Sequence[Hit | SimilarHit]) -> None:
    """The paths as they are, for programs that open them: only of what is there."""
    there = [hit.path for hit in hits if hit.available]
    for path in there:
        click.echo(path, color=True)  # else click takes out what would steer a terminal
    if len(there) < len(hits):
        click.echo(f"left out: {counted(len(hits) - len(there), 'photo')} not there now", err=True)


def _write_page(html: Path, heading: str, hits: Sequence[Hit | SimilarHit]) -> None:
    from sigseek.pages.contact_sheet import Section, write_contact_sheet

    write_contact_sheet(html, heading, [Section(heading, hits)])
    click.echo(f"written: {html}", err=True)


def print_hits(hits: Sequence[Hit | SimilarHit]) -> None:
    """A table: rank, probability or cosine, a bar of it, path, and the verdict unless it is a
    match.
    """
    for hit in hits:
        value = hit.probability if isinstance(hit, Hit) else hit.cosine
        copies = (
            f"  (+{len(hit.copies)} {'copy' if len(hit.copies) == 1 else 'copies'})"
            if hit.copies
            else ""
        )
        gone = "" if hit.available else "  (not there now)"
        unsure = (
            f"  {hit.verdict}"
            if isinstance(hit, Hit) and hit.verdict in ("maybe", "no match")
            else ""
        )
        click.echo(
            f"{hit.rank:>4}  {value:.3f}  {bar(value)}  {shown(hit.path)}{copies}{gone}{unsure}"
        )
        if isinstance(hit, Hit) and hit.terms:
            click.echo(
                " " * 13
                + ", ".join(f"{shown(term)} {score:.2f}" for term, score in hit.terms.items())
            )


_GROUNDS = {
    "calibrated": "the checkpoint's calibration alone",
    "uncalibrated": "texts that next to no photo fits, held against these few",
    "nothing": "nothing",
}
_LABELS = {"calibrated": "", "uncalibrated": "uncalibrated", "nothing": "not judged"}


def no_match(found: SearchResults) -> str:
    """The line that says that nothing matches, and what comes nearest."""
    if found.best is None:
        return "no match (no photo is left)"
    sort = (
        "match so probable"
        if found.best.verdict == "match"
        else "sure match"
        if found.maybes
        else "match"
    )
    best = f"best: {found.best.probability:.0%}, {shown(found.best.path)}"
    label = f", {_LABELS[found.judged_by]}" if _LABELS[found.judged_by] else ""
    hint = f"; {found.maybes:,} may match: --all" if found.maybes else ""
    return f"no {sort} ({best}{label}{hint})"


def _expected(found: SearchResults) -> str:
    """About how many photos match, in two digits, for it is not known better, and how many that are
    not listed may.
    """
    count = max(found.expected, len([hit for hit in found.hits if hit.verdict == "match"]))
    rounded = int(float(f"{count:.2g}")) if count >= 1 else round(count)
    label = f" ({_LABELS[found.judged_by]})" if _LABELS[found.judged_by] else ""
    all_listed = any(hit.verdict != "match" for hit in found.hits)
    hint = f"; {found.maybes:,} more may: --all" if found.maybes and not all_listed else ""
    return f"about {rounded:,} {'photo matches' if rounded == 1 else 'photos match'}{label}{hint}"
