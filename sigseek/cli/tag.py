"""`sigseek tag`."""

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
from sigseek.cli.output import print_json, shown
from sigseek.cli.progress import ProgressBar

if TYPE_CHECKING:
    from sigseek.operations.tags import TagCount
    from sigseek.search.verdicts import JudgedBy

_MANY = 10
"""Labels from which on a bar shows how far they are."""


@click.command()
@label_options
@click.option(
    "--list",
    "list_tags",
    is_flag=True,
    help="Only list the tags there are, and how many photos bear each.",
)
@click.option("--remove", metavar="NAME", help="Only take this tag from all photos.")
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
    """Keep labels with the photos that match them.

    A photo gets every label that it matches, and that has a calibrated probability of one half or
    more: several, one or none. What an earlier run kept for the same label is replaced, other tags
    stay. A photo that is indexed later has no tags until this command runs again. In a search,
    tag:NAME finds the photos of a tag.

    \b
        sigseek tag --label beach --label "night = a photo taken at night"
        sigseek tag --labels-file labels.txt
        sigseek search "tag:night AND a cat"
        sigseek tag --remove night
    """
    if sum([bool(labels or labels_file), list_tags, remove is not None]) > 1:
        raise click.UsageError("--list and --remove stand alone, without labels.")
    if list_tags or remove is not None:
        with opened(directory, model) as library:
            counts = library.tags() if remove is None else (library.remove_tag(remove),)
        _print_counts(counts, " removed" if remove is not None else "", as_json=as_json)
        return
    wanted = given_labels(labels, labels_file)
    with (
        opened(directory, model, device, precision) as library,
        ProgressBar("tagging", "labels") as progress,
    ):
        on_done = (
            (lambda done: progress.show(done, len(wanted)))
            if len(wanted) >= _MANY
            else (lambda done: None)
        )
        counts = library.tag(wanted, template, on_done)
        judged_by = library.judged_by
    if judged_by in _WITHOUT_CALIBRATION:
        click.echo(_WITHOUT_CALIBRATION[judged_by], err=True)
    _print_counts(counts, "", as_json=as_json)


_WITHOUT_CALIBRATION: "dict[JudgedBy, str]" = {
    "uncalibrated": "the checkpoint is not calibrated: tags rest on verdicts alone; "
    "to calibrate it: sigseek calibrate CAPTIONS.jsonl",
    "nothing": "photos are not judged yet in this library, tags rest on probabilities alone; to have them judged: sigseek index",
}


def _print_counts(counts: "Sequence[TagCount]", done: str, *, as_json: bool) -> None:
    names = [shown(count.label) for count in counts]
    width = max(map(len, names), default=0)
    for count, name in zip(counts, names, strict=True):
        if as_json:
            print_json(count)
        else:
            click.echo(
                f"{name:<{width}}  {count.photos:,} {'photo' if count.photos == 1 else 'photos'}{done}"
            )
    if not counts and not as_json:
        click.echo("no tags")
