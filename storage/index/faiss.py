"""The FAISS index: a copy of a checkpoint's embeddings, arranged for search. It can be deleted at any time.

Up to 20,000 embeddings it is flat and exact. Beyond, it is a product quantiser of 4 bits for every two dimensions,
scanned in full. No clusters: queries that are texts lie far from all images, and miss what clusters leave out.

Its file's name holds the generation it was made from, so file and generation cannot disagree. Embeddings that came later
are read from the catalog and searched exactly. When they become many, they are folded into the file with the quantiser
as it is; when the library has doubled since it was trained, all is made anew. Embeddings removed since then are still
found here: whoever takes candidates looks them up in the catalog anyway.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
import numpy.typing as npt

from sigseek.storage.catalog import Catalog
from sigseek.storage.index import faiss_file
from sigseek.storage.index.faiss_file import SAMPLE, StoredIndex, is_quantised
from sigseek.storage.records import CheckpointRecord

if TYPE_CHECKING:
    from sigseek.storage.records import Float16s, Ids

Floats = npt.NDArray[np.float32]

_QUANTISED_FROM = 20_000
_STALE_SHARE = 0.1
_STALE_MOST = 5_000  # their embeddings are read whenever the index is opened: 30 ms
_SAMPLE = (
    5_000  # enough to tell a share of a few hundredths to a tenth of it; scored in a millisecond
)
_LESSONS = 4_096  # 256 for each of a quantiser's 16 centroids; FAISS takes no more
_ONE_QUERY = 11
"""FAISS's number for its way of scanning one query at a time, a fifth faster for that than the way
it takes by itself, which is for many. It finds the same but for equals in the last place.
"""


class VectorIndex:
    """Nearest embeddings of one checkpoint, complete as of the moment it is opened."""

    def __init__(self, index: faiss.Index, later: faiss.Index, sample: faiss.Index | None) -> None:
        if is_quantised(index):
            index.implem = _ONE_QUERY
        self._index = index
        self._later = later
        self._sample = sample

    @classmethod
    def open(cls, catalog: Catalog, checkpoint: CheckpointRecord, directory: Path) -> VectorIndex:
        """The index of the checkpoint, from its file in `directory`; brought up to date or made
        anew where need be.

        A file that cannot be written is no obstacle: the index is then made in memory.
        """
        index, later = cls._opened(catalog, checkpoint, directory)
        return cls(
            index, later, _sample(catalog, checkpoint, directory) if is_quantised(index) else None
        )

    @staticmethod
    def _opened(
        catalog: Catalog, checkpoint: CheckpointRecord, directory: Path
    ) -> tuple[faiss.Index, faiss.Index]:
        """What lies in a file, and what came later."""
        stored = faiss_file.open_newest(directory, checkpoint)
        if stored:
            most = int(min(_STALE_MOST, _STALE_SHARE * stored.index.ntotal))
            later = catalog.count_embeddings_after(checkpoint.id, stored.generation, most + 1)
            removed = int(stored.index.ntotal) + later - checkpoint.embeddings
            if later + abs(removed) <= most:
                chunks = catalog.embedding_chunks(checkpoint.id, after_generation=stored.generation)
                return stored.index, _add(_flat(checkpoint.dimension), chunks)
        if stored and _can_fold(stored, checkpoint):
            index, trained_on = _fold(stored, catalog, checkpoint), stored.trained_on
        else:
            index, trained_on = _build(catalog, checkpoint), checkpoint.embeddings
        with contextlib.suppress(OSError):
            faiss_file.write(index, trained_on, directory, checkpoint)
            written = faiss_file.open_newest(directory, checkpoint)
            index = written.index if written else index
        return index, _flat(checkpoint.dimension)

    def __len__(self) -> int:
        """Embeddings that are searched."""
        return int(self._index.ntotal + self._later.ntotal)

    def candidates(self, query: Floats, count: int, among: Ids | None = None) -> Ids:
        """Ids int64, ascending, of about the `count` photos nearest to the unit-norm query (dim,),
        only those in `among`.

        Complete for the file's part and for what came later; an id may have left the catalog
        meanwhile.
        """
        found = [_search(index, query, count, among) for index in (self._index, self._later)]
        return np.unique(np.concatenate(found))

    @property
    def is_exact(self) -> bool:
        """Whether `scan` gives exact cosines."""
        return not is_quantised(self._index)

    def scan(self, query: Floats) -> tuple[Ids, Floats]:
        """Ids int64, ascending, and cosines float32 of everything to the unit-norm query (dim,);
        estimates unless `is_exact`.

        An id may have left the catalog meanwhile.
        """
        later, before = _everything(self._later, query), _everything(self._index, query)
        # In this order, for what was embedded again counts as it is now.
        ids, first = np.unique(np.concatenate([later[0], before[0]]), return_index=True)
        return ids, np.concatenate([later[1], before[1]])[first]

    def sample(self, query: Floats) -> tuple[Ids, Floats]:
        """Ids, ascending, and exact cosines of photos that stand for all, always the same ones:
        all, or 5,000 of many.
        """
        return self.scan(query) if self._sample is None else _everything(self._sample, query)


def _everything(index: faiss.Index, query: Floats) -> tuple[Ids, Floats]:
    if not index.ntotal:
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    with _one_thread():
        (cosines,), (ids,) = index.search(query[None].astype(np.float32), int(index.ntotal))
    found = ids >= 0
    if (
        not found.all()
    ):  # the quantiser's kernel passes over those to which it gives the least of its 65,536 values
        passed_over = np.setdiff1d(faiss_file.indexed_ids(index), ids)
        least = cosines[found].min(initial=1)
        ids = np.concatenate([ids[found], passed_over])
        cosines = np.concatenate([cosines[found], np.full(len(passed_over), least, np.float32)])
    order = np.argsort(ids)
    return ids[order], cosines[order]


def _search(index: faiss.Index, query: Floats, count: int, among: Ids | None) -> Ids:
    count = min(count, int(index.ntotal))
    if count < 1 or (among is not None and not len(among)):
        return np.zeros(0, np.int64)
    parameters = faiss.SearchParametersIVF() if is_quantised(index) else faiss.SearchParameters()
    if among is not None:
        wanted = np.zeros(int(among.max()) + 1, np.bool_)
        wanted[among] = True
        selector: Any = faiss.IDSelectorBitmap  # FAISS annotates it as it is in C++, with a length
        parameters.sel = selector(np.packbits(wanted, bitorder="little"))
    with _one_thread():
        _, found = index.search(query[None].astype(np.float32), count, params=parameters)
    return np.array(found[0][found[0] >= 0])


def _flat(dimension: int) -> faiss.Index:
    """Exact, in the catalog's own float16."""
    return faiss.IndexIDMap(
        faiss.IndexScalarQuantizer(
            dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
    )


def _add(index: faiss.Index, chunks: Iterable[tuple[Ids, Float16s]]) -> faiss.Index:
    for ids, vectors in chunks:
        if len(ids):
            with _one_thread():
                index.add_with_ids(vectors.astype(np.float32), ids)
    return index


def _build(catalog: Catalog, checkpoint: CheckpointRecord) -> faiss.Index:
    """An index of all embeddings; flat where they are few, or where dimensions do not pair."""
    if checkpoint.embeddings < _QUANTISED_FROM or checkpoint.dimension % 2:
        index = _flat(checkpoint.dimension)
    else:
        index = _trained(catalog, checkpoint)
    return _add(index, catalog.embedding_chunks(checkpoint.id))


def _trained(catalog: Catalog, checkpoint: CheckpointRecord) -> faiss.Index:
    """A quantiser that has learned from a random sample of the embeddings, always the same for the
    same library.
    """
    ids = catalog.embedded_ids(checkpoint.id)
    sample = np.random.default_rng(0).choice(ids, min(_LESSONS, len(ids)), replace=False)
    # one list of all: so wrapped, it takes ids, selectors and removals
    spec = f"IVF1,PQ{checkpoint.dimension // 2}x4fs"
    index = faiss.index_factory(checkpoint.dimension, spec, faiss.METRIC_INNER_PRODUCT)
    with _one_thread():
        index.train(catalog.embeddings(checkpoint.id, sample)[1].astype(np.float32))
    return index


def _sample(catalog: Catalog, checkpoint: CheckpointRecord, directory: Path) -> faiss.Index:
    """A flat index of a random sample, always the same for the same library; drawn anew when the
    library has doubled.
    """
    stored = faiss_file.open_newest(directory, checkpoint, SAMPLE)
    if stored and checkpoint.embeddings < 2 * stored.trained_on:
        return stored.index
    ids = catalog.embedded_ids(checkpoint.id)
    chosen = np.random.default_rng(0).choice(ids, min(_SAMPLE, len(ids)), replace=False)
    index = _add(_flat(checkpoint.dimension), catalog.embedding_chunks(checkpoint.id, chosen))
    with contextlib.suppress(OSError):
        faiss_file.write(index, checkpoint.embeddings, directory, checkpoint, SAMPLE)
    return index


def _can_fold(stored: StoredIndex, checkpoint: CheckpointRecord) -> bool:
    enough = _QUANTISED_FROM <= checkpoint.embeddings < 2 * stored.trained_on
    return is_quantised(stored.index) and enough


def _fold(stored: StoredIndex, catalog: Catalog, checkpoint: CheckpointRecord) -> faiss.Index:
    """The stored index with what came later and without what went, no old embedding read again."""
    index: faiss.Index = faiss_file.changeable(stored.index)
    kept = catalog.embedded_ids(checkpoint.id)
    gone = np.setdiff1d(faiss_file.indexed_ids(index), kept)
    if len(gone):
        index.remove_ids(faiss.IDSelectorBatch(gone))
    for ids, vectors in catalog.embedding_chunks(checkpoint.id, after_generation=stored.generation):
        if len(ids):
            index.remove_ids(faiss.IDSelectorBatch(ids))  # embedded again
            index.add_with_ids(vectors.astype(np.float32), ids)
    return index


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Have FAISS work on this thread alone. It divides a single query among no threads, and
    training and adding into tiny steps.

    Where another program has a core, threads that meet after every step wait for it: training took
    50 times as long.
    """
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
