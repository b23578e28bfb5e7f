from collections.abc import Iterator
from pathlib import Path

import faiss
import numpy as np
import pytest

from storage import Catalog, CheckpointRecord
from storage.vector_index import VectorIndex
from tests.catalogs import add_checkpoint, add_photos, random_unit

DIMENSION = 16


@pytest.fixture
def library(tmp_path: Path) -> Iterator[tuple[Catalog, CheckpointRecord, Path]]:
    catalog = Catalog(tmp_path)
    yield catalog, add_checkpoint(catalog, DIMENSION), tmp_path / "index"
    catalog.close()


def add(catalog: Catalog, checkpoint: CheckpointRecord, count: int, seed: int) -> list[int]:
    return add_photos(catalog, checkpoint, random_unit(count, DIMENSION, seed), Path("/p"), [f"{seed}-{n}" for n in range(count)])


def current(catalog: Catalog) -> CheckpointRecord:
    return catalog.checkpoints()[0]


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def check_exact(catalog: Catalog, index: VectorIndex) -> None:
    """The candidates are the true nearest, by numpy."""
    ids, vectors = catalog.embeddings(current(catalog).id)
    for query in random_unit(5, DIMENSION, seed=77):
        nearest = ids[np.argsort(-(vectors.astype(np.float32) @ query))[:10]]
        assert set(nearest.tolist()) <= set(index.candidates(query, 10).tolist())


def test_built_then_read(library: tuple[Catalog, CheckpointRecord, Path]) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 200, seed=1)
    check_exact(catalog, VectorIndex.open(catalog, current(catalog), directory))
    (name,) = files(directory)
    assert name == f"{checkpoint.token}-{current(catalog).generation}.faiss"
    written = (directory / name).stat().st_mtime_ns
    again = VectorIndex.open(catalog, current(catalog), directory)
    assert (directory / name).stat().st_mtime_ns == written, "read, not written again"
    assert len(again) == 200
    check_exact(catalog, again)


def test_a_few_later_photos_are_found_without_writing_the_file_anew(library: tuple[Catalog, CheckpointRecord, Path]) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 200, seed=1)
    VectorIndex.open(catalog, current(catalog), directory)
    before = files(directory)
    later = add(catalog, checkpoint, 20, seed=2)
    index = VectorIndex.open(catalog, current(catalog), directory)
    assert files(directory) == before
    check_exact(catalog, index)
    _, vectors = catalog.embeddings(checkpoint.id, [later[0]])
    assert later[0] in index.candidates(vectors[0].astype(np.float32), 1)


def test_many_later_photos_make_a_new_file_and_drop_the_old(library: tuple[Catalog, CheckpointRecord, Path]) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 200, seed=1)
    VectorIndex.open(catalog, current(catalog), directory)
    add(catalog, checkpoint, 21, seed=2)
    check_exact(catalog, VectorIndex.open(catalog, current(catalog), directory))
    assert files(directory) == [f"{checkpoint.token}-{current(catalog).generation}.faiss"]


def test_many_removed_photos_make_a_new_file(library: tuple[Catalog, CheckpointRecord, Path]) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 100, seed=1)
    VectorIndex.open(catalog, current(catalog), directory)
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/p"))
        transaction.remove_files(folder.id, [f"1-{n}" for n in range(50)])
        transaction.remove_photos_without_files()
    index = VectorIndex.open(catalog, current(catalog), directory)
    assert len(index) == 50
    check_exact(catalog, index)


@pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "noise", "another kind", "another dimension"])
def test_a_lost_or_damaged_file_is_made_anew(library: tuple[Catalog, CheckpointRecord, Path], damage: str) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 100, seed=1)
    VectorIndex.open(catalog, current(catalog), directory)
    (path,) = directory.iterdir()
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "another kind":
        faiss.write_index(faiss.IndexFlatL2(DIMENSION), str(path))
    elif damage == "another dimension":
        faiss.write_index(faiss.IndexIDMap(faiss.IndexFlatIP(3)), str(path))
    else:
        path.write_bytes({"truncated": whole[: len(whole) // 2], "empty": b"", "noise": b"\x93" * len(whole)}[damage])
    check_exact(catalog, VectorIndex.open(catalog, current(catalog), directory))
    assert path.read_bytes() == whole


def test_a_file_of_a_later_generation_than_the_catalogs_is_not_trusted(library: tuple[Catalog, CheckpointRecord, Path]) -> None:
    """As after putting back an older backup of the catalog."""
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 50, seed=1)
    VectorIndex.open(catalog, current(catalog), directory)
    (path,) = directory.iterdir()
    path.rename(directory / f"{checkpoint.token}-999.faiss")
    check_exact(catalog, VectorIndex.open(catalog, current(catalog), directory))
    assert files(directory) == [f"{checkpoint.token}-{current(catalog).generation}.faiss"]


def test_another_librarys_file_is_not_taken(library: tuple[Catalog, CheckpointRecord, Path], tmp_path: Path) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 30, seed=1)
    VectorIndex.open(catalog, current(catalog), directory)
    other = Catalog(tmp_path / "other")
    ids = add(other, add_checkpoint(other, DIMENSION), 30, seed=3)
    index = VectorIndex.open(other, current(other), directory)
    assert set(index.candidates(random_unit(1, DIMENSION)[0], 30).tolist()) == set(ids)
    other.close()


def test_a_directory_that_cannot_be_written_is_no_obstacle(library: tuple[Catalog, CheckpointRecord, Path]) -> None:
    catalog, checkpoint, directory = library
    add(catalog, checkpoint, 30, seed=1)
    directory.write_text("a file in its place")
    check_exact(catalog, VectorIndex.open(catalog, current(catalog), directory))


def test_nothing_indexed(library: tuple[Catalog, CheckpointRecord, Path]) -> None:
    catalog, checkpoint, directory = library
    index = VectorIndex.open(catalog, checkpoint, directory)
    assert len(index) == 0
    assert index.candidates(random_unit(1, DIMENSION)[0], 10).tolist() == []
