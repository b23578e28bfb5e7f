"""Libraries of drawn pictures whose contents are known, embedded once and kept."""

import itertools
import random
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from benchmarks.libraries import fill
from sigseek.demo.photos import draw_photos
from sigseek.demo.scene import OBJECTS, PLACES, WEATHERS, Scene, numbered_scene
from sigseek.indexer.measure_biases import measure_biases
from sigseek.library import Library, open_library
from sigseek.siglip.names import MINI
from sigseek.storage import Catalog

Float16s = npt.NDArray[np.float16]


@dataclass(frozen=True)
class LeftOut:
    """What the drawings of a seed do not show, so that it can be asked for in vain."""

    objects: frozenset[str]
    places: frozenset[str]
    weathers: frozenset[str]

    def leaves(self, scene: Scene) -> bool:
        """Return whether the scene shows none of it."""
        return not (
            self.objects & {group.name for group in scene.objects}
            or scene.place in self.places
            or scene.weather in self.weathers
        )


def left_out(seed: int) -> LeftOut:
    """Return what the drawings of a seed do not show: five objects, a place and a weather."""
    rng = random.Random(seed)
    objects = frozenset(rng.sample(OBJECTS, 5))
    return LeftOut(objects, frozenset([rng.choice(PLACES)]), frozenset([rng.choice(WEATHERS)]))


@dataclass(frozen=True)
class Drawings:
    """The drawings of a seed, and what mini makes of them."""

    seed: int
    scenes: Sequence[Scene]
    vectors: Float16s
    """Unit norm, (n, dim), in the order of the scenes."""


def embedded_drawings(seed: int, count: int, keep: Path) -> Drawings:
    """Return the drawings of a seed. They are drawn and indexed once, and the embeddings kept in
    the directory `keep`.
    """
    without = left_out(seed)
    series = (numbered_scene(seed, number) for number in itertools.count())
    scenes = list(itertools.islice(filter(without.leaves, series), count))
    file = keep / f"{seed}-{count}.npy"
    if not file.exists():
        keep.mkdir(parents=True, exist_ok=True)
        np.save(file, _embedded(seed, count, without))
    return Drawings(seed, scenes, np.load(file))


def _embedded(seed: int, count: int, without: LeftOut) -> Float16s:
    """Draw and index the pictures, and return their embeddings in the order of the scenes."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        draw_photos(folder, count, seed, wanted=without.leaves)
        with open_library(folder / ".sigseek", MINI) as library:
            library.index(folder)
        with sqlite3.connect(folder / ".sigseek" / "catalog.sqlite") as connection:
            rows = connection.execute(
                "SELECT file.path, embedding.vector FROM file "
                "JOIN embedding USING (photo_id) ORDER BY file.path"
            ).fetchall()
        connection.close()
    assert len(rows) == count, f"{len(rows)} of {count} drawings were embedded"
    return np.stack([np.frombuffer(vector, np.float16) for _, vector in rows])


def filled_library(directory: Path, vectors: Float16s) -> Library:
    """Return a measured library of mini's embeddings. Photo n+1 is row n."""
    directory.mkdir(parents=True, exist_ok=True)
    library = open_library(directory, MINI)
    fill(directory, vectors, library.checkpoint)
    catalog = Catalog(directory)
    (record,) = catalog.checkpoints()
    measure_biases(catalog, record, library.yardstick())
    catalog.close()
    return library


def tag_part(library: Library, name: str, ids: Sequence[int]) -> None:
    """Give a tag to photos of a library."""
    catalog = Catalog(library.directory)
    (record,) = catalog.checkpoints()
    with catalog.transaction() as transaction:
        transaction.put_tag(name, record.id, np.array(ids, np.int64), np.ones(len(ids)))
    catalog.close()
