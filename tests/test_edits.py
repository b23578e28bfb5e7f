"""Files whose metadata are edited, copies that differ in a keyword, and libraries that know their
photos by all bytes: a photo is its picture.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pillow_heif import register_heif_opener
from sqlalchemy import select, update

from sigseek.indexer import DecodeError, IndexReport, folder_comparison
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.indexer.decoding.digest import digest_file
from sigseek.indexer.decoding.identity.picture import VERSION, picture_digest
from sigseek.indexer.folder_changes import FolderChanges
from sigseek.progress import Stop
from sigseek.storage.catalog.tables import FILE, PHOTO
from tests import test_pipeline
from tests.catalogs import writing
from tests.photos import exif, save
from tests.test_pipeline import Library

pytestmark = pytest.mark.both_databases


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "library")
    yield library
    library.catalog.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five photos, one of them in a folder below."""
    for number in range(4):
        save(tmp_path / "photos" / f"{number}.jpg", seed=number)
    save(tmp_path / "photos" / "below" / "4.png", seed=4)
    return tmp_path / "photos"


def counts(report: IndexReport) -> dict[str, int]:
    found = test_pipeline.counts(report)
    assert found.pop("scanned") == sum(found.values())
    return found


def photo_of(library: Library, path: Path) -> int:
    found = library.catalog.find_photo_of_file(path)
    assert found is not None
    return found


def edit(path: Path, words: str, *, keep_times: bool = False) -> None:
    """Write a description into the file, as a program does that leaves the picture alone."""
    before = path.stat()
    seed = int(path.stem)
    save(path, seed=seed, exif=exif(ImageDescription=words))
    if keep_times:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_an_edit_of_metadata_is_no_new_photo(library: Library, folder: Path) -> None:
    library.index(folder)
    before = {path: photo_of(library, path) for path in folder.rglob("*.*")}
    tagged = before[folder / "1.jpg"]
    with library.catalog.transaction() as transaction:
        transaction.put_tag("gull", 1, np.array([tagged]), np.array([0.9]))
    old = digest_file(folder / "1.jpg")
    edit(folder / "1.jpg", "a gull")
    new = digest_file(folder / "1.jpg")
    assert old.digest != new.digest
    report = library.index(folder)
    assert counts(report) == {"changed": 1, "unchanged": 4}
    assert (library.tower.embedded, report.untagged) == (0, 0)
    assert {path: photo_of(library, path) for path in before} == before
    assert library.catalog.tagged("gull").tolist() == [tagged]
    assert library.catalog.file_digest(1, "1.jpg") == new.digest
    assert counts(library.index(folder)) == {"unchanged": 5}


def test_an_edited_picture_is_a_new_photo(library: Library, folder: Path) -> None:
    library.index(folder)
    before = photo_of(library, folder / "1.jpg")
    save(folder / "1.jpg", seed=77)
    assert counts(library.index(folder)) == {"changed": 1, "unchanged": 4}
    assert library.tower.embedded == 1
    assert photo_of(library, folder / "1.jpg") != before


def test_copies_that_differ_in_their_words_are_one_photo(library: Library, folder: Path) -> None:
    shutil.copy(folder / "1.jpg", folder / "below" / "1.jpg")
    edit(folder / "below" / "1.jpg", "a gull")
    report = library.index(folder)
    assert counts(report) == {"added": 6}
    assert library.tower.embedded == 5
    assert photo_of(library, folder / "1.jpg") == photo_of(library, folder / "below" / "1.jpg")


@pytest.mark.skipif(os.name == "nt", reason="Windows notes no time of change of its own")
def test_an_edit_that_keeps_size_and_time_is_seen(library: Library, folder: Path) -> None:
    edit(folder / "1.jpg", "one gull")
    library.index(folder)
    edit(folder / "1.jpg", "two gull", keep_times=True)
    assert counts(library.index(folder)) == {"changed": 1, "unchanged": 4}
    assert library.catalog.file_digest(1, "1.jpg") == digest_file(folder / "1.jpg").digest
    assert counts(library.index(folder)) == {"unchanged": 5}


def test_rereading_sees_what_no_time_tells(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sigseek.indexer.directory._HAS_CTIME", False)
    monkeypatch.setattr("sigseek.indexer.directory.ctime_ns", lambda status: None)
    monkeypatch.setattr("sigseek.indexer.decoding.digest.ctime_ns", lambda status: None)
    edit(folder / "1.jpg", "one gull")
    library.index(folder)
    edit(folder / "1.jpg", "two gull", keep_times=True)
    assert counts(library.index(folder)) == {"unchanged": 5}
    assert counts(library.index(folder, reread=True)) == {"changed": 1, "unchanged": 4}
    assert counts(library.index(folder, reread=True)) == {"unchanged": 5}
    assert library.tower.embedded == 0


def test_rereading_tries_all_failures_again(library: Library, folder: Path) -> None:
    (folder / "bad.jpg").write_bytes(b"no picture")
    library.index(folder)
    reported = library.index(folder, reread=True)
    assert counts(reported) == {"unchanged": 5, "failed": 1}
    save(folder / "5.jpg", seed=5)
    shutil.copy(folder / "5.jpg", folder / "bad.jpg")
    assert counts(library.index(folder, reread=True)) == {"unchanged": 5, "added": 2}


def as_of_an_earlier_version(library: Library, folder: Path) -> None:
    """Have the catalog know all photos by the digest of all bytes of their first file."""
    with writing(library.catalog) as connection:
        for path in sorted(folder.rglob("*.*")):
            read = digest_file(path)
            file = select(FILE.c.photo_id).filter_by(path=str(path.relative_to(folder)))
            found = connection.scalars(file).one()
            connection.execute(
                update(PHOTO).filter_by(id=found).values(digest=read.digest, digest_version=0)
            )
            connection.execute(update(FILE).filter_by(photo_id=found).values(digest=read.digest))
        connection.exec_driver_sql("UPDATE file SET ctime_ns = NULL")


def versions(library: Library) -> list[int]:
    with writing(library.catalog) as connection:
        return list(connection.exec_driver_sql("SELECT digest_version FROM photo").scalars())


def test_a_library_of_an_earlier_version_is_embedded_no_second_time(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(folder)
    before = {path: photo_of(library, path) for path in folder.rglob("*.*")}
    as_of_an_earlier_version(library, folder)
    monkeypatch.setattr(folder_comparison, "_IDENTIFIED_AT_ONCE", 3)
    assert counts(library.index(folder)) == {"unchanged": 5}
    assert sorted(versions(library)) == [0, 0, *[VERSION] * 3]
    assert counts(library.index(folder)) == {"unchanged": 5}
    assert versions(library) == [VERSION] * 5
    assert (library.tower.embedded, library.loads) == (0, 1)
    assert {path: photo_of(library, path) for path in before} == before
    monkeypatch.setattr("sigseek.indexer.ingest.digest_file", None)
    assert counts(library.index(folder)) == {"unchanged": 5}, "no file is read any more"


def test_photos_that_a_newer_reader_knows_alike_are_read_once(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(folder)
    with writing(library.catalog) as connection:
        connection.exec_driver_sql("UPDATE photo SET digest_version = 1")
    assert counts(library.index(folder)) == {"unchanged": 5}
    assert versions(library) == [VERSION] * 5
    monkeypatch.setattr("sigseek.indexer.ingest.digest_file", None)
    assert counts(library.index(folder)) == {"unchanged": 5}, "no file is read any more"


def test_photos_that_turn_out_to_be_one_keep_the_tags_of_both(
    library: Library, folder: Path
) -> None:
    """An earlier version took two files for two photos that differ in a keyword."""
    shutil.copy(folder / "1.jpg", folder / "7.jpg")
    library.index(folder)
    one = photo_of(library, folder / "1.jpg")
    with library.catalog.transaction() as transaction:
        transaction.remove_files(1, ["7.jpg"])
    save(folder / "7.jpg", seed=7)
    library.index(folder)
    other = photo_of(library, folder / "7.jpg")
    assert other != one
    save(folder / "7.jpg", seed=1, exif=exif(ImageDescription="a gull"))
    as_of_an_earlier_version(library, folder)
    with writing(library.catalog) as connection:
        status = (folder / "7.jpg").stat()
        connection.execute(
            update(FILE)
            .filter_by(path="7.jpg")
            .values(size=status.st_size, mtime_ns=status.st_mtime_ns)
        )
    with library.catalog.transaction() as transaction:
        transaction.put_tag("gull", 1, np.array([one]), np.array([0.9]))
        transaction.put_tag("sea", 1, np.array([other]), np.array([0.8]))
    report = library.index(folder)
    assert counts(report) == {"unchanged": 6}
    assert (library.tower.embedded, report.untagged) == (0, 0)
    left = photo_of(library, folder / "1.jpg")
    assert photo_of(library, folder / "7.jpg") == left in (one, other)
    assert [library.catalog.tagged(name).tolist() for name in ("gull", "sea")] == [[left]] * 2
    assert len(library.catalog.embedded_ids(1)) == 5
    assert counts(library.index(folder)) == {"unchanged": 6}


def test_a_photo_of_an_earlier_version_that_was_moved_is_found(
    library: Library, folder: Path
) -> None:
    library.index(folder)
    as_of_an_earlier_version(library, folder)
    before = photo_of(library, folder / "1.jpg")
    (folder / "1.jpg").rename(folder / "below" / "1.jpg")
    assert counts(library.index(folder)) == {"moved": 1, "unchanged": 4}
    assert photo_of(library, folder / "below" / "1.jpg") == before
    assert library.tower.embedded == 0


def test_a_stopped_run_keeps_photos_whose_file_it_has_not_read(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(folder)
    first, second = folder / "0.jpg", folder / "1.jpg"
    of_first, of_second = photo_of(library, first), photo_of(library, second)
    first.rename(folder / "aside")
    second.rename(first)
    (folder / "aside").rename(second)
    stop, store = Stop(), FolderChanges.store

    def store_and_stop(self: FolderChanges, *given: Any) -> Any:
        stop.set()
        return store(self, *given)

    with monkeypatch.context() as patched:
        patched.setattr("sigseek.indexer.folder_changes._MANY", 1)
        patched.setattr("sigseek.indexer.ingest._AHEAD", 1)
        patched.setattr(FolderChanges, "store", store_and_stop)
        assert library.index(folder, stop=stop).stopped
    library.index(folder)
    assert (photo_of(library, second), photo_of(library, first)) == (of_first, of_second)
    assert library.tower.embedded == 0


def test_a_copy_whose_metadata_cannot_be_read_costs_no_other_file(
    library: Library, tmp_path: Path
) -> None:
    """The changed byte leads to the EXIF of a HEIC. The pictures are the same."""
    register_heif_opener()
    bad, good = tmp_path / "photos" / "a.heic", tmp_path / "photos" / "b.heic"
    save(good, seed=3, exif=exif(Make="Maker"))
    whole = good.read_bytes()
    place = whole.index(b"iloc")
    for position in range(place + 4, place + 60):
        changed = bytearray(whole)
        changed[position] ^= 0x40
        bad.write_bytes(changed)
        if digest_file(bad).picture == digest_file(good).picture and not decodes(bad):
            break
    else:
        pytest.fail("there is no such byte")
    assert counts(library.index(bad.parent)) == {"added": 1, "failed": 1}
    assert library.catalog.find_photo_of_file(good) is not None


def decodes(path: Path) -> bool:
    try:
        decode_photo(path, test_pipeline.PREPROCESSING)
    except DecodeError:
        return False
    return True


@pytest.fixture
def earlier_reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Digests of pictures as another version makes them, until the patches are undone."""

    def other_digest(*given: Any) -> bytes:
        return hashlib.sha256(b"another version" + picture_digest(*given)).digest()

    with monkeypatch.context() as patched:
        patched.setattr("sigseek.indexer.decoding.digest.picture_digest", other_digest)
        for module in ("ingest", "folder_changes", "folder_comparison"):
            patched.setattr(f"sigseek.indexer.{module}.PICTURE_VERSION", VERSION - 1)
        patched.setattr("sigseek.indexer.earlier_digests.VERSION", VERSION - 1)
        yield patched


def test_a_newer_reader_finds_photos_of_which_it_makes_another_digest(
    library: Library, folder: Path, earlier_reader: pytest.MonkeyPatch
) -> None:
    library.index(folder)
    before = {path.name: photo_of(library, path) for path in folder.rglob("*.*")}
    with library.catalog.transaction() as transaction:
        transaction.put_tag("gull", 1, np.array([before["1.jpg"]]), np.array([0.9]))
        transaction.remove_embeddings(1, [before["2.jpg"]])
    earlier_reader.undo()
    (folder / "1.jpg").rename(folder / "below" / "1.jpg")
    edit(folder / "3.jpg", "a gull")
    report = library.index(folder)
    assert counts(report) == {"moved": 1, "changed": 1, "unchanged": 2, "added": 1}
    assert library.tower.embedded == 2, "3.jpg, of which nothing is as it was, and 2.jpg"
    after = {path.name: photo_of(library, path) for path in folder.rglob("*.*")}
    assert {name for name in before if after[name] != before[name]} == {"3.jpg"}
    assert library.catalog.tagged("gull").tolist() == [before["1.jpg"]]
    assert versions(library) == [VERSION] * 5
    assert counts(library.index(folder)) == {"unchanged": 5}


def test_pictures_that_an_earlier_reader_took_for_one_are_parted(
    library: Library, folder: Path, earlier_reader: pytest.MonkeyPatch
) -> None:
    shutil.copy(folder / "0.jpg", folder / "copy of 0.jpg")
    earlier_reader.setattr(
        "sigseek.indexer.decoding.digest.picture_digest", lambda *given: bytes(32)
    )
    library.index(folder)
    (photo,) = library.catalog.embedded_ids(1)
    earlier_reader.undo()
    report = library.index(folder)
    assert (report.unchanged + report.changed, library.tower.embedded) == (6, 4)
    photos = {path.name: photo_of(library, path) for path in folder.rglob("*.*")}
    assert len(set(photos.values())) == 5
    assert photo in photos.values(), "one of them keeps the photo"
    assert photos["copy of 0.jpg"] == photos["0.jpg"]
    assert versions(library) == [VERSION] * 5
