"""An evaluation as a page: figures, charts, and the worst misses with their pictures."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from sigseek.evaluation.results import Evaluation, Miss
from sigseek.indexer.decoding.thumbnails import Thumbnailer
from sigseek.pages.charts import STYLE, reliability_diagram, score_histogram
from sigseek.pages.page import THUMBNAIL, Thumbnails, named, picture, write_page
from sigseek.results import CALIBRATIONS, counted

_STYLE = f"""
h2 {{ margin: var(--space-5) 0 var(--space-2); }}
table {{ border-collapse: collapse; margin: var(--space-3) 0; }}
th, td {{ border-bottom: 1px solid var(--line); padding: .35rem 1rem .35rem 0; text-align: right; }}
th, td {{ vertical-align: baseline; }}
th:first-child, td:last-child.note {{ text-align: left; }}
th {{ font-weight: 600; }}
td {{ font-variant-numeric: tabular-nums; }}
td.note {{ font-size: .85rem; max-width: 60ch; }}
@media (max-width: 30rem) {{ th, td {{ padding-right: .5rem; }} }}
.misses {{ list-style: none; padding: 0; }}
.misses > li + li {{ border-top: 1px solid var(--line); margin-top: var(--space-4); }}
.misses h3 {{ font-size: 1.05rem; margin: var(--space-3) 0; overflow-wrap: anywhere; }}
.pair {{ display: grid; gap: var(--space-3); }}
.pair {{ grid-template-columns: repeat(auto-fit, minmax(min(15rem, 100%), 20rem)); }}
figure .picture {{ background: var(--sunken); border-radius: var(--radius); display: grid; }}
figure .picture {{ height: 15rem; overflow: hidden; place-items: center; }}
figure img {{ display: block; height: 15rem; object-fit: contain; width: 100%; }}
{STYLE.strip()}"""

_FIGURES = ("R@1", "R@5", "R@10", "mAP")
_NOTES = {
    "zero-shot accuracy": "share of the pictures whose own class scores highest",
    "no-match AUROC": "chance that a caption with a picture in the library scores higher than one "
    "without",
    "no-match AUROC, raw": "the same by the best cosine alone",
    "default list, precision": "share of the pictures listed by default that have the caption that "
    "was searched for",
    "default list, recall": "share of the pictures with a caption that the search for it lists",
    "ECE": "mean distance between the probability of a caption's ten best pictures and the share "
    "of them that matches",
    "ECE of the sigmoid alone": "the same before calibration",
}


def write_report(path: Path, evaluation: Evaluation) -> None:
    """Write the report to `path`, one HTML file that needs no other, replaced as a whole.

    A picture that cannot be shown is replaced by the reason. Raises OSError when the file cannot be
    written.
    """
    sections = [
        _summary(evaluation),
        _figures(evaluation),
        _charts(evaluation),
        _misses(evaluation.misses),
    ]
    write_page(
        path,
        f"How well {evaluation.model} finds pictures",
        "\n".join(filter(None, sections)),
        _STYLE,
    )


def _summary(evaluation: Evaluation) -> str:
    captions, pictures = (
        counted(evaluation.queries, "caption"),
        counted(evaluation.images, "picture"),
    )
    skipped = f" {evaluation.skipped:,} could not be used." if evaluation.skipped else ""
    calibration = (
        f" Probabilities by {CALIBRATIONS[evaluation.calibration]}."
        if evaluation.calibration
        else ""
    )
    line = f"{captions} of {pictures}.{skipped}{calibration}"
    return f'<p class="said headline">{line}</p>'


def _figures(evaluation: Evaluation) -> str:
    head = "".join(f"<th>{name}</th>" for name in _FIGURES)
    rows = [
        f"<tr><th>{direction}</th>{_cells(figures)}</tr>"
        for direction, figures in (
            ("text to image", evaluation.text_to_image),
            ("image to text", evaluation.image_to_text),
        )
    ]
    others = {
        "zero-shot accuracy": evaluation.zero_shot_accuracy,
        "no-match AUROC": evaluation.no_match_auroc,
        "no-match AUROC, raw": evaluation.no_match_auroc_raw,
        "default list, precision": evaluation.list_precision,
        "default list, recall": evaluation.list_recall,
        "ECE": evaluation.ece,
        "ECE of the sigmoid alone": evaluation.ece_before,
        "query, median, ms": evaluation.latency_ms_p50,
        "query, 99th percentile, ms": evaluation.latency_ms_p99,
    }
    more = [
        f'<tr><th>{name}</th><td>{value:.3f}</td><td class="note">{_NOTES.get(name, "")}</td></tr>'
        for name, value in others.items()
        if value is not None
    ]
    notes = (
        '<p class="note">R@k: share of captions (or pictures) with one of their own among the '
        "first k. mAP: mean average precision. Equal captions count as one, and equal scores as "
        "misses.</p>"
    )
    return "\n".join(
        [
            "<h2>Figures</h2>",
            f"<table><tr><td></td>{head}</tr>",
            *rows,
            "</table>",
            notes,
            "<table>",
            *more,
            "</table>",
        ]
    )


def _cells(figures: dict[str, float]) -> str:
    return "".join(f"<td>{figures[name]:.3f}</td>" for name in _FIGURES)


def _charts(evaluation: Evaluation) -> str:
    parts = []
    if evaluation.reliability_before or evaluation.reliability:
        parts += ["<h2>Can the probabilities be believed?</h2>"]
        parts += [reliability_diagram(evaluation.reliability_before, evaluation.reliability)]
    if evaluation.histogram:
        parts += ["<h2>Scores</h2>", score_histogram(evaluation.histogram)]
    return "\n".join(parts)


def _misses(misses: Sequence[Miss]) -> str:
    if not misses:
        return ""
    with Thumbnailer() as thumbnailer:

        def small(photo: int | Path) -> bytes:
            return thumbnailer.jpeg(Path(str(photo)), THUMBNAIL)

        cards = "\n".join(_card(miss, small) for miss in misses)
    return f'<h2>The worst misses</h2>\n<ol class="misses">\n{cards}\n</ol>'


def _card(miss: Miss, thumbnails: Thumbnails) -> str:
    right = _figure(
        miss.right, f"its picture, place {miss.rank:,}", miss.right_probability, thumbnails
    )
    first = _figure(miss.first, "first instead", miss.first_probability, thumbnails)
    return f'<li><h3>{escape(miss.caption)}</h3><div class="pair">{right}{first}</div></li>'


def _figure(path: Path, place: str, probability: float, thumbnails: Thumbnails) -> str:
    caption = f"{named(path)}<p>{place}, probability {probability:.3f}</p>"
    shown = picture(path, path.name, thumbnails, path)
    return f"<figure>{shown}<figcaption>{caption}</figcaption></figure>"
