"""An evaluation from start to end: read captions, embed, and compute the figures."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from sigseek.evaluation.caption_files import read_captions
from sigseek.evaluation.captions import CaptionedPictures
from sigseek.evaluation.default_list import judge_of_pictures, measure_lists
from sigseek.evaluation.measure import measure
from sigseek.evaluation.metrics import Floats, cosine_blocks
from sigseek.evaluation.results import Evaluation
from sigseek.library import Library
from sigseek.progress import Listener, Stop
from sigseek.search.calibration import Calibration
from sigseek.siglip import Scoring
from sigseek.siglip.scoring import cosines
from sigseek.siglip.yardstick.embeddings import Yardstick
from sigseek.siglip.yardstick.evidence import evidence, text_floors

TIMED = 50
"""How many queries are timed."""


def evaluate(
    library: Library,
    source: Path,
    *,
    split: str = "test",
    pictures: Path | None = None,
    listener: Listener | None = None,
    stop: Stop | None = None,
) -> Evaluation:
    """Measure how well the library's checkpoint finds captioned pictures.

    `read_captions` describes `source`, `split` and `pictures`. The library need not exist on disk,
    and nothing is kept in it. Probabilities come from the checkpoint's calibration, or from one
    fitted here. Whether a library has a match is judged by the best evidence. The default lists are
    those of searches in a library of these pictures. A class is asked for in the sentence that
    `Library.classify` uses. The latencies are the times to embed a caption and score all pictures,
    without an index.

    `listener` is told how it goes, and of everything that is skipped. Raises CaptionsError when
    nothing usable is left, StoppedError soon after `stop` is set, and what `Library` raises.
    """
    embedded = _embed(library, source, split, pictures, listener, stop)
    captioned, images, texts = embedded.captioned, embedded.images, embedded.texts
    calibration, yardstick = embedded.calibration, embedded.yardstick
    if stop:
        stop.check()
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
    kept = images.astype(np.float16).astype(np.float32)  # as a library keeps them
    judge = judge_of_pictures(kept, yardstick, checkpoint.scoring, calibration)
    lists = measure_lists(captioned, kept, texts, judge, stop)
    embed = partial(library.embed_texts, stop=stop)
    times = _query_times(embed, captioned.queries, images, checkpoint.scoring)
    p50, p99 = np.percentile(times, [50, 99]).tolist()
    return replace(
        found,
        list_precision=lists.precision,
        list_recall=lists.recall,
        skipped=len(captioned.problems),
        latency_ms_p50=p50,
        latency_ms_p99=p99,
    )


@dataclass(frozen=True)
class _Embedded:
    """Captioned pictures, and what the checkpoint makes of them and has to judge them by."""

    captioned: CaptionedPictures
    images: Floats
    """The unit-norm embeddings (pictures, dim)."""
    texts: Floats
    """The unit-norm embeddings (queries, dim)."""
    calibration: Calibration | None
    yardstick: Yardstick


def _embed(
    library: Library,
    source: Path,
    split: str,
    pictures: Path | None,
    listener: Listener | None,
    stop: Stop | None,
) -> _Embedded:
    """Read captioned pictures and embed those that can be used, as `evaluate` describes."""
    captioned = read_captions(source, split=split, pictures=pictures)
    if listener:
        for problem in captioned.problems:
            listener.met(problem.as_told(source))
    calibration = library.calibration(listener=listener, stop=stop)
    yardstick = library.yardstick(listener=listener, stop=stop)
    paths = [picture.path for picture in captioned.pictures]
    vectors, unusable = library.embed_photos(paths, listener=listener, stop=stop)
    captioned = captioned.usable(unusable)
    images = np.stack([vectors[picture.path] for picture in captioned.pictures])
    texts = library.embed_texts(captioned.queries, listener=listener, stop=stop)
    return _Embedded(captioned, images, texts, calibration, yardstick)


def best_evidence(texts: Floats, images: Floats, yardstick: Yardstick) -> Floats:
    """Return the highest evidence (m,), a cosine, of texts (m, dim) over a library's pictures.

    The pictures are (n, dim); both are unit-norm.
    """
    biases = yardstick.biases(images)
    floors = text_floors(texts, yardstick.pictures)[:, None]
    blocks = [
        evidence(block, biases, floors[start : start + len(block)]).max(axis=1)
        for start, block in cosine_blocks(texts, images)
    ]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def _query_times(
    embed: Callable[[Sequence[str]], Floats],
    queries: Sequence[str],
    images: Floats,
    scoring: Scoring,
) -> list[float]:
    """Return milliseconds from text to all probabilities, for at most TIMED of the queries."""
    # The library keeps the embeddings of texts. It has none of a text with spaces behind it, which
    # costs as much as the text itself.
    embed([f"{queries[0]}  "])  # the first text by itself may be slower than any other
    times = []
    for number in np.linspace(0, len(queries) - 1, min(TIMED, len(queries))):
        text = f"{queries[int(number)]} "
        started = time.perf_counter()
        scoring.probabilities(cosines(embed([text]), images))
        times.append(1000 * (time.perf_counter() - started))
    return times
