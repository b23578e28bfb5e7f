"""The status of a library: its numbers are of one moment, and its folders as they are now."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import sigseek
from sigseek.operations import location
from sigseek.operations.status import library_status
from sigseek.progress import Silence
from sigseek.storage import Catalog
from sigseek.storage.thumbnails import ThumbnailStore
from tests.catalogs import add_checkpoint, add_photos

pytestmark = pytest.mark.both_databases(always=True)


def test_a_snapshot_is_of_one_moment(open_catalog: Callable[[], Catalog], tmp_path: Path) -> None:
    catalog, other = open_catalog(), open_catalog()
    checkpoint = add_checkpoint(catalog, 4)
    add_photos(catalog, checkpoint, np.eye(4, dtype=np.float32)[:2], tmp_path, ["a.jpg", "b.jpg"])
    with catalog.snapshot() as reader:
        assert reader.photo_count() == 2
        add_photos(other, checkpoint, np.eye(4, dtype=np.float32)[2:], tmp_path, ["c.jpg", "d.jpg"])
        assert reader.photo_count() == 2
        assert list(reader.file_counts().values()) == [(2, 0)]
        assert [record.embeddings for record in reader.checkpoints()] == [2]
        assert catalog.photo_count() == 4, "others see what is there now"
    with catalog.snapshot() as reader:
        assert reader.photo_count() == 4


def test_the_numbers_of_a_status_agree_while_another_process_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, other = Catalog(tmp_path), Catalog(tmp_path)
    checkpoint = add_checkpoint(catalog, 4)
    vectors = np.eye(4, dtype=np.float32)
    add_photos(catalog, checkpoint, vectors[:1], tmp_path, ["a.jpg"])
    count = Catalog.file_counts
    written: list[int] = []

    def count_while_another_writes(reader: Catalog) -> dict[int, tuple[int, int]]:
        counts = count(reader)
        if not written:
            written.extend(add_photos(other, checkpoint, vectors[1:2], tmp_path, ["b.jpg"]))
        return counts

    from sigseek.storage.catalog.catalog import CatalogReader

    monkeypatch.setattr(CatalogReader, "file_counts", count_while_another_writes)
    place = location.library_location(tmp_path, Silence())
    status = library_status(place, ThumbnailStore(tmp_path / "thumbnails"))
    assert written
    assert (status.photos, status.files) == (1, 1)
    assert [checkpoint.embeddings for checkpoint in status.checkpoints] == [1]
    for one in (catalog, other, place):
        one.close()


def test_a_status(tmp_path: Path, drawn: Path) -> None:
    photos = shutil.copytree(drawn, tmp_path / "photos")
    (photos / "bad.jpg").write_bytes(b"no picture")
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(photos)
        status = library.status()
        (folder,), (checkpoint,) = status.folders, status.checkpoints
        assert (status.photos, status.files, status.missing, status.failures) == (40, 40, 0, 1)
        assert (folder.path, folder.online, folder.files, folder.missing) == (
            str(photos),
            True,
            40,
            0,
        )
        assert (checkpoint.model, checkpoint.embeddings, checkpoint.coverage) == ("mini", 40, 1.0)
        assert checkpoint.reference_captions == 456
        photos.rename(tmp_path / "unplugged")
        assert [folder.online for folder in library.status().folders] == [False]
