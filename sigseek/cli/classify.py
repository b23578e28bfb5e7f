"""`sigseek classify`."""

from pathlib import Path

import click

from search.classify import DEFAULT_TEMPLATE
from sigseek.cli.options import device_option, json_option, library_options, opened, precision_option
from sigseek.cli.output import bar, print_json, shown


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO...")
@click.option("--label", "labels", multiple=True, required=True, metavar="TEXT", help="A label; give the option once for each.")
@click.option("--template", default=DEFAULT_TEMPLATE, show_default=True, help="The sentence that a label is put into, at {}.")
@library_options
@device_option
@precision_option
@json_option
def classify(
    photos: tuple[Path, ...],
    labels: tuple[str, ...],
    template: str,
    library: Path,
    model: str | None,
    device: str,
    precision: str,
    as_json: bool,
) -> None:
    """Say how well each label fits a photo.

    The number is SigLIP's probability for each label by itself: all may be low, and several may be high. Needs no
    library, but uses the checkpoint of one that is there.

    \b
        sigseek classify cat.jpg --label "a cat" --label "a dog"
    """
    with opened(library, model, device, precision) as opened_library:
        results = opened_library.classify(photos, labels, template)
    for result in results:
        if as_json:
            print_json(result)
            continue
        click.echo(shown(result.path))
        for scored in result.scores:
            click.echo(f"      {scored.score:.3f}  {bar(scored.score)}  {scored.label}")
