"""How a FAISS index is made: of all embeddings, of those that came later, or of a sample."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from sigseek.storage.index import faiss_file, vector_file
from sigseek.storage.index.contract import Embeddings
from sigseek.storage.index.faiss_file import StoredIndex, indexed_ids, is_quantised
from sigseek.storage.index.sampling import SAMPLED, collected, draw
from sigseek.storage.index.vector_file import NO_IDS, VectorFile

Float16s = npt.NDArray[np.float16]
Ids = npt.NDArray[np.int64]

_QUANTISED_FROM = 20_000
_BITS = 4
_TOGETHER = 64
"""Dimensions that are trained between two looks at whether to stop, a tenth of a second."""
_TRAINING_VECTORS = 4_096  # 256 for each of a quantiser's 16 centroids; FAISS takes no more


def make(
    stored: StoredIndex | None, directory: Path, embeddings: Embeddings
) -> tuple[StoredIndex, VectorFile | None]:
    """Return an index of all embeddings: the stored one brought up to date, or a new one. Beside a
    quantised index there is the file of its embeddings, where it can be written.
    """
    generation = embeddings.generation
    if stored and _can_fold(stored, embeddings):
        folded, changed = _fold(stored, embeddings)
        if folded:
            ids = np.sort(indexed_ids(folded))
            earlier = vector_file.open_exactly(directory, embeddings, stored.generation)
            vectors = vector_file.write(ids, directory, embeddings, generation, earlier, changed)
            return StoredIndex(folded, generation, stored.trained_on), vectors
    if embeddings.count < _QUANTISED_FROM or embeddings.dimension % 2:
        flat = flat_index(embeddings.dimension, embeddings.chunks())
        return StoredIndex(flat, generation, embeddings.count), None
    index, ids = _trained(embeddings), embeddings.ids()
    vectors = vector_file.write(ids, directory, embeddings, generation)
    _add(index, vector_file.chunks(vectors, embeddings, ids))
    return StoredIndex(index, generation, embeddings.count), vectors


def sample_index(ids: Ids, embeddings: Embeddings) -> faiss.Index:
    """Return a flat index of a random sample of `ids`, which ascend; always the same of the same
    ids.
    """
    return flat_index(embeddings.dimension, embeddings.chunks(draw(ids, SAMPLED)))


def flat_index(dimension: int, chunks: Iterable[tuple[Ids, Float16s]]) -> faiss.Index:
    """Return an exact index of these embeddings, in the catalog's own float16."""
    empty = faiss.IndexScalarQuantizer(
        dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    return _add(faiss.IndexIDMap(empty), chunks)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Have FAISS work on this thread alone.

    It does not divide a single query among threads, and it divides training and adding into tiny
    steps. Where another program has a core, threads that meet after every step wait for it:
    training took 50 times as long. OpenMP keeps the number for each thread by itself, so threads
    that search at the same time do not disturb each other.
    """
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def _trained(embeddings: Embeddings) -> faiss.Index:
    """Return a quantiser that has learned from a random sample of the embeddings, always the same
    for the same library.
    """
    training = embeddings.chunks(draw(embeddings.ids(), _TRAINING_VECTORS))
    _, vectors = collected(training, embeddings.dimension)
    # One list of all: wrapped so, it takes ids, selectors and removals.
    spec = f"IVF1,PQ{embeddings.dimension // 2}x4fs"
    index = faiss.index_factory(embeddings.dimension, spec, faiss.METRIC_INNER_PRODUCT)
    with one_thread():
        _train(index, vectors.astype(np.float32), embeddings)
    return index


def _train(index: Any, training: npt.NDArray[np.float32], embeddings: Embeddings) -> None:
    """Train the index as its own `train` does, bit for bit, and look at whether to stop meanwhile.

    FAISS learns each pair of dimensions by itself, so pairs can be trained in groups. Its own way
    to interrupt the training would also end the searches of all other threads.
    """
    pointer = faiss.swig_ptr(training)
    index.train_q1(len(training), pointer, False, faiss.METRIC_INNER_PRODUCT)
    centroids = []
    for start in range(0, training.shape[1], _TOGETHER):
        embeddings.check_stop()
        group = np.ascontiguousarray(training[:, start : start + _TOGETHER])
        quantiser = faiss.ProductQuantizer(group.shape[1], group.shape[1] // 2, _BITS)
        quantiser.train(group)
        centroids.append(faiss.vector_to_array(quantiser.centroids))
    faiss.copy_array_to_vector(np.concatenate(centroids), index.pq.centroids)
    index.is_trained = True


def _can_fold(stored: StoredIndex, embeddings: Embeddings) -> bool:
    enough = _QUANTISED_FROM <= embeddings.count < 2 * stored.trained_on
    return is_quantised(stored.index) and enough


def _fold(stored: StoredIndex, embeddings: Embeddings) -> tuple[faiss.Index | None, Ids]:
    """Return the stored index with what came later and without what went, no old embedding read
    again, and the ids, ascending, of what came later. The index is None where it lacks some.
    """
    index: faiss.Index = faiss_file.writable_copy(stored.index)
    now = embeddings.ids()
    gone = np.setdiff1d(indexed_ids(index), now)
    if len(gone):
        index.remove_ids(faiss.IDSelectorBatch(gone))
    later = [NO_IDS]
    for ids, vectors in embeddings.chunks_after(stored.generation):
        if len(ids):
            index.remove_ids(faiss.IDSelectorBatch(ids))  # embedded again
            _add(index, [(ids, vectors)])
            later.append(ids)
    return index if index.ntotal >= len(now) else None, np.sort(np.concatenate(later))


def _add(index: faiss.Index, chunks: Iterable[tuple[Ids, Float16s]]) -> faiss.Index:
    for ids, vectors in chunks:
        if len(ids):
            with one_thread():
                index.add_with_ids(vectors.astype(np.float32), ids)
    return index
