import os
from collections.abc import Iterator
from pathlib import Path, PurePath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import Catalog, FailureRecord, FileRecord, LibraryError, PhotoFacts
from storage.models import PathText
from tests.catalogs import add_checkpoint, add_photos, random_unit


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "library")
    yield catalog
    catalog.close()


@given(st.binary(min_size=1).map(os.fsdecode))
def test_any_path_survives_the_database_form(path: str) -> None:
    form = PathText()
    assert form.process_result_value(form.process_bind_param(path, None), None) == path  # type: ignore[arg-type]


def test_a_path_that_is_not_utf8_is_kept(catalog: Catalog, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    ids = add_photos(catalog, add_checkpoint(catalog, 4), random_unit(1, 4), tmp_path, [name])
    assert catalog.photos(ids)[ids[0]].paths == (str(tmp_path / name),)


def test_embeddings_come_back_in_half_precision_by_id(catalog: Catalog, tmp_path: Path) -> None:
    checkpoint = add_checkpoint(catalog, 8)
    vectors = random_unit(5, 8)
    ids = add_photos(catalog, checkpoint, vectors, tmp_path, [f"{n}.jpg" for n in range(5)])
    found, kept = catalog.embeddings(checkpoint.id)
    assert found.tolist() == ids
    np.testing.assert_array_equal(kept, vectors.astype(np.float16))
    found, kept = catalog.embeddings(checkpoint.id, [ids[3], ids[1], 999])
    assert found.tolist() == [ids[1], ids[3]]
    np.testing.assert_array_equal(kept, vectors[[1, 3]].astype(np.float16))
    assert catalog.embeddings(checkpoint.id, [])[1].shape == (0, 8)


def test_a_failing_transaction_leaves_nothing(catalog: Catalog, tmp_path: Path) -> None:
    def write_half() -> None:
        with catalog.transaction() as transaction:
            folder, _ = transaction.add_folder(tmp_path)
            transaction.put_files(folder.id, [("a.jpg", transaction.add_photo(PhotoFacts(b"a", 1, 1, "PNG")), 1, 1)])
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_half()
    assert catalog.folders() == []
    assert catalog.find_photo(b"a") is None


def test_a_folder_inside_a_known_one_belongs_to_it(catalog: Catalog, tmp_path: Path) -> None:
    with catalog.transaction() as transaction:
        outer, _ = transaction.add_folder(tmp_path)
        again, inside = transaction.add_folder(tmp_path / "2024" / "may")
    assert (again.id, inside) == (outer.id, PurePath("2024/may"))


def test_a_folder_above_known_ones_takes_them_in(catalog: Catalog, tmp_path: Path) -> None:
    checkpoint = add_checkpoint(catalog, 4)
    ids = add_photos(catalog, checkpoint, random_unit(2, 4), tmp_path / "a" / "b", ["1.jpg", "deep/2.jpg"])
    with catalog.transaction() as transaction:
        inner, _ = transaction.add_folder(tmp_path / "a" / "b")
        transaction.put_failure(inner.id, FailureRecord("bad.jpg", "damaged", 1, 1))
        transaction.add_folder(tmp_path / "a")
    assert [folder.path for folder in catalog.folders()] == [str(tmp_path / "a")]
    assert [catalog.photos(ids)[id_].paths for id_ in ids] == [
        (str(tmp_path / "a" / "b" / "1.jpg"),),
        (str(tmp_path / "a" / "b" / "deep" / "2.jpg"),),
    ]
    assert [failure.path for failure in catalog.failures()] == [str(tmp_path / "a" / "b" / "bad.jpg")]


def test_a_photos_files_come_present_first(catalog: Catalog, tmp_path: Path) -> None:
    ids = add_photos(catalog, add_checkpoint(catalog, 4), random_unit(1, 4), tmp_path, ["a.jpg"])
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        transaction.put_files(folder.id, [("b.jpg", ids[0], 1, 1)])
        transaction.mark_missing(folder.id, ["a.jpg"])
    assert catalog.photos(ids)[ids[0]].paths == (str(tmp_path / "b.jpg"), str(tmp_path / "a.jpg"))
    assert catalog.file_counts() == {folder.id: (1, 1)}


def test_a_photo_id_is_never_used_again(catalog: Catalog, tmp_path: Path) -> None:
    checkpoint = add_checkpoint(catalog, 4)
    (first,) = add_photos(catalog, checkpoint, random_unit(1, 4), tmp_path, ["a.jpg"])
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        transaction.remove_files(folder.id, ["a.jpg"])
        transaction.remove_photos_without_files()
    assert catalog.embedded_ids(checkpoint.id).size == 0, "a photo's embeddings go with it"
    (second,) = add_photos(catalog, checkpoint, random_unit(1, 4), tmp_path, ["b.jpg"])
    assert second > first


def test_the_files_of_a_folder(catalog: Catalog, tmp_path: Path) -> None:
    checkpoint, other = add_checkpoint(catalog, 4), add_checkpoint(catalog, 4, "another")
    odd = os.fsdecode(b"caf\xe9.jpg")
    ids = add_photos(catalog, checkpoint, random_unit(2, 4), tmp_path, ["a.jpg", odd])
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        transaction.mark_missing(folder.id, ["a.jpg"])
    rows = [FileRecord._make(row) for row in catalog.files(folder.id, checkpoint.id)]
    assert sorted(rows) == [
        FileRecord("a.jpg", size=1, mtime_ns=1, embedded=True, missing=True, photo_id=ids[0]),
        FileRecord(odd, size=1, mtime_ns=1, embedded=True, missing=False, photo_id=ids[1]),
    ]
    assert not any(FileRecord._make(row).embedded for row in catalog.files(folder.id, other.id))
    assert list(catalog.files(folder.id + 1, checkpoint.id)) == []


def test_a_catalog_damaged_inside_is_told_in_one_line(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    checkpoint = add_checkpoint(catalog, 4)
    add_photos(catalog, checkpoint, random_unit(500, 4), tmp_path / "photos", [f"{n:0300}.jpg" for n in range(500)])
    catalog.close()
    with catalog.path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(size // 4)
        file.write(b"\xff" * (size // 2))
    damaged = Catalog(tmp_path)
    with pytest.raises(LibraryError, match="is damaged"):
        list(damaged.files(1, checkpoint.id))
    damaged.close()
