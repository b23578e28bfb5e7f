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
from sigseek.cli.results import deliver


@click.command()
@click.argument("query")
@library_options
@device_option
@precision_option
@limit_option
@click.option("--min-score", type=float, default=0.0, metavar="P", help="Only hits of at least this probability, 0 to 1.")
@click.option("--explain", is_flag=True, help="Show the probability of each term of the query.")
@paths_option
@html_option
@json_option
def search(
    query: str,
    library: Path,
    model: str | None,
    device: str,
    precision: str,
    limit: int,
    min_score: float,
    explain: bool,
    paths_only: bool,
    html: Path | None,
    as_json: bool,
) -> None:
    """Find photos by a text.

    The score is SigLIP's probability that text and photo match; each photo is judged by itself.

    \b
        sigseek search "two cats on a sofa"
        sigseek search "a red house" -n 50 --min-score 0.5 --html houses.html
        sigseek search "at night" --paths | xargs -d '\\n' cp -t ~/night
    """
    with opened(library, model, device, precision) as photos:
        hits = photos.search(query, limit, min_score=min_score, explain=explain)
    deliver(query, hits, paths_only=paths_only, html=html, as_json=as_json)
