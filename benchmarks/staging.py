"""Two ways to compare a folder with the catalog: a merge of both in the order of their paths, which
`sigseek index` does, and a staging table of what was listed that the database joins with its files.

    python -m benchmarks.staging --files 1000000
    python -m benchmarks.staging --files 1000000 --postgresql

All files are unchanged. Both ways list the folder as `index` does. The staging table is a temporary
one. Each way is a process of its own; what the server takes is told apart.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PurePath
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks.processes import run
from benchmarks.scale import PICTURES, library_of_links
from sigseek.indexer.folder_comparison import FolderComparer
from sigseek.indexer.scan import scan_parts
from sigseek.library import open_library
from sigseek.progress import Stop

_CREATE = """
CREATE TEMPORARY TABLE listed
(path {path} PRIMARY KEY, size bigint, mtime_ns bigint, ctime_ns bigint) {without_rowid}
"""
_JOIN = """
SELECT listed.path FROM listed
LEFT JOIN file ON file.folder_id = {folder} AND file.path = listed.path
WHERE file.path IS NULL OR file.missing_since IS NOT NULL
OR (file.size, file.mtime_ns, file.ctime_ns) <> (listed.size, listed.mtime_ns, listed.ctime_ns)
OR NOT EXISTS (SELECT 1 FROM embedding
WHERE embedding.checkpoint_id = {checkpoint} AND embedding.photo_id = file.photo_id)
UNION ALL SELECT file.path FROM file LEFT JOIN listed ON listed.path = file.path
WHERE file.folder_id = {folder} AND listed.path IS NULL
"""


def main() -> None:
    """Make the files and the library, compare them in turn and print what each way took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgresql", action="store_true", help="keep the catalog in PostgreSQL")
    parser.add_argument("--side", choices=["merge", "staging"], help=argparse.SUPPRESS)
    parser.add_argument("place", nargs="*", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        _compare(asked.side, Path(asked.place[0]), asked.place[1], asked.files + PICTURES)
        return
    with library_of_links(asked.files, postgresql=asked.postgresql) as (photos, library):
        with open_library(library) as opened:
            dialect: Any = opened._directory.catalog()._dialect
            at_once = dialect.writers.execution_options(isolation_level="AUTOCOMMIT")
            with at_once.connect() as connection:
                connection.exec_driver_sql("ANALYZE")
        command = [sys.executable, "-m", "benchmarks.staging", str(photos), library]
        for _ in range(asked.rounds):
            for side in ("merge", "staging"):
                before = _server_seconds()
                said = run([*command, "--side", side, "--files", str(asked.files)]).output.strip()
                print(f"{said}, the server {_server_seconds() - before:.1f} s", flush=True)


def _compare(side: str, photos: Path, library: str, files: int) -> None:
    with open_library(library) as opened:
        catalog = opened._directory.catalog()
        (checkpoint,) = catalog.checkpoints()
        began, busy = time.monotonic(), time.process_time()
        if side == "merge":
            comparer = FolderComparer(catalog, checkpoint, 10**9, Stop(), reread=False)
            found = comparer.compare(photos, PurePath(), [])
            assert (found.unchanged, len(found.changed), found.missing) == (files, 0, set())
        else:
            dialect: Any = catalog._dialect
            with dialect.writers.begin() as connection:
                join = _JOIN.format(folder=catalog.folders()[0].id, checkpoint=checkpoint.id)
                assert _join(connection, join, photos) == []
        took, busy = time.monotonic() - began, time.process_time() - busy
        print(
            f"{side:<8} {took:6.1f} s, busy {busy:5.1f} s, {_most_memory():,.0f} MB",
            end="",
        )


def _join(connection: Any, join: str, photos: Path) -> list[Any]:
    """Return what differs, by a staging table."""
    driver = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        driver.execute(_CREATE.format(path="text", without_rowid="WITHOUT ROWID"))
        driver.executemany("INSERT INTO listed VALUES (?, ?, ?, ?)", _listed(photos))
        return list(driver.execute(join))
    with closing(driver.cursor()) as cursor:
        cursor.execute(_CREATE.format(path="bytea", without_rowid=""))
        with cursor.copy("COPY listed FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["bytea", "int8", "int8", "int8"])
            for path, *others in _listed(photos):
                copy.write_row((os.fsencode(path), *others))
        cursor.execute("ANALYZE listed")
        cursor.execute(join)
        return list(cursor.fetchall())


def _listed(photos: Path) -> Iterator[tuple[str, int, int, int | None]]:
    for part in scan_parts(photos, PurePath()):
        for path, found in part.files.items():
            yield (path, *found)


def _most_memory() -> float:
    """Return the most MB of memory that this process took."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3


def _server_seconds() -> float:
    """Return the processor time of all processes of PostgreSQL, ended ones too."""
    seconds = 0.0
    for process in psutil.process_iter(["name", "cpu_times", "ppid"]):
        if process.info["name"] == "postgres" and process.info["cpu_times"]:
            times = process.info["cpu_times"]
            seconds += times.user + times.system
            seconds += times.children_user + times.children_system
    return seconds


if __name__ == "__main__":
    main()
