"""The command `sigseek classify`."""

import warnings
from pathlib import Path

import click

from sigseek.cli.options import (
    device_option,
    given_labels,
    json_option,
    label_options,
    library_options,
    opened,
    precision_option,
)
from sigseek.cli.output import bar, print_json, show_notes
from sigseek.cli.parameter_types import PathName
from sigseek.cli.progress import NotingProgress
from sigseek.errors import RemedyWarning
from sigseek.results import rounded, shown

_MANY = 20
"""A progress bar is shown for this many photos or labels, or more."""


@click.command()
@click.argument("photos", nargs=-1, required=True, type=PathName(), metavar="PHOTO...")
@label_options
@library_options
@device_option
@precision_option
@json_option
def classify(
    photos: tuple[Path, ...],
    labels: tuple[str, ...],
    labels_file: Path | None,
    template: str,
    directory: Path | str,
    model: str | None,
    device: str,
    precision: str,
    as_json: bool,
) -> None:
    """Show how well each label fits a photo.

    The number is the probability of each label on its own: all may be low, and several may be high.
    No library is needed; if there is one, its checkpoint and its calibration are used.

    \b
        sigseek classify cat.jpg --label "a cat" --label "a dog"
        sigseek classify *.jpg --labels-file labels.txt
    """
    wanted = given_labels(labels, labels_file)
    with (
        opened(directory, model, device, precision) as library,
        NotingProgress(_MANY) as listener,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", RemedyWarning)  # the note says the same
        results = library.classify(photos, wanted, template, skip_unusable=True, listener=listener)
        notes = library.checkpoint_notes
    if results:
        show_notes(notes)
    for result in results:
        if as_json:
            print_json(result)
            continue
        click.echo(shown(result.path))
        for scored in result.scores:
            number = scored.probability
            click.echo(f"      {rounded(number, 3)}  {bar(number)}  {shown(scored.label)}")
    for problem in listener.problems:
        click.echo(
            f"error: {shown(problem.path)}: {problem.reason}; choose another photo", err=True
        )
    if listener.problems:
        click.get_current_context().exit(1)
