"""Whether the catalog is sound, and the index agrees with it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

import numpy as np

from sigseek.errors import Call, Remedy
from sigseek.storage.catalog import Catalog
from sigseek.storage.catalog.facet_block import PHOTOS, SHIFT
from sigseek.storage.catalog.transaction import Transaction
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index.contract import IndexStore
from sigseek.storage.records import CheckpointRecord, FileCounts

_NORM_TOLERANCE = 0.01
"""float16 keeps the norm of a unit vector to a thousandth."""
_EVERY = 1_000
_REPAIR = Remedy("to have it repaired: {}", (Call("verify", options=(("repair", True),)),))


@dataclass(frozen=True)
class VerifyProblem:
    """Something that is not as it should be."""

    what: str
    """What was found, in one line."""
    remedy: Remedy
    """What was done about it, or what to do."""
    repaired: bool


@dataclass
class _Unsound:
    """The ids of photos whose embeddings by one checkpoint are not sound."""

    damaged: list[int] = field(default_factory=list)
    """The ids whose embeddings and checksums do not agree."""
    other_dimensions: dict[int, list[int]] = field(default_factory=dict)
    """The ids whose embeddings are sound, but not as long as the checkpoint says, by their number
    of dimensions.
    """
    not_unit: list[int] = field(default_factory=list)
    """The ids whose embeddings do not have norm 1."""

    def all_have(self, count: int) -> int | None:
        """Return the number of dimensions, if all sound embeddings of the `count` there are have
        the same other one: then the checkpoint's row is wrong.
        """
        if len(self.other_dimensions) != 1:
            return None
        ((dimension, ids),) = self.other_dimensions.items()
        return dimension if len(self.damaged) + len(ids) == count else None


class Verification:
    """Goes through a library and gathers its problems.

    With `repair` it repairs what can be made again from what is sound.
    """

    def __init__(self, catalog: Catalog, index_store: IndexStore, *, repair: bool) -> None:
        self.problems: list[VerifyProblem] = []
        self._repair = repair
        self._catalog = catalog
        self._index_store = index_store

    def note(self, what: str, remedy: str) -> None:
        """Note a problem that only a person can do something about."""
        self.problems.append(VerifyProblem(what, Remedy(remedy), repaired=False))

    def check_catalog(self) -> bool:
        """Run the database's own checks, and look for rows that refer to nothing.

        False when the catalog is so damaged that further checks mean nothing.
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
            self._note_repairable(
                f"rows of the table {table} that refer to something that is not there: {count:,}",
                Remedy("they were removed"),
                partial(Transaction.remove_dangling, name=table),
            )
        return True

    def check_counts(self) -> None:
        """Check the numbers of photos and of files that the catalog keeps."""
        with self._catalog.snapshot() as reader:
            told, found = reader.row_counts()
            paths = {folder.id: folder.path for folder in reader.folders()}
        wrong = [
            f"{counted:,} {name} and has {there:,}"
            for name, counted, there in (
                ("photos", told.photos, found.photos),
                ("photos without files", told.without_files, found.without_files),
            )
            if counted != there
        ]
        none = FileCounts(0, 0)
        for id_ in sorted(told.by_folder.keys() | found.by_folder):
            counted, there = (counts.by_folder.get(id_, none) for counts in (told, found))
            if counted != there:
                wrong.append(
                    f"{_in_words(counted)} in {paths.get(id_, 'a folder that is gone')} "
                    f"and has {_in_words(there)}"
                )
        if wrong:
            self._note_repairable(
                f"the catalog counts {', '.join(wrong)}",
                Remedy("they were counted again"),
                Transaction.recount,
            )

    def check_facets(self) -> None:
        """Check the blocks of values that photos are counted by."""
        with self._catalog.snapshot() as reader:
            wrong = reader.wrong_facet_blocks()
        for number, kinds in wrong.items():
            first = number << SHIFT
            self._note_repairable(
                f"photos {first:,} to {first + PHOTOS - 1:,} are counted by the wrong "
                f"{', '.join(kinds)}",
                Remedy(
                    "what they were counted by was removed; to make it again: {}", (Call("index"),)
                ),
                partial(Transaction.remove_facet_blocks, number=number),
            )

    def check_photos(self) -> int:
        """Count the photos that no file holds any more. They are not damage, and no repair removes
        them: a file that was not read yet may hold one, which the next indexing finds out.
        """
        return self._catalog.count_photos_without_files()

    def check_embeddings(
        self, checkpoint: CheckpointRecord, on_done: Callable[[int], None]
    ) -> None:
        """Check each embedding's length, checksum and norm, their number, and whether all were
        measured for the judgement of hits.
        """
        unsound, count = self._look_through(checkpoint, on_done)
        measured = self._catalog.measured(checkpoint.id)
        biases = self._catalog.bias_count(checkpoint.id)
        current = self._catalog.find_checkpoint(checkpoint.fingerprint, checkpoint.preprocessing)
        self._remove_unsound(checkpoint, unsound, count)
        if current != checkpoint:
            return  # another process is indexing, so no two of these numbers are of one moment
        if count != checkpoint.embeddings:
            self._note_repairable(
                f"the catalog counts {checkpoint.embeddings:,} embeddings by {checkpoint.name}, "
                f"and has {count:,}",
                Remedy("the count was corrected"),
                partial(Transaction.recount_embeddings, checkpoint_id=checkpoint.id),
            )
        if measured and measured.generation == checkpoint.generation and biases != count:
            self._note_repairable(
                f"not all embeddings by {checkpoint.name} have been measured for verdicts",
                Remedy("to have them measured again: {}", (Call("index"),)),
                partial(Transaction.remove_yardstick, checkpoint_id=checkpoint.id),
            )

    def check_index(self, checkpoint: CheckpointRecord) -> None:
        """Check whether the index is as it was written, and has every embedding of its
        generation.
        """
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
        for what in wrong:
            remedy = Remedy("it was made again") if self._repair else _REPAIR
            self.problems.append(VerifyProblem(what, remedy, self._repair))

    def _look_through(
        self, checkpoint: CheckpointRecord, on_done: Callable[[int], None]
    ) -> tuple[_Unsound, int]:
        """Return which embeddings are not sound, and how many there are in all."""
        unsound, count = _Unsound(), 0
        stored = self._catalog.stored_embeddings(checkpoint.id)
        for count, (photo_id, vector, checksum) in enumerate(stored, 1):
            if zlib.crc32(vector) != checksum:
                unsound.damaged.append(photo_id)
            elif len(vector) != 2 * checkpoint.dimension:
                unsound.other_dimensions.setdefault(len(vector) // 2, []).append(photo_id)
            elif not _is_unit(vector):
                unsound.not_unit.append(photo_id)
            if count % _EVERY == 0:
                on_done(count)
        on_done(count)
        return unsound, count

    def _remove_unsound(self, checkpoint: CheckpointRecord, unsound: _Unsound, count: int) -> None:
        """Remove embeddings that are not sound, or correct the number of dimensions where that is
        what is wrong.
        """
        dimension = unsound.all_have(count)
        if dimension is not None:
            self._note_repairable(
                f"the catalog says that embeddings by {checkpoint.name} have "
                f"{checkpoint.dimension:,} dimensions, and they have {dimension:,}",
                Remedy("the number was corrected"),
                partial(
                    Transaction.set_dimension, checkpoint_id=checkpoint.id, dimension=dimension
                ),
            )
        others = chain.from_iterable(unsound.other_dimensions.values())
        for ids, state in (
            (unsound.damaged, "are damaged (their checksums do not agree)"),
            ([] if dimension is not None else list(others), "have another number of dimensions"),
            (unsound.not_unit, "do not have the length 1"),
        ):
            if ids:
                self._note_repairable(
                    f"embeddings by {checkpoint.name} that {state}: {len(ids):,}, "
                    f"of {self._path(ids[0])} for example",
                    Remedy("they were removed; to embed these photos again: {}", (Call("index"),)),
                    partial(
                        Transaction.remove_embeddings, checkpoint_id=checkpoint.id, photo_ids=ids
                    ),
                )

    def _note_repairable(
        self, what: str, done: Remedy, change: Callable[[Transaction], object]
    ) -> None:
        """Note a problem that `change` repairs, as `done` says, and repair it if asked to."""
        if self._repair:
            with self._catalog.transaction() as transaction:
                change(transaction)
        self.problems.append(VerifyProblem(what, done if self._repair else _REPAIR, self._repair))

    def _path(self, photo_id: int) -> str:
        photo = self._catalog.photos([photo_id]).get(photo_id)
        return photo.paths[0] if photo else f"photo {photo_id}"


def _in_words(files: FileCounts) -> str:
    return f"{files.present:,} files and {files.missing:,} missing ones"


def _is_unit(vector: bytes) -> bool:
    norm = float(np.linalg.norm(np.frombuffer(vector, "<f2").astype(np.float32)))
    return abs(norm - 1) <= _NORM_TOLERANCE  # not so for NaN
