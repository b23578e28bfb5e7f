"""A second run over millions of unchanged files: its time beside that of a bare recursive stat of
them, and its memory.

    python -m benchmarks.scale --files 1000000
    python -m benchmarks.scale --files 1000000 --postgresql

The files are hard links to a few small pictures in a real file system, so a stat of each is real,
if faster than that of files with inodes of their own. Their rows are written to the catalog at a
stroke instead of by a first run, each with a photo and an embedding of its own. With `--postgresql`
the catalog is in a private server that the benchmark starts.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from benchmarks.processes import run
from benchmarks.rescan import BARE_STAT, make_collection
from sigseek.library import open_library
from sigseek.storage import Catalog
from tests.postgresql import programs, running_server

_Result = TypeVar("_Result")
_STARTER = """
import resource, subprocess, sys, time
started = time.monotonic()
subprocess.run(sys.argv[1:], check=True)
print(time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""The source of a small program that measures another one. To Linux, the memory of whoever starts a
program counts as the program's own, and this benchmark's is larger.
"""
_LINKS = 50_000
"""Hard links to one file. ext4 allows 65,000."""
PICTURES = 20
_FILES_A_DIRECTORY = 200
_DIRECTORIES_A_YEAR = 500
_ROWS = 50_000

_EMBEDDINGS = """
INSERT INTO embedding (checkpoint_id, photo_id, vector, precision, preprocessing_version,
                       generation, checksum)
SELECT one.checkpoint_id, photo.id, one.vector, one.precision, one.preprocessing_version,
       one.generation, one.checksum
FROM photo, (SELECT * FROM embedding LIMIT 1) AS one WHERE photo.id > {last}
"""
_PHOTOS = """
INSERT INTO photo (id, digest, width, height, format, facts_version, digest_version, hash_version)
SELECT {last} + number, {digest}, one.width, one.height, one.format, one.facts_version,
       one.digest_version, one.hash_version
FROM {numbers}, (SELECT * FROM photo LIMIT 1) AS one
"""


def main() -> None:
    """Make the files and the library, time both sides and print the table."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.scale", description="Time a second run over very many files."
    )
    parser.add_argument("--files", type=int, default=10_000_000, help="how many files")
    parser.add_argument("--photos", type=int, help="how many photos they hold (default: as many)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is timed")
    parser.add_argument("--postgresql", action="store_true", help="keep the catalog in PostgreSQL")
    arguments = parser.parse_args()
    asked, files = arguments.photos, arguments.files
    with library_of_links(files, asked, postgresql=arguments.postgresql) as (photos, library):
        print(measure(photos, library, files + PICTURES, arguments.rounds))


@contextlib.contextmanager
def library_of_links(
    files: int, photos: int | None = None, *, postgresql: bool
) -> Iterator[tuple[Path, str]]:
    """Make a folder of `PICTURES` pictures and so many links to one, and a library of them. The
    links hold as many `photos`, or as many as there are. Give the folder and the library.
    """
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(tempfile.TemporaryDirectory(prefix="sigseek-scale-"))
        folder, library = Path(made, "photos"), str(Path(made, "library"))
        if postgresql:
            found = programs()
            if found is None:
                sys.exit("PostgreSQL's server is not installed")
            server = stack.enter_context(running_server(found))
            url = server.empty_database().set(drivername="postgresql")
            library = url.render_as_string(hide_password=False)
        make_collection(folder / "pictures", PICTURES)
        run(_index(folder, library, "--model", "mini"))
        links = _timed("links made", lambda: make_links(folder, files))
        with open_library(library) as opened:
            catalog = opened._directory.catalog()
            _timed("rows written", lambda: add_rows(catalog, folder, photos or links))
        yield folder, library


def make_links(root: Path, files: int) -> int:
    """Make `files` hard links in directories by year below `root`, and return how many."""
    source = next(root.rglob("*.png"))
    for number in range(files):
        directory, place = divmod(number, _FILES_A_DIRECTORY)
        year, event = divmod(directory, _DIRECTORIES_A_YEAR)
        below = f"{root}/{2000 + year}/{event:03} Event"
        if place == 0:
            Path(below).mkdir(parents=True)
        path = f"{below}/IMG_{number:08}.png"
        if number % _LINKS == 0:
            Path(path).write_bytes(source.read_bytes())
            target = path
        else:
            os.link(target, path)
    return files


def add_rows(catalog: Catalog, root: Path, photos: int) -> None:
    """Add photos with an embedding each to the catalog, and a file for each of the links."""
    dialect: Any = catalog._dialect
    with dialect.writers.begin() as connection:
        (last,) = connection.exec_driver_sql("SELECT max(id) FROM photo").one()
        (folder,) = connection.exec_driver_sql("SELECT id FROM folder").one()
        if connection.dialect.name == "sqlite":
            _add_to_sqlite(connection, root, folder, last, photos)
        else:
            _add_to_postgresql(connection, root, folder, last, photos)


def _add_to_sqlite(connection: Connection, root: Path, folder: int, last: int, photos: int) -> None:
    triggers = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'embedding'"
    ).all()
    for name, _ in triggers:  # they would change the checkpoint's row for each embedding
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    numbers = (
        f"(WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n "
        f"WHERE number < {photos}) SELECT number FROM n)"
    )
    digest = "CAST(printf('%032d', number) AS BLOB)"
    connection.exec_driver_sql(_PHOTOS.format(last=last, digest=digest, numbers=numbers))
    connection.exec_driver_sql(_EMBEDDINGS.format(last=last))
    connection.exec_driver_sql("UPDATE checkpoint SET embeddings = embeddings + ?", (photos,))
    for _, statement in triggers:
        connection.exec_driver_sql(statement)
    insert = (
        "INSERT INTO file (folder_id, path, photo_id, size, mtime_ns, ctime_ns) "
        f"VALUES ({folder}, ?, ?, ?, ?, ?)"
    )
    for rows in _file_rows(root, last, photos):
        connection.exec_driver_sql(insert, rows)


def _add_to_postgresql(
    connection: Connection, root: Path, folder: int, last: int, photos: int
) -> None:
    numbers = f"generate_series(1, {photos}) AS number"
    digest = "convert_to(lpad(number::text, 32, '0'), 'UTF8')"
    connection.exec_driver_sql(_PHOTOS.format(last=last, digest=digest, numbers=numbers))
    connection.exec_driver_sql(_EMBEDDINGS.format(last=last))
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(
            "COPY file (folder_id, path, photo_id, size, mtime_ns, ctime_ns) "
            "FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.set_types(["int8", "bytea", "int8", "int8", "int8", "int8"])
        for rows in _file_rows(root, last, photos):
            for path, *others in rows:
                copy.write_row((folder, os.fsencode(path), *others))


def _file_rows(
    root: Path, last: int, photos: int
) -> Iterator[list[tuple[str, int, int, int, int]]]:
    """Yield path, photo, size, mtime and ctime of each link. The photos are those after `last`."""
    number = 0
    rows: list[tuple[str, int, int, int, int]] = []
    for year in sorted(path for path in root.iterdir() if path.name != "pictures"):
        for directory in sorted(year.iterdir()):
            before = f"{year.name}/{directory.name}/"
            with os.scandir(directory) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    status = entry.stat()
                    times = status.st_mtime_ns, status.st_ctime_ns
                    photo = last + 1 + number % photos
                    rows.append((before + entry.name, photo, status.st_size, *times))
                    number += 1
            if len(rows) >= _ROWS:
                yield rows
                rows = []
    if rows:
        yield rows


def measure(photos: Path, library: str, files: int, rounds: int) -> str:
    """Return a table: seconds, files a second and most memory of each side's process, in the median
    round by time. A first round is left out: it warms the caches, and notes that the embeddings
    need not be measured.
    """
    bare = f"{BARE_STAT}\nassert stat_all({str(photos)!r}) == {files}"
    sides = {"bare stat": [sys.executable, "-c", bare], "second run": _index(photos, library)}
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, command in sides.items():
            seconds, memory, output = _measured(command)
            assert name == "bare stat" or json.loads(output)["unchanged"] == files
            print(f"{name}: {seconds:.1f} s, {memory:,.0f} MB", flush=True)
            if turn:
                rows[name].append((seconds, memory))
    lines = [f"{'':<14}{'s':>9}{'files/s':>12}{'peak MB':>10}"]
    for name, measured in rows.items():
        seconds, memory = sorted(measured)[len(measured) // 2]
        lines.append(f"{name:<14}{seconds:>9.1f}{files / seconds:>12,.0f}{memory:>10,.0f}")
    return "\n".join(lines)


def _index(photos: Path, library: str, *options: str) -> list[str]:
    program = str(Path(sys.executable).with_name("sigseek"))
    return [program, "index", str(photos), "--library", library, "--json", *options]


def _measured(command: list[str]) -> tuple[float, float, str]:
    """Return the seconds that a command takes, the most MB of memory of its process, and its
    output.
    """
    *output, last = run([sys.executable, "-c", _STARTER, *command]).output.splitlines()
    seconds, memory = last.split()
    return float(seconds), float(memory) / 1e3, "\n".join(output)


def _timed(what: str, side: Callable[[], _Result]) -> _Result:
    before = time.perf_counter()
    result = side()
    print(f"{what} in {time.perf_counter() - before:.0f} s", flush=True)
    return result


if __name__ == "__main__":
    main()
