import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from sigseek.storage import (
    Catalog,
    EmbeddingRecord,
    FailureKind,
    FailureRecord,
    FileRecord,
    LibraryError,
    LibraryFailure,
    PhotoFacts,
    PhotoRecord,
    YardstickRecord,
)
from sigseek.storage.catalog.columns import PathText
from tests.catalogs import add_checkpoint, add_photos, random_unit


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "library")
    yield catalog
    catalog.close()


@given(st.binary(min_size=1).map(os.fsdecode))
def test_any_path_survives_the_database_form(path: str) -> None:
    form = PathText()
    for dialect in (sqlite.dialect(), postgresql.dialect()):
        kept = form.process_bind_param(path, dialect)
        assert form.process_result_value(kept, dialect) == path


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
            transaction.put_files(
                folder.id, [("a.jpg", transaction.add_photo(PhotoFacts(b"a", 1, 1, "PNG")), 1, 1)]
            )
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
    ids = add_photos(
        catalog, checkpoint, random_unit(2, 4), tmp_path / "a" / "b", ["1.jpg", "deep/2.jpg"]
    )
    with catalog.transaction() as transaction:
        inner, _ = transaction.add_folder(tmp_path / "a" / "b")
        transaction.put_failure(inner.id, FailureRecord("bad.jpg", "damaged", 1, 1))
        transaction.add_folder(tmp_path / "a")
    assert [folder.path for folder in catalog.folders()] == [str(tmp_path / "a")]
    assert [catalog.photos(ids)[id_].paths for id_ in ids] == [
        (str(tmp_path / "a" / "b" / "1.jpg"),),
        (str(tmp_path / "a" / "b" / "deep" / "2.jpg"),),
    ]
    assert [failure.path for failure in catalog.failures()] == [
        str(tmp_path / "a" / "b" / "bad.jpg")
    ]


def test_a_failure_keeps_its_kind_and_when_it_was_tried(catalog: Catalog, tmp_path: Path) -> None:
    large = FailureRecord(
        "a.tif",
        "too large",
        3_000_000_000,
        1_700_000_000_000_000_000,
        FailureKind.TOO_LARGE,
        5_000_000_000,
        datetime(2024, 2, 29, 12, 0, 1),
    )
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        transaction.put_failure(folder.id, large)
    assert catalog.folder_failures(folder.id) == [large]
    assert catalog.failures() == [
        LibraryFailure(
            str(tmp_path / "a.tif"), large.reason, large.kind, large.pixels, large.tried_at
        )
    ]
    before = datetime.now(UTC).replace(tzinfo=None)
    with catalog.transaction() as transaction:
        transaction.put_failure(folder.id, FailureRecord("a.tif", "empty", 0, 1))
    (failure,) = catalog.folder_failures(folder.id)
    assert (failure.kind, failure.pixels) == (FailureKind.NO_PICTURE, None), "written over"
    assert failure.tried_at is not None
    assert before <= failure.tried_at <= datetime.now(UTC).replace(tzinfo=None)


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
    add_photos(
        catalog,
        checkpoint,
        random_unit(500, 4),
        tmp_path / "photos",
        [f"{n:0300}.jpg" for n in range(500)],
    )
    catalog.close()
    with catalog.path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(size // 4)
        file.write(b"\xff" * (size // 2))
    damaged = Catalog(tmp_path)
    with pytest.raises(LibraryError, match="is damaged"):
        list(damaged.files(1, checkpoint.id))
    damaged.close()


def forget(catalog: Catalog, root: Path, *names: str) -> None:
    """Remove these files, and photos that have no other."""
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(root)
        transaction.remove_files(folder.id, names)
        transaction.remove_photos_without_files()


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_biases_of_photos_known_and_unknown(catalog: Catalog, tmp_path: Path) -> None:
    checkpoint, other = add_checkpoint(catalog, 4), add_checkpoint(catalog, 4, "another")
    ids = np.array(
        add_photos(catalog, checkpoint, random_unit(4, 4), tmp_path, list("abcd")), np.int64
    )
    assert np.isnan(catalog.biases(checkpoint.id, ids)).all()
    with catalog.transaction() as transaction:
        transaction.put_biases(checkpoint.id, ids[[3, 0]], floats(0.5, -0.25))
        transaction.put_biases(checkpoint.id, ids[[0, 1]], floats(0.125, 0.1))
        transaction.put_biases(checkpoint.id, ids[:0], floats())
    found = catalog.biases(checkpoint.id, np.append(ids, 999))
    np.testing.assert_array_equal(found, floats(0.125, 0.1, np.nan, 0.5, np.nan))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(catalog.biases(checkpoint.id, ids[[1, 3]]), floats(0.1, 0.5))
    assert catalog.biases(checkpoint.id, ids[:0]).shape == (0,)
    assert np.isnan(catalog.biases(other.id, ids)).all()


def test_a_bias_goes_with_its_photo_and_is_written_over_when_it_is_measured_again(
    catalog: Catalog, tmp_path: Path
) -> None:
    checkpoint = add_checkpoint(catalog, 4)
    ids = np.array(
        add_photos(catalog, checkpoint, random_unit(2, 4), tmp_path, ["a", "b"]), np.int64
    )
    with catalog.transaction() as transaction:
        transaction.put_biases(checkpoint.id, ids, floats(0.5, 0.25))
        transaction.add_embeddings(
            checkpoint.id, {int(ids[0]): EmbeddingRecord(random_unit(1, 4)[0], "fp32", 1)}
        )
    assert catalog.biases(checkpoint.id, ids).tolist() == [0.5, 0.25], (
        "a photo embedded again keeps it until then"
    )
    forget(catalog, tmp_path, "b")
    np.testing.assert_array_equal(catalog.biases(checkpoint.id, ids), floats(0.5, np.nan))


def test_a_yardstick_comes_back_and_is_replaced(catalog: Catalog) -> None:
    checkpoint = add_checkpoint(catalog, 4)
    assert (catalog.yardstick(checkpoint.id), catalog.measured(checkpoint.id)) == (None, None)
    for version, pictures in ((3, random_unit(5, 4)), (4, random_unit(2, 4))):
        with catalog.transaction() as transaction:
            transaction.put_yardstick(
                checkpoint.id, YardstickRecord(version, 17, 5, pictures, floats(0.1, -1, 0.3))
            )
        found = catalog.yardstick(checkpoint.id)
        assert found is not None
        assert (
            catalog.measured(checkpoint.id)
            == (found.version, found.generation, found.embeddings)
            == (version, 17, 5)
        )
        np.testing.assert_array_equal(found.pictures, pictures.astype(np.float16))
        assert (found.pictures.dtype, found.absent_evidence.dtype) == (np.float32, np.float32)
        np.testing.assert_array_equal(found.absent_evidence, floats(0.1, -1, 0.3))


def test_a_calibration_is_kept_in_place_of_an_earlier_one(catalog: Catalog) -> None:
    checkpoint, other = add_checkpoint(catalog, 4), add_checkpoint(catalog, 4, "another")
    assert catalog.calibration(checkpoint.id) is None
    for fitted in ("{}", '{"slope": 1}'):
        with catalog.transaction() as transaction:
            transaction.put_calibration(checkpoint.id, fitted)
        assert catalog.calibration(checkpoint.id) == fitted
    assert catalog.calibration(other.id) is None


def test_a_tag_put_again_replaces_the_one_before(catalog: Catalog, tmp_path: Path) -> None:
    checkpoint = add_checkpoint(catalog, 4)
    ids = np.array(
        add_photos(catalog, checkpoint, random_unit(3, 4), tmp_path, list("abc")), np.int64
    )
    assert (catalog.tags(), catalog.tagged("cat").tolist()) == ({}, [])
    with catalog.transaction() as transaction:
        transaction.put_tag("dog", checkpoint.id, ids[[2, 0]], floats(0.9, 0.8))
        transaction.put_tag("cat", checkpoint.id, ids[:2], floats(0.7, 0.6))
    assert list(catalog.tags().items()) == [("cat", 2), ("dog", 2)]
    with catalog.transaction() as transaction:
        transaction.put_tag("cat", checkpoint.id, ids[1:], floats(0.9, 0.8))
    assert catalog.tagged("cat").tolist() == ids[1:].tolist()
    assert catalog.tagged("dog").tolist() == ids[[0, 2]].tolist()
    with catalog.transaction() as transaction:
        transaction.put_tag("cat", checkpoint.id, ids[:0], floats())
    assert catalog.tags() == {"dog": 2}


def test_tags_go_with_their_photos(catalog: Catalog, tmp_path: Path) -> None:
    checkpoint = add_checkpoint(catalog, 4)
    ids = np.array(
        add_photos(catalog, checkpoint, random_unit(3, 4), tmp_path, list("abc")), np.int64
    )
    with catalog.transaction() as transaction:
        transaction.put_tag("cat", checkpoint.id, ids, floats(0.9, 0.8, 0.7))
        transaction.put_tag("dog", checkpoint.id, ids[1:2], floats(0.9))
    forget(catalog, tmp_path, "b")
    assert catalog.tagged("cat").tolist() == ids[[0, 2]].tolist()
    assert catalog.tags() == {"cat": 2}


@pytest.mark.parametrize("cut_off", [False, True])
def test_a_library_that_may_not_be_written_is_read(ordinary_folder: Path, cut_off: bool) -> None:
    directory = ordinary_folder / "read only"
    catalog = Catalog(directory)
    vectors = random_unit(3, 4)
    ids = add_photos(catalog, add_checkpoint(catalog, 4), vectors, Path("/p"), ["a", "b", "c"])
    if cut_off:  # its last changes lie in a log beside it, as after a kill
        log = {path.name: path.read_bytes() for path in directory.iterdir()}
        catalog.close()
        for name, contents in log.items():
            (directory / name).write_bytes(contents)
    else:
        catalog.close()
    before = sorted(path.name for path in directory.iterdir())
    for path in directory.iterdir():
        path.chmod(0o444)
    directory.chmod(0o555)
    try:
        reading = Catalog(directory)
        found, halves = reading.embeddings(reading.checkpoints()[0].id)
        assert (found.tolist(), halves.tolist()) == (ids, vectors.astype(np.float16).tolist())
        with (
            pytest.raises(LibraryError, match=r"cannot be written .*; check permissions"),
            reading.transaction() as transaction,
        ):
            transaction.add_folder(Path("/q"))
        reading.close()
        assert sorted(path.name for path in directory.iterdir()) == before
    finally:
        directory.chmod(0o755)


def test_what_a_photo_says_is_kept_and_goes_with_it(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    facts = PhotoFacts(
        b"1", 4, 3, "JPEG", "2024", "camera", 1.5, -2.5, "lens", -1, "text", ("b", "a")
    )
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/p"))
        ids = [
            transaction.add_photo(facts),
            transaction.add_photo(PhotoFacts(b"2", 1, 1, "PNG", keywords=("a",))),
        ]
        assert transaction.add_photo(facts) == ids[0], "known"
        transaction.put_files(folder.id, [("1.jpg", ids[0], 1, 1), ("2.png", ids[1], 1, 1)])
    one, two = (catalog.photos(ids)[id_] for id_ in ids)
    assert one == PhotoRecord(
        ids[0], ("/p/1.jpg",), 4, 3, "2024", "camera", 1.5, -2.5, "lens", -1, "text", ("a", "b")
    )
    assert two == PhotoRecord(ids[1], ("/p/2.png",), 1, 1, None, None, None, None, keywords=("a",))
    with catalog.transaction() as transaction:
        transaction.remove_files(folder.id, ["1.jpg"])
        transaction.remove_photos_without_files()
    catalog.close()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as connection:
        assert connection.execute("SELECT photo_id, name FROM keyword").fetchall() == [
            (ids[1], "a")
        ]
    connection.close()
