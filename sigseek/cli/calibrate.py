"""`sigseek calibrate`."""

from pathlib import Path

import click

from sigseek.cli.options import (
    PathName,
    device_option,
    json_option,
    library_options,
    opened,
    precision_option,
)
from sigseek.cli.output import print_json
from sigseek.cli.problems import show_problems
from sigseek.cli.progress import ProgressBar


@click.command()
@click.argument("captions", type=PathName())
@click.option(
    "--split",
    default="test",
    show_default=True,
    help="Which of the images of a Karpathy split to take. Take another than the one you evaluate, such as val.",
)
@click.option(
    "--pictures",
    type=PathName(),
    metavar="DIR",
    help="Where the pictures lie, if not beside CAPTIONS.",
)
@library_options
@device_option
@precision_option
@json_option
def calibrate(
    captions: Path,
    split: str,
    pictures: Path | None,
    directory: Path,
    model: str | None,
    device: str,
    precision: str,
    as_json: bool,
) -> None:
    """Fit scores to probabilities on captioned pictures.

    CAPTIONS is a file with a line {"file": "a.jpg", "caption": "a red house"} a picture, or what
    else `sigseek eval` takes. Give each picture all the captions that are true of it, short ones
    too, as you would search for it: a picture without a caption counts as not showing it. A few
    hundred pictures do. The constants are kept in the library for its checkpoint: `probability` and
    `verdict` of every search rest on them from then on.

    \b
        sigseek calibrate captions.jsonl
        sigseek calibrate dataset_coco.json --split val --pictures ~/coco
    """
    with opened(directory, model, device, precision) as library:
        with ProgressBar("embedding", "images") as progress:
            calibration, used = library.calibrate(
                captions, split=split, pictures=pictures, on_progress=progress.show
            )
        show_problems(used.problems)
        if as_json:
            print_json(calibration)
            return
        click.echo(
            f"calibrated on {calibration.pictures:,} pictures with {calibration.captions:,} different captions: "
            f"probability = sigmoid({calibration.slope:.3f} x logit {calibration.intercept:+.3f})"
        )
