"""Searching and indexing with a catalog in PostgreSQL, compared with SQLite.

    python -m benchmarks.databases searching [--photos 1000000]
    python -m benchmarks.databases indexing [--photos 400]

Both sides take turns, with a PostgreSQL server that is started for it on this machine. `searching`
times texts in an open library of synthetic embeddings of 768 dimensions: everything but the text
tower. The two catalogs have the same rows, and both sides use the same vector index. `indexing`
times whole runs of the program over drawn photos with mini.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import URL, Table, select

from benchmarks.geometry import Geometry
from benchmarks.libraries import fill, measure
from benchmarks.processes import last_json, sigseek
from sigseek.demo.photos import draw_photos
from sigseek.search.query import Text
from sigseek.search.results import SearchResults
from sigseek.search.searcher import Searcher
from sigseek.storage import Catalog
from sigseek.storage.catalog.columns import PathText
from sigseek.storage.catalog.postgresql import PostgreSqlDialect
from sigseek.storage.catalog.tables import CHECKPOINT, COUNT_CHANGE, METADATA, SETTING
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index.file_store import FileStore
from tests.postgresql import Server, address, programs, running_server

_DIMENSION = 768
_TEXTS = 200
_LIMIT = 10
_SETTINGS = {"shared_buffers": "2GB", "fsync": "on", "synchronous_commit": "on"}
"""The server's settings. The memory is about what a million photos take."""
_FETCHED = 5_000
_Texts = npt.NDArray[np.float32]


class Times(NamedTuple):
    """What searches took, in seconds each."""

    wall: list[float]
    busy: list[float]
    """Processor time of this process; the server's is not in it."""

    def row(self, name: str) -> str:
        """Return a line of the table."""
        p50, p95 = (1000 * float(np.quantile(self.wall, share)) for share in (0.5, 0.95))
        return f"{name:<12} {p50:>8.1f} {p95:>8.1f} {1000 * statistics.median(self.busy):>8.1f}"


class Side:
    """An open library on one kind of database."""

    def __init__(self, catalog: Catalog, index: Path) -> None:
        self._catalog = catalog
        (record,) = catalog.checkpoints()
        embeddings = CheckpointEmbeddings(catalog, record)
        self._searcher = Searcher(catalog, record, FileStore(index).open(embeddings))
        self.times = Times([], [])

    def search(self, text: _Texts) -> SearchResults:
        """Search for the text as an open library does, and note what it took."""
        query = Text("a text")
        busy, started = time.process_time(), time.perf_counter()
        with self._catalog.moment():
            (state,) = self._catalog.checkpoint_states()
            searcher = self._searcher.with_newest(state.newest_photo)
            found = searcher.search(query, {query: text}, _LIMIT, include_all=True)
        self.times.wall.append(time.perf_counter() - started)
        self.times.busy.append(time.process_time() - busy)
        return found


def main() -> None:
    """Make both libraries, let the sides take turns and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["searching", "indexing"])
    parser.add_argument("--photos", type=int, help="1,000,000 or 400, if it is not given")
    parser.add_argument("--rounds", type=int, help="how often each side is timed")
    arguments = parser.parse_args()
    found = programs()
    if found is None:
        sys.exit("PostgreSQL's server is not installed")
    with tempfile.TemporaryDirectory() as made, running_server(found, **_SETTINGS) as server:
        if arguments.what == "searching":
            url = server.database()
            texts = make_libraries(Path(made), url, arguments.photos or 1_000_000)
            compare_searches(Path(made), url, texts, arguments.rounds or _TEXTS)
        else:
            _compare_runs(Path(made), server, arguments.photos or 400, arguments.rounds or 5)


def make_libraries(place: Path, url: URL, photos: int) -> _Texts:
    """Make a library in the directory, and one with the same rows in the database. Return texts
    (n, dim), each of which describes one of the photos.
    """
    # Apart: a process keeps the memory that making the embeddings takes.
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        texts: _Texts = apart.submit(_make, place, photos).result()
    started = time.monotonic()
    with closing(Catalog(place)) as source, closing(PostgreSqlDialect(url)) as target:
        copy_rows(source, target)
    print(f"copied in {time.monotonic() - started:.0f} s", flush=True)
    return texts


def copy_rows(source: Catalog, target: PostgreSqlDialect) -> None:
    """Copy all rows into an empty database. The checkpoint keeps its token, so that both libraries
    have the same index.
    """
    with target.writers.begin() as connection:
        driver: Any = connection.connection.driver_connection
        for table in METADATA.sorted_tables:
            if table in (SETTING, COUNT_CHANGE):  # triggers count what is copied
                continue
            names = ", ".join(column.name for column in table.columns)
            with (
                driver.cursor() as cursor,
                cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy,
            ):
                for row in _rows(source, table):
                    copy.write_row(row)
        target.go_on_counting_ids(connection)
    with target.writers.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def compare_searches(place: Path, url: URL, texts: _Texts, rounds: int) -> None:
    """Print a table of how long texts take on both sides."""
    with closing(Catalog(place)) as one, closing(Catalog(PostgreSqlDialect(url))) as other:
        sides = {"SQLite": Side(one, place / "index"), "PostgreSQL": Side(other, place / "index")}
        for text in texts[:10]:
            found = [side.search(text) for side in sides.values()]
            assert found[0] == found[1], "both answer the same"
        for side in sides.values():
            for kept in side.times:
                kept.clear()
        for number in range(rounds):
            for side in sides.values():
                side.search(texts[number % len(texts)])
    print(f"{'':<12} {'p50 ms':>8} {'p95 ms':>8} {'busy ms':>8}   {rounds} searches each")
    for name, side in sides.items():
        print(side.times.row(name))
    ratio = [
        statistics.median(there) / statistics.median(here)
        for here, there in zip(sides["SQLite"].times, sides["PostgreSQL"].times, strict=True)
    ]
    print(
        f"{'ratio':<12} {ratio[0]:>8.2f} {'':>8} {ratio[1]:>8.2f}   load {os.getloadavg()[0]:.1f}"
    )


def _make(place: Path, photos: int) -> _Texts:
    started = time.monotonic()
    geometry = Geometry(_DIMENSION)
    images = geometry.images(photos)
    fill(place, images)
    measure(place, geometry.captions(images[-2200:]))
    with closing(Catalog(place)) as catalog:
        (record,) = catalog.checkpoints()
        FileStore(place / "index").catch_up(CheckpointEmbeddings(catalog, record))
    print(f"{photos:,} photos made and indexed in {time.monotonic() - started:.0f} s", flush=True)
    chosen = np.random.default_rng(0).choice(photos, min(_TEXTS, photos), replace=False)
    return geometry.captions(images[chosen])


def _rows(source: Catalog, table: Table) -> Iterator[Sequence[Any]]:
    """Yield the rows of a table as PostgreSQL has them."""
    paths = [
        place for place, column in enumerate(table.columns) if isinstance(column.type, PathText)
    ]
    with source._connect() as connection:
        result = connection.execution_options(yield_per=_FETCHED).execute(select(table))
        for found in result:
            row = list(found)
            for place in paths:
                row[place] = None if row[place] is None else os.fsencode(row[place])
            if table is CHECKPOINT:  # triggers count the embeddings
                row[list(table.columns).index(CHECKPOINT.c.embeddings)] = 0
            yield row


def _compare_runs(place: Path, server: Server, photos: int, rounds: int) -> None:
    """Print a table of the photos that the program indexes in a second on both sides."""
    folder = place / "photos"
    draw_photos(folder, photos, seed=1)
    rates: dict[str, list[float]] = {"SQLite": [], "PostgreSQL": []}
    for number in range(rounds + 1):  # the first round converts the checkpoint
        url = server.empty_database()
        sides = [("SQLite", str(place / f"library {number}")), ("PostgreSQL", address(url))]
        for name, library in sides if number % 2 else reversed(sides):
            done = sigseek("index", folder, "--library", library, "--model", "mini", "--json")
            if number:
                rates[name].append(last_json(done)["images_per_second"])
        server.drop(url)
    print(f"{'':<12} photos a second   {photos} drawn photos, median of {rounds} runs")
    for name, found in rates.items():
        print(f"{name:<12} {statistics.median(found):>8.1f}")
    ratio = statistics.median(rates["PostgreSQL"]) / statistics.median(rates["SQLite"])
    print(f"{'ratio':<12} {ratio:>8.2f}   load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
