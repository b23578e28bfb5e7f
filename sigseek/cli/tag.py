"""The command `sigseek tag`."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sigseek.cli.options import (
    confirm,
    device_option,
    given_labels,
    json_option,
    label_options,
    library_options,
    opened,
    precision_option,
    yes_option,
)
from sigseek.cli.output import advise, print_json, show_notes
from sigseek.cli.parameter_types import PathName
from sigseek.cli.progress import RunProgress
from sigseek.errors import Call, Remedy, RemedyWarning
from sigseek.results import counted, shown

if TYPE_CHECKING:
    from sigseek.library import Library
    from sigseek.operations.tags import TagCount
    from sigseek.search.verdicts import JudgedBy

_MANY = 10
"""A progress bar is shown for this many labels or more."""


@click.command()
@click.argument("photos", nargs=-1, type=PathName(), metavar="[PHOTO]...")
@label_options
@click.option(
    "--list",
    "list_tags",
    is_flag=True,
    help="List all tags and how many photos have each; change nothing.",
)
@click.option("--add", metavar="NAME", help="Give this tag to each PHOTO by hand.")
@click.option(
    "--remove", metavar="NAME", help="Take this tag from each PHOTO, or without PHOTO from all."
)
@yes_option("Remove a tag from all photos even if some got it by hand.")
@library_options
@device_option
@precision_option
@json_option
def tag(
    photos: tuple[Path, ...],
    labels: tuple[str, ...],
    labels_file: Path | None,
    template: str,
    list_tags: bool,
    add: str | None,
    remove: str | None,
    yes: bool,
    directory: Path | str,
    model: str | None,
    device: str,
    precision: str,
    as_json: bool,
) -> None:
    """Give labels as tags to the photos that match them.

    A photo gets each label that a search would list it for, with a probability of at least 0.5; it
    may get several or none. Tags of the same name from an earlier run are replaced, other tags are
    kept. Photos that are indexed later get no tags until this command runs again. In a search,
    tag:NAME finds the photos with a tag.

    What you say of a photo with --add and --remove counts more: no later run changes it, and it
    stays with the photo when its file is moved or edited.

    \b
        sigseek tag --label beach --label "night = a photo taken at night"
        sigseek tag --labels-file labels.txt
        sigseek search "tag:night AND a cat"
        sigseek tag --add favourite ~/Pictures/cat.jpg ~/Pictures/dog.jpg
        sigseek tag --remove night ~/Pictures/cellar.jpg
        sigseek tag --remove night
    """
    judge = bool(labels or labels_file)
    _check_usage(judge=judge, list_tags=list_tags, add=add, remove=remove, photos=photos)
    if list_tags or add is not None or remove is not None:
        with opened(directory, model) as library:
            counts = _by_hand(library, add, remove, photos, yes=yes)
        _print_counts(counts, removed=remove is not None and not photos, as_json=as_json)
        return
    wanted = given_labels(labels, labels_file)
    with (
        opened(directory, model, device, precision) as library,
        RunProgress(_MANY) as listener,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", RemedyWarning)  # the note says the same
        counts = library.tag(wanted, template, listener=listener)
        notes, judged_by = library.checkpoint_notes, library.judged_by
    show_notes(notes)
    if judged_by in _WITHOUT_CALIBRATION:
        advise(_WITHOUT_CALIBRATION[judged_by])
    _print_counts(counts, as_json=as_json)


def _check_usage(
    *, judge: bool, list_tags: bool, add: str | None, remove: str | None, photos: tuple[Path, ...]
) -> None:
    """Raise UsageError for options and photos that do not go together."""
    if sum([judge, list_tags, add is not None, remove is not None]) > 1:
        raise click.UsageError("Use --list, --add or --remove alone, without labels.")
    if photos and add is None and remove is None:
        raise click.UsageError("PHOTO goes with --add NAME or --remove NAME.")
    if add is not None and not photos:
        raise click.UsageError("Name the photos: --add NAME PHOTO...")


def _by_hand(
    library: "Library", add: str | None, remove: str | None, photos: tuple[Path, ...], *, yes: bool
) -> "Sequence[TagCount]":
    """Do what needs no checkpoint, and return the tags that it is about; without a name all."""
    if add is not None:
        return (library.add_tag(add, photos),)
    if remove is None:
        return library.tags()
    if photos:
        return (library.remove_tag(remove, photos),)
    _confirm_removal(library, remove, yes)
    return (library.remove_tag(remove),)


def _confirm_removal(library: "Library", name: str, yes: bool) -> None:
    """Ask before a tag is removed that photos got by hand, because no run would bring it back."""
    by_hand = next((count.by_hand for count in library.tags() if count.label == name), 0)
    if by_hand:
        photos = counted(by_hand, "photo")
        confirm(f"{photos} got the tag '{shown(name)}' by hand", "Remove it?", yes)


_WITHOUT_CALIBRATION: "dict[JudgedBy, Remedy]" = {
    "uncalibrated": Remedy(
        "The checkpoint is not calibrated, so tags may be wrong more often. Calibrate with: {}",
        (Call("calibrate", ("CAPTIONS",)),),
    ),
    "provisional": Remedy(
        "Not all reference captions are embedded yet, so tags are based on provisional verdicts. "
        "Embed them, and tag again: {}",
        (Call("index"),),
    ),
    "nothing": Remedy(
        "This library has not been fully indexed yet, so tags are based on probabilities alone. "
        "Finish with: {}",
        (Call("index"),),
    ),
}


def _print_counts(counts: "Sequence[TagCount]", *, as_json: bool, removed: bool = False) -> None:
    names = [shown(count.label) for count in counts]
    width = max(map(len, names), default=0)
    for count, name in zip(counts, names, strict=True):
        if as_json:
            print_json(count)
        else:
            by_hand = f", {count.by_hand:,} by hand" if count.by_hand and not removed else ""
            done = " removed" if removed else by_hand
            click.echo(f"{name:<{width}}  {counted(count.photos, 'photo')}{done}")
    if not counts:
        click.echo("no tags", err=as_json)
