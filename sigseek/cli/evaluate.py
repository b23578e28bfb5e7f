"""`sigseek eval`."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sigseek.cli.options import (
    PathName,
    device_option,
    json_option,
    library_options,
    opened,
    precision_option,
)
from sigseek.cli.problems import show_problems
from sigseek.cli.progress import ProgressBar

if TYPE_CHECKING:
    from sigseek.evaluation.captions import Problem
    from sigseek.evaluation.results import Evaluation

_CALIBRATIONS = {
    "given": "with the checkpoint's calibration",
    "cross-fitted": "with a calibration fitted to the other half of the pictures",
}


@click.command("eval")
@click.argument("source", type=PathName())
@click.option(
    "--split",
    default="test",
    show_default=True,
    help="Which of the images of a Karpathy split to take.",
)
@click.option(
    "--pictures",
    type=PathName(),
    metavar="DIR",
    help="Where the pictures lie, if not beside SOURCE.",
)
@click.option(
    "--report",
    type=PathName(dir_okay=False),
    metavar="FILE",
    help="Also write a page with charts and the worst misses, which any browser opens.",
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
    directory: Path,
    model: str | None,
    device: str,
    precision: str,
    as_json: bool,
) -> None:
    """Measure how well a checkpoint finds captioned pictures.

    SOURCE says what pictures show, in one of three ways:

    \b
        a file of lines     {"file": "a.jpg", "caption": "a red house"}
                            or "captions": [...]; files are looked for beside it
        a Karpathy split    dataset_coco.json, dataset_flickr8k.json, dataset_flickr30k.json
        a folder            with a folder of pictures for each class, named like it

    \b
    Each figure but the times is 0 to 1:
        R@k                 share that finds one of its own among the first k mAP
        mean average precision, over all of its own zero-shot accuracy  share of the pictures whose
        own class scores highest no-match AUROC      chance that a caption with a picture here beats
        one without (0.5 is blind):
                            by evidence, as searches judge, and by the best cosine alone
        ECE                 how far probabilities are from the share that matches:
                            SigLIP's own -> calibrated; 0 is perfect
        query               to embed one caption and score all the pictures, without an index

    Needs no library, but uses the checkpoint and calibration of one that is there; nothing is added
    to it. docs/evaluation.md tells more, and how to compare with published figures.

    \b
        sigseek eval demo-photos/captions.jsonl --model mini --report report.html
        sigseek eval dataset_coco.json --pictures ~/coco
        sigseek eval ~/birds --model google/siglip2-base-patch16-224
    """
    from sigseek.evaluation.run import evaluate as run
    from sigseek.pages.page import check_page

    if report:
        check_page(report)
    problems: list[Problem] = []
    with opened(directory, model, device, precision) as library, _Bars() as bars:
        found = run(
            library,
            source,
            split=split,
            pictures=pictures,
            on_done=bars.show,
            on_problem=problems.append,
        )
    show_problems(problems)
    if as_json:
        click.echo(json.dumps(found.as_json()))
    else:
        _print_table(found)
    if report:
        from sigseek.pages.evaluation_report import write_report

        try:
            write_report(report, found)
        except OSError as error:
            raise click.ClickException(
                f"{report} cannot be written ({error.strerror}); name another file"
            ) from error
        click.echo(f"written: {report}", err=True)


class _Bars(ExitStack):
    """A bar for each thing that is embedded, one after the other."""

    def show(self, what: str, done: int, total: int) -> None:
        """`done` of `total`; the first call tells of none done."""
        if done == 0:
            self._bar = self.enter_context(ProgressBar("embedding", what))
        self._bar.show(done, total)
        if done == total:
            self.close()


def _print_table(found: "Evaluation") -> None:
    skipped = f", {found.skipped:,} skipped" if found.skipped else ""
    click.echo(f"{found.model}: {found.images:,} pictures, {found.queries:,} captions{skipped}\n")
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
    """The figures below the recalls, those that could be had."""
    rows = []
    if found.zero_shot_accuracy is not None:
        rows.append(("zero-shot accuracy", f"{found.zero_shot_accuracy:>7.3f}"))
    if found.no_match_auroc is not None:
        rows.append(
            (
                "no-match AUROC",
                f"{found.no_match_auroc:>7.3f}  by evidence, {found.no_match_auroc_raw:.3f} by cosine",
            )
        )
    if found.ece is not None and found.calibration:
        rows.append(
            (
                "ECE",
                f"{found.ece_before:>7.3f}  -> {found.ece:.3f} {_CALIBRATIONS[found.calibration]}",
            )
        )
    elif found.ece_before is not None:
        rows.append(
            (
                "ECE",
                f"{found.ece_before:>7.3f}  of SigLIP's sigmoid; too little here to fit a calibration to",
            )
        )
    rows.append(
        (
            "query",
            f"{found.latency_ms_p50:>7.1f}  ms in the median, {found.latency_ms_p99:.1f} ms at the 99th percentile",
        )
    )
    return rows
