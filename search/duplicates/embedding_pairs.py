"""Pairs of photos whose embeddings are much nearer than usual.

The catalog keeps the pairs, so that photos are compared once: later only new ones are compared with
all others.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from sigseek.progress import Stop
from sigseek.search.duplicates.close_look import CloseLook
from sigseek.search.duplicates.looking import LOOKED_TOGETHER, in_threads
from sigseek.search.duplicates.neighbours import (
    NEIGHBOURS,
    Told,
    pairs_of_all,
    pairs_of_new,
    usual_cosine,
)
from sigseek.search.duplicates.pairs import PAIRS_VERSION, Writing
from sigseek.search.duplicates.sketch_rows import SketchRows, read_rows
from sigseek.storage import Catalog, CatalogReader
from sigseek.storage.records.arrays import Ids
from sigseek.storage.records.hashes import EmbeddingComparison, EmbeddingPairs

LOOKED_AT = 0.65
"""How near embeddings must be for a close look: 0 is the usual cosine of two photos of the library,
and 1 is that of equal ones.
"""
ALIKE = 0.8
"""How near embeddings must be, from 0 to 1 in the same way, for photos to be called alike."""
_VERSION = 2
"""Raise it when the same embeddings would give other pairs."""
_GROWN = 2
"""If the library has grown or shrunk by this factor, the usual cosine is measured again, and all
photos are compared again.
"""
_MANY_NEW = 8
"""If more than one photo in this many is new, comparing all again is faster."""
_STORED_TOGETHER = 50_000
"""Pairs whose looks are stored together. A run that is interrupted loses these at most."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Compared:
    """What a comparison found."""

    comparison: EmbeddingComparison
    pairs: EmbeddingPairs
    photos: Ids | None
    """The photos that were compared with all others; None for all photos."""


def comparison_version() -> str:
    """Return what decides which pairs are found and what is seen of them."""
    return f"{_VERSION}, {LOOKED_AT}, {NEIGHBOURS}, {PAIRS_VERSION}"


def keep_embedding_pairs(
    catalog: Catalog, checkpoint_id: int, writing: Writing, stop: Stop, told: Told
) -> None:
    """Compare all embeddings that were not compared yet, look closely at pairs that are near, and
    keep what was found in the catalog.

    The library's writer lock is held only while something is stored. Raises what `writing` raises
    where the lock cannot be had.
    """
    with catalog.snapshot() as moment:
        before = moment.embedding_comparison(checkpoint_id)
        if not _is_current(moment, checkpoint_id, before):
            with writing():  # where nothing can be stored, nothing is compared in vain
                pass
        found = _compare(moment, checkpoint_id, before, stop, told)
    if found is not None:
        with writing():
            if catalog.embedding_comparison(checkpoint_id) != before:
                return  # somebody else has compared them meanwhile
            with catalog.transaction() as transaction:
                photos = None if found.photos is None else found.photos.tolist()
                transaction.put_embedding_comparison(
                    checkpoint_id, found.comparison, _of_photos(catalog, found.pairs), photos
                )
    _keep_looks(catalog, checkpoint_id, writing, stop)


def embedding_pairs(
    catalog: CatalogReader, checkpoint_id: int, stop: Stop, told: Told
) -> tuple[EmbeddingPairs, float]:
    """Return the pairs of photos whose embeddings are near, and the mean cosine of two photos. Most
    pairs are read from the catalog, and those of photos that were not compared yet are found now.
    """
    before = catalog.embedding_comparison(checkpoint_id)
    found = _compare(catalog, checkpoint_id, before, stop, told)
    if found is None:
        assert before is not None  # otherwise all would have been compared
        return catalog.embedding_pairs(checkpoint_id), before.usual
    if found.photos is None:
        return found.pairs, found.comparison.usual
    kept = catalog.embedding_pairs(checkpoint_id)
    kept = kept.part(~np.isin(kept.one, found.photos) & ~np.isin(kept.other, found.photos))
    return _joined(kept, found.pairs), found.comparison.usual


def pairs_among(
    catalog: CatalogReader, checkpoint_id: int, ids: Ids, stop: Stop, told: Told
) -> tuple[EmbeddingPairs, float]:
    """Return the pairs of these photos whose embeddings are near, and the mean cosine of two of
    them. The ids are ascending. Nothing of this is kept.
    """
    usual = usual_cosine(catalog, checkpoint_id, ids)
    least = _least(usual, LOOKED_AT)
    return pairs_of_all(catalog, checkpoint_id, ids, least, stop, told), usual


def alike_pairs(
    catalog: CatalogReader,
    rows: SketchRows,
    pairs: EmbeddingPairs,
    usual: float,
    near: Ids,
    stop: Stop,
) -> EmbeddingPairs:
    """Return those of the pairs that are of one scene: their embeddings are very near, or they look
    like one shot. `near` has the pairs (m, 2) that their hashes led to, which need no look.
    """
    by_embedding = pairs.cosines >= _least(usual, ALIKE)
    unsure = _unsure(catalog, pairs, by_embedding, near)
    looks = pairs.looks_same.copy()
    looks[unsure] = _look(catalog, rows, pairs.part(unsure), stop)
    # Photos whose cameras say that they were taken at different times are two shots, even if they
    # look like one.
    seen = np.flatnonzero((looks == 1) & ~by_embedding)
    alike = by_embedding.copy()
    alike[seen] = ~_other_times(catalog, pairs.one[seen], pairs.other[seen])
    return pairs.part(alike)


def _compare(
    catalog: CatalogReader,
    checkpoint_id: int,
    before: EmbeddingComparison | None,
    stop: Stop,
    told: Told,
) -> _Compared | None:
    """Compare the embeddings that are newer than the comparison `before`, and return None if there
    are none. All embeddings are compared if there was no comparison, or one of another version.
    """
    if _is_current(catalog, checkpoint_id, before):
        return None
    generation = _generation(catalog, checkpoint_id)
    ids = catalog.embedded_ids(checkpoint_id)
    if before and before.version == comparison_version() and _as_many(len(ids), before.photos):
        new = np.setdiff1d(ids, catalog.embedded_ids(checkpoint_id, before.generation))
        if len(new) * _MANY_NEW <= len(ids):
            least = _least(before.usual, LOOKED_AT)
            pairs = pairs_of_new(catalog, checkpoint_id, new, ids, least, stop, told)
            comparison = EmbeddingComparison(
                before.version, generation, before.usual, before.photos
            )
            return _Compared(comparison, pairs, new)
    pairs, usual = pairs_among(catalog, checkpoint_id, ids, stop, told)
    comparison = EmbeddingComparison(comparison_version(), generation, usual, len(ids))
    return _Compared(comparison, pairs, None)


def _keep_looks(catalog: Catalog, checkpoint_id: int, writing: Writing, stop: Stop) -> None:
    """Look closely at the pairs at which nobody has looked yet, and keep what was seen."""
    with catalog.snapshot() as moment:
        comparison = moment.embedding_comparison(checkpoint_id)
        if comparison is None:
            return
        pairs = moment.embedding_pairs(checkpoint_id)
        by_embedding = pairs.cosines >= _least(comparison.usual, ALIKE)
        unsure = np.flatnonzero(_unsure(moment, pairs, by_embedding, moment.near_pairs()))
        if not len(unsure):
            return
        photos = np.union1d(pairs.one[unsure], pairs.other[unsure])
        rows = read_rows(moment, photos, stop)
        for first in range(0, len(unsure), _STORED_TOGETHER):
            part = pairs.part(unsure[first : first + _STORED_TOGETHER])
            seen = replace(part, looks_same=_look(moment, rows, part, stop))
            with writing():
                if catalog.embedding_comparison(checkpoint_id) != comparison:
                    return  # somebody else has compared them meanwhile
                with catalog.transaction() as transaction:
                    transaction.put_embedding_pairs(checkpoint_id, _of_photos(catalog, seen))


def _unsure(catalog: CatalogReader, pairs: EmbeddingPairs, by_embedding: Mask, near: Ids) -> Mask:
    """Return which pairs need a close look: nobody has looked, the embeddings alone do not tell,
    and they are neither among the pairs `near` (m, 2) nor taken at different times.
    """
    unsure: Mask = (pairs.looks_same < 0) & ~by_embedding
    unsure &= ~np.isin(_keys(pairs.one, pairs.other), _keys(*near.T))
    some = np.flatnonzero(unsure)
    unsure[some] = ~_other_times(catalog, pairs.one[some], pairs.other[some])
    return unsure


def _look(
    catalog: CatalogReader, rows: SketchRows, pairs: EmbeddingPairs, stop: Stop
) -> npt.NDArray[np.int8]:
    """Return whether the pairs look like one shot, (n,), 1 for yes and 0 for no."""
    both = np.stack([pairs.one, pairs.other], axis=1)

    def looks() -> Iterator[Callable[[], Mask]]:
        for first in range(0, len(both), LOOKED_TOGETHER):
            stop.check()
            some = both[first : first + LOOKED_TOGETHER]
            yield partial(CloseLook(catalog, rows, np.unique(some)).same_shot, some)

    return np.concatenate([np.empty(0, bool), *in_threads(looks())]).astype(np.int8)


def _other_times(catalog: CatalogReader, one: Ids, other: Ids) -> Mask:
    """Return the pairs (n,) whose cameras say that they were taken at different times."""
    times = catalog.shot_times(np.union1d(one, other).tolist())
    first, second = (np.array([times.get(id_, "") for id_ in ids.tolist()]) for ids in (one, other))
    others: Mask = (first != second) & (first != "") & (second != "")
    return others


def _is_current(
    catalog: CatalogReader, checkpoint_id: int, comparison: EmbeddingComparison | None
) -> bool:
    """Return whether the comparison is of this version and of all embeddings."""
    return (
        comparison is not None
        and comparison.version == comparison_version()
        and comparison.generation == _generation(catalog, checkpoint_id)
    )


def _least(usual: float, share: float) -> float:
    return usual + share * (1 - usual)


def _as_many(photos: int, before: int) -> bool:
    return photos <= _GROWN * before and before <= _GROWN * photos


def _generation(catalog: CatalogReader, checkpoint_id: int) -> int:
    (record,) = (one for one in catalog.checkpoints() if one.id == checkpoint_id)
    return record.generation


def _keys(one: Ids, other: Ids) -> Ids:
    """Return a number for each pair. Ids are far below 2^31."""
    return (one << 32) | other


def _of_photos(catalog: CatalogReader, pairs: EmbeddingPairs) -> EmbeddingPairs:
    """Return the pairs whose photos the catalog still has."""
    wanted = np.union1d(pairs.one, pairs.other)
    there = np.array(sorted(catalog.picture_sizes(wanted.tolist())), np.int64)
    return pairs.part(np.isin(pairs.one, there) & np.isin(pairs.other, there))


def _joined(one: EmbeddingPairs, other: EmbeddingPairs) -> EmbeddingPairs:
    columns = [
        np.concatenate([getattr(one, field.name), getattr(other, field.name)])
        for field in fields(EmbeddingPairs)
    ]
    return EmbeddingPairs(*columns)
