"""Whether the catalog is sound, and the index fits it."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from sigseek.storage.catalog import Catalog
from sigseek.storage.catalog.transaction import Transaction
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index.contract import IndexStore
from sigseek.storage.records import CheckpointRecord

_NORM_TOLERANCE = 0.01  # float16 keeps the norm of a unit vector to a thousandth
_EVERY = 1_000
_HOW = "to have it mended: sigseek verify --repair"


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be."""

    what: str
    """What was found, in one line."""
    remedy: str
    """What was done about it, or what to do."""
    mended: bool


class Verification:
    """Goes through a library and gathers its problems; with `repair` it mends what can be made anew
    from what is sound.
    """

    def __init__(self, catalog: Catalog, index_store: IndexStore, *, repair: bool) -> None:
        self.problems: list[Problem] = []
        self._repair = repair
        self._catalog = catalog
        self._index_store = index_store

    def note(self, what: str, remedy: str) -> None:
        """A problem that only a person can do something about."""
        self.problems.append(Problem(what, remedy, mended=False))

    def check_catalog(self) -> bool:
        """SQLite's own checks, and rows that belong to nothing; whether the file can be relied on
        for further checks.
        """
        said = self._catalog.integrity()
        if said:
            more = f", and {len(said) - 1:,} more" if len(said) > 1 else ""
            self.note(
                f"the catalog is damaged ({said[0]}{more})",
                "put a backup in its place, or move it away and index again",
            )
            return False
        for table, count in self._catalog.dangling().items():
            what = f"rows of the table {table} that refer to something that is not there: {count:,}"
            self._mend(what, "they were removed", partial(Transaction.remove_dangling, name=table))
        return True

    def check_photos(self) -> int:
        """Photos that no file holds any more. That is no damage: an indexing that was cut off
        leaves them for the next one.
        """
        leftover = max(0, self._catalog.count_photos_without_files())
        if leftover and self._repair:
            with self._catalog.transaction() as transaction:
                transaction.remove_photos_without_files()
        return leftover

    def check_embeddings(
        self, checkpoint: CheckpointRecord, on_done: Callable[[int], None]
    ) -> None:
        """Each embedding's length, checksum and norm; how many there are; whether hits can be
        judged by them.
        """
        damaged, untrue, count = [], [], 0
        others: dict[int, list[int]] = {}
        """By number of dimensions, sound embeddings that have another than the checkpoint."""
        for count, (photo_id, vector, checksum) in enumerate(
            self._catalog.stored_embeddings(checkpoint.id), 1
        ):
            if zlib.crc32(vector) != checksum:
                damaged.append(photo_id)
            elif len(vector) != 2 * checkpoint.dimension:
                others.setdefault(len(vector) // 2, []).append(photo_id)
            elif not _is_unit(vector):
                untrue.append(photo_id)
            if count % _EVERY == 0:
                on_done(count)
        on_done(count)
        measured, biases = (
            self._catalog.measured(checkpoint.id),
            self._catalog.bias_count(checkpoint.id),
        )
        # Else an indexing beside this is at it, and no two numbers are of one moment.
        quiet = (
            self._catalog.find_checkpoint(checkpoint.fingerprint, checkpoint.preprocessing)
            == checkpoint
        )
        if len(others) == 1 and len(damaged) + len(next(iter(others.values()))) == count:
            self._set_dimension(checkpoint, *others)
            others = {}
        self._remove(checkpoint, damaged, "are damaged (their checksums do not agree)")
        self._remove(
            checkpoint,
            [*itertools.chain.from_iterable(others.values())],
            "have another number of dimensions",
        )
        self._remove(checkpoint, untrue, "do not have the length 1")
        if quiet and count != checkpoint.embeddings:
            what = f"the catalog counts {checkpoint.embeddings:,} embeddings by {checkpoint.name}, and has {count:,}"
            recount = partial(Transaction.recount_embeddings, checkpoint_id=checkpoint.id)
            self._mend(what, "the count was set right", recount)
        if quiet and measured and measured[1] == checkpoint.generation and biases != count:
            what = f"not all embeddings by {checkpoint.name} have been measured for verdicts"
            forget = partial(Transaction.remove_yardstick, checkpoint_id=checkpoint.id)
            self._mend(what, "they are measured anew by: sigseek index", forget)

    def _set_dimension(self, checkpoint: CheckpointRecord, dimension: int) -> None:
        said = f"the catalog says that embeddings by {checkpoint.name} have {checkpoint.dimension:,} dimensions"
        set_right = partial(
            Transaction.set_dimension, checkpoint_id=checkpoint.id, dimension=dimension
        )
        self._mend(f"{said}, and they have {dimension:,}", "it was set right", set_right)

    def _remove(self, checkpoint: CheckpointRecord, ids: list[int], are: str) -> None:
        if ids:
            what = f"embeddings by {checkpoint.name} that {are}: {len(ids):,}, of {self._path(ids[0])} for example"
            remove = partial(
                Transaction.remove_embeddings, checkpoint_id=checkpoint.id, photo_ids=ids
            )
            self._mend(what, "they were removed, and are made anew by: sigseek index", remove)

    def check_index(self, checkpoint: CheckpointRecord) -> None:
        """Whether the index is as it was written, and holds every embedding of its time."""
        embeddings = CheckpointEmbeddings(self._catalog, checkpoint)
        found = self._index_store.check(embeddings)
        wrong = [f"the index {name} is damaged" for name in found.damaged]
        if found.lacking:
            example = self._path(found.lacking[0])
            wrong.append(
                f"photos that the index lacks: {len(found.lacking):,}, {example} for example"
            )
        if wrong and self._repair:
            self._index_store.remove(checkpoint.token)
            self._index_store.open(embeddings)
        self.problems += [
            Problem(what, "it was made anew" if self._repair else _HOW, self._repair)
            for what in wrong
        ]

    def _mend(self, what: str, done: str, mend: Callable[[Transaction], object]) -> None:
        """A problem that `mend` mends; `done` tells what it does."""
        if self._repair:
            with self._catalog.transaction() as transaction:
                mend(transaction)
        self.problems.append(Problem(what, done if self._repair else _HOW, self._repair))

    def _path(self, photo_id: int) -> str:
        photo = self._catalog.photos([photo_id]).get(photo_id)
        return photo.paths[0] if photo else f"photo {photo_id}"


def _is_unit(vector: bytes) -> bool:
    norm = float(np.linalg.norm(np.frombuffer(vector, "<f2").astype(np.float32)))
    return abs(norm - 1) <= _NORM_TOLERANCE  # not so for NaN
