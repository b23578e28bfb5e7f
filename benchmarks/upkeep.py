"""What the upkeep of a large library costs: `python -m benchmarks.upkeep [--photos 1000000]`.

The library holds synthetic embeddings of 768 dimensions. Its folder exists but contains none of its
files. Each command is timed as a whole process, from start to end.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.geometry import Geometry
from benchmarks.libraries import fill
from benchmarks.processes import Finished, run, sigseek
from sigseek.storage import Catalog
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index.file_store import FileStore

_DIMENSION = 768


def main() -> None:
    """Fill a library, run the commands and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=1_000_000, help="(default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary).resolve()
        library, moved = place / "library", place / "moved"
        started = time.monotonic()
        # In a process of its own: the memory of a program's starts with what its parent has.
        filling = multiprocessing.get_context("spawn").Process(
            target=_fill, args=(library, arguments.photos)
        )
        filling.start()
        filling.join()
        print(
            f"{arguments.photos:,} photos written and their index made "
            f"in {time.monotonic() - started:.0f} s",
            flush=True,
        )
        moved.mkdir()
        _picture(moved / "new.png")
        where = ("--library", library)
        print(f"{'':<28} {'wall s':>7} {'peak MB':>8}")
        _print("status", sigseek("status", *where))
        _print("verify", sigseek("verify", *where))
        _print("backup", sigseek("backup", place / "copy.sqlite", *where))
        _print("relocate the folder", sigseek("relocate", library, moved, "--yes", *where))
        _print(
            "index: all are missing", sigseek("index", moved, "--yes", "--model", "mini", *where)
        )
        _print("forget mini", sigseek("forget", "--model", "mini", "--yes", *where))
        _print("verify --repair", sigseek("verify", "--repair", *where))
        _print("prune all", sigseek("prune", "--older-than", "0d", *where))
        _print(
            "copying the catalog, bare", run(["cp", place / "copy.sqlite", place / "again.sqlite"])
        )


def _fill(library: Path, photos: int) -> None:
    fill(library, Geometry(_DIMENSION).images(photos))
    catalog = Catalog(library)
    (record,) = catalog.checkpoints()
    FileStore(library / "index").catch_up(CheckpointEmbeddings(catalog, record))
    catalog.close()


def _picture(path: Path) -> None:
    pixels: npt.NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def _print(what: str, finished: Finished) -> None:
    print(f"{what:<28} {finished.wall:>7.2f} {finished.peak / 1e6:>8,.0f}", flush=True)


if __name__ == "__main__":
    main()
