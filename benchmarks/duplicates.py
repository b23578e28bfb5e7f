"""How many copies are found, beside perceptual hashes of others.

    python -m benchmarks.duplicates FOLDER [--photos 150] [--model mini] [--keep DIR]
    python -m benchmarks.duplicates FOLDER --hashes-only [--no-tripod]
    python -m benchmarks.duplicates --many 100000

FOLDER has photographs. Each is changed in every way of `benchmarks.photographs`. A row of the table
is one way: the share of the changed photos that are found to be copies of their originals.
Among the photos are second shots of the same scenes, which are not copies: one from the hand and
one from a tripod of each scene. A second table has every way in which a scene changes before a
tripod, and the share of these shots that are called near. --no-tripod leaves them out. `near` is
what sigseek calls a copy, `near or alike` also what it calls alike, each with its precision. Beside
them stand pHash and dHash of the package imagehash, pHash of perception, and PDQ of pdqhash, each
of 16 x 16 bits, at the greatest distance that has a precision of 99.9 %. With --hashes-only no
photo is embedded, so there is only `near`.

With --many it tells how long the search takes in a library of so many photos, and how long it takes
again after 1,000 more. Their sketches and embeddings are made up: a tenth of the photos are copies,
a tenth are second shots of bursts, a tenth have a hash like another one's, and a tenth show the
subject of another one.
"""

import argparse
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.many_photos import add_folder, add_hashed, measure_time
from benchmarks.photographs import (
    ATTACKS,
    TRIPOD,
    Tripod,
    first_shot,
    second_shot,
    tripod_shot,
)
from sigseek.indexer.decoding.hash import picture_hash
from sigseek.indexer.decoding.jpeg_copy import jpeg_of
from sigseek.library import open_library
from sigseek.progress import Silence, Stop
from sigseek.search.duplicates.finder import ComparingProgress, DuplicateFinder
from sigseek.search.duplicates.finer_look import Pictures
from sigseek.search.duplicates.results import DuplicateGroup, DuplicateKind
from sigseek.storage import Catalog
from sigseek.storage.records.arrays import Ids
from sigseek.storage.thumbnails import THUMBNAIL_SIZES

Pairs = set[tuple[int, int]]
Distances = npt.NDArray[np.int64]
_PRECISION = 0.999
_LARGEST = 1000
_SECOND = "second shot"
_SAME = 6
"""Photographs whose 16 x 16 grey pixels differ by fewer levels than this are one photograph."""


def main() -> None:
    """Read the arguments, measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--photos", type=int, default=150, help="(default: %(default)s)")
    parser.add_argument("--model", default="mini", help="(default: %(default)s)")
    parser.add_argument("--hashes-only", action="store_true", help="embed no photo")
    parser.add_argument("--no-tripod", action="store_true", help="leave out shots from a tripod")
    parser.add_argument("--many", type=int, help="measure the time in a library of so many photos")
    parser.add_argument("--keep", type=Path, help="keep the photos and the library here")
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        if arguments.many:
            measure_time(Path(temporary), arguments.many)
        elif arguments.folder:
            place = arguments.keep or Path(temporary)
            model = None if arguments.hashes_only else arguments.model
            tripod = {} if arguments.no_tripod else TRIPOD
            compare(place, arguments.folder, arguments.photos, model, tripod)
        else:
            parser.error("name a folder of photographs, or --many")


def compare(
    place: Path, folder: Path, count: int, model: str | None, tripod: Mapping[str, Tripod]
) -> None:
    """Print the table of what is found. `tripod` has what changes between shots from a tripod."""
    made = place / "photos" / "original"
    count = (
        len(list(made.iterdir()))
        if made.is_dir()
        else save_forms(folder, place / "photos", count, tripod)
    )
    if model:
        with open_library(place / "library", model) as library:
            started = time.perf_counter()
            report = library.index(place / "photos")
            print(f"{report.added} files of {count} photographs, indexed in "
                  f"{time.perf_counter() - started:.0f} s by {report.model}")  # fmt: skip
        catalog = Catalog(place / "library")
    else:
        catalog = hashed(place)
        print(f"{count} photographs")
    ids = {
        (path.parent.name, int(path.stem)): id_
        for id_, file in all_files(catalog)
        for path in [Path(file)]
    }
    hashes = other_hashes(place / "photos")
    print(
        f"{'':24} {'near':>14}  {'near or alike' if model else '':>14}  "
        + " ".join(f"{name:>10}" for name in hashes)
    )
    compared = 0
    wrong: Pairs = set()
    pictures = partial(thumbnail, catalog)
    for name in ATTACKS:
        numbers = range(count)
        forms = [(form, number) for form in ("original", name, _SECOND) for number in numbers]
        kinds = list(tripod)
        forms += [(kinds[number % len(kinds)], number) for number in numbers if kinds]
        true = {pair(ids["original", number], ids[name, number]) for number in range(count)}
        these = np.unique([ids[form] for form in forms])
        groups = found_groups(catalog, these, pictures, ["near", "alike"] if model else ["near"])
        near = pairs_of(group for group in groups if group.kind == "near")
        figures = [shares(near, true)] + ([shares(pairs_of(groups), true)] if model else [])
        others = [
            recall_at_precision([made[form] for form in forms], count) for made in hashes.values()
        ]
        told = "  ".join(f"{100 * recall:6.1f} ({100 * right:5.1f})" for recall, right in figures)
        print(f"{name:24} {told}  " + " ".join(f"{100 * recall:10.1f}" for recall in others),
              flush=True)  # fmt: skip
        compared += len(these) * (len(these) - 1) // 2 - count
        wrong |= near - true
    for kind in tripod:
        of_kind = [pair(ids["original", number], ids[kind, number]) for number in range(count)]
        groups = found_groups(catalog, np.unique(of_kind), pictures, ["near"])
        called = len(pairs_of(groups) & set(of_kind))
        print(f"from a tripod, {kind:22} {called} of {count} called near", flush=True)
    scenes = {id_: number for (_, number), id_ in ids.items()}
    unlike = sum(scenes[one] != scenes[other] for one, other in wrong)
    # The rule of three: of what never happened in n trials, 3 in n is the most to be feared.
    bound = "" if unlike else f" (with 95 % confidence fewer than 1 in {compared // 3:,})"
    print(
        f"{compared:,} pairs that are not copies were compared. Called near were "
        f"{len(wrong) - unlike} with a second shot and {unlike} of two scenes{bound}."
    )
    catalog.close()


def found_groups(
    catalog: Catalog, ids: Ids, pictures: Pictures, kinds: Sequence[DuplicateKind]
) -> list[DuplicateGroup]:
    """Return the groups of these kinds among the photos."""
    progress = ComparingProgress(Silence(), len(ids))
    checkpoint = catalog.checkpoints()[0]
    finder = DuplicateFinder(catalog, checkpoint, ids, (), pictures, progress, Stop(), whole=False)
    return finder.find(kinds)


def thumbnail(catalog: Catalog, photo_id: int) -> bytes:
    """Return the thumbnail that sigseek would keep of a photo."""
    (file, *_) = catalog.present_files([photo_id])[photo_id]
    with Image.open(file.path) as image:
        return jpeg_of(image.convert("RGB"), min(THUMBNAIL_SIZES))


def hashed(place: Path) -> Catalog:
    """Return a catalog that has the hashes of all photos, and no embedding."""
    catalog = Catalog(place / "hashes")
    add_folder(catalog, place / "photos")
    for folder in sorted((place / "photos").iterdir()):
        photos = {}
        for path in sorted(folder.iterdir()):
            with Image.open(path) as image:
                photos[f"{folder.name}/{path.name}"] = (image.size, picture_hash(image))
        add_hashed(catalog, photos)
    return catalog


def pairs_of(groups: Iterable[DuplicateGroup]) -> Pairs:
    """Return each photo of the groups with the one to keep."""
    return {pair(group.photos[0].id, other.id) for group in groups for other in group.photos[1:]}


def save_forms(folder: Path, target: Path, count: int, tripod: Mapping[str, Tripod]) -> int:
    """Save the photographs in every form, and return how many there are."""
    endings = (".jpg", ".jpeg", ".png", ".heic")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in endings)
    random.Random(0).shuffle(paths)
    number = 0
    another: Image.Image | None = None
    small: list[npt.NDArray[np.float32]] = []
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
        small.append(np.asarray(image.convert("L").resize((16, 16)), np.float32))
        if any(np.abs(small[-1] - other).mean() < _SAME for other in small[:-1]):
            continue  # a picture in several formats would be its own distractor
        save(second_shot(image, number), target / _SECOND, number)
        image = first_shot(image)
        save(image, target / "original", number)
        chance = np.random.default_rng(number)
        for name, change in tripod.items():
            shot = tripod_shot(change(image, another or image, chance), chance)
            save(shot, target / name, number)
        another = image
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


def other_hashes(folder: Path) -> dict[str, dict[tuple[str, int], npt.NDArray[np.bool_]]]:
    """Return the hashes of every file that other programs make, by form and number."""
    import imagehash
    import pdqhash
    from perception.hashers import PHash

    of_perception = PHash(hash_size=16)
    makers: dict[str, Callable[[Image.Image], Any]] = {
        "pHash": lambda image: imagehash.phash(image, hash_size=16).hash.ravel(),
        "dHash": lambda image: imagehash.dhash(image, hash_size=16).hash.ravel(),
        "perception": lambda image: of_perception.compute(image, hash_format="vector"),
        "PDQ": lambda image: pdqhash.compute(np.asarray(image))[0].astype(np.bool_),
    }
    made: dict[str, dict[tuple[str, int], npt.NDArray[np.bool_]]] = {name: {} for name in makers}
    for path in folder.rglob("*.png"):
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        for name, maker in makers.items():
            made[name][path.parent.name, int(path.stem)] = maker(image)
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


if __name__ == "__main__":
    main()
