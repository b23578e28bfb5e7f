"""Libraries of many photos whose sketches and embeddings are made up, and how long the search for
duplicates takes in them.
"""

import hashlib
import resource
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sigseek.progress import Silence, Stop
from sigseek.search.duplicates.finder import ComparingProgress, DuplicateFinder
from sigseek.search.duplicates.pairs import keep_pairs
from sigseek.storage import Catalog, EmbeddingRecord, PhotoFacts, ReadFile
from sigseek.storage.perceptual_hash import SIDE, Sketches, hash_bits, variant_bits
from sigseek.storage.records.hashes import HashRecord, SketchRecord
from sigseek.storage.sketch_coding import coded

_DIMENSION = 768
_MADE = 2_000
"""Photos that are made up together."""
_SHAPE = 0.75
_NEW = 1_000


def measure_time(place: Path, count: int) -> None:
    """Print how long the search takes among so many photos, and again after some more."""
    catalog = Catalog(place)
    add_folder(catalog, place / "photos")
    rng = np.random.default_rng(0)
    for first in range(0, count, _MADE):
        _make_up(catalog, rng, first, min(_MADE, count - first))
    _search(catalog, f"{count:,} photos")
    _make_up(catalog, rng, count, _NEW)
    _search(catalog, f"{_NEW:,} more")
    catalog.close()


def _search(catalog: Catalog, what: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, worked = time.perf_counter(), time.process_time()
    keep_pairs(catalog, nullcontext, Stop(), lambda photos: None)
    compared = time.perf_counter()
    ids = catalog.photos_with_files()
    progress = ComparingProgress(Silence(), len(ids))
    finder = DuplicateFinder(catalog, catalog.checkpoints()[0], ids, (), progress, Stop())
    near = finder.find(["identical", "near"])
    grouped = time.perf_counter()
    alike = finder.find(["alike"])
    ended = time.perf_counter()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{what}: {ended - started:.1f} s, of which {compared - started:.1f} to compare hashes, "
          f"{grouped - compared:.1f} to group, {ended - grouped:.1f} for alike photos; "
          f"{time.process_time() - worked:.1f} s of processor time; "
          f"{most / 1e6:.2f} GB at most (before: {before / 1e6:.2f}); "
          f"{len(near):,} near groups, {len(alike):,} alike", flush=True)  # fmt: skip


def add_folder(catalog: Catalog, path: Path) -> None:
    """Add a folder, and a checkpoint without embeddings, to an empty catalog."""
    with catalog.transaction() as transaction:
        transaction.add_checkpoint(
            name="made up", fingerprint="made up", preprocessing="p", dimension=_DIMENSION,
            image_size=224, logit_scale=4.7, logit_bias=-12.9,
        )  # fmt: skip
        transaction.add_folder(path)


def add_hashed(
    catalog: Catalog, photos: Mapping[str, tuple[tuple[int, int], HashRecord]]
) -> dict[str, int]:
    """Add photos, each in a file of this path, with their sizes and hashes. Returns their ids."""
    (folder,) = catalog.folders()
    facts = {
        path: PhotoFacts(hashlib.sha256(path.encode()).digest(), *size, "JPEG")
        for path, (size, _) in photos.items()
    }
    with catalog.transaction() as transaction:
        by_digest = transaction.add_photos(list(facts.values()))
        ids = {path: by_digest[fact.digest] for path, fact in facts.items()}
        transaction.put_files(
            folder.id, [ReadFile(path, id_, 3_000_000, 1) for path, id_ in ids.items()]
        )
        transaction.put_hashes({ids[path]: found for path, (_, found) in photos.items()}, 1)
    return ids


def _make_up(catalog: Catalog, rng: np.random.Generator, first: int, count: int) -> None:
    """Add photos. Every tenth is like the one before.

    Their sketches have the spectrum of photographs, and as photographs they are mostly brighter at
    the top and in the middle. Embeddings are as near to each other as those of photographs.
    """
    copies = slice(1, None, 10)
    sketches = _sketches(rng, count)
    noise = rng.normal(0, 1, sketches[copies].shape)
    originals = sketches[::10][: len(noise)]
    sketches[copies] = (originals + noise).clip(0, 255).astype(np.uint8)
    # Coding takes longest, and the levels of photos without a copy are hardly looked at.
    plain = coded(np.full((SIDE, SIDE), 128, np.uint8))
    bits, variants = hash_bits(sketches), variant_bits(sketches, _SHAPE)
    photos = {}
    for number, (sketch, bit, variant) in enumerate(zip(sketches, bits, variants, strict=True)):
        levels = coded(sketch) if number % 10 < 2 else plain
        record = SketchRecord(levels, bit.tobytes(), variant.tobytes(), 100)
        photos[f"{first + number}.jpg"] = ((4000, 3000), HashRecord(record))
    ids = add_hashed(catalog, photos)
    common = np.random.default_rng(1).standard_normal(_DIMENSION).astype(np.float32)
    common /= np.linalg.norm(common)
    own = rng.standard_normal((count, _DIMENSION)).astype(np.float32)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    vectors = 0.775 * common + 0.632 * own
    vectors[copies] = vectors[::10][: len(noise)] + 0.004 * own[copies]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with catalog.transaction() as transaction:
        transaction.add_embeddings(
            catalog.checkpoints()[0].id,
            {
                id_: EmbeddingRecord(vector, "fp32", 1)
                for id_, vector in zip(ids.values(), vectors, strict=True)
            },
        )


def _sketches(rng: np.random.Generator, count: int) -> Sketches:
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None])
    frequency[0, 0] = 1
    noise = np.fft.rfft2(rng.standard_normal((count, SIDE, SIDE)))
    planes = np.fft.irfft2(noise / frequency**1.5, (SIDE, SIDE))
    planes /= planes.std(axis=(1, 2), keepdims=True)
    place = np.linspace(-1, 1, SIDE)
    y, x = np.meshgrid(place, place, indexing="ij")
    for trend in (-y, -(x**2 + y**2)):
        planes += rng.normal(1.5, 1.5, (count, 1, 1)) * trend
    levels: npt.NDArray[np.uint8] = (120 + 40 * planes).clip(0, 255).astype(np.uint8)
    return levels
