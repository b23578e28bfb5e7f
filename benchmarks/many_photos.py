"""Libraries of many photos whose sketches and embeddings are made up, and how long the search for
duplicates takes in them.
"""

import hashlib
import os
import resource
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sigseek.progress import Silence, Stop
from sigseek.search.duplicates.embedding_pairs import keep_embedding_pairs
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
    checkpoint = catalog.checkpoints()[0]
    times = [(time.process_time(), time.perf_counter())]

    def done() -> None:
        times.append((time.process_time(), time.perf_counter()))

    unkept = keep_pairs(catalog, _no_picture, nullcontext, Stop(), lambda photos: None)
    done()
    keep_embedding_pairs(catalog, checkpoint.id, nullcontext, Stop(), lambda photos: None)
    done()
    ids = catalog.photos_with_files()
    progress = ComparingProgress(Silence(), len(ids))
    finder = DuplicateFinder(
        catalog, checkpoint, ids, (), _no_picture, progress, Stop(), unkept=unkept
    )
    groups = finder.find(["identical", "near", "alike"])
    done()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    phases = [
        f"{worked - worked_before:.1f} s ({at - at_before:.1f} in all) {phase}"
        for phase, (worked_before, at_before), (worked, at) in zip(
            ("to compare hashes", "to compare embeddings", "to group"),
            times, times[1:], strict=False,
        )
    ]  # fmt: skip
    kinds = [group.kind for group in groups]
    print(f"{what}: {times[-1][0] - times[0][0]:.1f} s of processor time "
          f"({times[-1][1] - times[0][1]:.1f} in all): {', '.join(phases)}; "
          f"{most / 1e6:.2f} GB at most (before: {before / 1e6:.2f}); "
          f"{kinds.count('near'):,} near groups, {kinds.count('alike'):,} alike; "
          f"load {os.getloadavg()[0]:.0f}", flush=True)  # fmt: skip


def _no_picture(photo_id: int) -> bytes | None:
    return None


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
    """Add photos. Of ten, the second is a copy of the first, the third and fourth are shots of
    one burst, the fifth has a hash like the sixth, the seventh and eighth show one subject, and the
    others are alone.

    Their sketches have the spectrum of photographs, and as photographs they are mostly brighter at
    the top and in the middle. Embeddings are as near to each other as those of photographs.
    """
    sketches = _sketches(rng, count)
    tenths = [np.arange(place, count, 10) for place in range(10)]
    pairs = [np.stack([tenths[place][: count // 10], tenths[place + 1][: count // 10]])
             for place in (0, 2, 4, 6)]  # fmt: skip
    copies, bursts, like_hashes, subjects = pairs
    noise = rng.normal(0, 1, sketches[copies[1]].shape)
    sketches[copies[1]] = (sketches[copies[0]] + noise).clip(0, 255).astype(np.uint8)
    sketches[bursts[1]] = _next_shots(rng, sketches[bursts[0]])
    mixed = 0.65 * sketches[like_hashes[0]] + 0.35 * sketches[like_hashes[1]].astype(np.float64)
    sketches[like_hashes[1]] = mixed.astype(np.uint8)
    ids = _add_sketches(catalog, first, sketches)
    vectors = _embeddings(rng, count)
    for (one, other), own in ((copies, 0.05), (bursts, 0.4), (subjects, 0.75)):
        mean = _common()
        shared = vectors[one] - (vectors[one] @ mean)[:, None] * mean
        vectors[other] = (
            0.775 * mean + (1 - own**2) ** 0.5 * shared + own * (vectors[other] - 0.775 * mean)
        )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with catalog.transaction() as transaction:
        transaction.add_embeddings(
            catalog.checkpoints()[0].id,
            {
                id_: EmbeddingRecord(vector, "fp32", 1)
                for id_, vector in zip(ids.values(), vectors, strict=True)
            },
        )


def _add_sketches(catalog: Catalog, first: int, sketches: Sketches) -> dict[str, int]:
    bits, variants = hash_bits(sketches), variant_bits(sketches, _SHAPE)
    # Coding takes longest, and the levels of photos without a partner are hardly looked at.
    plain = coded(np.full((SIDE, SIDE), 128, np.uint8))
    photos = {}
    for number, (sketch, bit, variant) in enumerate(zip(sketches, bits, variants, strict=True)):
        levels = coded(sketch) if number % 10 < 8 else plain
        record = SketchRecord(levels, bit.tobytes(), variant.tobytes(), 100)
        photos[f"{first + number}.jpg"] = ((4000, 3000), HashRecord(record))
    return add_hashed(catalog, photos)


def _next_shots(rng: np.random.Generator, sketches: Sketches) -> Sketches:
    """Return what the next shots of the scenes show: the frame has moved, and so has a thing."""
    shots = sketches.copy()
    for shot, (across, down) in zip(shots, rng.integers(2, 5, (len(shots), 2)), strict=True):
        shot[20 + down : 36 + down, 20 + across : 36 + across] = shot[20:36, 20:36].copy()
        shot[:] = np.roll(shot, (down, across), axis=(0, 1))
    return shots


def _common() -> npt.NDArray[np.float32]:
    """Return the direction that all embeddings share."""
    common = np.random.default_rng(1).standard_normal(_DIMENSION).astype(np.float32)
    shared: npt.NDArray[np.float32] = common / np.linalg.norm(common)
    return shared


def _embeddings(rng: np.random.Generator, count: int) -> npt.NDArray[np.float32]:
    """Return embeddings (count, 768) whose variances fall with their rank, as photographs' do."""
    own = rng.standard_normal((count, _DIMENSION)).astype(np.float32)
    own *= np.arange(1, _DIMENSION + 1, dtype=np.float32) ** -0.4
    own -= (own @ _common())[:, None] * _common()
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    vectors: npt.NDArray[np.float32] = 0.775 * _common() + 0.632 * own
    return vectors


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
