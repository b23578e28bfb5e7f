"""The command `sigseek models`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from sigseek.cli.options import json_option
from sigseek.cli.output import print_json
from sigseek.operations.models import ListedCheckpoint
from sigseek.operations.models import models as list_models
from sigseek.results import shown, size_in_words

_HEADINGS = (
    "checkpoint",
    "text to image",
    "image to text",
    "ImageNet",
    "download",
    "parameters",
    "languages",
    "image",
    "patches",
    "s per 1,000 photos",
)


@click.command()
@json_option
def models(as_json: bool) -> None:
    """List checkpoints that can be chosen, with published figures and their speed here.

    The figures are in percent: how often the right COCO picture comes first for a caption, and the
    right caption for a picture (R@1), and the zero-shot accuracy on ImageNet. An empty cell means
    that no source was found. Other fixed-resolution checkpoints of the SigLIP family can be used,
    too.

    \b
        sigseek models
        sigseek index ~/Pictures --model google/siglip2-base-patch32-256
    """
    found = list_models()
    if as_json:
        for one in found:
            print_json(one)
        return
    rows = [_HEADINGS, *map(_row, found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        click.echo("  ".join(cells).rstrip())
    click.echo()
    for source in dict.fromkeys(one.source for one in found if one.source):
        names = _family([one.model for one in found if one.source == source])
        click.echo(f"Figures of {names}: {source}")
    click.echo(_speed_in_words(found))


def _family(models: Sequence[str]) -> str:
    """Name checkpoints whose figures are of one source."""
    if len(models) == 1:
        return models[0]
    is_newer = all(model.startswith("google/siglip2-") for model in models)
    return "SigLIP 2" if is_newer else "other SigLIP checkpoints, measured by OpenCLIP"


def _row(one: ListedCheckpoint) -> tuple[str, ...]:
    figures = (one.coco_text_to_image, one.coco_image_to_text, one.imagenet)
    seconds = one.seconds_per_1000_photos
    mark = "" if one.measured else "~"
    return (
        one.model,
        *("" if figure is None else f"{figure:.1f}" for figure in figures),
        size_in_words(one.download_bytes),
        f"{one.parameters / 1e6:,.0f} M",
        one.languages,
        f"{one.image_size} px",
        f"{one.patches:,}",
        "not measured yet" if seconds is None else f"{mark}{seconds:,.0f}",
    )


def _speed_in_words(found: Sequence[ListedCheckpoint]) -> str:
    """Say what the seconds are based on."""
    estimated = [one for one in found if not one.measured]
    if not estimated:
        return "Seconds: measured on this machine."
    one = estimated[0]
    if one.measured_with is None:
        return (
            "Seconds: not measured yet; the first run that indexes 32 photos or more measures them."
        )
    return (
        f"Seconds: ~ is an estimate. {shown(one.measured_with)} was measured on this machine "
        f"({one.device}, {one.precision}), and the others follow from the work of their image "
        "towers. Reading the photos takes its time with each of them."
    )
