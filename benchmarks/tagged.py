"""What a tag that every hit must have saves, on synthetic embeddings of 768 dimensions.

`tag:t AND a` is narrowed to the tagged photos before anything is scored. `a AND (tag:t OR tag:t)`
means the same and is answered by looking at all photos.
"""

import argparse
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from benchmarks.geometry import Geometry
from benchmarks.libraries import fill
from sigseek.search.parse import parse
from sigseek.search.query import Text
from sigseek.search.searcher import Searcher
from sigseek.storage import Catalog
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index.store import FaissStore

_DIMENSION = 768
_SHARES = (0.001, 0.01, 0.1)
_ROUNDS = 15


def main() -> None:
    """Print a line for each share of tagged photos."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=100_000, help="(default: %(default)s)")
    photos = parser.parse_args().photos
    with TemporaryDirectory() as directory:
        _measure(photos, Path(directory))


def _measure(photos: int, directory: Path) -> None:
    geometry = Geometry(_DIMENSION)
    images = geometry.images(photos)
    fill(directory, images)
    catalog = Catalog(directory)
    (record,) = catalog.checkpoints()
    embeddings = CheckpointEmbeddings(catalog, record)
    searcher = Searcher(catalog, record, FaissStore(directory / "index").open(embeddings))
    texts = geometry.captions(images[:_ROUNDS])
    print(f"{photos:,} photos: a in {_p50(searcher, 'a', texts):.1f} ms")
    ids = embeddings.ids()
    for share in _SHARES:
        count = int(share * photos)
        tagged = np.sort(np.random.default_rng(0).choice(ids, count, replace=False))
        with catalog.transaction() as transaction:
            transaction.put_tag("t", record.id, tagged, np.ones(count))
        narrow = _p50(searcher, "tag:t AND a", texts)
        wide = _p50(searcher, "a AND (tag:t OR tag:t)", texts)
        print(f"  {count:>7,} tagged: narrowed {narrow:.1f} ms, all looked at {wide:.1f} ms")
    catalog.close()


def _p50(searcher: Searcher, words: str, texts: npt.NDArray[np.float32]) -> float:
    """Return the median time of a query, in milliseconds."""
    query, seconds = parse(words), []
    for text in texts:
        started = time.perf_counter()
        searcher.search(query, {Text("a"): text}, 10)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds) * 1000


if __name__ == "__main__":
    main()
