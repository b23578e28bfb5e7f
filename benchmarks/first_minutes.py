"""The first minutes with a folder of photos, compared with transformers alone.

    python -m benchmarks.first_minutes

The cache and the library are empty, and the checkpoint is on disk. It has the exact base
configuration and random weights. `sigseek index` is timed to the first photo that can be searched
and to its end, and `sigseek search` after it to the first hit. Beside them are the times of what
cannot be avoided, the conversion and the embedding, and of a script that does the same with
transformers: it loads the checkpoint, embeds the photos and one text, and names the best photo.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import last_json, run, sigseek
from benchmarks.subjects import CAMERA, save_base, save_photos
from sigseek.progress import Silence, Stop
from sigseek.siglip import load_checkpoint
from sigseek.siglip.runtimes.conversion import convert
from sigseek.siglip.runtimes.openvino import best_precision

_QUERY = "a red house by the sea"
_LOOK = 0.05
"""Seconds between two looks for the first photo in the catalog."""
_GOALS = {20: 1.5, 200: 1.15}
"""The most that `index` may take, by the number of photos, as a multiple of the seconds for
conversion and embedding.
"""

_TRANSFORMERS = """
import sys, torch
from PIL import Image
from transformers import SiglipImageProcessorPil, SiglipModel, SiglipTokenizer
checkpoint, text, *paths = sys.argv[1:]
model = SiglipModel.from_pretrained(checkpoint).eval()
processor = SiglipImageProcessorPil.from_pretrained(checkpoint)
tokenizer = SiglipTokenizer.from_pretrained(checkpoint)
found = []
with torch.no_grad():
    for at in range(0, len(paths), 16):
        images = [Image.open(path).convert("RGB") for path in paths[at : at + 16]]
        inputs = processor(images=images, return_tensors="pt")
        found.append(model.get_image_features(**inputs).pooler_output)
    ids = tokenizer([text], padding="max_length", max_length=64, return_tensors="pt").input_ids
    asked = model.get_text_features(input_ids=ids).pooler_output
vectors = torch.nn.functional.normalize(torch.cat(found), dim=-1)
print(paths[int((vectors @ asked[0]).argmax())])
"""


@dataclass(frozen=True)
class FirstMinutes:
    """Seconds of one first run."""

    searchable: float
    """Seconds from the start of `sigseek index` until a photo is in the catalog with its
    embedding.
    """
    end: float
    """Seconds from the start of `sigseek index` to its end."""
    hit: float
    """Seconds that `sigseek search` takes after `sigseek index`."""


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, nargs="+", default=[20, 200], metavar="N")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sigseek-first-minutes-") as made:
        scratch = Path(made)
        checkpoint = save_base(scratch / "base")
        converting = measure_conversion(checkpoint, scratch / "conversion")
        print(f"conversion to {best_precision()}: {converting:.1f} s")
        print(
            f"{'photos':>6} {'searchable':>10} {'index':>7} {'hit':>6} {'embedding':>9} "
            f"{'ratio':>6} {'goal':>5} {'transformers':>12}",
            flush=True,
        )
        for count in arguments.photos:
            report_on(count, checkpoint, converting, scratch / str(count))


def measure_conversion(checkpoint: Path, cache: Path) -> float:
    """Return the seconds that converting the checkpoint takes, its proof included."""
    os.environ["SIGSEEK_CACHE"] = str(cache)
    loaded = load_checkpoint(str(checkpoint))
    started = time.monotonic()
    convert(loaded, best_precision(), Silence(), Stop())
    return time.monotonic() - started


def report_on(count: int, checkpoint: Path, converting: float, scratch: Path) -> None:
    """Measure with so many photos, and print a row."""
    paths = save_photos(scratch / "photos", count, CAMERA)
    first = measure_first_minutes(paths[0].parent, checkpoint, scratch)
    embedding = measure_embedding(paths[0].parent, count, checkpoint, scratch)
    theirs = run(
        [sys.executable, "-W", "ignore", "-c", _TRANSFORMERS, checkpoint, _QUERY, *paths]
    ).wall
    ratio = first.end / (converting + embedding)
    goal = f"{_GOALS[count]:.2f}" if count in _GOALS else ""
    print(
        f"{count:6} {first.searchable:10.1f} {first.end:7.1f} {first.hit:6.2f} {embedding:9.1f} "
        f"{ratio:6.2f} {goal:>5} {theirs:12.1f}",
        flush=True,
    )


def measure_first_minutes(folder: Path, checkpoint: Path, scratch: Path) -> FirstMinutes:
    """Index the folder with nothing in the cache, and search in it."""
    os.environ["SIGSEEK_CACHE"] = str(scratch / "cache")
    shutil.rmtree(scratch / "cache", ignore_errors=True)
    library, program = scratch / "library", Path(sys.executable).with_name("sigseek")
    words = ("--library", library, "--model", checkpoint)
    started = time.monotonic()
    process = subprocess.Popen(
        [program, "index", folder, *words, "--device", "cpu"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    searchable = None
    while process.poll() is None:
        if searchable is None and has_embeddings(library):
            searchable = time.monotonic() - started
        time.sleep(_LOOK)
    end = time.monotonic() - started
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, [str(program), "index"])
    hit = sigseek("search", _QUERY, *words, "--all").wall
    return FirstMinutes(searchable or end, end, hit)


def has_embeddings(library: Path) -> bool:
    """Return whether the library that another process is making has an embedding already."""
    catalog = library / "catalog.sqlite"
    try:
        with closing(sqlite3.connect(f"{catalog.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT 1 FROM embedding LIMIT 1").fetchone() is not None
    except sqlite3.OperationalError:
        return False  # there is no catalog, or no table yet


def measure_embedding(folder: Path, count: int, checkpoint: Path, scratch: Path) -> float:
    """Return the seconds that embedding the photos takes once the cache has what a run needs."""
    words = ("--library", scratch / "again", "--model", checkpoint, "--device", "cpu")
    report = last_json(sigseek("index", folder, *words, "--json"))
    return count / float(report["images_per_second"])


if __name__ == "__main__":
    main()
