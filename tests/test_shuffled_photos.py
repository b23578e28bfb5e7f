"""Lists that are paged through while photos, files and folders change at random."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePath

import pytest

import sigseek
from sigseek.operations import layout
from sigseek.search.listing import list_selected
from sigseek.search.query import And
from sigseek.search.results import Order
from sigseek.storage import Catalog, FolderRecord, PhotoFacts, PhotoMetadata, ReadFile
from sigseek.storage.catalog.transaction import Transaction

PATHS = tuple(f"{directory}{name}" for directory in ("", "in/", "in/deep/") for name in "abcdef")
PLACES = (Path("/m"), Path("/d"), Path("/x"))


class Shuffling:
    """Makes random changes of a catalog's photos, files and folders."""

    def __init__(self, catalog: Catalog, seed: int) -> None:
        self._catalog = catalog
        self._random = random.Random(seed)

    def change(self) -> None:
        """Make some changes in one transaction."""
        with self._catalog.transaction() as transaction:
            if not self._catalog.folders():
                transaction.add_folder(self._random.choice(PLACES))
                return
            if self._random.random() < 0.15:
                self._random.choice(OF_FOLDERS)(self, transaction)
            else:
                for change in self._random.choices(OF_FILES, k=3):
                    change(self, transaction)

    def _folder(self) -> FolderRecord:
        return self._random.choice(self._catalog.folders())

    def _photo(self, transaction: Transaction) -> int:
        """Return one of a few photos, which is added if it is not there."""
        digest = bytes([self._random.randrange(12)]) * 32
        return transaction.add_photo(PhotoFacts(digest, 40, 30, "JPEG"))

    def say(self, transaction: Transaction) -> None:
        said = PhotoMetadata(
            taken_at=self._random.choice([None, "1999", "2001-02", "2001-02-03T04:05:06"]),
            rating=self._random.choice([None, -1, 3, 5]),
        )
        transaction.put_metadata({self._photo(transaction): said})

    def put(self, transaction: Transaction) -> None:
        path = self._random.choice(PATHS)
        file = ReadFile(path, self._photo(transaction), 1, 1)
        transaction.put_files(self._folder().id, [file])

    def remove(self, transaction: Transaction) -> None:
        transaction.remove_files(self._folder().id, self._random.sample(PATHS, 1))

    def miss(self, transaction: Transaction) -> None:
        transaction.mark_missing(self._folder().id, self._random.sample(PATHS, 3))

    def find(self, transaction: Transaction) -> None:
        transaction.mark_present(self._folder().id, self._random.sample(PATHS, 3))

    def join(self, transaction: Transaction) -> None:
        """Have two photos turn out to be one."""
        one, other = (bytes([number]) * 32 for number in self._random.sample(range(12), 2))
        transaction.identify_photos({one: other}, 1)

    def move(self, transaction: Transaction) -> None:
        inside = self._random.choice(["", "in", "in/deep"])
        place = Path(self._random.choice(PLACES), self._random.choice(["", "in", "other"]))
        transaction.relocate(Path(self._folder().path, inside), place)

    def split(self, transaction: Transaction) -> None:
        """Have a directory, or another place, be a folder of its own."""
        transaction.add_folder(Path(self._random.choice(PLACES), "other"))

    def forget(self, transaction: Transaction) -> None:
        folder = self._folder()
        if self._random.random() < 0.15:
            transaction.remove_folder(folder.id)
        else:
            transaction.remove_files_below(folder.id, PurePath("in/deep"))
        transaction.remove_photos_without_files()


OF_FILES = (
    *(3 * [Shuffling.say, Shuffling.put]),
    Shuffling.remove,
    Shuffling.miss,
    Shuffling.find,
    Shuffling.join,
)
OF_FOLDERS = (Shuffling.move, Shuffling.split, Shuffling.forget)


@pytest.mark.parametrize(
    ("seed", "rounds"),
    [(0, 4), *(pytest.param(seed, 8, marks=pytest.mark.slow) for seed in range(8))],
)
def test_photos_that_have_a_file_all_the_time_are_on_one_page(
    open_catalog: Callable[[], Catalog], seed: int, rounds: int
) -> None:
    """Lists in every order are paged through while anything changes."""
    catalog, orders = open_catalog(), ("date", "-date", "rating", "path")
    shuffling = Shuffling(open_catalog(), seed)

    def ask(order: Order, page: str | None, *, kept: bool) -> sigseek.SearchResults:
        known = partial(layout.ids_of_all, catalog, order) if kept else None
        return list_selected(And(()), catalog, 2, order=order, page=page, in_order=known)

    listed = 0
    for _ in range(rounds):
        for _ in range(5):
            shuffling.change()
        there = set(layout.ids_of_all(catalog, "added").tolist())
        asked = [(order, kept) for order in orders for kept in (False, True)]
        whole = {order: layout.ids_of_all(catalog, order).tolist() for order in orders}
        found = {one: ask(one[0], None, kept=one[1]) for one in asked}
        hits = {one: [hit.id for hit in found[one]] for one in asked}
        always = there.copy()
        while any(results.next_page for results in found.values()):
            shuffling.change()
            always &= set(layout.ids_of_all(catalog, "added").tolist())
            for one in asked:
                if found[one].next_page:
                    found[one] = ask(one[0], found[one].next_page, kept=one[1])
                    hits[one] += [hit.id for hit in found[one]]
        for order, kept in asked:
            on_pages = hits[order, kept]
            assert len(on_pages) == len(set(on_pages))
            stayed = [id_ for id_ in whole[order] if id_ in always]
            assert [id_ for id_ in on_pages if id_ in always] == stayed, (order, kept)
            listed += len(stayed)
    assert listed > 100
