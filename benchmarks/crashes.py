"""Kills the program at random instants and checks that nothing is lost or different afterwards.

    python -m benchmarks.crashes --kills 200

Each operation runs on the same library again and again. It is killed (SIGKILL) at a random instant
between taking the library's lock and its end. After that, the library must verify and answer. Once
the operation and an indexing run have been completed, the folders, files, photos, embeddings,
failures and tags must equal those of a library that was never interrupted, and the photos
themselves must be unchanged.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sigseek.library import open_library
from tests.schemas.make import restore

_SIGSEEK = Path(sys.executable).with_name("sigseek")
_PHOTOS = 40
# cosine of embeddings, which are rounded to float16 and may have been made in another batch
_SAME = 0.999


@dataclass(frozen=True)
class Operation:
    """Something that the program does to a library, and how the library is prepared for it."""

    name: str
    prepare: Callable[[Path], None]
    """Make `library` and `photos` in a directory."""
    words: Callable[[Path], list[str]]
    """Return the arguments of the program."""


def main() -> None:
    """Kill, check and print the table. The exit status is 1 if anything differed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--kills", type=int, default=200, help="over all operations (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    failed = 0
    print(f"{'operation':<12} {'kills':>5} {'runs':>5} {'s a run':>7}  differences", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        for number, operation in enumerate(OPERATIONS):
            kills = args.kills // len(OPERATIONS) + (number < args.kills % len(OPERATIONS))
            runs, seconds, differences = try_out(operation, Path(directory).resolve(), kills, rng)
            print(
                f"{operation.name:<12} {kills:>5} {runs:>5} {seconds:>7.2f}  {len(differences)}",
                flush=True,
            )
            for difference in differences:
                print(f"    {difference}", flush=True)
            failed += len(differences)
    sys.exit(1 if failed else 0)


def try_out(
    operation: Operation, directory: Path, kills: int, rng: random.Random
) -> tuple[int, float, list[str]]:
    """Return the number of runs that so many kills took, how long an uninterrupted run takes, and
    what was wrong after which kill.
    """
    start, work = directory / f"{operation.name} start", directory / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    operation.prepare(work)
    shutil.copytree(work, start, symlinks=True)
    seconds = _run(operation, work)
    _finish(work)
    expected, photos = contents(work / "library"), _digests(work)
    runs, killed, differences = 0, 0, []
    while killed < kills:
        shutil.rmtree(work)
        shutil.copytree(start, work, symlinks=True)
        runs += 1
        delay = rng.random() * seconds
        if not _run_killed(operation, work, delay):
            seconds = min(seconds, delay)  # it takes no longer than that
            continue
        killed += 1
        try:
            _check_interrupted(work)
            _run(operation, work)
            _finish(work)
            wrong = difference(expected, contents(work / "library"))
        except Exception as error:  # whatever it is, it is what this looks for
            wrong = f"{type(error).__name__}: {error}"
        if _digests(work) != photos:
            wrong = "the photos are not what they were"
        if wrong:
            differences.append(f"kill {killed}, after {delay:.3f} s: {wrong}")
    return runs, seconds, differences


def contents(library: Path) -> dict[str, object]:
    """Return everything that a library says except ids and times, by kind and key, for `difference`
    to compare.
    """
    found: dict[str, object] = {}
    with sqlite3.connect(library / "catalog.sqlite") as connection:
        connection.text_factory = os.fsdecode
        for (path,) in connection.execute("SELECT path FROM folder"):
            found[f"folder {path}"] = True
        files = """
            SELECT folder.path || '/' || file.path, missing_since IS NULL, size, mtime_ns,
                hex(photo.digest), hex(file.digest), vector, value
            FROM file
            JOIN folder ON folder.id = folder_id
            JOIN photo ON photo.id = file.photo_id
            LEFT JOIN embedding ON embedding.photo_id = photo.id
            LEFT JOIN bias ON bias.photo_id = photo.id
        """
        for path, *facts, vector, bias in connection.execute(files):
            found[f"file {path}"] = (*facts, bias is None)
            found[f"embedding {path}"] = (
                None if vector is None else np.frombuffer(vector, "<f2").astype(np.float32)
            )
        for path, reason in connection.execute(
            "SELECT folder.path || '/' || failure.path, reason "
            "FROM failure JOIN folder ON folder.id = folder_id"
        ):
            found[f"failure {path}"] = reason
        for name, digest in connection.execute(
            "SELECT name, hex(digest) FROM tag JOIN photo ON photo.id = photo_id"
        ):
            found[f"tag {name} {digest}"] = True
        for table in ("photo", "embedding"):
            found[f"count {table}"] = connection.execute(
                f"SELECT count(*) FROM {table}"
            ).fetchone()[0]
    connection.close()
    return found


def difference(expected: dict[str, object], found: dict[str, object]) -> str:
    """Return the first difference of the contents of two libraries in one line; an empty string if
    there is none.
    """
    for key in sorted(expected.keys() | found.keys()):
        one, other = expected.get(key), found.get(key)
        if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
            if one @ other < _SAME:
                return f"{key}: cosine {one @ other:.4f}"
        elif isinstance(one, np.ndarray) or isinstance(other, np.ndarray) or one != other:
            return f"{key}: {one} expected, {other} found"
    return ""


def _start(words: list[str]) -> subprocess.Popen[bytes]:
    """Start the program. The tests start copies of a loaded process in its place."""
    return subprocess.Popen(
        [_SIGSEEK, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _start_operation(operation: Operation, work: Path) -> subprocess.Popen[bytes]:
    return _start([*operation.words(work), "--library", str(work / "library")])


def _wait_for_lock(process: subprocess.Popen[bytes], work: Path) -> None:
    """Wait until the program has taken the lock of the library, or has ended."""
    while process.poll() is None and not (work / "library" / "lock.json").exists():
        time.sleep(0.001)


def _run(operation: Operation, work: Path) -> float:
    """Run to the end, and return the seconds since the lock was taken. After a kill, a second run
    may find that everything is done, and refuse.
    """
    process = _start_operation(operation, work)
    _wait_for_lock(process, work)
    began = time.monotonic()
    process.wait()
    return time.monotonic() - began


def _run_killed(operation: Operation, work: Path, delay: float) -> bool:
    """Run, kill the program so many seconds after it took the lock, and return whether it was still
    running then.
    """
    process = _start_operation(operation, work)
    _wait_for_lock(process, work)
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    return False


def _check_interrupted(work: Path) -> None:
    """Return what is wrong for a person who goes on using the library."""
    if not (work / "library" / "catalog.sqlite").is_file():
        return
    with open_library(work / "library") as library:
        found = [
            problem for problem in library.verify().problems if not _is_to_be_expected(problem.what)
        ]
        if found:
            raise AssertionError(found[0].what)
        if library.status().photos:
            library.search("a red house", include_all=True)


def _is_to_be_expected(problem: str) -> bool:
    """Return whether the damage is what the operation itself repairs."""
    return problem.startswith("the index ") and problem.endswith(" is damaged")


def _finish(work: Path) -> None:
    """Index to the end; after that, nothing may be wrong."""
    with open_library(work / "library", model="mini") as library:
        known = library.status().folders
        library.index(*([] if known else [work / "photos"]), accept_missing=True)
        problems = library.verify(contents=True).problems
        if problems:
            raise AssertionError(problems[0].what)


def _digests(work: Path) -> dict[str, str]:
    paths = [
        path
        for path in work.rglob("*")
        if path.is_file() and "library" not in path.relative_to(work).parts
    ]
    return {
        str(path.relative_to(work)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
    }


def _draw(path: Path, seed: int) -> None:
    """Draw a small smooth picture, another one for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rough = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    Image.fromarray(rough).resize((320, 240), Image.Resampling.BICUBIC).save(path)


def _draw_all(work: Path) -> None:
    for number in range(_PHOTOS):
        _draw(work / "photos" / f"{number % 4}" / f"{number}.png", number)
    (work / "photos" / "bad.jpg").write_bytes(b"no picture")


def _indexed(work: Path) -> None:
    """Make a library of all photos with a tag. The first one is kept and copied, because `work` is
    the same for all operations, and so are the paths in the library.
    """
    kept = work.with_name("indexed")
    if not kept.exists():
        _draw_all(work)
        with open_library(work / "library", model="mini") as library:
            library.index(work / "photos")
            library.tag(["a red house"])
        shutil.copytree(work, kept)
    else:
        shutil.copytree(kept, work, dirs_exist_ok=True)


def _changed(work: Path) -> None:
    """Make photos that were edited, described, moved, copied, deleted and added since they were
    indexed.
    """
    _indexed(work)
    photos = work / "photos"
    for number in range(0, _PHOTOS, 4):
        _draw(photos / "0" / f"{number}.png", 100 + number)
    for number in range(2, _PHOTOS, 8):
        words = PngInfo()
        words.add_text("Comment", "a house")
        path = photos / "2" / f"{number}.png"
        with Image.open(path) as picture:
            picture.save(path, pnginfo=words)
    (photos / "1").rename(photos / "moved")
    shutil.copytree(photos / "2", photos / "copied")
    for number in range(3, 20, 4):
        (photos / "3" / f"{number}.png").unlink()
    for number in range(12):
        _draw(photos / "new" / f"{number}.png", 200 + number)


def _renamed(work: Path) -> None:
    _indexed(work)
    (work / "photos").rename(work / "renamed")


def _with_missing(work: Path) -> None:
    _indexed(work)
    shutil.rmtree(work / "photos" / "3")
    with open_library(work / "library") as library:
        library.index()


def _with_damaged_index(work: Path) -> None:
    _indexed(work)
    (path,) = (work / "library" / "index").glob("*.faiss")
    damaged = bytearray(path.read_bytes())
    damaged[600] ^= 1
    path.write_bytes(damaged)


def _of_old_schema(work: Path) -> None:
    """Make a library as an older version wrote it. Its photos are on drives that are not here."""
    (work / "photos").mkdir()
    restore("0001", work / "library")


OPERATIONS = (
    Operation(
        "first index", _draw_all, lambda work: ["index", str(work / "photos"), "--model", "mini"]
    ),
    Operation("index", _changed, lambda work: ["index"]),
    Operation(
        "relocate", _renamed, lambda work: ["relocate", str(work / "photos"), str(work / "renamed")]
    ),
    Operation("prune", _with_missing, lambda work: ["prune", "--older-than", "0d"]),
    Operation("rebuild", _with_damaged_index, lambda work: ["verify", "--repair"]),
    Operation("migration", _of_old_schema, lambda work: ["status"]),
)


if __name__ == "__main__":
    main()
