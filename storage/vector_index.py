"""The FAISS index: a copy of a checkpoint's embeddings, arranged for search. It can be deleted at any time.

Its file's name holds the generation it was made from, so file and generation cannot disagree. Embeddings that came
later are read from the catalog and searched exactly; the file is written anew when they exceed a tenth of it.
Embeddings removed since then are still found here: whoever takes candidates looks them up in the catalog anyway.
"""

import contextlib
import os
import re
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from storage.catalog import Catalog
from storage.records import CheckpointRecord

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_STALE_SHARE = 0.1


class VectorIndex:
    """Nearest embeddings of one checkpoint, complete as of the moment it is opened."""

    def __init__(self, index: faiss.Index, later: tuple[Ids, Floats]) -> None:
        self._index = index
        self._later = later

    @classmethod
    def open(cls, catalog: Catalog, checkpoint: CheckpointRecord, directory: Path) -> "VectorIndex":
        """The index of the checkpoint, from its file in `directory`; made anew when missing, damaged or too old.

        A file that cannot be written is no obstacle: the index is then made in memory.
        """
        found = _newest_file(directory, checkpoint)
        index = _read(found[0], checkpoint.dimension) if found else None
        if found and index is not None:
            ids, vectors = catalog.embeddings(checkpoint.id, after_generation=found[1])
            removed = index.ntotal + len(ids) - catalog.embedding_count(checkpoint.id)
            if len(ids) + abs(removed) <= _STALE_SHARE * index.ntotal:
                return cls(index, (ids, vectors.astype(np.float32)))
        ids, vectors = catalog.embeddings(checkpoint.id)
        index = _build(ids, vectors.astype(np.float32), checkpoint.dimension)
        with contextlib.suppress(OSError):
            _write(index, directory, checkpoint)
        return cls(index, (ids[:0], np.zeros((0, checkpoint.dimension), np.float32)))

    def __len__(self) -> int:
        """Embeddings that are searched."""
        return int(self._index.ntotal) + len(self._later[0])

    def candidates(self, query: Floats, count: int) -> Ids:
        """Ids int64 of about the `count` photos nearest to the unit-norm query (dim,), in no particular order.

        Complete for the file's part and for what came later; an id may have left the catalog meanwhile.
        """
        ids, vectors = self._later
        count = min(count, len(self))
        if count == 0:
            return ids[:0]
        _, found = self._index.search(query[None].astype(np.float32), min(count, self._index.ntotal))
        later = ids[np.argsort(-(vectors @ query), kind="stable")[:count]]
        return np.unique(np.concatenate([found[0][found[0] >= 0], later]))


def _build(ids: Ids, vectors: Floats, dimension: int) -> faiss.Index:
    """Flat and exact, in the catalog's own float16: at this size there is nothing to gain from approximation."""
    flat = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    index = faiss.IndexIDMap(flat)
    if len(ids):
        index.add_with_ids(vectors, ids)
    return index


def _file(directory: Path, checkpoint: CheckpointRecord) -> Path:
    return directory / f"{checkpoint.token}-{checkpoint.generation}.faiss"


def _newest_file(directory: Path, checkpoint: CheckpointRecord) -> tuple[Path, int] | None:
    """The file of the latest generation that the catalog has reached, and that generation."""
    pattern = re.compile(rf"{checkpoint.token}-(\d+)\.faiss")
    found = [(path, int(match[1])) for path in directory.glob("*.faiss") if (match := pattern.fullmatch(path.name))]
    usable = [(path, generation) for path, generation in found if generation <= checkpoint.generation]
    return max(usable, key=lambda item: item[1], default=None)


def _read(path: Path, dimension: int) -> faiss.Index | None:
    """The index in the file; None when it is no such index."""
    try:
        index = faiss.read_index(str(path))
    except RuntimeError:  # what FAISS raises for a file it cannot make sense of
        return None
    return index if index.d == dimension else None


def _write(index: faiss.Index, directory: Path, checkpoint: CheckpointRecord) -> None:
    """Write aside, flush to disk, rename; then drop the files of earlier generations."""
    directory.mkdir(parents=True, exist_ok=True)
    target = _file(directory, checkpoint)
    aside = target.with_suffix(f".{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.write(faiss.serialize_index(index).tobytes())
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
    for path in directory.glob(f"{checkpoint.token}-*.faiss"):
        if path != target:
            with contextlib.suppress(OSError):  # another process may have it open, or have removed it
                path.unlink()
