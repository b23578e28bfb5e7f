import gc
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.geometry import Geometry
from sigseek.storage import Catalog, CheckpointRecord, EmbeddingRecord
from sigseek.storage.catalog.changes import embeddings as changed_embeddings
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index import faiss as faiss_index
from sigseek.storage.index import faiss_build, faiss_file, index_files
from sigseek.storage.index.faiss import FaissIndex
from sigseek.storage.index.faiss_file import StoredIndex, is_quantised
from sigseek.storage.index.file_store import FileStore
from tests.catalogs import add_checkpoint, add_many, add_photos, opened, random_unit

DIMENSION = 16


@pytest.fixture
def library(tmp_path: Path) -> Iterator[tuple[Catalog, CheckpointRecord, Path]]:
    catalog = Catalog(tmp_path)
    yield catalog, add_checkpoint(catalog, DIMENSION), tmp_path / "index"
    catalog.close()


def add(catalog: Catalog, checkpoint: CheckpointRecord, count: int, seed: int) -> list[int]:
    return add_photos(
        catalog,
        checkpoint,
        random_unit(count, DIMENSION, seed),
        Path("/p"),
        [f"{seed}-{n}" for n in range(count)],
    )


def forget(catalog: Catalog, seed: int, numbers: Iterable[int]) -> None:
    """Forget the files that `add` made, and with them the photos."""
    with catalog.transaction() as transaction:
        transaction.remove_files(1, [f"{seed}-{number}" for number in numbers])
        transaction.remove_photos_without_files()


def current(catalog: Catalog) -> CheckpointRecord:
    return catalog.checkpoints()[0]


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def scan(
    index: FaissIndex, query: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    found = index.estimates([query])
    return found.ids, found.cosines[0]


def sample(
    index: FaissIndex, query: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    ids, (cosines,) = index.sample([query])
    return ids, cosines


def check_exact(catalog: Catalog, index: FaissIndex) -> None:
    """Check that the candidates are the true nearest, by numpy."""
    ids, vectors = catalog.embeddings(current(catalog).id)
    for query in random_unit(5, DIMENSION, seed=77):
        nearest = ids[np.argsort(-(vectors.astype(np.float32) @ query))[:10]]
        assert set(nearest.tolist()) <= set(index.nearest(query, 10).ids.tolist())


def test_built_then_read(library: tuple[Catalog, CheckpointRecord, Path]) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 200, seed=1)
    check_exact(catalog, opened(catalog, directory))
    (name,) = [name for name in files(directory) if name.endswith(".faiss")]
    assert name == f"{checkpoint.token}-{current(catalog).generation}.faiss"
    written = (directory / name).stat().st_mtime_ns
    again = opened(catalog, directory)
    assert (directory / name).stat().st_mtime_ns == written, "read, not written again"
    assert len(again) == 200
    check_exact(catalog, again)


def test_a_few_later_photos_are_found_without_writing_the_file_anew(
    library: tuple[Catalog, CheckpointRecord, Path],
) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 200, seed=1)
    opened(catalog, directory)
    before = files(directory)
    later = add(catalog, checkpoint, 20, seed=2)
    index = opened(catalog, directory)
    assert files(directory) == before
    check_exact(catalog, index)
    _, vectors = catalog.embeddings(checkpoint.id, [later[0]])
    assert later[0] in index.nearest(vectors[0].astype(np.float32), 1).ids


def test_many_later_photos_make_a_new_file_and_drop_the_old(
    library: tuple[Catalog, CheckpointRecord, Path],
) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 200, seed=1)
    opened(catalog, directory)
    add(catalog, checkpoint, 21, seed=2)
    check_exact(catalog, opened(catalog, directory))
    assert files(directory) == [f"{checkpoint.token}-{current(catalog).generation}.faiss"]


def test_many_removed_photos_make_a_new_file(
    library: tuple[Catalog, CheckpointRecord, Path],
) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 100, seed=1)
    opened(catalog, directory)
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/p"))
        transaction.remove_files(folder.id, [f"1-{n}" for n in range(50)])
        transaction.remove_photos_without_files()
    index = opened(catalog, directory)
    assert len(index) == 50
    check_exact(catalog, index)


@pytest.mark.parametrize("is_known", [True, False])
def test_what_was_removed_is_known_without_the_ids_of_all(
    library: tuple[Catalog, CheckpointRecord, Path], monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    """All ids are compared where the removals were forgotten."""
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 200, seed=1)
    opened(catalog, directory)
    monkeypatch.setattr(changed_embeddings, "_KEPT_REMOVALS", 20_000 if is_known else 0)
    forget(catalog, 1, range(10))
    add(catalog, checkpoint, 5, seed=2)
    asked = []

    def ids(self: CheckpointEmbeddings, generation: int | None = None) -> npt.NDArray[np.int64]:
        asked.append(generation)
        return catalog.embedded_ids(checkpoint.id, generation)

    monkeypatch.setattr(CheckpointEmbeddings, "ids", ids)
    index = opened(catalog, directory)
    assert len(index) == 195
    check_exact(catalog, index)
    assert asked == ([] if is_known else [None])


@pytest.mark.parametrize(
    "damage", ["missing", "truncated", "empty", "noise", "another kind", "another dimension"]
)
def test_a_lost_or_damaged_file_is_made_anew(
    library: tuple[Catalog, CheckpointRecord, Path], damage: str
) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 100, seed=1)
    opened(catalog, directory)
    (path,) = directory.glob("*.faiss")
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "another kind":
        faiss.write_index(faiss.IndexFlatL2(DIMENSION), str(path))
    elif damage == "another dimension":
        faiss.write_index(faiss.IndexIDMap(faiss.IndexFlatIP(3)), str(path))
    else:
        path.write_bytes(
            {"truncated": whole[: len(whole) // 2], "empty": b"", "noise": b"\x93" * len(whole)}[
                damage
            ]
        )
    check_exact(catalog, opened(catalog, directory))
    assert path.read_bytes() == whole


def test_a_file_of_a_later_generation_than_the_catalogs_is_not_trusted(
    library: tuple[Catalog, CheckpointRecord, Path],
) -> None:
    """Putting back an older backup of the catalog leaves such a file."""
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 50, seed=1)
    opened(catalog, directory)
    (path,) = directory.glob("*.faiss")
    path.rename(directory / f"{checkpoint.token}-999.faiss")
    check_exact(catalog, opened(catalog, directory))
    assert path.is_file()
    FileStore(directory).tidy({checkpoint.token: current(catalog).generation})
    assert files(directory) == [path.name]


@pytest.mark.parametrize("more", [0, 40])
def test_a_file_that_lacks_what_a_catalog_put_back_holds_is_made_anew(
    library: tuple[Catalog, CheckpointRecord, Path], monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    """The catalog is a plain copy from before photos were forgotten: it holds what the newer file
    was made without.
    """
    monkeypatch.setattr(faiss_build, "_QUANTISED_FROM", 500 if more else 20_000)
    monkeypatch.setattr(index_files, "_STALE_SHARE", 0.02)
    catalog, checkpoint, directory = library
    ids = add(catalog, checkpoint, 1_000, seed=1)
    opened(catalog, directory)
    forget(catalog, 1, range(15))  # so few that the file stays as it is
    before = catalog.path.parent / "before"
    catalog.back_up(before)
    with closing(sqlite3.connect(before)) as copy, copy:
        copy.execute(
            "UPDATE checkpoint SET token = ?", (current(catalog).token,)
        )  # as a plain copy has it
    forget(catalog, 1, range(15, 30))
    opened(catalog, directory)
    catalog.close()
    shutil.copy(before, catalog.path)
    catalog = Catalog(catalog.path.parent)
    store = FileStore(directory)
    store.tidy({record.token: record.generation for record in catalog.checkpoints()})
    ids = ids[15:] + add(catalog, checkpoint, more, seed=2)
    index = opened(catalog, directory)
    assert sorted(scan(index, random_unit(1, DIMENSION)[0])[0].tolist()) == ids
    catalog.close()


def test_another_librarys_file_is_not_taken(
    library: tuple[Catalog, CheckpointRecord, Path], tmp_path: Path
) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 30, seed=1)
    opened(catalog, directory)
    other = Catalog(tmp_path / "other")
    ids = add(other, add_checkpoint(other, DIMENSION), 30, seed=3)
    index = opened(other, directory)
    assert set(index.nearest(random_unit(1, DIMENSION)[0], 30).ids.tolist()) == set(ids)
    other.close()


def test_a_directory_that_cannot_be_written_is_no_obstacle(
    library: tuple[Catalog, CheckpointRecord, Path],
) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 30, seed=1)
    directory.write_text("a file in its place")
    check_exact(catalog, opened(catalog, directory))


def test_nothing_indexed(library: tuple[Catalog, CheckpointRecord, Path]) -> None:
    catalog, checkpoint, directory = library
    index = FileStore(directory).open(CheckpointEmbeddings(catalog, checkpoint))
    assert len(index) == 0
    assert index.nearest(random_unit(1, DIMENSION)[0], 10).ids.tolist() == []


# From here on quantised: from fewer embeddings on than in earnest, but for the test of recall, for
# adding takes its time.


@pytest.fixture
def quantised(
    library: tuple[Catalog, CheckpointRecord, Path], monkeypatch: pytest.MonkeyPatch
) -> tuple[Catalog, int, Path]:
    """A library of 2,000 embeddings that is searched by its quantised index, and its checkpoint's
    id.
    """
    monkeypatch.setattr(faiss_build, "_QUANTISED_FROM", 1_500)
    catalog, checkpoint, directory = library
    add_many(catalog, checkpoint.id, random_unit(2_000, DIMENSION, seed=1))
    opened(catalog, directory)
    return catalog, checkpoint.id, directory


def remove(catalog: Catalog, ids: Sequence[int]) -> None:
    with sqlite3.connect(catalog.path) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executemany("DELETE FROM photo WHERE id = ?", [(id_,) for id_ in ids])
    connection.close()


def recall(
    catalog: Catalog, index: FaissIndex, queries: npt.NDArray[np.float32], count: int
) -> float:
    """Return the share of the true ten nearest among `count` candidates."""
    ids, vectors = catalog.embeddings(current(catalog).id)
    nearest = ids[np.argsort(-(queries @ vectors.astype(np.float32).T), axis=1)[:, :10]]
    found = [
        np.isin(true, index.nearest(query, count).ids).mean()
        for query, true in zip(queries, nearest, strict=True)
    ]
    return float(np.mean(found))


def stored(directory: Path) -> StoredIndex:
    (path,) = directory.glob("*.faiss")
    found = re.fullmatch(r"(\w+)-(\d+)\.faiss", path.name)
    assert found
    catalog = Catalog(directory.parent)
    embeddings = CheckpointEmbeddings(catalog, current(catalog))
    index = faiss_file.open_exactly(directory, embeddings, int(found[2]))
    catalog.close()
    assert index
    return index


def mapped_files() -> str:
    return Path("/proc/self/maps").read_text() if sys.platform == "linux" else ""


def test_recall_of_queries_of_text_geometry(
    library: tuple[Catalog, CheckpointRecord, Path], tmp_path: Path
) -> None:
    catalog, _, directory = library
    with catalog.transaction() as transaction:
        checkpoint = transaction.add_checkpoint(
            name="wide",
            fingerprint="w",
            preprocessing="p",
            dimension=256,
            image_size=32,
            logit_scale=4.7,
            logit_bias=-12.9,
        )
    geometry = Geometry(256)
    images = geometry.images(20_000)
    add_many(catalog, checkpoint.id, images.astype(np.float32))
    (checkpoint,) = [record for record in catalog.checkpoints() if record.id == checkpoint.id]
    index = FileStore(directory).open(CheckpointEmbeddings(catalog, checkpoint))
    assert (
        sum(path.stat().st_size for path in directory.glob("*.faiss"))
        < 20_000 * (256 // 4 + 8) + 40_000
    ), "not flat"
    kept = images.astype(np.float32)
    ids = catalog.embedded_ids(checkpoint.id)
    for queries in (geometry.captions(images[:100]), geometry.near(images[:100])):
        nearest = ids[np.argsort(-(queries @ kept.T), axis=1)[:, :10]]
        holds = [
            np.isin(true, index.nearest(query, 1000).ids).mean()
            for query, true in zip(queries, nearest, strict=True)
        ]
        assert np.mean(holds) >= 0.995


def test_the_faster_scan_finds_what_faiss_finds_by_its_own_choice(
    quantised: tuple[Catalog, int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faiss_index, "_MOST_KEPT", 0)
    catalog, _, directory = quantised
    index = opened(catalog, directory)
    by_choice = stored(directory).index
    assert is_quantised(by_choice)
    by_choice.implem = 0
    some = catalog.embedded_ids(1)[::3]
    for query in random_unit(20, DIMENSION, seed=3):
        _, (ids,) = by_choice.search(query[None], 300)
        assert index.nearest(query, 300).ids.tolist() == sorted(ids.tolist())
        selector = faiss.SearchParametersIVF(sel=faiss.IDSelectorBatch(some))
        _, (ids,) = by_choice.search(query[None], 300, params=selector)
        assert index.nearest(query, 300, some).ids.tolist() == sorted(ids.tolist())


def test_a_quantised_index_is_mapped_and_let_go(quantised: tuple[Catalog, int, Path]) -> None:
    catalog, _, directory = quantised
    index = opened(catalog, directory)
    assert is_quantised(stored(directory).index)
    assert recall(catalog, index, random_unit(20, DIMENSION, seed=7), 400) > 0.98
    sizes = {path.suffix: path.stat().st_size for path in directory.iterdir()}
    assert sizes.keys() == {".faiss", ".sample", ".vectors"}
    assert FileStore(directory).bytes() == sum(sizes.values())
    (name,) = [name for name in files(directory) if name.endswith(".faiss")]
    if sys.platform == "linux":
        assert name in mapped_files()
        del index
        gc.collect()
        assert name not in mapped_files()


def test_a_flat_index_is_mapped(library: tuple[Catalog, CheckpointRecord, Path]) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 500, seed=1)
    opened(catalog, directory)
    index = opened(catalog, directory)
    check_exact(catalog, index)
    if sys.platform == "linux":
        assert files(directory)[0] in mapped_files()


def test_an_index_stays_usable_when_its_file_is_replaced_or_removed(
    quantised: tuple[Catalog, int, Path],
) -> None:
    catalog, checkpoint_id, directory = quantised
    index = opened(catalog, directory)
    queries = random_unit(5, DIMENSION, seed=7)
    before = [index.nearest(query, 100).ids.tolist() for query in queries]
    add_many(catalog, checkpoint_id, random_unit(500, DIMENSION, seed=2))
    opened(catalog, directory)
    for path in directory.glob("*.faiss"):
        path.unlink()
    assert [index.nearest(query, 100).ids.tolist() for query in queries] == before


def test_later_embeddings_are_folded_in_with_the_quantiser_as_it_is(
    quantised: tuple[Catalog, int, Path],
) -> None:
    catalog, checkpoint_id, directory = quantised
    old = stored(directory)
    ids = catalog.embedded_ids(checkpoint_id)
    again, gone = ids[:3].tolist(), ids[-50:].tolist()
    with sqlite3.connect(
        catalog.path
    ) as connection:  # were an old embedding read again, it would now be missed
        connection.execute("UPDATE embedding SET vector = zeroblob(length(vector))")
    connection.close()
    later = add_many(catalog, checkpoint_id, random_unit(400, DIMENSION, seed=2))
    with catalog.transaction() as transaction:
        records = zip(again, random_unit(3, DIMENSION, seed=3), strict=True)
        transaction.add_embeddings(
            checkpoint_id, {id_: EmbeddingRecord(vector, "fp32", 1) for id_, vector in records}
        )
    remove(catalog, gone)
    opened(catalog, directory)
    new = stored(directory)
    assert (new.generation, new.trained_on) == (3, old.trained_on)
    old_codes, new_codes = codes(old), codes(new)
    kept = set(ids.tolist()) - {*again, *gone}
    assert set(new_codes) == kept | {*again, *later}
    assert all(new_codes[id_] == old_codes[id_] for id_ in kept)
    assert all(new_codes[id_] != old_codes[id_] for id_ in again)


def codes(found: StoredIndex) -> dict[int, bytes]:
    """Return the codes by id, each unpacked from its block as FAISS does it."""
    packer = found.index.get_CodePacker()
    codes, ids = faiss_file.codes_and_ids(found.index, int(found.index.ntotal))
    blocks = codes.reshape(-1, packer.block_size)
    return {int(id_): packer.unpack_1(blocks, row).tobytes() for row, id_ in enumerate(ids)}


def test_a_library_that_doubled_is_trained_on_anew(quantised: tuple[Catalog, int, Path]) -> None:
    catalog, checkpoint_id, directory = quantised
    assert stored(directory).trained_on == 2_000
    add_many(catalog, checkpoint_id, random_unit(1_999, DIMENSION, seed=2))
    opened(catalog, directory)
    assert stored(directory).trained_on == 2_000
    add_many(catalog, checkpoint_id, random_unit(1_000, DIMENSION, seed=3))
    index = opened(catalog, directory)
    assert stored(directory).trained_on == 4_999
    assert recall(catalog, index, random_unit(20, DIMENSION, seed=7), 800) > 0.98


def test_a_library_that_became_small_is_flat_again(quantised: tuple[Catalog, int, Path]) -> None:
    catalog, checkpoint_id, directory = quantised
    remove(catalog, catalog.embedded_ids(checkpoint_id)[:600].tolist())
    check_exact(catalog, opened(catalog, directory))
    assert not is_quantised(stored(directory).index)


def test_an_odd_dimension_stays_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faiss_build, "_QUANTISED_FROM", 100)
    catalog = Catalog(tmp_path)
    checkpoint = add_checkpoint(catalog, 15)
    ids = add_many(catalog, checkpoint.id, random_unit(200, 15))
    index = opened(catalog, tmp_path / "index")
    assert index.nearest(random_unit(200, 15)[7], 1).ids.tolist() == [ids[7]]
    catalog.close()


@pytest.mark.parametrize("dimension", [2, 6, 22, 192])
def test_any_even_dimension_is_quantised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dimension: int
) -> None:
    monkeypatch.setattr(faiss_build, "_QUANTISED_FROM", 100)
    catalog = Catalog(tmp_path)
    checkpoint = add_checkpoint(catalog, dimension)
    vectors = random_unit(999, dimension)
    ids = add_many(catalog, checkpoint.id, vectors)
    opened(catalog, tmp_path / "index")
    index = opened(catalog, tmp_path / "index")
    assert all(ids[row] in index.nearest(vectors[row], 200).ids for row in range(0, 999, 111))
    found = index.nearest(vectors[0], 999).ids
    assert len(found) > 900, "all but those whose 16-bit score is the kernel's minimum"
    assert set(found.tolist()) <= set(ids)
    catalog.close()


def test_a_quantised_file_cut_off_anywhere_or_changed_in_its_structure_is_made_anew(
    quantised: tuple[Catalog, int, Path],
) -> None:
    catalog, _, directory = quantised
    (path,) = directory.glob("*.faiss")
    whole = path.read_bytes()
    query = random_unit(1, DIMENSION, seed=7)[0]
    right = opened(catalog, directory).nearest(query, 100).ids.tolist()
    lengths = [
        0,
        1,
        43,
        44,
        45,
        len(whole) // 3,
        len(whole) // 2,
        *range(len(whole) - 60, len(whole), 7),
    ]
    damaged = [whole[:length] for length in lengths] + [whole + b"\0", whole[1:], whole[:-44]]
    structure = len(whole) - 44 - 500  # the quantiser's last 500 bytes
    damaged += [
        whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        for at in range(structure, len(whole), 37)
    ]
    for contents in damaged:
        path.unlink()  # never written in place: it may be mapped
        path.write_bytes(contents)
        assert opened(catalog, directory).nearest(query, 100).ids.tolist() == right
        assert path.stat().st_size == len(whole)


def test_a_flat_file_cut_off_anywhere_is_made_anew(
    library: tuple[Catalog, CheckpointRecord, Path],
) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 20, seed=1)
    opened(catalog, directory)
    (path,) = directory.glob("*.faiss")
    whole = path.read_bytes()
    for length in range(0, len(whole), 31):
        path.unlink()
        path.write_bytes(whole[:length])
        check_exact(catalog, opened(catalog, directory))
        assert path.read_bytes() == whole


def test_a_directory_that_cannot_be_written_is_no_obstacle_to_a_quantised_index(
    quantised: tuple[Catalog, int, Path],
) -> None:
    catalog, _, directory = quantised
    shutil.rmtree(directory)
    directory.write_text("a file in its place")
    assert (
        recall(catalog, opened(catalog, directory), random_unit(20, DIMENSION, seed=7), 400) > 0.98
    )


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    chosen=st.sets(st.integers(-3, 300), max_size=250),
    count=st.integers(1, 300),
    seed=st.integers(0, 9),
)
def test_candidates_among_some_are_the_nearest_of_these(
    filtered: tuple[Catalog, FaissIndex], chosen: set[int], count: int, seed: int
) -> None:
    catalog, index = filtered
    among = np.array(sorted(id_ for id_ in chosen if id_ > 0), np.int64)
    query = random_unit(1, DIMENSION, seed)[0]
    ids, vectors = catalog.embeddings(1)
    inside = np.isin(ids, among)
    nearest = ids[inside][np.argsort(-(vectors[inside].astype(np.float32) @ query))][:count]
    found = set(index.nearest(query, count, among).ids.tolist())
    assert set(nearest.tolist()) <= found <= set(ids[inside].tolist())


@pytest.fixture
def filtered(library: tuple[Catalog, CheckpointRecord, Path]) -> tuple[Catalog, FaissIndex]:
    """A library of 220 photos, of which 20 are later than the file."""
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 200, seed=1)
    opened(catalog, directory)
    add(catalog, checkpoint, 20, seed=2)
    return catalog, opened(catalog, directory)


def test_a_quantised_index_searches_among_some(quantised: tuple[Catalog, int, Path]) -> None:
    catalog, checkpoint_id, directory = quantised
    later = add_many(catalog, checkpoint_id, random_unit(100, DIMENSION, seed=2))
    index = opened(catalog, directory)
    ids = catalog.embedded_ids(checkpoint_id)
    among = np.union1d(ids[::5], later[::2])
    for query in random_unit(5, DIMENSION, seed=7):
        assert len(np.setxor1d(index.nearest(query, len(ids), among).ids, among)) <= 2
        some = set(index.nearest(query, 200, among).ids.tolist())
        assert 200 <= len(some) <= 300
        assert some <= set(among.tolist())


def exact_cosines(
    catalog: Catalog, query: npt.NDArray[np.float32]
) -> tuple[list[int], npt.NDArray[np.float32]]:
    ids, vectors = catalog.embeddings(current(catalog).id)
    return ids.tolist(), vectors.astype(np.float32) @ query


def embed_again(catalog: Catalog, checkpoint_id: int, again: Sequence[int], seed: int) -> None:
    with catalog.transaction() as transaction:
        records = zip(again, random_unit(len(again), DIMENSION, seed), strict=True)
        transaction.add_embeddings(
            checkpoint_id, {id_: EmbeddingRecord(vector, "fp32", 1) for id_, vector in records}
        )


def test_a_flat_scan_is_exact_later_photos_and_those_embedded_again_included(
    filtered: tuple[Catalog, FaissIndex],
) -> None:
    catalog, index = filtered
    for query in random_unit(3, DIMENSION, seed=7):
        ids, cosines = scan(index, query)
        expected_ids, expected = exact_cosines(catalog, query)
        assert ids.tolist() == expected_ids
        np.testing.assert_allclose(cosines, expected, atol=1e-6)
        sample_ids, values = sample(index, query)
        assert (sample_ids.tolist(), values.tolist()) == (ids.tolist(), cosines.tolist()), (
            "few enough to stand for themselves"
        )


def test_a_flat_scan_counts_photos_embedded_again_as_they_are_now(
    library: tuple[Catalog, CheckpointRecord, Path],
) -> None:
    catalog, checkpoint, directory = library
    ids = add(catalog, checkpoint, 200, seed=1)
    opened(catalog, directory)
    embed_again(catalog, checkpoint.id, ids[3:6], seed=9)
    found, cosines = scan(opened(catalog, directory), random_unit(1, DIMENSION, seed=7)[0])
    expected_ids, expected = exact_cosines(catalog, random_unit(1, DIMENSION, seed=7)[0])
    assert found.tolist() == expected_ids
    np.testing.assert_allclose(cosines, expected, atol=1e-6)


def test_a_scan_of_nothing(library: tuple[Catalog, CheckpointRecord, Path]) -> None:
    catalog, _, directory = library
    ids, cosines = scan(opened(catalog, directory), random_unit(1, DIMENSION)[0])
    assert (ids.tolist(), cosines.tolist()) == ([], [])


def test_a_quantised_scan_covers_everything(quantised: tuple[Catalog, int, Path]) -> None:
    catalog, checkpoint_id, directory = quantised
    later = add_many(catalog, checkpoint_id, random_unit(100, DIMENSION, seed=2))
    again = catalog.embedded_ids(checkpoint_id)[:5].tolist()
    embed_again(catalog, checkpoint_id, again, seed=9)
    index = opened(catalog, directory)
    for query in random_unit(5, DIMENSION, seed=7):
        ids, cosines = scan(index, query)
        expected_ids, expected = exact_cosines(catalog, query)
        assert ids.tolist() == expected_ids
        errors = cosines - expected
        assert np.sqrt(np.mean(errors**2)) < 0.1, "of cosines with a spread of 0.25"
        exact = np.isin(ids, [*later, *again])
        np.testing.assert_allclose(errors[exact], 0, atol=1e-6)


@pytest.mark.parametrize("dimension", [2, 6, DIMENSION])
def test_a_quantised_scan_passes_over_none_that_lies_opposite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dimension: int
) -> None:
    """FAISS's kernel leaves out photos whose 16-bit score is the minimum, which are the best of a
    NOT.
    """
    monkeypatch.setattr(faiss_build, "_QUANTISED_FROM", 100)
    catalog = Catalog(tmp_path)
    checkpoint, vectors = add_checkpoint(catalog, dimension), random_unit(1_000, dimension)
    vectors[500:520] = -vectors[0]
    ids = add_many(catalog, checkpoint.id, vectors)
    index = opened(catalog, tmp_path / "index")
    for query in (vectors[0], -vectors[0], *random_unit(3, dimension, seed=7)):
        found, cosines = scan(index, query)
        assert found.tolist() == ids
        assert np.abs(cosines - vectors @ query).max() < 0.6
    lowest = found[np.argsort(scan(index, vectors[0])[1])[:100]]
    assert set(ids[500:520]) <= set(lowest.tolist()) or dimension == 2
    catalog.close()


def test_a_scan_of_photos_all_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faiss_build, "_QUANTISED_FROM", 100)
    catalog = Catalog(tmp_path)
    checkpoint = add_checkpoint(catalog, DIMENSION)
    ids = add_many(catalog, checkpoint.id, random_unit(1, DIMENSION).repeat(1_000, axis=0))
    found, cosines = scan(opened(catalog, tmp_path / "index"), random_unit(1, DIMENSION, seed=7)[0])
    assert found.tolist() == ids
    assert np.isfinite(cosines).all()
    assert np.abs(cosines).max() <= 1
    catalog.close()


def test_the_sample_is_exact_and_the_same_for_the_same_library(
    quantised: tuple[Catalog, int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, _, directory = quantised
    monkeypatch.setattr(faiss_build, "SAMPLED", 300)
    for path in directory.iterdir():
        path.unlink()
    query = random_unit(1, DIMENSION, seed=7)[0]
    ids, cosines = sample(opened(catalog, directory), query)
    assert len(ids) == len(set(ids.tolist())) == 300
    expected_ids, expected = exact_cosines(catalog, query)
    places = np.searchsorted(expected_ids, ids)
    np.testing.assert_array_equal(np.array(expected_ids)[places], ids)
    np.testing.assert_allclose(cosines, expected[places], atol=1e-6)
    assert cosines.mean() == pytest.approx(expected.mean(), abs=0.05)

    assert sample(opened(catalog, directory), query)[0].tolist() == ids.tolist(), "read"
    shutil.rmtree(directory)
    assert sample(opened(catalog, directory), query)[0].tolist() == ids.tolist(), "drawn again"


def test_the_sample_stands_for_what_came_later_and_for_nothing_that_left(
    quantised: tuple[Catalog, int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, checkpoint_id, directory = quantised
    monkeypatch.setattr(faiss_build, "SAMPLED", 500)
    for path in directory.iterdir():
        path.unlink()
    query = random_unit(1, DIMENSION, seed=7)[0]
    opened(catalog, directory)
    before = files(directory)
    later = add_many(catalog, checkpoint_id, random_unit(100, DIMENSION, seed=2))
    gone = catalog.embedded_ids(checkpoint_id)[:100].tolist()
    remove(catalog, gone)
    ids, cosines = sample(opened(catalog, directory), query)
    assert files(directory) == before, "few changes make no new file"
    assert not set(ids.tolist()) & set(gone)
    assert np.isin(ids, later).mean() == pytest.approx(100 / 2_000, abs=0.01)
    expected_ids, expected = exact_cosines(catalog, query)
    np.testing.assert_allclose(cosines, expected[np.searchsorted(expected_ids, ids)], atol=1e-6)


def test_the_sample_is_of_the_same_generation_as_the_index(
    quantised: tuple[Catalog, int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, checkpoint_id, directory = quantised
    monkeypatch.setattr(faiss_build, "SAMPLED", 300)
    later = add_many(catalog, checkpoint_id, random_unit(1_500, DIMENSION, seed=2))
    ids, _ = sample(opened(catalog, directory), random_unit(1, DIMENSION, seed=7)[0])
    name = f"{current(catalog).token}-{current(catalog).generation}"
    assert files(directory) == [f"{name}.faiss", f"{name}.sample", f"{name}.vectors"]
    assert np.isin(ids, later).mean() == pytest.approx(1_500 / 3_500, abs=0.1)


def test_a_file_of_another_process_is_not_taken_for_the_one_just_written(
    library: tuple[Catalog, CheckpointRecord, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slower process puts its older file in place between our writing and our reading."""
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 50, seed=1)
    opened(catalog, directory)
    (older,) = directory.iterdir()
    contents = older.read_bytes()
    add(catalog, checkpoint, 50, seed=2)
    write = faiss_file.write

    def write_and_lose(*arguments: object) -> None:
        write(*arguments)  # type: ignore[arg-type]
        for path in directory.iterdir():
            path.unlink()
        older.write_bytes(contents)

    monkeypatch.setattr(faiss_file, "write", write_and_lose)
    assert len(opened(catalog, directory)) == 100


def test_writing_leaves_newer_files_of_other_processes(
    library: tuple[Catalog, CheckpointRecord, Path],
) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 50, seed=1)
    before = current(catalog)
    add(catalog, checkpoint, 50, seed=2)
    opened(catalog, directory)
    FileStore(directory).open(CheckpointEmbeddings(catalog, before))
    assert f"{checkpoint.token}-{current(catalog).generation}.faiss" in files(directory)


def test_to_know_that_nothing_is_to_be_made_takes_no_engine(
    library: tuple[Catalog, CheckpointRecord, Path],
) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 50, seed=1)
    opened(catalog, directory)
    add(catalog, checkpoint, 1, seed=2)
    code = f"""
import sys
from pathlib import Path
from sigseek.storage import Catalog
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index.file_store import FileStore
catalog = Catalog(Path({str(catalog.path.parent)!r}))
embeddings = CheckpointEmbeddings(catalog, catalog.checkpoints()[0])
FileStore(Path({str(directory)!r})).catch_up(embeddings)
assert not {{"faiss", "numpy"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    add(catalog, checkpoint, 50, seed=3)
    store = FileStore(directory)
    assert not store.is_current(CheckpointEmbeddings(catalog, current(catalog)))


def test_the_threads_that_faiss_may_use_are_each_threads_own() -> None:
    """Otherwise searches at the same time would change each other's number of threads and leave it
    changed.
    """
    set_aside, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with faiss_build.one_thread():
            set_aside.set()
            go_on.wait()

    before = faiss.omp_get_max_threads()
    thread = threading.Thread(target=hold)
    thread.start()
    set_aside.wait()
    assert faiss.omp_get_max_threads() == before
    go_on.set()
    thread.join()


def test_opening_a_current_index_loads_no_random_numbers(
    quantised: tuple[Catalog, int, Path],
) -> None:
    """Random numbers take as long to import as everything else about the opening, and nothing is
    drawn.
    """
    catalog, _, directory = quantised
    opened(catalog, directory)
    code = f"""
import sys
from pathlib import Path
from sigseek.storage import Catalog
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index.file_store import FileStore
catalog = Catalog(Path({str(catalog.path.parent)!r}))
embeddings = CheckpointEmbeddings(catalog, catalog.checkpoints()[0])
index = FileStore(Path({str(directory)!r})).open(embeddings)
assert len(index) == {len(catalog.embedded_ids(1))}
assert "numpy.random" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
