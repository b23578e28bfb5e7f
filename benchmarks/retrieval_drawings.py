"""The quantiser judged by a checkpoint's real text queries: mini's, over drawings."""

import random
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from sigseek.demo.captions import caption
from sigseek.demo.drawing import draw_scene
from sigseek.demo.scene import Scene, numbered_scene
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.siglip import Preprocessing, load_checkpoint
from sigseek.siglip.runtimes.torch import TorchImageTower, TorchTextTower
from sigseek.storage import Catalog, EmbeddingRecord, PhotoFacts
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index import faiss_build
from sigseek.storage.index.contract import VectorIndex
from sigseek.storage.index.file_store import FileStore

DRAWINGS = 1_500
_QUERIES = 300
_SEED = 7  # training uses 1 and 2
_SIZE = (320, 240)
_BATCH = 32
_CANDIDATES = (15, 30, 75, 150)

Floats = npt.NDArray[np.float32]


def drawings_report() -> str:
    """Return, as text, how many of the exact ten nearest drawings are among the quantised index's
    candidates.
    """
    scenes = [numbered_scene(_SEED, number) for number in range(DRAWINGS)]
    checkpoint = load_checkpoint("mini")
    with TemporaryDirectory() as folder:
        images = _embed_drawings(
            scenes, Path(folder), TorchImageTower(checkpoint), checkpoint.preprocessing
        )
        rng = random.Random(_SEED)
        texts = TorchTextTower(checkpoint).embed(
            [caption(scene, rng) for scene in scenes[:_QUERIES]]
        )
        flat = _index(images, Path(folder) / "flat", quantised=False)
        quantised = _index(images, Path(folder) / "quantised", quantised=True)
    lines = [
        f"mini's text queries over {DRAWINGS:,} drawings, {images.shape[1]} dimensions. So "
        f"small a library is searched by the flat",
        "index, exactly; the quantised one is forced here to judge it. Share of the exact ten "
        "among so many candidates:",
        f"flat: {_holds(flat, images, texts, 10):.3f} of 10; quantised: "
        + ", ".join(
            f"{_holds(quantised, images, texts, count):.3f} of {count}" for count in _CANDIDATES
        )
        + f" ({100 * _CANDIDATES[-1] // DRAWINGS}% of the library)",
    ]
    return "\n".join(lines)


def _embed_drawings(
    scenes: list[Scene], folder: Path, tower: TorchImageTower, preprocessing: Preprocessing
) -> Floats:
    paths = []
    for number, scene in enumerate(scenes):
        paths.append(folder / f"{number}.jpg")
        draw_scene(scene, _SIZE, number).save(paths[-1], quality=90)
    batches = [paths[start : start + _BATCH] for start in range(0, len(paths), _BATCH)]
    return np.concatenate(
        [
            tower.embed(np.stack([decode_photo(path, preprocessing).pixels for path in batch]))
            for batch in batches
        ]
    )


def _index(images: Floats, directory: Path, *, quantised: bool) -> VectorIndex:
    """Return the index over the images, whose ids are rows + 1."""
    catalog = Catalog(directory)
    with catalog.transaction() as transaction:
        checkpoint = transaction.add_checkpoint(
            name="mini",
            fingerprint="f",
            preprocessing="p",
            dimension=images.shape[1],
            image_size=64,
            logit_scale=0,
            logit_bias=0,
        )
        ids = [
            transaction.add_photo(PhotoFacts(row.to_bytes(32, "big"), 4, 3, "JPEG"))
            for row in range(len(images))
        ]
        records = {
            id_: EmbeddingRecord(vector, "fp32", 1) for id_, vector in zip(ids, images, strict=True)
        }
        transaction.add_embeddings(checkpoint.id, records)
    usual = faiss_build._QUANTISED_FROM
    faiss_build._QUANTISED_FROM = 0 if quantised else usual
    try:
        embeddings = CheckpointEmbeddings(catalog, catalog.checkpoints()[0])
        return FileStore(directory / "index").open(embeddings)
    finally:
        faiss_build._QUANTISED_FROM = usual
        catalog.close()


def _holds(index: VectorIndex, images: Floats, texts: Floats, count: int) -> float:
    exact = np.argsort(-(texts @ images.T), axis=1)[:, :10] + 1
    return float(
        np.mean(
            [
                np.isin(true, index.nearest(text, count).ids).mean()
                for text, true in zip(texts, exact, strict=True)
            ]
        )
    )
