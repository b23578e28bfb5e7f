"""Processes that index and forget folders of one library in PostgreSQL at the same time.

    python -m benchmarks.writers [--processes 4] [--photos 200] [--rounds 20] [--seed 0]

Each process has a folder of its own. Half of its pictures are in the folders of all others, too.
In each round it adds pictures and takes some away. Then it indexes the folder, alone or together
with the others, drops what is missing, or forgets the folder. It tries again when another process
is changing the library, and ends at any other error. In the end the library must be what a single
run over the folders makes of them. The exit status is 1 if it is not.
"""

import argparse
import collections
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy import URL

from benchmarks.crashes import contents, difference
from benchmarks.workers import contents_of_database
from sigseek.errors import ErrorKind
from sigseek.library import Library, open_library
from sigseek.storage import LibraryError
from tests.postgresql import address, programs, running_server

_WAIT = 0.05
"""Seconds between two tries to change a library that another process changes."""


def main() -> None:
    """Run the processes, and print what they did and what is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("process", nargs="*", help="for the processes that it starts itself")
    parser.add_argument("--processes", type=int, default=4, help="(default: %(default)s)")
    parser.add_argument("--photos", type=int, default=200, help="of each (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=20, help="of each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    args = parser.parse_args()
    if args.process:
        _change_at_random(*args.process)
        return
    found = programs()
    if found is None:
        sys.exit("PostgreSQL's server is not installed")
    with tempfile.TemporaryDirectory() as made, running_server(found) as server:
        began, url = time.monotonic(), server.database()
        work = Path(made).resolve()
        done = run_writers(url, work, args.processes, args.photos, args.rounds, args.seed)
        wrong = find_wrong(url, work)
        print(f"{time.monotonic() - began:.0f} s, {dict(done)}\nwrong: {wrong or 'nothing'}")
        sys.exit(1 if wrong else 0)


def run_writers(
    url: URL, work: Path, processes: int, photos: int, rounds: int, seed: int
) -> collections.Counter[str]:
    """Run the processes over folders in `work` to their end, and return how often they did what.
    Raises RuntimeError when one of them fails.
    """
    _draw_pool(work / "pool", photos // 2, processes, photos - photos // 2)
    started = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.writers", address(url), str(work)),
                *(str(number), str(rounds), str(seed)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    done: collections.Counter[str] = collections.Counter()
    said = [process.communicate() for process in started]
    for process, (out, err) in zip(started, said, strict=True):
        if process.returncode:
            raise RuntimeError(err)
        done.update(json.loads(out))
    return done


def find_wrong(url: URL, work: Path) -> str:
    """Return what is wrong with the library that the processes have left; nothing when all is well.

    It is compared with a library of the same folders that one process makes.
    """
    with open_library(address(url), model="mini") as library:
        if not library.verify().sound:
            return f"verify: {library.verify()}"
        (checkpoint,) = library.status().checkpoints
    found = contents_of_database(url)
    if checkpoint.embeddings != found["count embedding"]:
        return f"{checkpoint.embeddings} embeddings counted, {found['count embedding']} there"
    with open_library(work / "plain", model="mini") as library:
        library.index(*sorted((work / "folders").iterdir()))
    return difference(contents(work / "plain"), found)


def _draw_pool(pool: Path, common: int, processes: int, own: int) -> None:
    """Draw the pictures that all folders may have, and those of each one alone."""
    counts = {"common": common} | {f"own {number}": own for number in range(processes)}
    for place, (name, count) in enumerate(counts.items()):
        (pool / name).mkdir(parents=True)
        for number in range(count):
            rng = np.random.default_rng([place, number])
            rough = Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8))
            picture = rough.resize((64, 48), Image.Resampling.BICUBIC)
            picture.save(pool / name / f"{name} {number:05}.png")


def _change_at_random(place: str, work: str, number: str, rounds: str, seed: str) -> None:
    """Change the folder of this number and the library, and print how often it did what."""
    rng, done = random.Random(f"{seed} {number}"), collections.Counter[str]()
    folder = Path(work, "folders", number)
    folder.mkdir(parents=True)
    pool = [*Path(work, "pool", "common").iterdir(), *Path(work, "pool", f"own {number}").iterdir()]
    with open_library(place, model="mini") as library:
        changes = _changes_of(library, folder)
        for _ in range(int(rounds)):
            _take_some(rng, folder, sorted(pool))
            what = rng.choices(list(changes), [4, 2, 2, 1])[0]
            done["busy"] += _insist(changes[what])
            done[what] += 1
        done["busy"] += _insist(changes["indexed together"])
        done["busy"] += _insist(changes["dropped what is missing"])
    print(json.dumps(done))


def _changes_of(library: Library, folder: Path) -> dict[str, Callable[[], object]]:
    def forget() -> None:
        if str(folder) in [known.path for known in library.status().folders]:
            library.forget(folder)

    return {
        "indexed together": lambda: library.index(folder, join=True, accept_missing=True),
        "indexed alone": lambda: library.index(folder, accept_missing=True),
        "forgot the folder": forget,
        "dropped what is missing": lambda: library.prune(timedelta(0)),
    }


def _take_some(rng: random.Random, folder: Path, pool: Sequence[Path]) -> None:
    """Put pictures into the folder, and take a few others away."""
    there = sorted(folder.iterdir())
    for path in rng.sample(there, len(there) // 4):
        path.unlink()
    for path in rng.sample(pool, len(pool) // 3):
        if not (folder / path.name).exists():
            shutil.copy2(path, folder / path.name)


def _insist(change: Callable[[], object]) -> int:
    """Make the change, again while another process changes the library, and return how often it had
    to wait.
    """
    waited = 0
    while True:
        try:
            change()
        except LibraryError as error:
            if error.kind is not ErrorKind.BUSY:
                raise
            waited += 1
            time.sleep(_WAIT)
        else:
            return waited


if __name__ == "__main__":
    main()
