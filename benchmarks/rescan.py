"""A second run over unchanged files, compared with a bare recursive stat of them.

    python -m benchmarks.rescan

The collection is made here: folders by year and event, full of copies of a few hundred tiny
pictures, so that the first run hashes every file and embeds few. Each side is timed as a whole
process and inside one, in turn. The figures are ratios of medians.
"""

import argparse
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from sigseek.library import open_library

_CONTENTS = 300
_FILES_AN_EVENT = 100
_EVENTS_A_YEAR = 40

BARE_STAT = """
import os

def stat_all(root):
    count, waiting = 0, [root]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    entry.stat()
                    count += 1
    return count
"""
"""Source code, because its process must import nothing else."""


def main() -> None:
    """Make the collection, index it once, time the sides and print the table."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.rescan", description="Time a second run over unchanged files."
    )
    parser.add_argument(
        "--files", type=int, default=100_000, help="how many files (default 100,000)"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="how often each side is timed (default 5)"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sigseek-rescan-") as made:
        photos, library = Path(made, "photos"), Path(made, "library")
        seconds = _seconds(lambda: make_collection(photos, arguments.files))
        print(
            f"{arguments.files:,} files in {sum(1 for _ in os.walk(photos)):,} folders "
            f"made in {seconds:.0f} s",
            flush=True,
        )
        seconds = _seconds(lambda: _run_program(photos, library))
        print(f"first run in {seconds:.0f} s", flush=True)
        print(f"\n{table(measure(photos, library, arguments.files, arguments.rounds))}")


def make_collection(root: Path, files: int) -> None:
    """Make `files` pictures below `root`, named as cameras name them, of `_CONTENTS` different
    contents.
    """
    contents = list(_pictures(min(files, _CONTENTS)))
    for number in range(files):
        event, place = divmod(number, _FILES_AN_EVENT)
        year, week = divmod(event, _EVENTS_A_YEAR)
        folder = (
            root
            / f"{2000 + year}"
            / f"{week // 4 + 1:02}"
            / f"{2000 + year}-{week // 4 + 1:02}-{week % 4 * 7 + 1:02} Event"
        )
        if place == 0:
            folder.mkdir(parents=True)
        (folder / f"IMG_{number:06}.png").write_bytes(contents[number % len(contents)])


def measure(photos: Path, library: Path, files: int, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each side in each round. A first round, which warms the caches of both
    sides, is left out.
    """
    names: dict[str, object] = {}
    exec(BARE_STAT, names)
    stat_all = names["stat_all"]
    assert callable(stat_all)
    bare = f"{BARE_STAT}\nassert stat_all({str(photos)!r}) == {files}"
    with open_library(library) as opened:
        sides: dict[str, Callable[[], object]] = {
            "stat, a process": lambda: subprocess.run([sys.executable, "-c", bare], check=True),
            "sigseek index, a process": lambda: _run_program(photos, library),
            "stat, inside a process": lambda: stat_all(str(photos)),
            "Library.index, inside a process": lambda: opened.index(photos),
        }
        assert opened.index(photos).unchanged == files
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(rounds + 1):
            for name, side in sides.items():
                spent = _seconds(side)
                if turn:
                    seconds[name].append(spent)
    return seconds


def table(seconds: dict[str, list[float]]) -> str:
    """Return one line per side: median, fastest and slowest round, and its ratio to the line above
    it.
    """
    lines = [f"{'':<34}{'median':>9}{'least':>9}{'most':>9}{'ratio':>8}"]
    medians = [statistics.median(spent) for spent in seconds.values()]
    for number, (name, spent) in enumerate(seconds.items()):
        median = medians[number]
        ratio = f"{median / medians[number - 1]:.2f}" if number % 2 else ""
        lines.append(
            f"{name:<34}{median:>7.3f} s{min(spent):>7.3f} s{max(spent):>7.3f} s{ratio:>8}"
        )
    return "\n".join(lines)


def _pictures(count: int) -> Iterator[bytes]:
    """Return PNGs of a few hundred bytes, each a different picture."""
    random = np.random.default_rng(0)
    for _ in range(count):
        file = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).save(file, "PNG")
        yield file.getvalue()


def _run_program(photos: Path, library: Path) -> None:
    """Run `sigseek index` as it is installed, with its bytecode kept from one start to the next."""
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    program = Path(sys.executable).parent / "sigseek"
    command: list[str | Path] = [
        program,
        "index",
        photos,
        "--library",
        library,
        "--model",
        "mini",
        "--json",
    ]
    subprocess.run(command, check=True, capture_output=True, env=environment)


def _seconds(side: Callable[[], object]) -> float:
    before = time.perf_counter()
    side()
    return time.perf_counter() - before


if __name__ == "__main__":
    main()
