"""An evaluation from start to end: read captions, embed, and compute the figures."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sigseek.evaluation.captions import CaptionedPictures, CaptionProblem, read_captions
from sigseek.evaluation.measure import measure
from sigseek.evaluation.metrics import Floats, cosine_blocks
from sigseek.evaluation.results import Evaluation
from sigseek.library import Library
from sigseek.siglip import Scoring
from sigseek.siglip.scoring import cosines
from sigseek.siglip.yardstick.embeddings import Yardstick, evidence, text_floors

TIMED = 50
"""How many queries are timed."""


def evaluate(
    library: Library,
    source: Path,
    *,
    split: str = "test",
    pictures: Path | None = None,
    on_done: Callable[[str, int, int], None] = lambda what, done, total: None,
    on_problem: Callable[[CaptionProblem], None] = lambda problem: None,
) -> Evaluation:
    """Measure how well the library's checkpoint finds captioned pictures.

    `read_captions` describes `source`, `split` and `pictures`. The library need not exist on disk,
    and nothing is kept in it. Probabilities come from the checkpoint's calibration, or from one
    fitted here. Whether a library has a match is judged by the best evidence. A class is asked for
    in the sentence that `Library.classify` uses. The latencies are the times to embed a caption and
    score all pictures, without an index.

    `on_done` is called with "pictures" and then "captions", how many are done (0 first), and of how
    many. `on_problem` is called for everything that is skipped. Raises CaptionsError when nothing
    usable is left, and what `Library` raises.
    """
    captioned = read_captions(source, split=split, pictures=pictures)
    calibration, yardstick = (
        library.calibration(),
        library.yardstick(),
    )  # which also readies the towers, before any bar
    captioned, images = _embedded(library, captioned, on_done)
    for problem in captioned.problems:
        on_problem(problem)
    queries = captioned.queries
    on_done("captions", 0, len(queries))
    texts = library.embed_texts(queries, lambda done: on_done("captions", done, len(queries)))
    checkpoint = library.checkpoint
    found = measure(
        captioned,
        images,
        texts,
        calibration.probabilities if calibration else None,
        checkpoint.scoring,
        model=checkpoint.name,
        statistic=lambda asked, among: best_evidence(asked, among, yardstick),
    )
    p50, p99 = np.percentile(
        _query_times(library.embed_texts, queries, images, checkpoint.scoring), [50, 99]
    ).tolist()
    return replace(found, skipped=len(captioned.problems), latency_ms_p50=p50, latency_ms_p99=p99)


def best_evidence(texts: Floats, images: Floats, yardstick: Yardstick) -> Floats:
    """The highest evidence (m,) of texts (m, dim) over a library's pictures (n, dim), as a cosine.

    Both are unit-norm.
    """
    biases = yardstick.biases(images)
    floors = text_floors(texts, yardstick.pictures)[:, None]
    blocks = [
        evidence(block, biases, floors[start : start + len(block)]).max(axis=1)
        for start, block in cosine_blocks(texts, images)
    ]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def _embedded(
    library: Library, captioned: CaptionedPictures, on_done: Callable[[str, int, int], None]
) -> tuple[CaptionedPictures, Floats]:
    """Embed the pictures: those that can be used, and their embeddings (n, dim)."""
    paths = [picture.path for picture in captioned.pictures]
    on_done("pictures", 0, len(paths))
    vectors, unusable = library.embed_photos(
        paths, lambda done: on_done("pictures", done, len(paths))
    )
    kept = captioned.usable(unusable)
    return kept, np.stack([vectors[picture.path] for picture in kept.pictures])


def _query_times(
    embed: Callable[[Sequence[str]], Floats],
    queries: Sequence[str],
    images: Floats,
    scoring: Scoring,
) -> list[float]:
    """Milliseconds from text to all probabilities, for at most TIMED of the queries in turn."""
    embed(queries[:1])  # the first text by itself may be slower than any other
    times = []
    for number in np.linspace(0, len(queries) - 1, min(TIMED, len(queries))).astype(int):
        started = time.perf_counter()
        scoring.probabilities(cosines(embed([queries[number]]), images))
        times.append(1000 * (time.perf_counter() - started))
    return times
