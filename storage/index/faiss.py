"""The vector index in FAISS.

Up to 20,000 embeddings it is flat and exact. Beyond, it is a product quantiser of 4 bits for every
two dimensions, scanned in full. There are no clusters: text queries lie far from all images, and an
index that looks into some clusters only loses their best photos.

A file holds the embeddings of one generation. At every opening the embeddings that are newer are
read from the catalog and searched exactly, and rows of the file whose photos were removed or
embedded again are left out. When these become many, they are folded into a new file with the same
quantiser. When the library has doubled since the quantiser was trained, all is made again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from sigseek.storage.index import faiss_file, index_files
from sigseek.storage.index.contract import Embeddings, Estimates, Neighbours
from sigseek.storage.index.faiss_build import (
    collected,
    draw,
    flat_index,
    make,
    one_thread,
    sample_index,
)
from sigseek.storage.index.faiss_file import StoredIndex, indexed_ids, is_quantised
from sigseek.storage.index.index_files import SAMPLE

Floats = npt.NDArray[np.float32]
Float16s = npt.NDArray[np.float16]
Ids = npt.NDArray[np.int64]

_FEWEST_SAMPLED = 1_000
"""When fewer photos of a selection are in the sample, one is drawn for the selection itself."""
_SINGLE_QUERY_KERNEL = 11
"""FAISS's `implem` for single queries. Its default is tuned for batches and a fifth slower here.
Results differ only in the last bit.
"""
_NO_IDS = np.zeros(0, np.int64)


class _Part:
    """One FAISS index, without the rows that no longer hold."""

    def __init__(self, index: faiss.Index, superseded: Ids = _NO_IDS) -> None:
        """Take the ids, ascending, of rows whose photos were removed or embedded again since."""
        if is_quantised(index):
            index.implem = _SINGLE_QUERY_KERNEL
        self._index = index
        self._superseded = superseded
        self._sorted_ids: Ids | None = None

    def __len__(self) -> int:
        return int(self._index.ntotal) - len(self._superseded)

    @property
    def is_exact(self) -> bool:
        return not is_quantised(self._index)

    def ids(self) -> Ids:
        """Return the ids of the rows that hold, ascending."""
        if self._sorted_ids is None:  # two threads would find the same
            ids = np.sort(indexed_ids(self._index))
            self._sorted_ids = np.setdiff1d(ids, self._superseded, assume_unique=True)
        return self._sorted_ids

    def everything(self, query: Floats, within: Ids | None = None) -> tuple[Ids, Floats]:
        """Return the ids, ascending, and cosines of all rows, or of those of `within`."""
        if within is not None and not self.is_exact:
            wanted = within[_contains(self.ids(), within)]
            ids, cosines = self._search(query, len(wanted), wanted)
            return _in_order(*_with_lowest(ids, cosines, wanted))
        ids, cosines = self._search(query, int(self._index.ntotal))
        if len(ids) < self._index.ntotal:
            ids, cosines = _with_lowest(ids, cosines, indexed_ids(self._index))
        ids, cosines = _in_order(*self._holding(ids, cosines))
        if within is None:
            return ids, cosines
        rows = _contains(within, ids)
        return ids[rows], cosines[rows]

    def nearest(self, query: Floats, count: int, within: Ids | None = None) -> tuple[Ids, Floats]:
        """Return the ids, ascending, and cosines of the `count` nearest rows. Among equal estimates
        any may be left out.
        """
        available = len(self) if within is None else min(len(self), len(within))
        if self.is_exact or count >= available:
            ids, cosines = self.everything(query, within)
            best = np.sort(np.argsort(-cosines, kind="stable")[:count])
            return ids[best], cosines[best]
        if within is not None:
            wanted = np.setdiff1d(within, self._superseded, assume_unique=True)
            return _in_order(*self._search(query, count, wanted))
        # As many more as could be superseded, so that `count` are left without these.
        found = self._search(query, min(count + len(self._superseded), int(self._index.ntotal)))
        return _in_order(*self._holding(*found))

    def _holding(self, ids: Ids, cosines: Floats) -> tuple[Ids, Floats]:
        if not len(self._superseded):
            return ids, cosines
        rows = ~_contains(self._superseded, ids)
        return ids[rows], cosines[rows]

    def _search(self, query: Floats, count: int, within: Ids | None = None) -> tuple[Ids, Floats]:
        """Return what FAISS finds, the nearest first; fewer than `count` where its kernel passes
        over some.
        """
        if count < 1 or (within is not None and not len(within)):
            return _NO_IDS, np.zeros(0, np.float32)
        parameters = (
            faiss.SearchParametersIVF() if is_quantised(self._index) else faiss.SearchParameters()
        )
        if within is not None:
            wanted = np.zeros(int(within[-1]) + 1, np.bool_)
            wanted[within] = True
            selector: Any = faiss.IDSelectorBitmap  # annotated as it is in C++, with a length
            parameters.sel = selector(np.packbits(wanted, bitorder="little"))
        with one_thread():
            (cosines,), (ids,) = self._index.search(
                query[None].astype(np.float32), count, params=parameters
            )
        found = ids >= 0
        return np.array(ids[found]), np.array(cosines[found])


class FaissIndex:
    """The embeddings of one checkpoint: a file's, what came later, and a sample of both."""

    def __init__(
        self, parts: Sequence[_Part], sample: Sequence[_Part], embeddings: Embeddings
    ) -> None:
        """Take parts that have no photo in common. An exact index needs no sample."""
        self._parts = parts
        self._sample = sample
        self._embeddings = embeddings
        self._exact = all(part.is_exact for part in parts)

    def __len__(self) -> int:
        """Return how many photos are searched."""
        return sum(map(len, self._parts))

    def held(self, ids: Ids) -> Ids:
        """See `VectorIndex.held`."""
        found = [ids[_contains(part.ids(), ids)] for part in self._parts]
        return np.sort(np.concatenate(found))

    def nearest(self, query: Floats, count: int, within: Ids | None = None) -> Neighbours:
        """See `VectorIndex.nearest`."""
        ids, cosines = _merged([part.nearest(query, count, within) for part in self._parts])
        if self._exact:
            best = np.sort(np.argsort(-cosines, kind="stable")[:count])
            ids, cosines = ids[best], cosines[best]
        return Neighbours(ids, cosines, self._exact)

    def estimates(self, queries: Sequence[Floats], within: Ids | None = None) -> Estimates:
        """See `EstimatingIndex.estimates`."""
        ids, cosines = self._all_cosines(self._parts, queries, within)
        return Estimates(ids, tuple(cosines), self._exact)

    def sample(
        self, queries: Sequence[Floats], within: Ids | None = None
    ) -> tuple[Ids, list[Floats]]:
        """See `VectorIndex.sample`."""
        if self._exact:
            return self._all_cosines(self._parts, queries, within)
        if within is None or _count_within(self._sample, within) >= _FEWEST_SAMPLED:
            return self._all_cosines(self._sample, queries, within)
        own = _Part(sample_index(within, self._embeddings))
        return self._all_cosines([own], queries, None)

    @staticmethod
    def _all_cosines(
        parts: Sequence[_Part], queries: Sequence[Floats], within: Ids | None
    ) -> tuple[Ids, list[Floats]]:
        if not queries:
            ids = np.sort(np.concatenate([part.ids() for part in parts]))
            return (ids if within is None else ids[_contains(within, ids)]), []
        found = [_merged([part.everything(query, within) for part in parts]) for query in queries]
        return found[0][0], [cosines for _, cosines in found]


def open_index(directory: Path, embeddings: Embeddings) -> FaissIndex:
    """See `IndexStore.open`; the files are in `directory`."""
    stored = faiss_file.open_newest(directory, embeddings)
    if stored:
        most = index_files.most_stale(stored.rows)
        later = embeddings.count_after(stored.generation, most + 1)
        if index_files.may_serve(stored.rows, later, embeddings.count):
            return _brought_up_to_date(stored, directory, embeddings)
    made = make(stored, embeddings)
    # The sample comes first, so that a killed process leaves no index file without its sample.
    samples = [_stored_sample(made, directory, embeddings)] if is_quantised(made.index) else []
    with contextlib.suppress(OSError):
        faiss_file.write(made.index, made.trained_on, directory, embeddings, made.generation)
        # From here on by memory map, if it is the same file: only then does nothing come later.
        made = faiss_file.open_exactly(directory, embeddings, made.generation) or made
    return FaissIndex([_Part(made.index)], [_Part(sample) for sample in samples], embeddings)


def lacking_ids(directory: Path, embeddings: Embeddings) -> Ids:
    """Return the ids of photos that the newest file should hold and does not."""
    stored = faiss_file.open_newest(directory, embeddings)
    if stored is None:
        return _NO_IDS
    return np.setdiff1d(embeddings.ids(stored.generation), indexed_ids(stored.index))


def _brought_up_to_date(stored: StoredIndex, directory: Path, embeddings: Embeddings) -> FaissIndex:
    """Return the stored index with what came later and without what no longer holds."""
    dimension = embeddings.dimension
    later_ids, later = collected(embeddings.chunks_after(stored.generation), dimension)
    superseded = _NO_IDS
    # The counts are equal unless rows were removed or embedded again, or the file lacks some.
    if stored.rows + len(later_ids) != embeddings.count:
        held, now = np.sort(indexed_ids(stored.index)), embeddings.ids()
        superseded = np.setdiff1d(held, np.setdiff1d(now, later_ids, assume_unique=True))
        lacking = np.setdiff1d(now, np.union1d(held, later_ids), assume_unique=True)
        if len(lacking):
            more_ids, more = collected(embeddings.chunks(lacking), dimension)
            later_ids = np.concatenate([later_ids, more_ids])
            later = np.concatenate([later, more])
    parts = [_Part(stored.index, superseded), _Part(flat_index(dimension, [(later_ids, later)]))]
    if not is_quantised(stored.index):
        return FaissIndex(parts, [], embeddings)
    kept = faiss_file.open_exactly(directory, embeddings, stored.generation, SAMPLE)
    sample = kept.index if kept else _stored_sample(stored, directory, embeddings)
    left_out = _NO_IDS
    if len(superseded):
        left_out = np.intersect1d(indexed_ids(sample), superseded, assume_unique=True)
    # What came later has the same share in the sample as what the file holds.
    share = round(len(later_ids) * int(sample.ntotal) / max(stored.rows, 1))
    rows = draw(np.arange(len(later_ids)), share)
    sampled = [
        _Part(sample, left_out),
        _Part(flat_index(dimension, [(later_ids[rows], later[rows])])),
    ]
    return FaissIndex(parts, sampled, embeddings)


def _stored_sample(index: StoredIndex, directory: Path, embeddings: Embeddings) -> faiss.Index:
    """Return a sample of the index, drawn now and written beside it if that is possible."""
    sample = sample_index(np.sort(indexed_ids(index.index)), embeddings)
    with contextlib.suppress(OSError):
        rows = int(sample.ntotal)
        faiss_file.write(sample, rows, directory, embeddings, index.generation, SAMPLE)
    return sample


def _merged(parts: Sequence[tuple[Ids, Floats]]) -> tuple[Ids, Floats]:
    """Return ids, ascending, and cosines of parts that have none in common."""
    if sum(1 for ids, _ in parts if len(ids)) < 2:
        return max(parts, key=lambda part: len(part[0]))
    return _in_order(*(np.concatenate(side) for side in zip(*parts, strict=True)))


def _in_order(ids: Ids, cosines: Floats) -> tuple[Ids, Floats]:
    order = np.argsort(ids)
    return ids[order], cosines[order]


def _with_lowest(ids: Ids, cosines: Floats, wanted: Ids) -> tuple[Ids, Floats]:
    """Return the cosines of all wanted ids. The fast-scan kernel drops vectors whose 16-bit score
    is the minimum, so these get the lowest score found.
    """
    if len(ids) == len(wanted):
        return ids, cosines
    dropped = np.setdiff1d(wanted, ids)
    lowest = cosines.min(initial=1)
    return (
        np.concatenate([ids, dropped]),
        np.concatenate([cosines, np.full(len(dropped), lowest, np.float32)]),
    )


def _contains(ids: Ids, wanted: Ids) -> npt.NDArray[np.bool_]:
    """Return for each of `wanted` (n,) whether it is among `ids`, which ascend."""
    if not len(ids):
        return np.zeros(len(wanted), np.bool_)
    places = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    found: npt.NDArray[np.bool_] = ids[places] == wanted
    return found


def _count_within(parts: Sequence[_Part], within: Ids) -> int:
    return sum(int(_contains(within, part.ids()).sum()) for part in parts)
