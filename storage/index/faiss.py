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
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from sigseek.storage.index import faiss_file, index_files, vector_file
from sigseek.storage.index.contract import FEWEST_SAMPLED, Embeddings, Estimates, Neighbours
from sigseek.storage.index.exact import ExactIndex
from sigseek.storage.index.faiss_build import flat_index, make, sample_index
from sigseek.storage.index.faiss_file import StoredIndex, indexed_ids, is_quantised
from sigseek.storage.index.faiss_part import FaissPart, best_in_order, contains, in_order
from sigseek.storage.index.index_files import SAMPLE
from sigseek.storage.index.sampling import collected, draw
from sigseek.storage.index.vector_file import NO_IDS, VectorFile

Floats = npt.NDArray[np.float32]
Float16s = npt.NDArray[np.float16]
Ids = npt.NDArray[np.int64]

_MOST_KEPT = 10_000
"""The most photos of a selection of which all embeddings are read and kept for the next query. With
768 dimensions they take 31 MB.
"""


class FaissIndex:
    """The embeddings of one checkpoint: a file's, what came later, and a sample of both."""

    def __init__(
        self,
        parts: Sequence[FaissPart],
        sample: Sequence[FaissPart],
        embeddings: Embeddings,
        vectors: VectorFile | None = None,
        superseded: Ids = NO_IDS,
    ) -> None:
        """Take parts that have no photo in common. An exact index needs no sample. `superseded` are
        the ids, ascending, of rows of the file of `vectors` that no longer hold.
        """
        self._parts = parts
        self._sample = sample
        self._sample_rows: ExactIndex | None = None
        self._embeddings = embeddings.without_stop()
        self._vectors = vectors
        self._superseded = superseded
        self._exact = all(part.is_exact for part in parts)
        self._sampling = threading.Lock()
        self._small: tuple[Ids, ExactIndex] | None = None
        """The last small selection that was asked for, and an index of it."""
        self._large: tuple[Ids, FaissPart] | None = None
        """The last large selection of which a sample was drawn, and that sample."""

    def __len__(self) -> int:
        """Return how many photos are searched."""
        return sum(map(len, self._parts))

    def held(self, ids: Ids) -> Ids:
        """See `VectorIndex.held`."""
        held = np.zeros(len(ids), np.bool_)
        for part in self._parts:
            held |= part.holds(ids)
        return ids if held.all() else ids[held]

    def nearest(self, query: Floats, count: int, within: Ids | None = None) -> Neighbours:
        """See `VectorIndex.nearest`."""
        if (whole := self._whole(within)) is not None:
            return whole.nearest(query, count)
        ids, cosines = _merged([part.nearest(query, count, within) for part in self._parts])
        return Neighbours(*best_in_order(ids, cosines, count), self._exact)

    def estimates(self, queries: Sequence[Floats], within: Ids | None = None) -> Estimates:
        """See `EstimatingIndex.estimates`."""
        if (whole := self._whole(within)) is not None:
            return whole.estimates(queries)
        ids, cosines = self._all_cosines(self._parts, queries, within)
        return Estimates(ids, tuple(cosines), self._exact)

    def sample(
        self, queries: Sequence[Floats], within: Ids | None = None
    ) -> tuple[Ids, list[Floats]]:
        """See `VectorIndex.sample`."""
        if self._exact:
            return self._all_cosines(self._parts, queries, within)
        if within is None or _count_within(self._sample, within) >= FEWEST_SAMPLED:
            return self._sampled().sample(queries, within)
        if (whole := self._whole(within)) is not None:
            return whole.sample(queries)
        return self._all_cosines([self._sample_of(within)], queries, None)

    def kept(self, ids: Ids) -> Iterator[tuple[Ids, Float16s]]:
        """See `VectorIndex.kept`. These are the embeddings of a quantised index's file."""
        if self._vectors is None:
            return
        if len(self._superseded):
            ids = ids[~contains(self._superseded, ids)]
        yield from self._vectors.chunks(ids)

    def _whole(self, within: Ids | None) -> ExactIndex | None:
        """Return an exact index of a small selection; None for a large one, and where this index is
        exact itself. The last one is kept, because several queries often ask for one selection.
        """
        if self._exact or within is None or len(within) > _MOST_KEPT:
            return None
        kept = self._small
        if kept is None or not np.array_equal(kept[0], within):
            dimension = self._embeddings.dimension
            ids, vectors = collected(self._embeddings.chunks(self.held(within)), dimension)
            order = np.argsort(ids)
            kept = self._small = within, ExactIndex(ids[order], vectors[order])
        return kept[1]

    def _sampled(self) -> ExactIndex:
        """Return the sample's embeddings in memory: every search compares all of them, and FAISS
        would put the nearest first, which takes as long again.
        """
        with self._sampling:  # it takes as long as a few searches, so one thread makes it for all
            if self._sample_rows is None:
                parts = [part.embeddings() for part in self._sample]
                ids, vectors = (np.concatenate(side) for side in zip(*parts, strict=True))
                order = np.argsort(ids)
                self._sample_rows = ExactIndex(ids[order], vectors[order])
            return self._sample_rows

    def _sample_of(self, within: Ids) -> FaissPart:
        """Return a sample of a large selection. The last one is kept."""
        kept = self._large
        if kept is None or not np.array_equal(kept[0], within):
            kept = self._large = within, FaissPart(sample_index(within, self._embeddings))
        return kept[1]

    @staticmethod
    def _all_cosines(
        parts: Sequence[FaissPart], queries: Sequence[Floats], within: Ids | None
    ) -> tuple[Ids, list[Floats]]:
        if not queries:
            ids = np.sort(np.concatenate([part.ids() for part in parts]))
            return (ids if within is None else ids[contains(within, ids)]), []
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
    # The index file comes last, so that a killed process leaves none without what lies beside it.
    made, vectors = make(stored, directory, embeddings)
    quantised = is_quantised(made.index)
    samples = [_stored_sample(made, directory, embeddings)] if quantised else []
    with contextlib.suppress(OSError):
        faiss_file.write(made.index, made.trained_on, directory, embeddings, made.generation)
        # From here on by memory map, if it is the same file: only then does nothing come later.
        made = faiss_file.open_exactly(directory, embeddings, made.generation) or made
    parts, sampled = [FaissPart(made.index)], [FaissPart(sample) for sample in samples]
    return FaissIndex(parts, sampled, embeddings, vectors)


def lacking_ids(directory: Path, embeddings: Embeddings) -> Ids:
    """Return the ids of photos that the newest file should hold and does not."""
    stored = faiss_file.open_newest(directory, embeddings)
    if stored is None:
        return NO_IDS
    return np.setdiff1d(embeddings.ids(stored.generation), indexed_ids(stored.index))


def _brought_up_to_date(stored: StoredIndex, directory: Path, embeddings: Embeddings) -> FaissIndex:
    """Return the stored index with what came later and without what no longer holds."""
    dimension = embeddings.dimension
    later_ids, later = collected(embeddings.chunks_after(stored.generation), dimension)
    superseded, lacking = _differences(stored, later_ids, embeddings)
    if len(lacking):
        more_ids, more = collected(embeddings.chunks(lacking), dimension)
        later_ids = np.concatenate([later_ids, more_ids])
        later = np.concatenate([later, more])
    parts = [
        FaissPart(stored.index, superseded),
        FaissPart(flat_index(dimension, [(later_ids, later)])),
    ]
    if not is_quantised(stored.index):
        return FaissIndex(parts, [], embeddings)
    kept = faiss_file.open_exactly(directory, embeddings, stored.generation, SAMPLE)
    sample = kept.index if kept else _stored_sample(stored, directory, embeddings)
    left_out = NO_IDS
    if len(superseded):
        left_out = np.intersect1d(indexed_ids(sample), superseded, assume_unique=True)
    # What came later has the same share in the sample as what the file holds.
    share = round(len(later_ids) * int(sample.ntotal) / max(stored.rows, 1))
    rows = draw(np.arange(len(later_ids)), share)
    sampled = [
        FaissPart(sample, left_out),
        FaissPart(flat_index(dimension, [(later_ids[rows], later[rows])])),
    ]
    vectors = vector_file.open_exactly(directory, embeddings, stored.generation)
    return FaissIndex(parts, sampled, embeddings, vectors, superseded)


def _differences(stored: StoredIndex, later_ids: Ids, embeddings: Embeddings) -> tuple[Ids, Ids]:
    """Return the ids, ascending, of the file's rows that were removed or embedded again since, and
    those that the file should hold and does not. `later_ids` were embedded since.
    """
    # The counts are equal unless rows were removed or embedded again, or the file lacks some.
    if stored.rows + len(later_ids) == embeddings.count:
        return NO_IDS, NO_IDS
    # In order, so that a million are compared in a twentieth of the time of numpy's sets.
    held = np.sort(indexed_ids(stored.index))
    changed = np.union1d(embeddings.removed_after(stored.generation), later_ids)
    superseded = changed[contains(held, changed)]
    if stored.rows - len(superseded) + len(later_ids) == embeddings.count:
        return superseded, NO_IDS
    # The file lacks some, or removals were forgotten.
    now = embeddings.ids()
    is_later = contains(np.sort(later_ids), now)
    return held[~contains(now[~is_later], held)], now[~(is_later | contains(held, now))]


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
    return in_order(*(np.concatenate(side) for side in zip(*parts, strict=True)))


def _count_within(parts: Sequence[FaissPart], within: Ids) -> int:
    return sum(int(contains(within, part.ids()).sum()) for part in parts)
