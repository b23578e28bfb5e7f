"""How many copies are found, beside perceptual hashes of others.

    python -m benchmarks.duplicates FOLDER [--photos 150] [--model mini] [--keep DIR]
    python -m benchmarks.duplicates --many 100000

FOLDER has photographs. Each is changed in every way of `benchmarks.photographs`. A row of the table
is one way: the share of the changed photos that are found to be copies of their originals.
Among the photos are second shots of the same scenes, which are no copies. `near` is what sigseek
calls a copy, `near or alike` also what it calls alike, each with its precision. pHash and dHash are
those of the package imagehash, of 16 x 16 bits, at the greatest distance that has a precision of
99.9 %.

With --many it tells how long the search takes in a library of so many photos, a tenth of which are
copies. Their sketches and embeddings are made up.
"""

import argparse
import random
import resource
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.photographs import ATTACKS, first_shot, second_shot
from sigseek.library import open_library
from sigseek.progress import Silence, Stop
from sigseek.search.duplicates.finder import DuplicateFinder
from sigseek.search.duplicates.results import DuplicateGroup
from sigseek.storage import Catalog, PhotoFacts
from sigseek.storage.perceptual_hash import hash_bits, quality
from sigseek.storage.records.hashes import HashRecord, SketchRecord

Pairs = set[tuple[int, int]]
Distances = npt.NDArray[np.int64]
_PRECISION = 0.999
_LARGEST = 1000
_SECOND = "second shot"


def main() -> None:
    """Read the arguments, measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--photos", type=int, default=150, help="(default: %(default)s)")
    parser.add_argument("--model", default="mini", help="(default: %(default)s)")
    parser.add_argument("--many", type=int, help="measure the time in a library of so many photos")
    parser.add_argument("--keep", type=Path, help="keep the photos and the library here")
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        if arguments.many:
            measure_time(Path(temporary), arguments.many)
        elif arguments.folder:
            place = arguments.keep or Path(temporary)
            compare(place, arguments.folder, arguments.photos, arguments.model)
        else:
            parser.error("name a folder of photographs, or --many")


def compare(place: Path, folder: Path, count: int, model: str) -> None:
    """Print the table of what is found."""
    made = place / "photos" / "original"
    count = (
        len(list(made.iterdir())) if made.is_dir() else save_forms(folder, place / "photos", count)
    )
    with open_library(place / "library", model) as library:
        started = time.perf_counter()
        report = library.index(place / "photos")
        print(f"{report.added} files of {count} photographs, indexed in "
              f"{time.perf_counter() - started:.0f} s by {report.model}")  # fmt: skip
    catalog = Catalog(place / "library")
    ids = {
        (path.parent.name, int(path.stem)): id_
        for id_, file in all_files(catalog)
        for path in [Path(file)]
    }
    hashes = other_hashes(place / "photos")
    print(f"{'':24} {'near':>14}  {'near or alike':>14}  {'pHash':>6} {'dHash':>6}")
    for name in ATTACKS:
        forms = ("original", name, _SECOND)
        true = {pair(ids["original", number], ids[name, number]) for number in range(count)}
        these = np.unique([ids[form, number] for form in forms for number in range(count)])
        finder = DuplicateFinder(catalog, catalog.checkpoints()[0], these, (), Silence(), Stop())
        groups = finder.find(["near", "alike"])
        near = pairs_of(group for group in groups if group.kind == "near")
        figures = [shares(near, true), shares(pairs_of(groups), true)]
        others = [
            recall_at_precision([made[form, n] for form in forms for n in range(count)], count)
            for made in hashes
        ]
        told = "  ".join(f"{100 * recall:6.1f} ({100 * right:5.1f})" for recall, right in figures)
        print(f"{name:24} {told}  " + " ".join(f"{100 * recall:6.1f}" for recall in others),
              flush=True)  # fmt: skip
    catalog.close()


def pairs_of(groups: Iterable[DuplicateGroup]) -> Pairs:
    """Return each photo of the groups with the one to keep."""
    return {pair(group.photos[0].id, other.id) for group in groups for other in group.photos[1:]}


def save_forms(folder: Path, target: Path, count: int) -> int:
    """Save the photographs in every form, and return how many there are."""
    endings = (".jpg", ".jpeg", ".png", ".heic")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in endings)
    random.Random(0).shuffle(paths)
    number = 0
    for path in paths:
        if number == count:
            break
        try:
            with Image.open(path) as opened:
                image = opened.convert("RGB")
        except OSError:
            continue
        image.thumbnail((_LARGEST, _LARGEST))
        if min(image.size) < 200:
            continue
        save(second_shot(image, number), target / _SECOND, number)
        image = first_shot(image)
        save(image, target / "original", number)
        for name, attack in ATTACKS.items():
            save(attack(image), target / name, number)
        number += 1
    return number


def save(image: Image.Image, folder: Path, number: int) -> None:
    """Save a picture without loss, since its name tells what became of it."""
    folder.mkdir(parents=True, exist_ok=True)
    image.save(folder / f"{number}.png", compress_level=1)


def all_files(catalog: Catalog) -> Iterable[tuple[int, str]]:
    """Yield the id and the path of every photo; of equal ones, of every file."""
    for id_, files in catalog.present_files(catalog.photos_with_files().tolist()).items():
        for file in files:
            yield id_, file.path


def pair(one: int, other: int) -> tuple[int, int]:
    """Return the pair with the lower id first."""
    return min(one, other), max(one, other)


def shares(found: Pairs, true: Pairs) -> tuple[float, float]:
    """Return the recall and the precision. Forms that are the very same picture count as found."""
    same = {one for one in true if one[0] == one[1]}
    right = len(found & true) + len(same)
    return right / len(true), right / max(len(found | same), 1)


def other_hashes(folder: Path) -> list[dict[tuple[str, int], npt.NDArray[np.bool_]]]:
    """Return pHash and dHash of every file, by form and number."""
    import imagehash

    makers: list[Callable[..., Any]] = [imagehash.phash, imagehash.dhash]
    made: list[dict[tuple[str, int], npt.NDArray[np.bool_]]] = [{}, {}]
    for path in folder.rglob("*.png"):
        with Image.open(path) as image:
            for maker, hashes in zip(makers, made, strict=True):
                found = maker(image, hash_size=16).hash.ravel()
                hashes[path.parent.name, int(path.stem)] = found
    return made


def recall_at_precision(hashes: Sequence[npt.NDArray[np.bool_]], count: int) -> float:
    """Return the best recall at a precision of 99.9 %, over all greatest distances. The first
    `count` hashes are of the originals, the next of their copies, the others of neither.
    """
    signs = np.where(np.stack(hashes), 1, -1).astype(np.float32)
    apart = ((signs.shape[1] - signs @ signs.T) / 2).astype(np.int64)
    one, other = np.triu_indices(len(signs), 1)
    distance = apart[one, other]
    true = (one < count) & (other == one + count)
    best = 0.0
    for most in np.unique(distance[true]).tolist():
        near = distance <= most
        right = int((near & true).sum())
        if right / int(near.sum()) >= _PRECISION:
            best = max(best, right / count)
    return best


def measure_time(place: Path, count: int) -> None:
    """Print how long the search takes among so many photos, and how much memory."""
    catalog = Catalog(place)
    make_up(catalog, place, count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    ids = catalog.photos_with_files()
    checkpoint = catalog.checkpoints()[0]
    finder = DuplicateFinder(catalog, checkpoint, ids, (), Silence(), Stop())
    groups = finder.find(["identical", "near", "alike"])
    took = time.perf_counter() - started
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kinds = [group.kind for group in groups]
    print(f"{count:,} photos: {took:.1f} s, {most / 1e6:.2f} GB at most "
          f"(before: {before / 1e6:.2f}); {kinds.count('near'):,} near groups, "
          f"{kinds.count('alike'):,} alike")  # fmt: skip
    catalog.close()


def make_up(catalog: Catalog, place: Path, count: int, dimension: int = 768) -> None:
    """Fill the catalog with sketches that have the spectrum of photographs, and with embeddings
    that are as near to each other as those of photographs are. Every tenth is like the one before.
    """
    from sigseek.storage import EmbeddingRecord, ReadFile

    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(32)[:, None], np.fft.rfftfreq(32)[None])
    frequency[0, 0] = 1
    common = rng.standard_normal(dimension).astype(np.float32)
    common /= np.linalg.norm(common)
    with catalog.transaction() as transaction:
        checkpoint = transaction.add_checkpoint(
            name="made up", fingerprint="made up", preprocessing="p", dimension=dimension,
            image_size=224, logit_scale=4.7, logit_bias=-12.9,
        )  # fmt: skip
        folder, _ = transaction.add_folder(place / "photos")
    for first in range(0, count, 2_000):
        some = min(2_000, count - first)
        noise = np.fft.rfft2(rng.standard_normal((some, 32, 32)))
        plane = np.fft.irfft2(noise / frequency**1.5, (32, 32))
        plane = 120 + 50 * plane / plane.std(axis=(1, 2), keepdims=True)
        own = rng.standard_normal((some, dimension)).astype(np.float32)
        own /= np.linalg.norm(own, axis=1, keepdims=True)
        vectors = 0.775 * common + 0.632 * own
        plane[1::10], vectors[1::10] = plane[::10], vectors[::10] + 0.004 * own[1::10]
        plane[1::10] += rng.normal(0, 1, plane[1::10].shape)
        sketches = plane.clip(0, 255).astype(np.uint8)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        bits = hash_bits(sketches)
        facts = [
            PhotoFacts(f"{first + number:032}".encode(), 4000, 3000, "JPEG")
            for number in range(some)
        ]
        with catalog.transaction() as transaction:
            ids = transaction.add_photos(facts)
            own_ids = [ids[fact.digest] for fact in facts]
            transaction.put_files(
                folder.id,
                [ReadFile(f"{id_}.jpg", id_, 3_000_000, 1) for id_ in own_ids],
            )
            transaction.put_hashes(
                {
                    id_: HashRecord(SketchRecord(sketch.tobytes(), bit.tobytes(), quality(sketch)))
                    for id_, sketch, bit in zip(own_ids, sketches, bits, strict=True)
                },
                1,
            )
            transaction.add_embeddings(
                checkpoint.id,
                {
                    id_: EmbeddingRecord(vector, "fp32", 1)
                    for id_, vector in zip(own_ids, vectors, strict=True)
                },
            )


if __name__ == "__main__":
    main()
