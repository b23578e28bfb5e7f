"""The command `sigseek eval`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sigseek.cli.options import (
    device_option,
    json_option,
    library_options,
    opened,
    precision_option,
)
from sigseek.cli.output import Failed, print_json
from sigseek.cli.parameter_types import PageName, PathName
from sigseek.cli.problems import show_problems
from sigseek.cli.progress import NotingProgress
from sigseek.results import CALIBRATIONS, counted

if TYPE_CHECKING:
    from sigseek.evaluation.results import Evaluation


@click.command("eval")
@click.argument("source", type=PathName())
@click.option(
    "--split",
    default="test",
    show_default=True,
    help="Which part of a Karpathy split to use.",
)
@click.option(
    "--pictures",
    type=PathName(),
    metavar="DIR",
    help="The folder of the pictures, if they are not beside SOURCE.",
)
@click.option(
    "--report",
    type=PageName(dir_okay=False),
    metavar="FILE",
    help="Also write an HTML page with charts and the worst misses.",
)
@library_options
@device_option
@precision_option
@json_option
def evaluate(
    source: Path,
    split: str,
    pictures: Path | None,
    report: Path | None,
    directory: Path | str,
    model: str | None,
    device: str,
    precision: str,
    as_json: bool,
) -> None:
    """Measure how well a checkpoint finds captioned pictures.

    SOURCE describes the pictures in one of three ways:

    \b
        a file of lines     {"file": "a.jpg", "caption": "a red house"} or
                            "captions": [...]; the pictures are beside the file
        a Karpathy split    dataset_coco.json, dataset_flickr8k.json,
                            dataset_flickr30k.json
        a folder            with one folder of pictures per class, named like it

    \b
    All figures except times range from 0 to 1:
        R@k                 share of captions whose own picture is among the first k
        mAP                 mean average precision over all pictures of a caption
        zero-shot accuracy  share of pictures whose own class scores highest
        no-match AUROC      chance that a caption with a picture here beats one
                            without; 0.5 is guessing: by evidence, as searches
                            judge, and by the best cosine alone
        ECE                 how far probabilities are from the share that matches:
                            SigLIP's own -> calibrated; 0 is perfect
        default list        what a search for each caption lists: the share of it that
                            has this caption (precision), and the share of the
                            pictures with this caption that it holds (recall)
        query               time to embed one caption and score all pictures,
                            without an index

    No library is needed; if there is one, its checkpoint and calibration are used, and nothing is
    added to it. docs/evaluation.md has more, and how to compare with published figures.

    \b
        sigseek eval demo-photos/captions.jsonl --model mini --report report.html
        sigseek eval dataset_coco.json --pictures ~/coco
        sigseek eval ~/birds --model google/siglip2-base-patch16-224
    """
    from sigseek.evaluation.run import evaluate as run
    from sigseek.pages.page import check_page

    if report:
        check_page(report)
    with opened(directory, model, device, precision) as library, NotingProgress() as listener:
        found = run(library, source, split=split, pictures=pictures, listener=listener)
    show_problems(listener.problems)
    if as_json:
        print_json(found)
    else:
        _print_table(found)
    if report:
        from sigseek.pages.evaluation_report import write_report

        try:
            write_report(report, found)
        except OSError as error:
            raise Failed(
                f"{report} cannot be written ({error.strerror}); choose another file"
            ) from error
        click.echo(f"written: {report.absolute()}", err=True)


def _print_table(found: "Evaluation") -> None:
    skipped = f", {found.skipped:,} skipped" if found.skipped else ""
    pictures, captions = counted(found.images, "picture"), counted(found.queries, "caption")
    click.echo(f"{found.model}: {pictures}, {captions}{skipped}\n")
    click.echo(" " * 20 + "".join(f"{name:>7}" for name in found.text_to_image))
    for direction, figures in (
        ("text to image", found.text_to_image),
        ("image to text", found.image_to_text),
    ):
        click.echo(f"{direction:<20}" + "".join(f"{figures[name]:>7.3f}" for name in figures))
    click.echo()
    for name, values in _rows(found):
        click.echo(f"{name:<20}{values}")


def _rows(found: "Evaluation") -> list[tuple[str, str]]:
    """Return the figures below the recalls, as far as they could be computed."""
    rows = []
    if found.zero_shot_accuracy is not None:
        rows.append(("zero-shot accuracy", f"{found.zero_shot_accuracy:>7.3f}"))
    if found.no_match_auroc is not None:
        by_cosine = f"by evidence, {found.no_match_auroc_raw:.3f} by cosine"
        rows.append(("no-match AUROC", f"{found.no_match_auroc:>7.3f}  {by_cosine}"))
    if found.ece is not None and found.calibration:
        calibrated = f"-> {found.ece:.3f} with {CALIBRATIONS[found.calibration]}"
        rows.append(("ECE", f"{found.ece_before:>7.3f}  {calibrated}"))
    elif found.ece_before is not None:
        why = "of SigLIP's sigmoid; too few pictures here to fit a calibration"
        rows.append(("ECE", f"{found.ece_before:>7.3f}  {why}"))
    if found.list_recall is not None:
        precision = found.list_precision
        share = "nothing listed" if precision is None else f"{precision:.3f} precision"
        rows.append(("default list", f"{found.list_recall:>7.3f}  recall, {share}"))
    times = f"ms in the median, {found.latency_ms_p99:.1f} ms at the 99th percentile"
    rows.append(("query", f"{found.latency_ms_p50:>7.1f}  {times}"))
    return rows
