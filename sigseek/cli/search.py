"""The command `sigseek search`."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from sigseek.answers import answer
from sigseek.cli.arguments import QueryCommand
from sigseek.cli.fact_options import fact_options, given_facts
from sigseek.cli.hits import deliver_answer
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
from sigseek.cli.output import show_note
from sigseek.cli.parameter_types import Probability
from sigseek.disk import is_there
from sigseek.errors import Call, Remedy, escaped
from sigseek.paths import typed_path
from sigseek.results import json_line, shown, summary_fields
from sigseek.search.results import ORDERS, Order


@click.command(cls=QueryCommand)
@click.argument("query", nargs=-1)
@fact_options
@library_options
@device_option
@precision_option
@limit_option
@click.option(
    "--min-probability",
    type=Probability(),
    metavar="P",
    help="List only hits with at least this probability, such as 0.9 or 90%.",
)
@click.option("--min-score", type=Probability(), hidden=True)  # what it was called at first
@click.option(
    "--all",
    "include_all",
    is_flag=True,
    help='Also list photos that may match ("maybe"), then all others, up to -n.',
)
@click.option(
    "--explain",
    is_flag=True,
    help="Also show what each number comes from, for each term of the query and each hit.",
)
@click.option(
    "--closer",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Score the best N photos again, with crops of each picture, and rank them by that. It is "
    "more accurate and takes a second or more. Only for queries without operators.",
)
@click.option(
    "--sort",
    type=click.Choice(ORDERS),
    default="match",
    show_default=True,
    help="Order the photos that match by this: date is oldest first, -date newest first, rating "
    "most stars first, added last added first. With --all, others follow in the same order.",
)
@click.option(
    "--offset",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Leave out the first N hits, which an earlier search has shown.",
)
@click.option(
    "--page",
    metavar="TOKEN",
    help="Continue the same search, which printed TOKEN on stderr with --json. No photo is on two "
    "pages and none is left out, whatever photos come or go meanwhile.",
)
@self_option
@path_options
@html_option
@json_option
@click.option(
    "--summary",
    is_flag=True,
    help="With --json, print a line about the whole answer before the hits: how many photos match, "
    "how many may, what that was judged by, and the page after this one.",
)
def search(
    query: tuple[str, ...],
    directory: Path | str,
    model: str | None,
    device: str,
    precision: str,
    limit: int,
    min_probability: float | None,
    min_score: float | None,
    include_all: bool,
    explain: bool,
    closer: int,
    sort: Order,
    offset: int,
    page: str | None,
    include_self: bool,
    paths_only: bool,
    print0: bool,
    html: Path | None,
    as_json: bool,
    summary: bool,
    **facts: tuple[str, ...],
) -> None:
    """Find photos by describing them.

    Several words need no quotation marks, but characters that the shell interprets do. Options may
    stand anywhere among the words; after -- there are none.

    Only photos that match are listed, those that belong to the answer rather than not; if there
    are none, sigseek says so. Combine descriptions with AND, OR, NOT,
    parentheses, quotation marks, photo:"PATH", tag:NAME and weights such as dog^2. Operators are in
    capitals; in lower case they are ordinary words.

    Facts such as date:2024 or place:Lisbon narrow the search. They may also be given as options;
    --date 2024 --place Lisbon joins both to the query by AND. A query may consist of facts alone.

    \b
        sigseek search two cats on a sofa
        sigseek search "a dog AND beach NOT people" --explain
        sigseek search a red tram place:Lisbon date:2024
        sigseek search --in 2019/Rome --rating 4 -n 100
        sigseek search "a red house" -n 50 --all --html houses.html
        sigseek search at night -n 1000 --print0 | xargs -0 -I{} cp {} ~/night/
    """
    path_end = end_of_paths(paths_only, print0, as_json)
    if summary and not as_json:
        raise click.UsageError("Use --summary with --json.")
    _tell_of_idle_options(closer, explain=explain and path_end is not None)
    _tell_of_paths(query)
    least = _least_probability(min_probability, min_score)
    if html:
        from sigseek.pages.page import check_page

        check_page(html)
    asked, within = " ".join(query), given_facts(facts)
    if not query and not within:
        raise click.UsageError("Missing argument 'QUERY...', or an option such as --date 2024.")
    # What Python warns of is among the notes of the results, which are printed with them.
    with opened(directory, model, device, precision) as library, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = library.search(
            asked,
            limit,
            within=within,
            min_probability=least,
            include_all=include_all,
            explain=explain,
            closer=closer,
            include_self=include_self,
            sort=sort,
            offset=offset,
            page=page,
        )
        said = answer(found, limit, least, include_all=include_all, explain=explain)
        if summary:
            click.echo(json_line({"summary": summary_fields(found)}))
        heading = " ".join(filter(None, (asked, within)))
        deliver_answer(heading, said, found, library, path_end=path_end, html=html, as_json=as_json)
    if as_json and found.next_page:
        click.echo(f"for the next hits: --page {found.next_page}", err=True)


def _least_probability(given: float | None, old_name: float | None) -> float:
    """Return the least probability of a hit by --min-probability and --min-score."""
    if given is not None and old_name is not None:
        raise click.UsageError("Use --min-probability alone; --min-score is its old name.")
    return next((one for one in (given, old_name) if one is not None), 0.0)


def _tell_of_paths(query: Sequence[str]) -> None:
    """Say on stderr how to search by a file or in a folder, if a path was typed as the query.

    `*` is a list of paths, too: the shell puts them in its place.
    """
    from sigseek.search.query import quoted  # `--help` needs none of it

    paths = [typed_path(word).absolute() for word in query if word.strip()]
    if len(paths) < max(len(query), 1) or not all(map(_is_path, query, paths)):
        return
    wanted, step = "for photos like this file", Call("similar", (str(paths[0]),))
    if os.path.isdir(paths[0]):
        wanted, step = "only in this folder", Call("search", (f"in:{quoted(str(paths[0]))}",))
    found = escaped(f"'{shown(query[0])}' was searched as text; to search {wanted}")
    show_note(Remedy(f"{found}: {{}}", (step,)))


def _is_path(typed: str, path: Path) -> bool:
    """Return whether a path was typed that is there, and not merely a word like its name."""
    told = path.name != typed or bool(path.suffix)
    return told and is_there(str(path))


def _tell_of_idle_options(closer: int, *, explain: bool) -> None:
    """Say on stderr which options do nothing: --closer 0, and --explain where only paths are
    printed.
    """
    source = click.get_current_context().get_parameter_source("closer")
    if closer == 0 and source is ParameterSource.COMMANDLINE:
        click.echo("note: --closer 0 does nothing; name how many photos to score again", err=True)
    if explain:
        click.echo("note: --explain does nothing where only paths are printed", err=True)
