"""The nearest photos of each photo by embedding."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from sigseek.progress import Stop
from sigseek.storage import CatalogReader
from sigseek.storage.records.arrays import Floats, Ids, Rows
from sigseek.storage.records.hashes import EmbeddingPairs

NEIGHBOURS = 8
"""How many of its nearest a photo is paired with."""
_SAMPLE = 10_000
"""Photos by which the embeddings of all are described."""
_FEW = 5_000
"""Up to this many photos, embeddings are compared in all of their dimensions."""
_DIMENSIONS = 128
"""How many dimensions of the embeddings are kept where there are more."""
_ROUNDING = 0.01
"""How much rounding to 16 bits may add to a squared distance."""
_PAIRS = 2_000
"""Pairs whose cosines are computed together."""
_READ = 20_000
"""Embeddings that are compared with new ones at the same time."""

Told = Callable[[int], None]
"""A function that is called with how many photos are done."""


def usual_cosine(catalog: CatalogReader, checkpoint_id: int, ids: Ids) -> float:
    """Return the mean cosine of two of these photos."""
    mean = _sample(catalog, checkpoint_id, ids).mean(axis=0)
    return float(mean @ mean)


def pairs_of_all(
    catalog: CatalogReader, checkpoint_id: int, ids: Ids, least: float, stop: Stop, told: Told
) -> EmbeddingPairs:
    """Return pairs of these photos, whose ids are ascending, with this cosine at least. Each photo
    is paired with a few of its nearest.
    """
    from sigseek.storage.index.neighbours import nearest_pairs  # it loads FAISS

    found, vectors = _read(catalog, checkpoint_id, ids, stop)
    if len(found) < 2:
        return _pairs(np.empty((0, 2), np.int64), np.empty(0, np.float32), found, least)
    reduced = _reduced(vectors, _sample(catalog, checkpoint_id, found))
    pairs = nearest_pairs(reduced, NEIGHBOURS, 2 - 2 * least + _ROUNDING, stop, told)
    return _pairs(pairs, _cosines(vectors, pairs, stop), found, least)


def pairs_of_new(
    catalog: CatalogReader,
    checkpoint_id: int,
    new: Ids,
    ids: Ids,
    least: float,
    stop: Stop,
    told: Told,
) -> EmbeddingPairs:
    """Return pairs of photos with this cosine at least, of which one or both are among the `new`
    ones. Each of these is paired with a few of its nearest among `ids`. All ids are ascending.
    """
    from sigseek.storage.index.neighbours import most_alike

    asked, vectors = _read(catalog, checkpoint_id, new, stop)
    queries = vectors.astype(np.float32)
    if not len(asked):  # only a removal made a new generation
        return _pairs(np.empty((0, 2), np.int64), np.empty(0, np.float32), asked, least)
    parts = [(np.empty((0, 2), np.int64), np.empty(0, np.float32))]
    done = 0
    for found, others in _blocks(catalog, checkpoint_id, ids, stop):
        cosines, rows = most_alike(queries, others, min(NEIGHBOURS + 1, len(found)))
        one, other = np.repeat(np.arange(len(asked)), rows.shape[1]), found[rows.ravel()]
        kept = (cosines.ravel() >= least) & (other != asked[one])
        parts.append((np.stack([one[kept], other[kept]], axis=1), cosines.ravel()[kept]))
        done += len(found)
        told(done * len(new) // len(ids))
    pairs, cosines = (np.concatenate(column) for column in zip(*parts, strict=True))
    nearest = _first_of_each(pairs[:, 0], -cosines, NEIGHBOURS)
    pairs, cosines = pairs[nearest], cosines[nearest]
    both = np.sort(np.stack([asked[pairs[:, 0]], pairs[:, 1]], axis=1), axis=1)
    _, once = np.unique(both, axis=0, return_index=True)
    return _pairs(both[once], cosines[once], None, least)


def exact_cosines(
    catalog: CatalogReader, checkpoint_id: int, one: Ids, other: Ids, stop: Stop
) -> Floats:
    """Return the cosine (n,) of each pair of photos; NaN where one of them has no embedding."""
    cosines = np.full(len(one), np.nan, np.float32)
    for first in range(0, len(one), _PAIRS):
        stop.check()
        some = slice(first, first + _PAIRS)
        wanted = np.union1d(one[some], other[some])
        ids, vectors = catalog.embeddings(checkpoint_id, wanted)
        if not len(ids):
            continue
        left, right = (
            np.minimum(np.searchsorted(ids, side[some]), len(ids) - 1) for side in (one, other)
        )
        known = (ids[left] == one[some]) & (ids[right] == other[some])
        floats = vectors.astype(np.float32)
        values = np.einsum("nd,nd->n", floats[left], floats[right])
        cosines[some] = np.where(known, values, np.nan)
    return cosines


def _sample(catalog: CatalogReader, checkpoint_id: int, ids: Ids) -> Floats:
    """Return the embeddings of some of these photos; zeros if they have none."""
    _, vectors = catalog.embeddings(checkpoint_id, ids[:: max(1, len(ids) // _SAMPLE)])
    return vectors.astype(np.float32) if len(vectors) else np.zeros((1, vectors.shape[1]), "f4")


def _read(
    catalog: CatalogReader, checkpoint_id: int, ids: Ids, stop: Stop
) -> tuple[Ids, npt.NDArray[np.float16]]:
    """Return those of these photos, ascending, that have embeddings, and their embeddings."""
    found, vectors, count = np.empty(len(ids), np.int64), None, 0
    for some, chunk in catalog.embedding_chunks(checkpoint_id, ids):
        stop.check()
        if vectors is None:
            vectors = np.empty((len(ids), chunk.shape[1]), np.float16)
        found[count : count + len(some)] = some
        vectors[count : count + len(some)] = chunk
        count += len(some)
    assert vectors is not None  # there is one chunk at least, which may be empty
    found, vectors = found[:count], vectors[:count]
    if (np.diff(found) < 0).any():
        order = np.argsort(found)
        found, vectors = found[order], vectors[order]
    return found, vectors


def _blocks(
    catalog: CatalogReader, checkpoint_id: int, ids: Ids, stop: Stop
) -> Iterator[tuple[Ids, Floats]]:
    """Yield the embeddings of these photos, some thousand at a time."""
    for first in range(0, len(ids), _READ):
        found, vectors = _read(catalog, checkpoint_id, ids[first : first + _READ], stop)
        if len(found):
            yield found, vectors.astype(np.float32)


def _reduced(vectors: npt.NDArray[np.float16], sample: Floats) -> Floats:
    """Return the vectors, with fewer dimensions if they are many. In fewer dimensions two of them
    are never farther from each other than in all.
    """
    if len(vectors) <= _FEW or vectors.shape[1] <= _DIMENSIONS:
        return vectors.astype(np.float32)
    mean = sample.mean(axis=0)
    spread = sample - mean
    axes = np.linalg.eigh(spread.T @ spread)[1][:, -_DIMENSIONS:].astype(np.float32)
    reduced = np.empty((len(vectors), _DIMENSIONS), np.float32)
    for first in range(0, len(vectors), _READ):
        some = slice(first, first + _READ)
        reduced[some] = (vectors[some].astype(np.float32) - mean) @ axes
    return reduced


def _cosines(vectors: npt.NDArray[np.float16], pairs: Rows, stop: Stop) -> Floats:
    """Return the cosine (n,) of each pair (n, 2) of rows."""

    def of_some(first: int) -> Floats:
        stop.check()
        one, other = pairs[first : first + _PAIRS].T
        once, places = np.unique(one, return_inverse=True)  # a photo has several pairs in a row
        found: Floats = np.einsum(
            "nd,nd->n", vectors[once].astype(np.float32)[places], vectors[other].astype(np.float32)
        )
        return found

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        parts = list(threads.map(of_some, range(0, len(pairs), _PAIRS)))
    return np.concatenate([np.empty(0, np.float32), *parts])


def _pairs(pairs: Rows, cosines: Floats, ids: Ids | None, least: float) -> EmbeddingPairs:
    """Return those of the pairs (n, 2) of photos with this cosine at least. `ids` has the photos of
    rows; None if the pairs are of ids already.
    """
    kept = cosines >= least
    one, other = pairs[kept].T if ids is None else ids[pairs[kept]].T
    return EmbeddingPairs(one, other, cosines[kept], np.full(len(one), -1, np.int8))


def _first_of_each(owners: Rows, ranks: Floats, most: int) -> Rows:
    """Return the places of the first few of each owner by rank."""
    order = np.lexsort((ranks, owners))
    before = np.arange(len(order)) - np.searchsorted(owners[order], owners[order])
    first: Rows = order[before < most]
    return first
