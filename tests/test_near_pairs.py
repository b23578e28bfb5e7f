"""Pairs that look like one shot are kept, so that photos are compared once."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import sigseek
from benchmarks.photographs import cropped, marked
from sigseek.search.duplicates import pairs
from sigseek.search.duplicates.close_look import CloseLook, Seen
from sigseek.search.duplicates.overlays import Overlays
from sigseek.storage import Catalog, PhotoFacts, ReadFile
from sigseek.storage.lock import writer_lock
from sigseek.storage.records.hashes import HashRecord, SketchRecord
from tests.catalogs import add_checkpoint, add_photos, execute, random_unit
from tests.photos import photograph
from tests.test_duplicates import SIZE, names, save


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for seed in range(4):
        save(folder / f"{seed}.jpg", photograph(seed, SIZE))
    save(folder / "0 small.jpg", photograph(0, SIZE).resize((240, 180)))
    save(folder / "1 crop.jpg", cropped(photograph(1, SIZE), 0.05))
    return folder


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Iterator[sigseek.Library]:
    with sigseek.open(tmp_path / "library", model="mini", precision="fp32") as library:
        library.index(photos)
        yield library


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """The pairs of rows at which there was a close look, as their photos."""
    looks: list[set[int]] = []
    seen = CloseLook.seen

    def noted(look: CloseLook, overlays: Overlays, *more: Any) -> Seen:
        ids = look.rows.ids
        around, inside = ids[overlays.around].tolist(), ids[overlays.inside].tolist()
        looks.extend({one, other} for one, other in zip(around, inside, strict=True))
        return seen(look, overlays, *more)

    monkeypatch.setattr(CloseLook, "seen", noted)
    return looks


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The photos that were compared with others, each time."""
    found: list[list[int]] = []
    pairs_with = pairs.pairs_with

    def noted(catalog: Any, rows: Any, new: npt.NDArray[np.int64], *more: Any) -> Any:
        found.append(new.tolist())
        return pairs_with(catalog, rows, new, *more)

    monkeypatch.setattr(pairs, "pairs_with", noted)
    return found


FIRST = {frozenset({"0.jpg", "0 small.jpg"}), frozenset({"1.jpg", "1 crop.jpg"})}


def near(library: sigseek.Library) -> set[frozenset[str]]:
    return names(library.duplicates(kinds=["near"]))


def kept(library: sigseek.Library) -> list[tuple[int, int]]:
    found = execute(library.directory, "SELECT first_id, second_id FROM near_pair")
    return [(first, second) for first, second in found]


def test_photos_are_compared_once(
    library: sigseek.Library, photos: Path, looked_at: list[set[int]]
) -> None:
    assert near(library) == FIRST
    assert (len(kept(library)), looked_at != []) == (2, True)
    looked_at.clear()
    assert near(library) == FIRST
    assert looked_at == [], "nothing is new"
    save(photos / "2 small.jpg", photograph(2, SIZE).resize((240, 180)))
    save(photos / "1 wide.jpg", cropped(photograph(1, SIZE), 0.02))
    library.index(photos)
    new = set(Catalog(library.directory).photos_with_files().tolist()[-2:])
    assert near(library) == {
        frozenset({"0.jpg", "0 small.jpg"}),
        frozenset({"1.jpg", "1 crop.jpg", "1 wide.jpg"}),
        frozenset({"2.jpg", "2 small.jpg"}),
    }
    assert looked_at
    assert all(look & new for look in looked_at), "each is about a new photo"


def test_a_photo_waits_for_its_drive_where_only_its_picture_tells(
    tmp_path: Path, own_cache: Path, compared: list[list[int]]
) -> None:
    """The sketches of a picture and of one with a watermark do not tell that nothing came in."""
    image, drive = photograph(1, SIZE), tmp_path / "drive"
    save(tmp_path / "photos" / "a.jpg", image)
    save(tmp_path / "photos" / "a small.jpg", image.resize((240, 180)))
    save(drive / "b.jpg", marked(image))
    with sigseek.open(tmp_path / "library", model="mini", precision="fp32") as library:
        library.limit_thumbnails(0)
        library.index(tmp_path / "photos", drive)
        drive.rename(tmp_path / "unplugged")
        for new in ([1, 2, 3], [3]):
            compared.clear()
            assert near(library) == {frozenset({"a.jpg", "a small.jpg"})}
            assert compared == [new, []], "a photo that waits is compared once, and not again"
            assert Catalog(library.directory).count_photos_not_compared() == 1
        (tmp_path / "unplugged").rename(drive)
        assert near(library) == {frozenset({"a.jpg", "a small.jpg", "b.jpg"})}
        assert Catalog(library.directory).count_photos_not_compared() == 0
        assert len(kept(library)) == 3


@pytest.mark.parametrize("block", [1, 2, 100])
def test_the_size_of_blocks_changes_nothing(
    library: sigseek.Library, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "_BLOCK", block)
    assert near(library) == FIRST


def test_a_changed_photo_is_compared_again(library: sigseek.Library, photos: Path) -> None:
    assert near(library) == FIRST
    save(photos / "0 small.jpg", photograph(3, SIZE).resize((240, 180)))
    library.index(photos)
    assert near(library) == {
        frozenset({"3.jpg", "0 small.jpg"}), frozenset({"1.jpg", "1 crop.jpg"})
    }  # fmt: skip


def test_a_removed_photo_leaves_no_pair(library: sigseek.Library, photos: Path) -> None:
    assert near(library) == FIRST
    shutil.move(photos / "0.jpg", photos.parent / "0.jpg")
    library.index(photos, accept_missing=True)
    assert near(library) == {frozenset({"1.jpg", "1 crop.jpg"})}
    library.prune(timedelta(0))
    assert len(kept(library)) == 1


def test_pairs_of_another_comparison_are_found_again(
    library: sigseek.Library, monkeypatch: pytest.MonkeyPatch, looked_at: list[set[int]]
) -> None:
    assert near(library) == FIRST
    looked_at.clear()
    monkeypatch.setattr(pairs, "PAIRS_VERSION", pairs.PAIRS_VERSION + 1)
    assert near(library) == FIRST
    assert looked_at
    assert len(kept(library)) == 2


def test_a_selection_has_the_kept_pairs_within_it(library: sigseek.Library, photos: Path) -> None:
    library.add_tag("mine", [photos / "0.jpg", photos / "0 small.jpg", photos / "1.jpg"])
    wanted = {frozenset({"0.jpg", "0 small.jpg"})}
    assert names(library.duplicates("tag:mine", kinds=["near"])) == wanted
    assert kept(library) == [], "only a comparison of all photos is kept"
    assert near(library) == FIRST
    assert names(library.duplicates("tag:mine", kinds=["near"])) == wanted


def test_a_library_that_another_process_changes_is_compared_all_the_same(
    library: sigseek.Library,
) -> None:
    with writer_lock(library.directory):
        assert near(library) == FIRST
        assert kept(library) == []
    assert near(library) == FIRST
    assert len(kept(library)) == 2


@pytest.fixture
def in_the_middle(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Have something done once, while photos are compared."""

    def do(something: Callable[[], object]) -> None:
        left = [something]
        seen = CloseLook.seen

        def interrupted(look: CloseLook, overlays: Overlays, *more: Any) -> Seen:
            while left:
                left.pop()()
            return seen(look, overlays, *more)

        monkeypatch.setattr(CloseLook, "seen", interrupted)

    return do


def test_others_may_change_the_library_while_photos_are_compared(
    library: sigseek.Library,
    photos: Path,
    in_the_middle: Callable[[Callable[[], object]], None],
) -> None:
    def forget_a_photo() -> None:
        (photos / "1 crop.jpg").unlink()
        with sigseek.open(library.directory, model="mini", precision="fp32") as other:
            other.index(photos)
            other.prune(timedelta(0))

    in_the_middle(forget_a_photo)
    assert near(library) == {frozenset({"0.jpg", "0 small.jpg"})}
    assert len(kept(library)) == 1
    assert Catalog(library.directory).count_photos_not_compared() == 0


def test_two_comparisons_at_a_time_lose_no_pair(
    library: sigseek.Library,
    photos: Path,
    in_the_middle: Callable[[Callable[[], object]], None],
) -> None:
    """The photo that comes in the middle is like one of the block that is compared."""

    def add_and_compare() -> None:
        save(photos / "2 small.jpg", photograph(2, SIZE).resize((240, 180)))
        with sigseek.open(library.directory, model="mini", precision="fp32") as other:
            other.index(photos)
            assert len(near(other)) == 3

    in_the_middle(add_and_compare)
    assert near(library) == FIRST | {frozenset({"2.jpg", "2 small.jpg"})}
    assert len(kept(library)) == 3


def test_a_comparison_does_not_wait_for_a_thread_that_changes_the_library(
    library: sigseek.Library,
) -> None:
    with ThreadPoolExecutor(1) as pool, library._directory.writing():
        assert pool.submit(near, library).result(timeout=120) == FIRST
        assert kept(library) == []


def test_both_databases_keep_pairs(open_catalog: Callable[[], Catalog], tmp_path: Path) -> None:
    catalog = open_catalog()
    checkpoint = add_checkpoint(catalog, 4)
    ids = add_photos(catalog, checkpoint, random_unit(4, 4), tmp_path, list("abcd"))
    with catalog.transaction() as transaction:
        transaction.put_near_pairs(ids[:2], [(ids[1], ids[0])], 1)
        transaction.put_near_pairs(ids[2:3], [(ids[0], ids[2]), (ids[0], ids[1])], 1)
    assert catalog.compared_photos(1).tolist() == ids[:3]
    assert catalog.compared_photos(2).tolist() == []
    assert sorted(catalog.near_pairs().tolist()) == [[ids[0], ids[1]], [ids[0], ids[2]]]
    with catalog.transaction() as transaction:
        transaction.put_hashes({ids[1]: None}, 1)
    assert catalog.compared_photos(1).tolist() == [ids[0], ids[2]]
    assert catalog.near_pairs().tolist() == [[ids[0], ids[2]]]
    with catalog.transaction() as transaction:
        transaction.forget_near_pairs(1)
    assert len(catalog.near_pairs()) == 1
    with catalog.transaction() as transaction:
        transaction.forget_near_pairs(2)
    assert (catalog.near_pairs().shape, len(catalog.compared_photos(1))) == ((0, 2), 0)
    assert np.issubdtype(catalog.near_pairs().dtype, np.integer)


def test_hashes_come_with_new_photos_only(
    open_catalog: Callable[[], Catalog], tmp_path: Path
) -> None:
    catalog = open_catalog()
    whole, inner = (SketchRecord(b"webp", bytes(32), bytes(32), n) for n in (1, 2))
    record = HashRecord(whole, inner, several_pictures=True, color=0x123456)
    known, new = (PhotoFacts(name * 32, 4, 3, "JPEG") for name in (b"k", b"n"))
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        transaction.add_photo(known)
    with catalog.transaction() as transaction:
        hashes = {known.digest: record, new.digest: record}
        ids = transaction.add_photos([known, new], hashes, 3)
        files = [ReadFile(f"{id_}", id_, 1, 1) for id_ in ids.values()]
        transaction.put_files(folder.id, files)
    assert catalog.stale_photos("hash", [folder.id], 3) == [ids[known.digest]]
    of_photos = "SELECT digest, several_pictures, color FROM photo ORDER BY digest"
    rows = [(bytes(row[0])[:1], bool(row[1]), row[2]) for row in execute(catalog, of_photos)]
    assert rows == [(b"k", False, None), (b"n", True, 0x123456)]
    sketches = execute(catalog, "SELECT photo_id, quality FROM sketch ORDER BY quality")
    assert sketches == [(ids[new.digest], 1), (ids[new.digest], 2)]
    with catalog.transaction() as transaction:
        transaction.put_hashes(dict.fromkeys(ids.values(), record), 3)
    assert catalog.stale_photos("hash", [folder.id], 3) == []


def test_a_new_photo_of_several_files_is_read_again(
    open_catalog: Callable[[], Catalog], tmp_path: Path
) -> None:
    """What its files say together is not what the one says that was decoded."""
    catalog = open_catalog()
    facts = [PhotoFacts(name * 32, 4, 3, "JPEG", facts_version=5) for name in (b"1", b"2", b"3")]
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        one, two, three = transaction.add_photos(facts).values()
        transaction.put_files(
            folder.id,
            [
                ReadFile("1", one, 1, 1, gave_facts=True),
                ReadFile("2", two, 1, 1, gave_facts=True),
                ReadFile("2 copy", two, 1, 1),
                ReadFile("3", three, 1, 1, gave_facts=True),
            ],
        )
        transaction.put_files(folder.id, [ReadFile("3 copy", three, 1, 1)])
    assert catalog.stale_photos("metadata", [folder.id], 5) == [two, three]
