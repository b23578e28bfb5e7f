"""A part of an opened FAISS index: one index of FAISS, without the rows that no longer hold."""

from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from sigseek.storage.index.faiss_build import one_thread
from sigseek.storage.index.faiss_file import indexed_ids, is_quantised
from sigseek.storage.index.vector_file import NO_IDS

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

_SINGLE_QUERY_KERNEL = 11
"""FAISS's `implem` for single queries. Its default is tuned for batches and a fifth slower here.
Results differ only in the last bit.
"""


class FaissPart:
    """One FAISS index, without the rows that no longer hold."""

    def __init__(self, index: faiss.Index, superseded: Ids = NO_IDS) -> None:
        """Take the ids, ascending, of rows whose photos were removed or embedded again since."""
        if is_quantised(index):
            index.implem = _SINGLE_QUERY_KERNEL
        self._index = index
        self._superseded = superseded
        self._sorted_ids: Ids | None = None
        self._mask: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return int(self._index.ntotal) - len(self._superseded)

    @property
    def is_exact(self) -> bool:
        """Whether the cosines are those of the embeddings, and no estimates."""
        return not is_quantised(self._index)

    def ids(self) -> Ids:
        """Return the ids of the rows that hold, ascending."""
        if self._sorted_ids is None:  # two threads would find the same
            ids = np.sort(indexed_ids(self._index))
            self._sorted_ids = np.setdiff1d(ids, self._superseded, assume_unique=True)
        return self._sorted_ids

    def embeddings(self) -> tuple[Ids, Floats]:
        """Return the ids, ascending, and embeddings float32 (n, dim) of the rows that hold, in a
        flat part.
        """
        rows = int(self._index.ntotal)
        flat = faiss.downcast_index(self._index.index)  # type: ignore[attr-defined]
        ids, vectors = indexed_ids(self._index), flat.reconstruct_n(0, rows)
        kept = np.flatnonzero(~contains(self._superseded, ids))
        order = kept[np.argsort(ids[kept])]
        return ids[order], vectors[order]

    def holds(self, ids: Ids) -> npt.NDArray[np.bool_]:
        """Return for each of the ids (n,) whether a row with it holds."""
        if self._mask is None:  # two threads would find the same
            held = self.ids()
            mask = np.zeros(int(held.max(initial=0)) + 1, np.bool_)
            mask[held] = True
            self._mask = mask
        known = ids < len(self._mask)
        if known.all():
            return self._mask[ids]
        found = np.zeros(len(ids), np.bool_)
        found[known] = self._mask[ids[known]]
        return found

    def everything(self, query: Floats, within: Ids | None = None) -> tuple[Ids, Floats]:
        """Return the ids, ascending, and cosines of all rows, or of those of `within`."""
        if within is not None and not self.is_exact:
            wanted = within[self.holds(within)]
            ids, cosines = self._search(query, len(wanted), wanted)
            return in_order(*_with_lowest(ids, cosines, wanted))
        ids, cosines = self._search(query, int(self._index.ntotal))
        if len(ids) < self._index.ntotal:
            ids, cosines = _with_lowest(ids, cosines, indexed_ids(self._index))
        ids, cosines = in_order(*self._holding(ids, cosines))
        if within is None:
            return ids, cosines
        rows = contains(within, ids)
        return ids[rows], cosines[rows]

    def nearest(self, query: Floats, count: int, within: Ids | None = None) -> tuple[Ids, Floats]:
        """Return the ids, ascending, and cosines of the `count` nearest rows. Among equal estimates
        any may be left out.
        """
        available = len(self) if within is None else min(len(self), len(within))
        if self.is_exact or count >= available:
            return best_in_order(*self.everything(query, within), count)
        if within is not None:
            wanted = within
            if len(self._superseded):
                wanted = np.setdiff1d(within, self._superseded, assume_unique=True)
            return in_order(*self._search(query, count, wanted))
        # As many more as could be superseded, so that `count` are left without these.
        found = self._search(query, min(count + len(self._superseded), int(self._index.ntotal)))
        return in_order(*self._holding(*found))

    def _holding(self, ids: Ids, cosines: Floats) -> tuple[Ids, Floats]:
        if not len(self._superseded):
            return ids, cosines
        rows = ~contains(self._superseded, ids)
        return ids[rows], cosines[rows]

    def _search(self, query: Floats, count: int, within: Ids | None = None) -> tuple[Ids, Floats]:
        """Return what FAISS finds, the nearest first; fewer than `count` where its kernel passes
        over some.
        """
        if count < 1 or (within is not None and not len(within)):
            return NO_IDS, np.zeros(0, np.float32)
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


def in_order(ids: Ids, cosines: Floats) -> tuple[Ids, Floats]:
    """Return both in the order of ascending ids."""
    order = np.argsort(ids)
    return ids[order], cosines[order]


def best_in_order(ids: Ids, cosines: Floats, count: int) -> tuple[Ids, Floats]:
    """Return the `count` nearest of the ids, which ascend, and their cosines. Of equally near ones
    the first are kept.
    """
    if len(ids) <= count:
        return ids, cosines
    best = np.sort(np.argsort(-cosines, kind="stable")[:count])
    return ids[best], cosines[best]


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


def contains(ids: Ids, wanted: Ids) -> npt.NDArray[np.bool_]:
    """Return for each of `wanted` (n,) whether it is among `ids`, which ascend."""
    if not len(ids):
        return np.zeros(len(wanted), np.bool_)
    places = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    found: npt.NDArray[np.bool_] = ids[places] == wanted
    return found
