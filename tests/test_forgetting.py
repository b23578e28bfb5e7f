"""What is forgotten, and what is kept although it is missing."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import sigseek
from sigseek import FolderError, LibraryError
from sigseek.storage import Catalog
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index import faiss_file
from tests.catalogs import execute
from tests.conftest import Run
from tests.conversions import save_converted_tiny
from tests.indexed import assert_nothing_to_do, indexed, known, on_disk, save_photos
from tests.photos import save

pytestmark = pytest.mark.both_databases


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return save_photos(tmp_path / "photos")


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> sigseek.Library:
    return indexed(tmp_path / "library", photos)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another checkpoint."""
    return save_converted_tiny(tmp_path_factory.mktemp("checkpoint") / "tiny")


def test_forgetting_a_folder_keeps_photos_that_lie_elsewhere(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    shutil.copytree(photos / "a", tmp_path / "copies")
    library.index(tmp_path / "copies")
    forgotten = library.forget(photos)
    assert (forgotten.files, forgotten.photos) == (12, 8)
    assert known(library) == on_disk(tmp_path / "copies")
    assert_nothing_to_do(library)


def test_forgetting_a_directory_that_is_gone(library: sigseek.Library, photos: Path) -> None:
    with pytest.raises(FolderError, match="the next indexing would find it again"):
        library.forget(photos / "a")
    for path in (photos / "c").iterdir():
        path.unlink()
    library.index()
    assert library.forget(photos / "c").files == 4, "nothing in it would be found again"
    (photos / "b" / "bad.png").write_text("no picture")
    library.index()
    shutil.rmtree(photos / "b")
    assert (library.forget(photos / "b").files, library.failures()) == (4, [])
    assert library.index().missing == 0


def test_what_nobody_can_look_at_is_not_forgotten(
    library: sigseek.Library, photos: Path, ordinary_folder: Path
) -> None:
    (photos / "d").mkdir()
    (photos / "a").rename(photos / "d" / "a")
    library.relocate(photos / "a", photos / "d" / "a")
    (photos / "d").chmod(0)
    with pytest.raises(FolderError, match="the next indexing would find it again"):
        library.forget(photos / "d" / "a")
    (photos / "d").chmod(0o755)
    assert_nothing_to_do(library)


def test_prune_forgets_what_has_been_missing_for_long(
    library: sigseek.Library, photos: Path
) -> None:
    shutil.rmtree(photos / "a")
    assert library.index().missing == 4
    assert library.prune(timedelta(days=30)).files == 0
    assert library.prune(timedelta(days=999_999)).files == 0
    with pytest.raises(FolderError, match="must be a timedelta, and is '30d'; write timedelta"):
        library.prune("30d")  # type: ignore[arg-type]
    execute(
        library.directory,
        "UPDATE file SET missing_since = :then WHERE path IN (:one, :other)",
        then=datetime.now(UTC) - timedelta(days=31),
        one="a/00.png",
        other="a/03.png",
    )
    save(photos / "a" / "03.png", seed=3)  # it is back, and waits for the next run
    pruned = library.prune(timedelta(days=30))
    assert (pruned.files, pruned.photos) == (1, 1)
    report = library.index()
    assert (report.scanned, report.unchanged, report.missing, report.device) == (9, 9, 2, None), (
        "nothing embedded again"
    )


def test_prune_leaves_folders_alone_that_are_offline(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    (photos / "a" / "00.png").unlink()
    library.index()
    photos.rename(tmp_path / "unplugged")
    assert library.prune(timedelta()).files == 0
    (tmp_path / "unplugged").rename(photos)
    assert library.prune(timedelta()).files == 1


def test_prune_leaves_drives_alone_that_are_mounted_below_a_folder(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    deep = photos / "a" / "deep"
    save(deep / "12.png", seed=12)
    library.index()
    (photos / "b" / "01.png").unlink()
    (photos / "a").rename(tmp_path / "unplugged")
    (photos / "a").mkdir()  # the mount point
    assert library.index().missing == 6
    assert library.prune(timedelta()).files == 1
    (photos / "a").rmdir()
    assert library.prune(timedelta()).files == 5


def test_prune_keeps_what_nobody_can_tell_of(
    library: sigseek.Library, photos: Path, ordinary_folder: Path
) -> None:
    (photos / "a" / "00.png").unlink()
    library.index()
    (photos / "a").chmod(0)
    assert library.prune(timedelta()).files == 0
    (photos / "a").chmod(0o755)
    assert library.prune(timedelta()).files == 1


def test_an_index_without_what_was_forgotten_is_ready(
    library: sigseek.Library, photos: Path
) -> None:
    shutil.rmtree(photos / "a")
    library.index(accept_missing=True)
    library.prune(timedelta())
    catalog = Catalog(library.directory)
    embeddings = CheckpointEmbeddings(catalog, *catalog.checkpoints())
    stored = faiss_file.open_newest(library.directory / "index", embeddings)
    assert stored is not None
    assert len(faiss_file.indexed_ids(stored.index)) == 8, "not only passed over by searches"
    assert len(known(library)) == 8
    library.forget(photos)
    assert list((library.directory / "index").iterdir()) == []


def test_forgetting_a_checkpoint(
    tmp_path: Path, photos: Path, library: sigseek.Library, tiny: Path, run: Run
) -> None:
    where = ("--library", library.directory)
    run("index", *where, "--model", tiny)
    both = {
        row["model"]: row
        for row in json.loads(run("status", *where, "--json").stdout)["checkpoints"]
    }
    assert {
        name: (row["embeddings"], row["coverage"], row["searched"]) for name, row in both.items()
    } == {
        "mini": (12, 1.0, False),
        str(tiny): (12, 1.0, True),
    }
    unsaid = run("forget", "--model", tiny, *where, check=False)
    assert (unsaid.returncode, "go on with --yes" in unsaid.stderr) == (1, True)
    assert (
        run("forget", "--model", tiny, *where, "--yes").stdout
        == f"12 embeddings by {tiny} removed\n"
    )
    with pytest.raises(LibraryError, match="has no checkpoint other; its checkpoints are: mini"):
        library.forget_checkpoint("other")
    assert_nothing_to_do(library)
    assert run("forget", *where, check=False, SIGSEEK_MODEL="mini").returncode == 2, (
        "the environment names none to forget"
    )


def test_a_folder_that_was_emptied_on_purpose(photos: Path, library: sigseek.Library) -> None:
    shutil.rmtree(photos)
    photos.mkdir()
    assert library.index().offline == 12
    report = library.index(accept_missing=True)
    assert (report.offline, report.missing) == (0, 12)


def test_a_directory_is_not_forgotten_while_its_drive_is_away(
    photos: Path, library: sigseek.Library, tmp_path: Path
) -> None:
    photos.rename(tmp_path / "unplugged")
    with pytest.raises(
        FolderError, match="is offline, so it is unknown which of its files are gone"
    ):
        library.forget(photos / "a")
