"""What judging costs: a plain query with verdicts and the expected number against retrieval
alone, and combined queries.

python -m benchmarks.judging [--embeddings 100000 1000000] [--rounds 30]

On synthetic embeddings of a SigLIP checkpoint's geometry, 768 dimensions; queries are texts. Each
side in turn, medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.geometry import Geometry
from benchmarks.libraries import fill, measure
from sigseek.search.calibration import Calibration
from sigseek.search.parse import parse
from sigseek.search.query import Text, terms
from sigseek.search.searcher import Searcher
from sigseek.storage import Catalog
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index.file_store import FileStore

_DIMENSION = 768
_COMBINED = (
    "first AND second NOT third",
    "first OR second",
    "NOT first",
    "(first OR second) AND NOT third",
)
_CALIBRATION = Calibration(1.0, 0.0, 1.0, -0.3, 0.0, 1000, 1000)
"""The constants make no difference to the time."""


def main() -> None:
    """Fill libraries, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--embeddings",
        type=int,
        nargs="+",
        default=[100_000, 1_000_000],
        help="(default: %(default)s)",
    )
    parser.add_argument("--rounds", type=int, default=30, help="(default: %(default)s)")
    arguments = parser.parse_args()
    geometry = Geometry(_DIMENSION)
    for count in arguments.embeddings:
        with TemporaryDirectory() as temporary:
            _measure(geometry, count, arguments.rounds, Path(temporary))


def _measure(geometry: Geometry, count: int, rounds: int, directory: Path) -> None:
    images = geometry.images(count)
    fill(directory, images)
    started = time.perf_counter()
    measure(directory, geometry.captions(images[-2200:], seed=9))
    print(f"{count:,} embeddings: biases measured in {time.perf_counter() - started:.1f} s")
    catalog = Catalog(directory)
    (record,) = catalog.checkpoints()
    texts = geometry.captions(images[: rounds + 3])
    index = FileStore(directory / "index").open(CheckpointEmbeddings(catalog, record))
    searcher = Searcher(catalog, record, index, _CALIBRATION)
    alone, judged = [], []
    for text in texts[:rounds]:
        alone.append(_seconds(partial(searcher.by_photo, text, 10)))
        judged.append(
            _seconds(partial(searcher.search, Text("x"), {Text("x"): text}, 10, include_all=True))
        )
    first, second = statistics.median(alone) * 1000, statistics.median(judged) * 1000
    print(
        f"  plain: retrieved {first:.1f} ms, judged {second:.1f} ms, {second - first:+.1f} ms "
        f"({second / first:.2f}x)"
    )
    for words in _COMBINED:
        query = parse(words)
        vectors = dict(zip(terms(query), texts, strict=False))
        taken = [
            _seconds(partial(searcher.search, query, vectors, 10, include_all=True))
            for _ in range(5)
        ]
        print(f"  {words}: {statistics.median(taken):.2f} s")
    catalog.close()


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
