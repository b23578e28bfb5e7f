"""The command `sigseek tag`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
from sigseek.cli.output import advise, print_json
from sigseek.cli.progress import RunProgress
from sigseek.errors import Call, Remedy
from sigseek.results import counted, shown

if TYPE_CHECKING:
    from sigseek.operations.tags import TagCount
    from sigseek.search.verdicts import JudgedBy

_MANY = 10
"""A progress bar is shown for this many labels or more."""


@click.command()
@label_options
@click.option(
    "--list",
    "list_tags",
    is_flag=True,
    help="List all tags and how many photos have each; change nothing.",
)
@click.option("--remove", metavar="NAME", help="Remove this tag from all photos.")
@library_options
@device_option
@precision_option
@json_option
def tag(
    labels: tuple[str, ...],
    labels_file: Path | None,
    template: str,
    list_tags: bool,
    remove: str | None,
    directory: Path,
    model: str | None,
    device: str,
    precision: str,
    as_json: bool,
) -> None:
    """Give labels as tags to the photos that match them.

    A photo gets each label it matches with a calibrated probability of at least 0.5; it may get
    several or none. Tags of the same name from an earlier run are replaced, other tags are kept.
    Photos that are indexed later get no tags until this command runs again. In a search, tag:NAME
    finds the photos with a tag.

    \b
        sigseek tag --label beach --label "night = a photo taken at night"
        sigseek tag --labels-file labels.txt
        sigseek search "tag:night AND a cat"
        sigseek tag --remove night
    """
    if sum([bool(labels or labels_file), list_tags, remove is not None]) > 1:
        raise click.UsageError("Use --list or --remove alone, without labels.")
    if list_tags or remove is not None:
        with opened(directory, model) as library:
            counts = library.tags() if remove is None else (library.remove_tag(remove),)
        _print_counts(counts, " removed" if remove is not None else "", as_json=as_json)
        return
    wanted = given_labels(labels, labels_file)
    with opened(directory, model, device, precision) as library, RunProgress(_MANY) as listener:
        counts = library.tag(wanted, template, listener=listener)
        judged_by = library.judged_by
    if judged_by in _WITHOUT_CALIBRATION:
        advise(_WITHOUT_CALIBRATION[judged_by])
    _print_counts(counts, "", as_json=as_json)


_WITHOUT_CALIBRATION: "dict[JudgedBy, Remedy]" = {
    "uncalibrated": Remedy(
        "The checkpoint is not calibrated, so tags are based on verdicts alone. Calibrate with: {}",
        (Call("calibrate", ("CAPTIONS",)),),
    ),
    "nothing": Remedy(
        "This library has not been fully indexed yet, so tags are based on probabilities alone. "
        "Finish with: {}",
        (Call("index"),),
    ),
}


def _print_counts(counts: "Sequence[TagCount]", done: str, *, as_json: bool) -> None:
    names = [shown(count.label) for count in counts]
    width = max(map(len, names), default=0)
    for count, name in zip(counts, names, strict=True):
        if as_json:
            print_json(count)
        else:
            click.echo(f"{name:<{width}}  {counted(count.photos, 'photo')}{done}")
    if not counts:
        click.echo("no tags", err=as_json)
