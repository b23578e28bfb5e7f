"""What searches within facts cost, on synthetic photos: facts alone, counts of photos, and texts
within a share of the library.
"""

import argparse
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from benchmarks.geometry import Geometry
from benchmarks.libraries import fill, measure
from sigseek.search.parse import parse
from sigseek.search.query import Text
from sigseek.search.scope import selected
from sigseek.search.searcher import Searcher
from sigseek.storage import Catalog, CatalogReader
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.facets import FACET_KINDS, FacetKind
from sigseek.storage.index.file_store import FileStore
from sigseek.storage.records.arrays import Ids

_ROUNDS = 9
_FACTS = (
    "date:2015-05-17", "date:2015", "since:2010", "is:undated", "NOT is:undated", "camera:Acme",
    'camera:"Acme 7"', "place:Portugal", 'place:"City 7"', "near:40,20", "near:40,20,500km",
    "rating:4", "rating:=5", "width:4000", "is:portrait", "format:png", "in:d7", "in:/photos/d7",
    "date:2015 rating:4 place:Portugal", "(date:2015 OR date:2016) NOT rating:1", "is:missing",
    "is:tagged",
)  # fmt: skip
_SHARES = {"0.1 %": 1, "1 %": 10, "10 %": 100, "50 %": 500}
"""Widths: the photos of each share, in thousandths, are less wide than all others."""


def main() -> None:
    """Print a table of facts, one of counts, and one of texts within shares of the library."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=1_000_000, help="(default: %(default)s)")
    parser.add_argument("--dimension", type=int, default=768, help="(default: %(default)s)")
    options = parser.parse_args()
    with TemporaryDirectory() as directory:
        _measure(options.photos, options.dimension, Path(directory))


def _measure(photos: int, dimension: int, directory: Path) -> None:
    geometry = Geometry(dimension)
    images = geometry.images(photos)
    fill(directory, images)
    _add_facts(directory, photos)
    texts = geometry.captions(images[:_ROUNDS])
    measure(directory, geometry.captions(images[:220]))
    size = (directory / "catalog.sqlite").stat().st_size
    print(f"{photos:,} photos of {dimension} dimensions, catalog {size / 1e6:,.0f} MB")
    catalog = Catalog(directory)
    print("facts alone                                  photos   seconds   a whole command")
    for fact in _FACTS:
        query = parse(fact)
        with catalog.snapshot() as moment:  # which keeps no answers
            seconds = _p50(lambda query=query: selected(query, moment))  # type: ignore[misc]
        count = len(selected(query, catalog))
        command = _p50(lambda fact=fact: _run(directory, "search", fact), 3)  # type: ignore[misc]
        print(f"{fact:<40} {count:>10,} {seconds:>9.3f} {command:>12.3f}")
    _measure_counts(catalog)
    print("counts of all photos, a whole command")
    for kind in (*FACET_KINDS, None):
        options = ["--by", kind] if kind else []
        command = _p50(lambda options=options: _run(directory, "facets", *options), 3)  # type: ignore[misc]
        print(f"{kind or 'all kinds':<20} {command:>10.3f}")
    (record,) = catalog.checkpoints()
    embeddings = CheckpointEmbeddings(catalog, record)
    searcher = Searcher(catalog, record, FileStore(directory / "index").open(embeddings))
    print("a text within                                photos   ms   the first one")
    shares = {"everything": "a"} | {
        share: f"a width:<{1_000 + thousandths}" for share, thousandths in _SHARES.items()
    }
    for share, typed in shares.items():
        later, first, found = _search(searcher, typed, texts)
        print(f"{share:<40} {found:>10,} {later * 1000:>6.1f} {first * 1000:>10.1f}")
    catalog.close()


def _measure_counts(catalog: Catalog) -> None:
    """Print what it takes to count photos: all, those of a year, and about half of them."""
    chosen = [None, *(selected(parse(fact), catalog) for fact in ("date:2015", "date:2000..2012"))]
    print("counts, seconds      everything  date:2015  date:2000..2012")
    for kinds in (*((kind,) for kind in FACET_KINDS), FACET_KINDS):
        with catalog.snapshot() as moment:
            seconds = [_p50(partial(_count, moment, kinds, ids)) for ids in chosen]
        name = kinds[0] if len(kinds) == 1 else "all kinds"
        print(f"{name:<20} {seconds[0]:>10.3f} {seconds[1]:>10.3f} {seconds[2]:>16.3f}")


def _count(catalog: CatalogReader, kinds: Sequence[FacetKind], ids: Ids | None) -> None:
    catalog.count_photos_by(kinds, ids)


def _add_facts(directory: Path, photos: int) -> None:
    """Give the photos dates, cameras, places, ratings and sizes as those of a large collection."""
    rng = np.random.default_rng(2)
    days = np.datetime64("2000-01-01T00:00:00") + rng.integers(0, 25 * 365 * 86_400, photos)
    dates = np.datetime_as_string(days)
    cameras = rng.zipf(1.5, photos) % 300
    cities = rng.zipf(1.3, photos) % 5_000
    latitudes, longitudes = rng.uniform(-60, 70, photos), rng.uniform(-180, 180, photos)
    ratings = rng.choice([0, 1, 2, 3, 4, 5], photos)
    widths = rng.permutation(photos) * 1_000 // photos + 1_000
    unknown = rng.random((3, photos)) < 0.1
    rows = (
        (
            None if unknown[0, row] else str(dates[row]),
            f"Acme {cameras[row]}",
            None if unknown[1, row] else float(latitudes[row]),
            None if unknown[1, row] else float(longitudes[row]),
            None if unknown[1, row] else f"City {cities[row]}",
            None if unknown[1, row] else f"Region {cities[row] % 200}",
            None if unknown[1, row] else ["Portugal", "Chile", "Fiji", "Japan"][cities[row] % 4],
            int(ratings[row]) or None,
            int(widths[row]),
            1_333 if row % 3 else 4_000,
            "PNG" if row % 20 == 0 else "JPEG",
            row + 1,
        )
        for row in range(photos)
    )
    with sqlite3.connect(directory / "catalog.sqlite") as connection:
        connection.executemany(
            "UPDATE photo SET taken_at = ?, camera = ?, latitude = ?, longitude = ?, city = ?, "
            "region = ?, country = ?, rating = ?, width = ?, height = ?, format = ? WHERE id = ?",
            rows,
        )
        connection.execute("UPDATE folder SET path = '/photos'")
        connection.execute("UPDATE file SET path = 'd' || (id % 1000) || '/' || id || '.jpg'")
    connection.close()


def _run(directory: Path, *words: str) -> None:
    command = [sys.executable, "-m", "sigseek", *words, "--library", str(directory), "--json"]
    subprocess.run(command, check=True, capture_output=True)


def _search(
    searcher: Searcher, typed: str, texts: npt.NDArray[np.float32]
) -> tuple[float, float, int]:
    """Return the median time of the searches after the first one, the time of the first one, which
    reads the selection, and the number of photos searched.
    """
    query, seconds = parse(typed), []
    for text in texts:
        started = time.perf_counter()
        found = searcher.search(query, {Text("a"): text}, 10)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:]), seconds[0], found.photos


def _p50(work: Callable[[], object], rounds: int = _ROUNDS) -> float:
    """Return the median time of the work, in seconds."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
