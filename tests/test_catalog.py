import hashlib
import os
import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path, PurePath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite

from sigseek.storage import (
    Catalog,
    CheckpointState,
    EmbeddingRecord,
    FailureKind,
    FailureRecord,
    FileRecord,
    LibraryError,
    LibraryFailure,
    Measured,
    PhotoFacts,
    PhotoFile,
    PhotoMetadata,
    PhotoRecord,
    PhotoVersions,
    ReadFile,
    YardstickRecord,
)
from sigseek.storage.catalog import FILE_NAME
from sigseek.storage.catalog import sqlite as catalog_sqlite
from sigseek.storage.catalog.columns import PathText
from sigseek.storage.catalog.transaction import Transaction
from sigseek.storage.records import DamagedFile
from tests.catalogs import add_checkpoint, add_many, add_photos, random_unit


@pytest.fixture
def catalog(open_catalog: Callable[[], Catalog]) -> Catalog:
    return open_catalog()


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
                folder.id,
                [ReadFile("a.jpg", transaction.add_photo(PhotoFacts(b"a", 1, 1, "PNG")), 1, 1)],
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


def test_files_below_a_directory(catalog: Catalog, tmp_path: Path) -> None:
    """The answers do not depend on the order in which the database sorts text, or on whether names
    are UTF-8.
    """
    odd, odd_directory = os.fsdecode(b"odd/caf\xe9.jpg"), os.fsdecode(b"caf\xe9s/a.jpg")
    names = ["sub/a.jpg", "Sub2/b.jpg", "SUB/c.jpg", "sub-a/d.jpg", "sub0/e.jpg", odd]
    names += [odd_directory, "r\u00e9/f.jpg", "deep/er/g.jpg"]
    checkpoint = add_checkpoint(catalog, 4)
    add_photos(catalog, checkpoint, random_unit(len(names), 4), tmp_path, names)
    (folder,) = catalog.folders()
    below = {
        "sub": ["sub/a.jpg"],
        "odd": [odd],
        os.fsdecode(b"caf\xe9s"): [odd_directory],
        "r\u00e9": ["r\u00e9/f.jpg"],
        "deep": ["deep/er/g.jpg"],
        "Sub": [],
        "r": [],
        "sub/a.jpg": [],
    }
    for directory, files in below.items():
        assert list(catalog.paths(folder.id, PurePath(directory))) == files, directory
        assert catalog.count_files_below(folder.id, PurePath(directory)) == len(files), directory
        assert catalog.has_files_below(tmp_path / directory) == bool(files), directory
    assert sorted(catalog.paths(folder.id, PurePath())) == sorted(names)
    assert catalog.has_files_below(tmp_path)
    assert not catalog.has_files_below(tmp_path.parent)


def test_files_are_moved_marked_and_removed_whatever_their_names(
    catalog: Catalog, tmp_path: Path
) -> None:
    """The longest path that a system takes is longer than what PostgreSQL keeps in an index."""
    long = "/".join(secrets.token_hex(120) for _ in range(16))
    names = [os.fsdecode(b"caf\xe9.jpg"), long, "plain.jpg"]
    ids = add_photos(catalog, add_checkpoint(catalog, 4), random_unit(3, 4), tmp_path / "a", names)
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path / "a")
        transaction.put_files(folder.id, [ReadFile(name, ids[0], 2, 2) for name in names])
        transaction.mark_missing(folder.id, names[:2])
        for name in names:
            transaction.put_failure(folder.id, FailureRecord(name, "bad", 1, 1))
            transaction.put_failure(folder.id, FailureRecord(name, "worse", 1, 1))
    assert catalog.file_counts() == {folder.id: (1, 2)}
    assert [failure.reason for failure in catalog.failures()] == ["worse"] * 3
    with catalog.transaction() as transaction:
        transaction.mark_present(folder.id, names)
        outer, _ = transaction.add_folder(tmp_path)
    assert sorted(catalog.paths(outer.id, PurePath("a"))) == sorted(f"a/{name}" for name in names)
    assert len(catalog.folder_failures(outer.id)) == 3
    with catalog.transaction() as transaction:
        assert transaction.relocate(tmp_path / "a", tmp_path / "b") == 3
    assert sorted(catalog.paths(outer.id, PurePath("b"))) == sorted(f"b/{name}" for name in names)
    with catalog.transaction() as transaction:
        transaction.remove_files(outer.id, [f"b/{name}" for name in names])
        transaction.remove_failures(outer.id, [f"b/{name}" for name in names])
    assert (catalog.file_counts(), catalog.failures()) == ({}, [])


def test_relocating_onto_known_files_leaves_those(catalog: Catalog, tmp_path: Path) -> None:
    checkpoint = add_checkpoint(catalog, 4)
    old = add_photos(catalog, checkpoint, random_unit(2, 4), tmp_path, ["a/1.jpg", "a/2.jpg"])
    new = add_photos(catalog, checkpoint, random_unit(1, 4), tmp_path, ["b/2.jpg"])
    with catalog.transaction() as transaction:
        assert transaction.relocate(tmp_path / "a", tmp_path / "b") == 2
    found = catalog.photos([*old, *new])
    assert {id_: photo.paths for id_, photo in found.items()} == {
        old[0]: (str(tmp_path / "b" / "1.jpg"),),
        new[0]: (str(tmp_path / "b" / "2.jpg"),),
    }


def test_text_that_no_database_takes_is_mended(catalog: Catalog, tmp_path: Path) -> None:
    """Damaged and hostile files have such text in their metadata."""
    hostile = "a\0b\ud800c\u00e9"
    facts = PhotoFacts(
        b"1", 1, 1, "JPEG", camera=hostile, description=hostile, keywords=(hostile, "plain")
    )
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        id_ = transaction.add_photo(facts)
        transaction.put_files(folder.id, [ReadFile("1.jpg", id_, 1, 1)])
        transaction.put_failure(folder.id, FailureRecord("2.jpg", hostile, 1, 1))
    photo = catalog.photos([id_])[id_]
    mended = "ab?c\u00e9"
    assert (photo.camera, photo.description, photo.keywords) == (mended, mended, (mended, "plain"))
    assert catalog.failures()[0].reason == mended


def test_damaged_photos_are_counted_and_their_files_listed(
    catalog: Catalog, tmp_path: Path
) -> None:
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        whole = transaction.add_photo(PhotoFacts(b"1", 1, 1, "JPEG"))
        broken = transaction.add_photo(PhotoFacts(b"2", 1, 1, "JPEG", damaged=True))
        transaction.add_photo(PhotoFacts(b"3", 1, 1, "JPEG", damaged=True))  # no file holds it
        files = [("c.jpg", broken), ("b.jpg", whole), ("a.jpg", broken), ("d.jpg", broken)]
        transaction.put_files(folder.id, [ReadFile(path, id_, 1, 1) for path, id_ in files])
        transaction.mark_missing(folder.id, ["d.jpg"])
    assert catalog.damaged_files() == [
        DamagedFile(str(tmp_path / "a.jpg"), broken),
        DamagedFile(str(tmp_path / "c.jpg"), broken),
    ]
    assert catalog.count_damaged() == 1
    assert [photo.damaged for _, photo in sorted(catalog.photos([whole, broken]).items())] == [
        False,
        True,
    ]


def test_a_failure_tells_the_version_of_the_decoder(catalog: Catalog, tmp_path: Path) -> None:
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        transaction.put_failure(folder.id, FailureRecord("a.jpg", "", 1, 1, decoder_version=7))
    assert [known.decoder_version for known in catalog.folder_failures(folder.id)] == [7]


def test_photos_are_added_together_each_once(catalog: Catalog, tmp_path: Path) -> None:
    facts = [PhotoFacts(bytes([n]), n, n, "JPEG", keywords=(f"{n}", "all")) for n in (3, 1, 2, 1)]
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        first = transaction.add_photo(facts[2])
        ids = transaction.add_photos(facts)
        assert transaction.add_photos([]) == {}
        transaction.put_files(folder.id, [ReadFile(f"{id_}", id_, 1, 1) for id_ in ids.values()])
    assert set(ids) == {b"\1", b"\2", b"\3"}
    assert ids[b"\2"] == first
    assert [catalog.photos([ids[key]])[ids[key]].keywords for key in sorted(ids)] == [
        ("1", "all"),
        ("2", "all"),
        ("3", "all"),
    ]
    checkpoint = add_checkpoint(catalog, 4)
    with catalog.transaction() as transaction:
        embedding = EmbeddingRecord(random_unit(1, 4)[0], "fp32", 1)
        transaction.add_embeddings(checkpoint.id, {first: embedding, ids[b"\3"]: embedding})
    asked = [(b"\1", b"\1"), (b"\2", b"\2"), (b"\4", b"\2")]
    known = PhotoVersions(first, 0, 0)
    assert catalog.find_embedded(asked, checkpoint.id) == [None, known, known]


def test_a_file_is_left_out_whose_photo_another_writer_removed(
    catalog: Catalog, tmp_path: Path
) -> None:
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        id_ = transaction.add_photo(PhotoFacts(b"1", 1, 1, "JPEG"))
        gone = transaction.add_photo(PhotoFacts(b"2", 1, 1, "JPEG"))
        transaction.put_files(folder.id, [ReadFile("1.jpg", id_, 1, 1)])
    with catalog.transaction() as transaction:
        assert transaction.remove_photos_without_files() == 1
    with catalog.transaction() as transaction:
        transaction.put_files(
            folder.id, [ReadFile("2.jpg", gone, 1, 1), ReadFile("3.jpg", id_, 1, 1)]
        )
    assert sorted(catalog.paths(folder.id, PurePath())) == ["1.jpg", "3.jpg"]


def test_embeddings_stream_and_may_be_left_in_the_middle(catalog: Catalog) -> None:
    checkpoint = add_checkpoint(catalog, 8)
    vectors = random_unit(5_000, 8)
    with catalog.transaction() as transaction:
        facts = [PhotoFacts(n.to_bytes(4, "big"), 1, 1, "JPEG") for n in range(len(vectors))]
        ids = list(transaction.add_photos(facts).values())
        transaction.add_embeddings(
            checkpoint.id,
            {id_: EmbeddingRecord(one, "fp32", 1) for id_, one in zip(ids, vectors, strict=True)},
        )
    assert catalog.checkpoints()[0].embeddings == len(vectors)
    chunks = catalog.embedding_chunks(checkpoint.id)
    assert [len(next(chunks)[0]) for _ in range(3)] == [0, 64, 64]
    chunks.close()  # type: ignore[attr-defined]
    assert sum(len(found) for found, _ in catalog.embedding_chunks(checkpoint.id)) == len(vectors)
    assert catalog.embedded_ids(checkpoint.id).tolist() == sorted(ids)
    stored = {id_: vector for id_, vector, _ in catalog.stored_embeddings(checkpoint.id)}
    assert stored[ids[7]] == vectors[7].astype("<f2").tobytes()
    found, halves = catalog.embeddings(checkpoint.id, ids[1_000:4_000])
    assert len(found) == len(halves) == 3_000


def test_writers_at_the_same_time_count_every_generation(
    open_catalog: Callable[[], Catalog],
) -> None:
    """A reader sees generations in their order: one that caught up to a generation would miss an
    earlier one that came later, for ever.
    """
    first, second, reader = open_catalog(), open_catalog(), open_catalog()
    checkpoint = add_checkpoint(first, 4)
    rounds = 25

    def write(catalog: Catalog, writer: int) -> None:
        for turn in range(rounds):
            with catalog.transaction() as transaction:
                mine = PhotoFacts(bytes([writer, turn]), 1, 1, "JPEG")
                shared = PhotoFacts(bytes([turn]), 1, 1, "JPEG")  # both add it
                ids = transaction.add_photos([mine, shared] if writer else [shared, mine])
                embedding = EmbeddingRecord(random_unit(1, 4)[0], "fp32", 1)
                transaction.add_embeddings(checkpoint.id, dict.fromkeys(ids.values(), embedding))

    seen: list[int] = []
    there: dict[int, set[int]] = {}
    """The photos that were seen, by the generation that held them."""
    with ThreadPoolExecutor(2) as pool:
        writing = [pool.submit(write, catalog, n) for n, catalog in enumerate((first, second))]
        while not all(one.done() for one in writing):
            seen.append(reader.checkpoints()[0].generation)
            there[seen[-1]] = set(reader.embedded_ids(checkpoint.id, seen[-1]).tolist())
        for one in writing:
            one.result()
    assert seen == sorted(seen)
    assert len(there) > 2, "the reader was looking while they wrote"
    for generation, ids in there.items():  # a photo embedded again has moved to a later one
        assert set(reader.embedded_ids(checkpoint.id, generation).tolist()) <= ids
    assert reader.checkpoints()[0].generation == 2 * rounds
    assert reader.checkpoints()[0].embeddings == 3 * rounds
    assert len(reader.embedded_ids(checkpoint.id)) == 3 * rounds


def test_a_failure_keeps_its_kind_and_when_it_was_tried(catalog: Catalog, tmp_path: Path) -> None:
    large = FailureRecord(
        "a.tif",
        "too large",
        3_000_000_000,
        1_700_000_000_000_000_000,
        FailureKind.TOO_LARGE,
        5_000_000_000,
        datetime(2024, 2, 29, 12, 0, 1, tzinfo=timezone(timedelta(hours=2))),
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
    before = datetime.now(UTC)
    with catalog.transaction() as transaction:
        transaction.put_failure(folder.id, FailureRecord("a.tif", "empty", 0, 1))
    (failure,) = catalog.folder_failures(folder.id)
    assert (failure.kind, failure.pixels) == (FailureKind.NO_PICTURE, None), "written over"
    assert failure.tried_at is not None
    assert before <= failure.tried_at <= datetime.now(UTC)


def test_the_states_of_checkpoints(catalog: Catalog) -> None:
    checkpoint, other = add_checkpoint(catalog, 4), add_checkpoint(catalog, 4, "another")
    yardstick = YardstickRecord(3, 1, 5, random_unit(2, 4), floats(0.5))
    with catalog.transaction() as transaction:
        transaction.put_yardstick(checkpoint.id, yardstick)
        transaction.put_calibration(other.id, "{}")
    assert catalog.checkpoint_states() == [
        CheckpointState(checkpoint, Measured(3, 1, 5, 256), None),
        CheckpointState(other, None, "{}"),
    ]
    assert [state.newest_photo for state in catalog.checkpoint_states()] == [0, 0]
    newest = max(add_photos(catalog, other, random_unit(2, 4), Path("/p"), ["a.jpg", "b.jpg"]))
    assert [state.newest_photo for state in catalog.checkpoint_states()] == [newest, newest]


def test_ids_come_in_several_parts(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigseek.storage.catalog.postgresql._IDS_TOGETHER", 3)
    checkpoint = add_checkpoint(catalog, 4)
    assert catalog.embedded_ids(checkpoint.id).tolist() == []
    ids = add_many(catalog, checkpoint.id, random_unit(10, 4))
    assert catalog.embedded_ids(checkpoint.id).tolist() == ids


def test_a_photos_files_come_present_first(catalog: Catalog, tmp_path: Path) -> None:
    ids = add_photos(catalog, add_checkpoint(catalog, 4), random_unit(1, 4), tmp_path, ["a.jpg"])
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        transaction.put_files(folder.id, [ReadFile("b.jpg", ids[0], 1, 1)])
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
    rows = list(catalog.files(folder.id, checkpoint.id))
    assert sorted(rows) == [
        FileRecord(
            "a.jpg", size=1, mtime_ns=1, ctime_ns=None, embedded=True, missing=True, photo_id=ids[0]
        ),
        FileRecord(
            odd, size=1, mtime_ns=1, ctime_ns=None, embedded=True, missing=False, photo_id=ids[1]
        ),
    ]
    assert not any(file.embedded for file in catalog.files(folder.id, other.id))
    assert list(catalog.files(folder.id + 1, checkpoint.id)) == []


def test_files_come_in_the_order_of_their_paths(catalog: Catalog, tmp_path: Path) -> None:
    checkpoint = add_checkpoint(catalog, 4)
    odd = os.fsdecode(b"a/\xe9.jpg")
    names = ["b", "a0", "a/z", "鳥", "a-b/1", "a/b/1", "B", "a", odd, "\U0001f600", "\uffff"]
    add_photos(catalog, checkpoint, random_unit(len(names), 4), tmp_path, names)
    (folder,) = catalog.folders()

    def found(inside: str) -> list[str]:
        rows = catalog.file_rows(folder.id, checkpoint.id, PurePath(inside))
        return [FileRecord.of(row).path for row in rows]

    everything = found("")
    assert set(everything) == set(names)
    everything.remove(odd)
    assert everything == sorted(everything)
    assert [name for name in found("a") if name != odd] == ["a", "a/b/1", "a/z"]
    assert odd in found("a")
    some = catalog.files(folder.id, checkpoint.id, ["a/z", odd, "not there"])
    assert {file.path for file in some} == {"a/z", odd}


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
        file.seek(size // 2)  # behind the schema, which is read when a catalog is opened
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
    for version, pictures, common in ((3, random_unit(5, 4), 64), (4, random_unit(2, 4), 256)):
        measured = YardstickRecord(version, 17, 5, pictures, floats(0.1, -1, 0.3), common)
        with catalog.transaction() as transaction:
            transaction.put_yardstick(checkpoint.id, measured)
        found = catalog.yardstick(checkpoint.id)
        assert found is not None
        assert (
            catalog.measured(checkpoint.id)
            == (found.version, found.generation, found.embeddings, found.common_texts)
            == (version, 17, 5, common)
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
    assert catalog.tags() == {"cat": 0, "dog": 2}
    with catalog.transaction() as transaction:
        transaction.remove_tag("cat")
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
    assert catalog.tags() == {"cat": 2, "dog": 0}


def test_a_connection_in_use_is_closed_when_it_is_given_back(
    open_catalog: Callable[[], Catalog],
) -> None:
    """The library may be closed while another thread is in the middle of an answer."""
    catalog = open_catalog()
    events: Counter[str] = Counter()
    for name in ("checkout", "close"):
        event.listen(catalog._dialect.readers, name, lambda *_, name=name: events.update([name]))
    with catalog.snapshot() as reading:
        catalog.close()
        before = events["close"]
        assert reading.folders() == []
    assert events == {"checkout": 1, "close": before + 1}


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


def test_a_library_of_a_newer_program_that_may_not_be_written_is_let_go(
    ordinary_folder: Path,
) -> None:
    directory = ordinary_folder / "read only"
    Catalog(directory).close()
    with closing(sqlite3.connect(directory / FILE_NAME)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("UPDATE setting SET value = '9999 9999' WHERE name = 'readable_from'")
    directory.chmod(0o555)
    (directory / FILE_NAME).chmod(0o444)
    try:
        for _ in range(2):
            with pytest.raises(LibraryError, match="newer sigseek"):
                Catalog(directory)
        assert catalog_sqlite._file_id(directory / FILE_NAME) not in catalog_sqlite._IN_USE
    finally:
        directory.chmod(0o755)


SAID = PhotoMetadata(
    taken_at="2016-12-24T10:02:17-03:30",
    date_source="iptc",
    camera="camera",
    latitude=1.5,
    longitude=-2.5,
    city="Lisbon",
    region="Lisbon District",
    country="Portugal",
    place_source="xmp",
    lens="lens",
    rating=-1,
    title="Harbour at dawn",
    description="text",
    keywords=("b", "Animal|Bird|Gull"),
    people=("Zoe", "Ann"),
    facts_version=1,
)


def _giving(path: str, photo_id: int) -> ReadFile:
    """Return a file that gave its photo's metadata."""
    return ReadFile(path, photo_id, 1, 1, gave_facts=True)


def test_what_a_photo_says_is_kept(catalog: Catalog) -> None:
    facts = PhotoFacts(b"1", 4, 3, "JPEG", **vars(SAID))
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/p"))
        ids = [
            transaction.add_photo(facts),
            transaction.add_photo(PhotoFacts(b"2", 1, 1, "PNG", taken_at="1978", keywords=("b",))),
        ]
        assert transaction.add_photo(facts) == ids[0], "known"
        transaction.put_files(folder.id, [_giving("1.jpg", ids[0]), _giving("2.png", ids[1])])
    one, two = (catalog.photos(ids)[id_] for id_ in ids)
    in_order = replace(SAID, keywords=("Animal|Bird|Gull", "b"), people=("Ann", "Zoe"))
    assert one == PhotoRecord(ids[0], ("/p/1.jpg",), 4, 3, **vars(in_order))
    assert two == PhotoRecord(ids[1], ("/p/2.png",), 1, 1, taken_at="1978", keywords=("b",))


def test_times_are_kept_as_local_text_with_the_offset_apart(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    told = ["2016-12-24T10:02:17-03:30", "2016-12-24T10:02:17+14:00", "2016-12", "2016-12-24T10:02"]
    with catalog.transaction() as transaction:
        facts = [PhotoFacts(b"%d" % n, 1, 1, "PNG", taken_at=at) for n, at in enumerate(told)]
        transaction.add_photos([*facts, PhotoFacts(b"none", 1, 1, "PNG")])
    catalog.close()
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as connection:
        columns = "SELECT taken_at, utc_offset FROM photo ORDER BY id"
        rows = connection.execute(columns).fetchall()
    assert rows == [
        ("2016-12-24T10:02:17", -210),
        ("2016-12-24T10:02:17", 840),
        ("2016-12", None),
        ("2016-12-24T10:02", None),
        (None, None),
    ]


def test_metadata_that_was_read_again_takes_the_place_of_what_was_known(catalog: Catalog) -> None:
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/p"))
        facts = [PhotoFacts(b"%d" % n, 4, 3, "JPEG", **vars(SAID)) for n in range(2)]
        ids = list(transaction.add_photos(facts).values())
        transaction.put_files(folder.id, [_giving(f"{id_}.jpg", id_) for id_ in ids])
    said = PhotoMetadata(title="Noon", keywords=("b", "new"), people=("Zoe",), facts_version=2)
    with catalog.transaction() as transaction:
        transaction.put_metadata({})
        transaction.put_metadata({ids[0]: said})
    found = catalog.photos(ids)
    assert found[ids[0]] == PhotoRecord(ids[0], (f"/p/{ids[0]}.jpg",), 4, 3, **vars(said))
    assert found[ids[1]].people == ("Ann", "Zoe")
    with catalog.transaction() as transaction:
        transaction.put_sidecars(folder.id, {f"{ids[0]}.jpg": "1 2 a.xmp"})
    assert [catalog.photos(ids)[id_].facts_version for id_ in ids] == [0, 1]


def test_changed_sidecars_make_metadata_stale(catalog: Catalog, tmp_path: Path) -> None:
    names = ["a.jpg", os.fsdecode(b"caf\xe9.jpg"), "c.jpg"]
    checkpoint = add_checkpoint(catalog, 4)
    ids = add_photos(catalog, checkpoint, random_unit(3, 4), tmp_path, names)
    (folder,) = catalog.folders()
    with catalog.transaction() as transaction:
        transaction.mark_metadata_read(ids, 7)
    assert catalog.stale_photos("metadata", [folder.id], 7) == []
    assert catalog.stale_photos("metadata", [folder.id], 8) == ids
    assert catalog.stale_photos("metadata", [folder.id + 1], 8) == []
    beside = os.fsdecode(b"1 2 caf\xe9.jpg.xmp")
    with catalog.transaction() as transaction:
        transaction.put_sidecars(folder.id, {})
        transaction.put_sidecars(folder.id, {"no file": "1 2 a.xmp"})
        transaction.put_sidecars(folder.id, {names[0]: "1 2 a.xmp", names[1]: beside})
        transaction.mark_missing(folder.id, ["c.jpg"])
    assert catalog.stale_photos("metadata", [folder.id], 7) == ids[:2]
    assert catalog.stale_photos("metadata", [folder.id], 8) == ids[:2], (
        "the missing one is not read"
    )
    found = catalog.files(folder.id, checkpoint.id)
    rows = {row.path: row.sidecars for row in found}
    assert rows == {names[0]: "1 2 a.xmp", names[1]: beside, "c.jpg": None}
    assert catalog.present_files(ids) == {
        ids[0]: [PhotoFile(str(tmp_path / names[0]), 1, 1, "1 2 a.xmp")],
        ids[1]: [PhotoFile(str(tmp_path / names[1]), 1, 1, beside)],
    }
    with catalog.transaction() as transaction:
        transaction.put_sidecars(folder.id, {names[0]: None})
    assert catalog.present_files(ids[:1])[ids[0]][0].sidecars is None


def test_words_that_no_photo_bears_any_more_are_removed(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/p"))
        ids = [
            transaction.add_photo(PhotoFacts(b"1", 4, 3, "JPEG", **vars(SAID))),
            transaction.add_photo(PhotoFacts(b"2", 1, 1, "PNG", keywords=("b",))),
        ]
        transaction.put_files(
            folder.id, [ReadFile("1.jpg", ids[0], 1, 1), ReadFile("2.png", ids[1], 1, 1)]
        )
    with catalog.transaction() as transaction:
        transaction.remove_files(folder.id, ["1.jpg"])
        transaction.remove_photos_without_files()
    catalog.close()
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as connection:
        assert connection.execute("SELECT name FROM keyword").fetchall() == [("b",)]
        assert connection.execute("SELECT photo_id FROM photo_keyword").fetchall() == [(ids[1],)]
        assert connection.execute("SELECT * FROM person").fetchall() == []
        assert connection.execute("SELECT * FROM photo_person").fetchall() == []


def test_the_states_of_all_checkpoints(catalog: Catalog, tmp_path: Path) -> None:
    first, second = add_checkpoint(catalog, 4), add_checkpoint(catalog, 4, name="second")
    with catalog.transaction() as transaction:
        transaction.put_calibration(second.id, "{}")
        pictures, evidence = random_unit(8, 4), np.zeros(200, np.float32)
        transaction.put_yardstick(first.id, YardstickRecord(1, 2, 3, pictures, evidence))
    states = catalog.checkpoint_states()
    assert [state.record for state in states] == catalog.checkpoints()
    assert [state.measured for state in states] == [(1, 2, 3, 256), None]
    assert [state.calibration for state in states] == [None, "{}"]


def test_the_photo_of_a_file(catalog: Catalog, tmp_path: Path) -> None:
    names = ["a.jpg", os.fsdecode(b"caf\xe9.jpg")]
    ids = add_photos(catalog, add_checkpoint(catalog, 4), random_unit(2, 4), tmp_path, names)
    assert [catalog.find_photo_of_file(tmp_path / name) for name in names] == ids
    assert catalog.find_photo_of_file(tmp_path / "b.jpg") is None
    assert catalog.find_photo_of_file(tmp_path.parent / "a.jpg") is None


def facts(name: str) -> PhotoFacts:
    return PhotoFacts(name.encode(), 4, 3, "JPEG", facts_version=7)


def stale(catalog: Catalog, ids: Iterable[int]) -> list[bool]:
    found = catalog.photos(list(ids))
    return [found[id_].facts_version == 0 for id_ in ids]


def held(path: str, photo_id: int, digest: bytes = b"1", **facts: bool) -> ReadFile:
    return ReadFile(path, photo_id, 1, 1, 1, digest, **facts)


def test_metadata_are_read_again_when_files_may_say_something_else(
    catalog: Catalog, tmp_path: Path
) -> None:
    """Metadata are what the photo's files say together."""
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        one, two = transaction.add_photo(facts("one")), transaction.add_photo(facts("two"))
        transaction.put_files(
            folder.id,
            [held("b.jpg", one, gave_facts=True), held("0.jpg", two, gave_facts=True)],
        )
    assert stale(catalog, [one, two]) == [False, False]

    def after(change: Callable[[Transaction], None]) -> bool:
        with catalog.transaction() as transaction:
            transaction.put_metadata({one: PhotoMetadata(facts_version=7)})
        with catalog.transaction() as transaction:
            change(transaction)
        assert not stale(catalog, [two])[0]
        return stale(catalog, [one])[0]

    def put(*files: ReadFile) -> Callable[[Transaction], None]:
        return lambda transaction: transaction.put_files(folder.id, files)

    assert not after(put(held("b.jpg", one))), "it was only touched"
    assert not after(put(held("b.jpg", one, gave_facts=True))), "it gave them"
    assert after(put(held("b.jpg", one, b"4"))), "they were edited"
    assert after(put(held("a.jpg", one, b"1"))), "a copy"
    assert after(put(held("c.jpg", one, b"1", gave_facts=True))), "the copies say something too"
    assert after(lambda changes: changes.mark_missing(folder.id, ["a.jpg"]))
    assert after(lambda changes: changes.mark_present(folder.id, ["a.jpg"]))
    assert after(lambda changes: changes.remove_files(folder.id, ["a.jpg"]))
    with catalog.transaction() as transaction:
        transaction.put_metadata({id_: PhotoMetadata(facts_version=7) for id_ in (one, two)})
        transaction.put_files(folder.id, [held("b.jpg", two, b"5")])
    assert stale(catalog, [one, two]) == [True, True], "one has lost a file, the other has got it"


def test_a_photo_gets_the_digest_of_its_picture(catalog: Catalog) -> None:
    with catalog.transaction() as transaction:
        id_ = transaction.add_photo(facts("all bytes"))
        folder, _ = transaction.add_folder(Path("/p"))
        transaction.put_files(folder.id, [held("1.jpg", id_), held("2.jpg", id_)])
    assert catalog.files_to_identify(folder.id, 1, 0, 10) == ["1.jpg"], "one file is enough"
    assert catalog.files_to_identify(folder.id, 1, 0, 0) == []
    assert catalog.files_to_identify(folder.id, 1, 1, 0) == ["1.jpg"], "it has no hash either"
    assert catalog.find_photo(b"picture", b"all bytes") == id_
    assert catalog.find_photo(b"picture") is None
    with catalog.transaction() as transaction:
        transaction.identify_photos({b"all bytes": b"picture", b"unknown": b"other"}, 1)
        assert transaction.find_photos([b"picture", b"other", b"all bytes"]) == {b"picture": id_}
    assert catalog.files_to_identify(folder.id, 1, 0, 10) == []
    assert catalog.files_to_identify(folder.id, 2, 0, 10) == ["1.jpg"], "a newer reader"


def test_more_photos_may_be_identified_than_a_statement_has_parameters(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    most = 100
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/p"))
        ids = [transaction.add_photo(facts(f"{n}")) for n in range(most + 1)]
        transaction.put_files(folder.id, [held(f"{id_:03}.jpg", id_) for id_ in ids])

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, most)

    event.listen(catalog._dialect.readers, "connect", limit)
    catalog._dialect.readers.dispose()
    assert catalog.files_to_identify(folder.id, 1, 1, 0) == [f"{id_:03}.jpg" for id_ in ids]
    catalog.close()


def test_photos_of_one_picture_become_one(catalog: Catalog, tmp_path: Path) -> None:
    checkpoint, second = add_checkpoint(catalog, 4), add_checkpoint(catalog, 4, "second")
    vectors = random_unit(3, 4)
    ids = add_photos(catalog, checkpoint, vectors, tmp_path, ["1.jpg", "2.jpg", "3.jpg"])
    names = [hashlib.sha256(f"{number}.jpg".encode()).digest() for number in (1, 2, 3)]
    with catalog.transaction() as transaction:
        one = EmbeddingRecord(vectors[1], "fp32", 1)
        transaction.put_tag("gull", checkpoint.id, np.array(ids[:1]), np.array([0.9]))
        transaction.put_tag("sea", checkpoint.id, np.array(ids[:2]), np.array([0.8, 0.7]))
        transaction.put_tag("sand", checkpoint.id, np.array(ids[1:2]), np.array([0.6]))
        transaction.add_embeddings(second.id, {ids[1]: one})
        transaction.put_biases(second.id, np.array(ids[1:2]), np.array([0.5], np.float32))
    before = [record.generation for record in catalog.checkpoints()]
    with catalog.transaction() as transaction:
        transaction.identify_photos({names[0]: b"picture", names[1]: b"picture"}, 1)
    assert catalog.photos(ids)[ids[0]].paths == tuple(
        str(tmp_path / name) for name in ("1.jpg", "2.jpg")
    )
    assert ids[1] not in catalog.photos(ids)
    assert {name: catalog.tagged(name).tolist() for name in ("gull", "sea", "sand")} == {
        "gull": [ids[0]],
        "sea": [ids[0]],
        "sand": [ids[0]],
    }
    found, kept = catalog.embeddings(checkpoint.id)
    assert found.tolist() == [ids[0], ids[2]]
    np.testing.assert_array_equal(kept, vectors[[0, 2]].astype(np.float16))
    found, kept = catalog.embeddings(second.id)
    assert found.tolist() == ids[:1]
    np.testing.assert_array_equal(kept[0], vectors[1].astype(np.float16))
    assert np.isnan(catalog.biases(second.id, np.array(ids[:1]))).all(), "it is measured again"
    after = catalog.checkpoints()
    assert [record.embeddings for record in after] == [2, 1]
    assert all(record.generation > old for record, old in zip(after, before, strict=True))
    assert catalog.count_embeddings_after(second.id, before[1], 10) == 1
    removed = [catalog.removed_embeddings(id_, 0).tolist() for id_ in (checkpoint.id, second.id)]
    assert removed == [[ids[1]], [ids[1]]], "its embedding was there already, and was given away"
    assert catalog.find_photo(b"picture") == ids[0]


def test_a_time_that_the_catalog_did_not_know_is_noted(catalog: Catalog, tmp_path: Path) -> None:
    checkpoint = add_checkpoint(catalog, 4)
    add_photos(catalog, checkpoint, random_unit(2, 4), tmp_path, ["1.jpg", "2.jpg"])
    with catalog.transaction() as transaction:
        transaction.note_ctimes(1, {"1.jpg": 2**62})
        transaction.note_ctimes(1, {})
    rows = list(catalog.files(1, checkpoint.id))
    assert {row.path: row.ctime_ns for row in rows} == {"1.jpg": 2**62, "2.jpg": None}
