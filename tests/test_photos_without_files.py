"""Photos whose last known file holds another picture now, while a file that may hold them cannot be
read: they stay, with embedding and tags.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sigseek
from sigseek.indexer.decoding import guarded
from sigseek.indexer.decoding.decode import DecodedPhoto
from sigseek.indexer.errors import SlowError
from sigseek.indexer.folder_changes import FolderChanges
from sigseek.progress import Stop
from sigseek.storage import Catalog
from tests.indexed import indexed, save_photos
from tests.photos import save
from tests.test_pipeline import Library, counts

pytestmark = pytest.mark.both_databases


@pytest.fixture
def library(ordinary_folder: Path) -> Iterator[Library]:
    library = Library(ordinary_folder / "library")
    yield library
    library.catalog.close()


@pytest.fixture
def folder(ordinary_folder: Path) -> Path:
    """Four photos."""
    for number in range(4):
        save(ordinary_folder / "photos" / f"{number}.png", seed=number)
    return ordinary_folder / "photos"


def photo_of(library: Library, path: Path) -> int:
    found = library.catalog.find_photo_of_file(path)
    assert found is not None
    return found


def tag(library: Library, photo: int) -> None:
    with library.catalog.transaction() as transaction:
        transaction.put_tag("gull", 1, np.array([photo]), np.array([0.9]))


def swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def to_the_other(folder: Path) -> Path:
    """0.png and 1.png swap their names."""
    swap(folder / "0.png", folder / "1.png")
    return folder / "1.png"


def to_a_new_name(folder: Path) -> Path:
    """1.png takes the place of 0.png."""
    (folder / "0.png").rename(folder / "new.png")
    (folder / "1.png").rename(folder / "0.png")
    return folder / "new.png"


@pytest.mark.parametrize("move", [to_the_other, to_a_new_name])
def test_a_photo_stays_while_its_file_cannot_be_read(
    library: Library, folder: Path, move: Callable[[Path], Path]
) -> None:
    library.index(folder)
    photo = photo_of(library, folder / "0.png")
    tag(library, photo)
    now = move(folder)
    now.chmod(0)
    for _ in range(2):
        report = library.index(folder)
        assert (report.failed, report.untagged) == (1, 0)
    now.chmod(0o644)
    library.index(folder)
    assert (photo_of(library, now), library.tower.embedded) == (photo, 0)
    assert library.catalog.tagged("gull").tolist() == [photo]


def test_a_photo_stays_while_its_directory_cannot_be_read(library: Library, folder: Path) -> None:
    save(folder / "shut" / "4.png", seed=4)
    library.index(folder)
    photo = photo_of(library, folder / "0.png")
    (folder / "0.png").rename(folder / "shut" / "0.png")
    (folder / "1.png").rename(folder / "0.png")
    (folder / "shut").chmod(0)
    try:
        for _ in range(2):
            assert library.index(folder).failed == 0
    finally:
        (folder / "shut").chmod(0o755)
    library.index(folder)
    assert photo_of(library, folder / "shut" / "0.png") == photo
    assert library.tower.embedded == 0


@pytest.mark.parametrize("end", ["other", "gone"])
def test_the_photo_goes_when_no_unread_file_can_hold_it(
    library: Library, folder: Path, end: str
) -> None:
    library.index(folder)
    photo = photo_of(library, folder / "0.png")
    tag(library, photo)
    now = to_a_new_name(folder)
    now.chmod(0)
    library.index(folder)
    now.unlink()
    if end == "other":
        save(now, seed=50)
    assert library.index(folder).untagged == 1
    assert photo not in library.catalog.embedded_ids(1)


def test_an_edit_beside_a_file_that_is_never_read_keeps_no_photo(
    library: Library, folder: Path
) -> None:
    save(folder / "large.png", seed=9, compress_level=0).chmod(0)
    library.index(folder)
    photo = photo_of(library, folder / "0.png")
    save(folder / "0.png", seed=50)
    assert library.index(folder).failed == 1
    assert photo not in library.catalog.embedded_ids(1), "the other file has another size"


def test_what_a_stopped_run_lost_stays_while_a_file_cannot_be_read(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(folder)
    photo = photo_of(library, folder / "0.png")
    now = to_the_other(folder)
    stop, store = Stop(), FolderChanges.store

    def store_and_stop(self: FolderChanges, *given: Any) -> Any:
        stop.set()
        return store(self, *given)

    with monkeypatch.context() as patched:
        patched.setattr("sigseek.indexer.folder_changes._MANY", 1)
        patched.setattr("sigseek.indexer.ingest._AHEAD", 1)
        patched.setattr(FolderChanges, "store", store_and_stop)
        assert library.index(folder, stop=stop).stopped
    now.chmod(0)
    assert library.index(folder).failed == 1
    now.chmod(0o644)
    library.index(folder)
    assert (photo_of(library, now), library.tower.embedded) == (photo, 0)


def test_a_file_that_holds_a_photo_stays_its_file_if_it_cannot_be_decoded(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a repair has removed a damaged embedding, for example."""
    library.index(folder)
    photo = photo_of(library, folder / "0.png")
    tag(library, photo)
    with library.catalog.transaction() as transaction:
        transaction.remove_embeddings(1, [photo])
    now = to_a_new_name(folder)

    def decode(
        self: guarded.GuardedDecoder, path: Path, thumbnail: int | None = None
    ) -> DecodedPhoto:
        raise SlowError("decoding took longer than 270 s; the disk or the network may be slow")

    with monkeypatch.context() as patched:
        patched.setattr(guarded.GuardedDecoder, "decode", decode)
        assert counts(library.index(folder)) == {
            "scanned": 4, "changed": 1, "unchanged": 2, "missing": 1, "failed": 1,
        }  # fmt: skip
    assert photo_of(library, now) == photo
    assert library.catalog.tagged("gull").tolist() == [photo]
    os.utime(now)
    library.index(folder)
    assert (photo_of(library, now), library.tower.embedded) == (photo, 1)


@pytest.mark.parametrize("unplugged", [True, False])
def test_a_photo_with_tags_stays_until_all_folders_were_gone_through(
    ordinary_folder: Path, unplugged: bool
) -> None:
    """It moves to another folder, which is offline or just not named, while another photo takes its
    place.
    """
    photos, drive = save_photos(ordinary_folder / "photos"), ordinary_folder / "drive"
    save(drive / "9.png", seed=50)
    library = indexed(ordinary_folder / "library", photos)
    library.index(drive)
    moved, left = photos / "a" / "00.png", photos / "b" / "01.png"
    library.add_tag("our cat", [moved])
    catalog = Catalog(library.directory)
    photo, other = photo_in(catalog, moved), photo_in(catalog, left)
    away = drive.rename(ordinary_folder / "away") if unplugged else drive
    for number, path in enumerate((moved, left)):
        path.rename(away / path.name)
        save(path, seed=60 + number)
    library.index(photos)
    kept = catalog.embedded_ids(1)
    assert photo in kept
    assert other not in kept, "nothing is lost of it that cannot be made again"
    if unplugged:
        away.rename(drive)
    report = library.index()
    assert (photo_in(catalog, drive / "00.png"), report.added) == (photo, 2)
    assert photo in catalog.tagged("our cat")
    catalog.close()


def photo_in(catalog: Catalog, path: Path) -> int:
    found = catalog.find_photo_of_file(path)
    assert found is not None
    return found


def test_forgetting_other_photos_leaves_it_alone(ordinary_folder: Path) -> None:
    for number in range(4):
        save(ordinary_folder / "photos" / f"{number}.png", seed=number)
    photos = ordinary_folder / "photos"
    shutil.copytree(photos, ordinary_folder / "copies")
    save(ordinary_folder / "copies" / "4.png", seed=4)
    library: sigseek.Library = indexed(ordinary_folder / "library", photos)
    library.index(ordinary_folder / "copies")
    library.forget(ordinary_folder / "copies")
    catalog = Catalog(library.directory)
    photo = catalog.find_photo_of_file(photos / "0.png")
    now = to_a_new_name(photos)
    now.chmod(0)
    library.index()
    assert library.verify(repair=True).leftover == 1
    (photos / "3.png").unlink()
    library.index()
    assert library.prune(timedelta()).photos == 1
    (photos / "2.png").rename(photos / "moved.png")
    save(ordinary_folder / "elsewhere" / "5.png", seed=5)
    library.index(ordinary_folder / "elsewhere")
    (ordinary_folder / "elsewhere").rename(ordinary_folder / "there")
    library.relocate(ordinary_folder / "elsewhere", ordinary_folder / "there")
    assert library.forget(ordinary_folder / "there").photos == 1
    now.chmod(0o644)
    report = library.index()
    assert (report.added, report.device) == (1, None), "nothing is embedded again"
    assert catalog.find_photo_of_file(now) == photo
    catalog.close()
