"""`sigseek search`."""

from pathlib import Path

import click

from sigseek.cli.options import (
    device_option,
    html_option,
    json_option,
    library_options,
    limit_option,
    opened,
    paths_option,
    precision_option,
)
from sigseek.cli.results import deliver_results


@click.command()
@click.argument("query")
@library_options
@device_option
@precision_option
@limit_option
@click.option(
    "--min-probability",
    type=float,
    default=0.0,
    metavar="P",
    help="Only hits of at least this probability, 0 to 1.",
)
@click.option("--min-score", type=float, hidden=True)  # what it was called at first
@click.option(
    "--all",
    "include_all",
    is_flag=True,
    help="Also show photos that may match, and then those that do not.",
)
@click.option("--explain", is_flag=True, help="Show the probability of each term of the query.")
@click.option(
    "--closer",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Look again at the best N photos, part by part, and rank them anew: better, but it takes a second and more. "
    "For descriptions without operators.",
)
@paths_option
@html_option
@json_option
def search(
    query: str,
    directory: Path,
    model: str | None,
    device: str,
    precision: str,
    limit: int,
    min_probability: float,
    min_score: float | None,
    include_all: bool,
    explain: bool,
    closer: int,
    paths_only: bool,
    html: Path | None,
    as_json: bool,
) -> None:
    """Find photos by what they show.

    Only photos that match are listed; when none does, it says so and names the best. Each photo is
    judged by itself, and against what would score as high by chance. AND, OR, NOT, parentheses,
    quotes, photo:"PATH", tag:NAME and weights such as dog^2 combine descriptions; in lower case
    they are words like others.

    \b
        sigseek search "two cats on a sofa"
        sigseek search "a dog AND beach NOT people" --explain
        sigseek search "a red house" -n 50 --all --html houses.html
        sigseek search "at night" -n 1000 --paths | xargs -d '\\n' cp -t ~/night
    """
    if html:
        from sigseek.pages.page import check_page

        check_page(html)
    with opened(directory, model, device, precision) as library:
        found = library.search(
            query,
            limit,
            min_probability=min_probability if min_score is None else min_score,
            include_all=include_all,
            explain=explain,
            closer=closer,
        )
    deliver_results(query, found, paths_only=paths_only, html=html, as_json=as_json)
