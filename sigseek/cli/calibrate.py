"""The command `sigseek calibrate`."""

from pathlib import Path

import click

from sigseek.cli.options import (
    device_option,
    json_option,
    library_options,
    opened,
    precision_option,
)
from sigseek.cli.output import print_json
from sigseek.cli.parameter_types import PathName
from sigseek.cli.problems import show_problems
from sigseek.cli.progress import NotingProgress


@click.command()
@click.argument("captions", type=PathName())
@click.option(
    "--split",
    default="test",
    show_default=True,
    help="Which part of a Karpathy split to use: not the one you evaluate on, but val for example.",
)
@click.option(
    "--pictures",
    type=PathName(),
    metavar="DIR",
    help="The folder of the pictures, if they are not beside CAPTIONS.",
)
@library_options
@device_option
@precision_option
@json_option
def calibrate(
    captions: Path,
    split: str,
    pictures: Path | None,
    directory: Path | str,
    model: str | None,
    device: str,
    precision: str,
    as_json: bool,
) -> None:
    """Fit probabilities to captioned pictures of your own.

    CAPTIONS is a file with one line {"file": "a.jpg", "caption": "a red house"} per picture, or
    anything else that `sigseek eval` accepts. Give each picture every caption that is true of it,
    short ones too, worded as you would search for it: a picture without a caption counts as not
    showing it. A few hundred pictures are enough. The result is kept in the library for its
    checkpoint, and from then on decides the probability and the verdict of every hit.

    \b
        sigseek calibrate captions.jsonl
        sigseek calibrate dataset_coco.json --split val --pictures ~/coco
    """
    with opened(directory, model, device, precision) as library:
        with NotingProgress() as listener:
            calibration, _ = library.calibrate(
                captions, split=split, pictures=pictures, listener=listener
            )
        show_problems(listener.problems)
        if as_json:
            print_json(calibration)
            return
        click.echo(
            f"calibrated on {calibration.pictures:,} pictures with {calibration.captions:,} "
            "different captions: probability = "
            f"sigmoid({calibration.slope:.3f} x logit {calibration.intercept:+.3f})"
        )
