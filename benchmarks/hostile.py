"""Hostile files through sigseek and through bare Pillow: `python -m benchmarks.hostile [FOLDER]`.

Bare Pillow opens and loads each picture file in one process, with nothing between it and the file.
sigseek is timed twice: only the decoding that `index` does, and all of `sigseek index` with the
checkpoint `mini`. All sides get the same files: those of the folder, and damaged variants of them
that are made here from a seed. The sides run in turn, and the figures are medians of the rounds.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

from benchmarks.processes import Finished, last_json, run, sigseek
from benchmarks.variants import small_pictures, write_damaged
from sigseek.indexer.scan import scan_folder

_BARE = """
import sys, warnings
from pathlib import Path
from PIL import Image
warnings.simplefilter("ignore")
failed = 0
for line in Path(sys.argv[1]).read_text().split("\\0"):
    try:
        with Image.open(line) as image:
            image.load()
    except Exception:
        failed += 1
print(failed)
"""
_DECODE = """
import json, resource, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.ingest import THREADS
from sigseek.indexer.map_ahead import map_ahead
from sigseek.siglip.checkpoint import MINI_DIRECTORY, read_checkpoint
paths = [Path(line) for line in Path(sys.argv[1]).read_text().split("\\0")]
preprocessing = read_checkpoint(MINI_DIRECTORY, "mini").preprocessing
with ThreadPoolExecutor(THREADS) as pool, GuardedDecoder(preprocessing) as decoders:
    decoded = map_ahead(pool, decoders.decode, paths, lambda: 32)
    reasons = [str(found) for _, found in decoded if isinstance(found, Exception)]
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
print(json.dumps({"reasons": reasons, "peak": peak}))
"""
"""A separate process that takes little memory. Otherwise a child's peak would begin with what its
parent has.
"""

_BARE_PILLOW = "bare Pillow"
_LARGEST_SEED = 300_000
"""The size in bytes up to which files are damaged: many small files, not a few large ones."""


def main() -> None:
    """Make the files, run the sides and print the table."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.hostile", description="Time decoding of hostile files."
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", help="picture files, good and bad ones, to take too"
    )
    parser.add_argument(
        "--variants", type=int, default=2000, help="how many damaged variants (default 2000)"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="how often each side runs (default 3)"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sigseek-hostile-") as made:
        os.environ["SIGSEEK_CACHE"] = str(Path(made, "cache"))
        photos = Path(made, "photos")
        given = _pictures(arguments.folder) if arguments.folder else []
        write_damaged(photos / "damaged", small_pictures() | _seeds(given), arguments.variants)
        _index(
            write_damaged(Path(made, "first"), small_pictures(), 1)[0].parent, Path(made, "library")
        )  # converts mini, once
        sets = {"as they are": given} if given else {}
        sets["damaged"] = _pictures(photos)
        print(
            f"{'files':28} {'side':22} {'count':>6} {'failed':>6} "
            f"{'wall s':>7} {'ratio':>6} {'busy s':>7} {'peak MB':>8}"
        )
        reasons: Counter[str] = Counter()
        together: Counter[str] = Counter()
        for name, paths in sets.items():
            folder = arguments.folder if name == "as they are" else photos
            kinds, walls = compare(name, folder, paths, arguments.rounds, Path(made))
            reasons.update(kinds)
            together.update(walls)
        for side, wall in together.items():
            print(
                f"{'together':28} {side:22} {'':13} "
                f"{wall:7.2f} {wall / together[_BARE_PILLOW]:5.2f}x"
            )
        print()
        for reason, count in reasons.most_common():
            print(f"{count:6} {reason}")


def _index(folder: Path, library: Path) -> Finished:
    """Index with the program into a new library."""
    shutil.rmtree(library, ignore_errors=True)
    return sigseek("index", folder, "--library", library, "--model", "mini", "--json")


def _pictures(folder: Path) -> list[Path]:
    return [folder / path for path in scan_folder(folder, PurePath()).files]


def _seeds(paths: Sequence[Path]) -> dict[str, bytes]:
    """Return up to 400 of the files, picked evenly."""
    small = [path for path in paths if 0 < path.stat().st_size <= _LARGEST_SEED]
    return {
        path.name: path.read_bytes()
        for path in random.Random(0).sample(small, min(400, len(small)))
    }


def compare(
    name: str, folder: Path, paths: Sequence[Path], rounds: int, scratch: Path
) -> tuple[list[str], dict[str, float]]:
    """Run the sides in turn and print their rows. Return the kinds of reasons for which files
    failed, and the seconds of each side.
    """
    listed, library = scratch / "paths", scratch / "library"
    listed.write_text("\0".join(map(str, paths)))
    runs: dict[str, list[Finished]] = {
        _BARE_PILLOW: [],
        "sigseek, decoding": [],
        "sigseek index": [],
    }
    for _ in range(rounds):
        runs[_BARE_PILLOW].append(run([sys.executable, "-c", _BARE, listed]))
        runs["sigseek, decoding"].append(run([sys.executable, "-c", _DECODE, listed]))
        runs["sigseek index"].append(_index(folder, library))
    decoded = json.loads(runs["sigseek, decoding"][-1].output)
    failed = [
        int(runs[_BARE_PILLOW][-1].output),
        len(decoded["reasons"]),
        last_json(runs["sigseek index"][-1])["failed"],
    ]
    peaks = [
        max(one.peak for one in runs[_BARE_PILLOW]),
        decoded["peak"],
        max(one.peak for one in runs["sigseek index"]),
    ]
    walls = {side: statistics.median(one.wall for one in done) for side, done in runs.items()}
    for (side, done), failures, peak in zip(runs.items(), failed, peaks, strict=True):
        busy = statistics.median(one.busy for one in done)
        ratio = walls[side] / walls[_BARE_PILLOW]
        row = f"{walls[side]:7.2f} {ratio:5.2f}x {busy:7.2f} {peak / 1e6:8,.0f}"
        print(f"{name:28} {side:22} {len(paths):6} {failures:6} {row}", flush=True)
    return [reason.partition(" (")[0].partition(": ")[0] for reason in decoded["reasons"]], walls


if __name__ == "__main__":
    main()
