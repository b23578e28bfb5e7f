"""Copies of the catalog."""

import resource
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import sigseek
from sigseek import LibraryError
from sigseek.storage import Catalog
from tests.catalogs import add_checkpoint, add_many, random_unit
from tests.conftest import Run
from tests.indexed import assert_nothing_to_do, indexed, known, on_disk, save_photos
from tests.photos import save


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return save_photos(tmp_path / "photos")


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> sigseek.Library:
    return indexed(tmp_path / "library", photos)


def test_a_backup_is_a_library_of_its_own_and_made_while_another_writes(
    library: sigseek.Library, photos: Path, tmp_path: Path, run: Run
) -> None:
    writer = sqlite3.connect(library.directory / "catalog.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM file")
    target = library.back_up(tmp_path / "copy.sqlite")
    writer.execute("ROLLBACK")
    writer.close()
    restored = tmp_path / "restored"
    restored.mkdir()
    shutil.copy(target, restored / "catalog.sqlite")
    with sigseek.open(restored) as copy:
        assert known(copy) == on_disk(photos)
        assert_nothing_to_do(copy)
    again = run("backup", target, "--library", library.directory, check=False)
    assert (again.returncode, again.stderr) == (
        1,
        f"error: {target} already exists; choose another name\n",
    )
    nowhere = run(
        "backup", tmp_path / "no" / "folder.sqlite", "--library", library.directory, check=False
    )
    assert (nowhere.returncode, nowhere.stderr.count("\n")) == (1, 1)
    assert list(tmp_path.rglob("*.part")) == []


def test_a_full_disk_is_the_backups(
    library: sigseek.Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite takes a file that may not grow beyond the limit for a full disk."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # its file would not fit either
    target = tmp_path / "copy.sqlite"
    done = subprocess.run(
        [Path(sys.executable).parent / "sigseek", "backup", target, "--library", library.directory],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    said = (
        f"{target} cannot be written (disk I/O error); check the free space on that disk and "
        f"the permissions of the folder"
    )
    assert (done.returncode, done.stderr) == (1, f"error: {said}\n")
    assert list(tmp_path.glob("copy*")) == []


def test_a_backup_that_ctrl_c_interrupts(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    add_many(catalog, add_checkpoint(catalog, 4_096).id, random_unit(3_000, 4_096))
    catalog.close()
    code = """
        import signal, sys
        from pathlib import Path
        from sigseek.operations.backup import back_up
        from sigseek.storage import Catalog
        catalog = Catalog(Path(sys.argv[1]))
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.03)
        try:
            back_up(catalog, Path(sys.argv[1], "copy.sqlite"))
        except KeyboardInterrupt:
            print("interrupted")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
    assert list(tmp_path.glob("copy*")) == []


def similar_without_index(library: sigseek.Library, photo: Path) -> list[sigseek.SimilarHit]:
    library.close()
    shutil.rmtree(library.directory / "index")
    return library.similar(photo, 100)


@pytest.mark.parametrize("restored_by", ["sigseek backup", "cp"])
def test_an_index_of_what_came_after_the_backup_is_not_taken_for_the_current_one(
    library: sigseek.Library, photos: Path, tmp_path: Path, restored_by: str
) -> None:
    library.close()
    catalog, copy = library.directory / "catalog.sqlite", tmp_path / "copy.sqlite"
    if restored_by == "cp":
        shutil.copy(catalog, copy)
    else:
        library.back_up(copy)
        library.close()
    lost = [save(photos / f"lost{number}.png", seed=100 + number) for number in range(3)]
    library.index()
    library.close()
    for path in lost:
        path.unlink()
    shutil.copy(copy, catalog)
    new = [save(photos / f"new{number}.png", seed=200 + number) for number in range(3)]
    library.index()
    assert len(list((library.directory / "index").iterdir())) == 1
    assert library.similar(new[0], 100) == similar_without_index(library, new[0])
    assert library.verify().problems == ()


def test_a_repair_removes_an_index_that_is_newer_than_the_catalog(library: sigseek.Library) -> None:
    (record,) = Catalog(library.directory).checkpoints()
    newer = library.directory / "index" / f"{record.token}-{record.generation + 1}.faiss"
    shutil.copy(library.directory / "index" / f"{record.token}-{record.generation}.faiss", newer)
    assert library.verify().problems == ()
    assert newer.exists(), "an indexing beside it may have come so far since the catalog was asked"
    assert library.verify(repair=True).problems == ()
    assert not newer.exists()


def test_a_backup_to_nowhere_says_so(library: sigseek.Library, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=f"no folder {tmp_path / 'no'}; create it"):
        library.back_up(tmp_path / "no" / "copy.sqlite")
