"""relocate, forget, prune and backup, from Python and through the program."""

import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest

import sigseek
from sigseek import FolderError, LibraryError
from sigseek.storage import Catalog
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index import faiss_file
from tests.catalogs import add_checkpoint, add_many, random_unit
from tests.checkpoints import save_tiny
from tests.conftest import Run
from tests.photos import save


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three directories of four pictures each."""
    for number in range(12):
        save(tmp_path / "photos" / "abc"[number % 3] / f"{number:02}.png", seed=number)
    return tmp_path / "photos"


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> sigseek.Library:
    library = sigseek.open(tmp_path / "library", model="mini")
    library.index(photos)
    return library


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another checkpoint."""
    return save_tiny(tmp_path_factory.mktemp("tiny"))


def known(library: sigseek.Library) -> list[str]:
    """Paths of all files that are there, by name."""
    hits = library.search("a red house", limit=100, include_all=True)
    return sorted(path for hit in hits for path in (hit.path, *hit.copies) if hit.available)


def on_disk(*folders: Path) -> list[str]:
    return sorted(str(path) for folder in folders for path in folder.rglob("*.png"))


def assert_nothing_to_do(library: sigseek.Library) -> None:
    report = library.index()
    assert (report.unchanged, report.missing, report.device) == (report.scanned, 0, None), report
    assert library.verify().problems == ()


def test_a_renamed_folder(library: sigseek.Library, photos: Path, tmp_path: Path) -> None:
    new = photos.rename(tmp_path / "renamed")
    relocated = library.relocate(photos, new)
    assert (relocated.old, relocated.new, relocated.files) == (str(photos), str(new), 12)
    assert known(library) == on_disk(new)
    assert_nothing_to_do(library)


def test_a_renamed_directory_in_a_folder(library: sigseek.Library, photos: Path) -> None:
    (photos / "a").rename(photos / "z")
    assert library.relocate(photos / "a", photos / "z").files == 4
    assert [folder.path for folder in library.status().folders] == [str(photos)]
    assert_nothing_to_do(library)


def test_a_directory_moved_out_becomes_a_folder_and_back_in_a_part_of_one(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    (photos / "a").rename(tmp_path / "out")
    library.relocate(photos / "a", tmp_path / "out")
    assert [folder.path for folder in library.status().folders] == [
        str(tmp_path / "out"),
        str(photos),
    ]
    assert_nothing_to_do(library)
    (tmp_path / "out").rename(photos / "b" / "in")
    library.relocate(tmp_path / "out", photos / "b" / "in")
    assert [folder.path for folder in library.status().folders] == [str(photos)]
    assert known(library) == on_disk(photos)
    assert_nothing_to_do(library)


def test_a_folder_moved_one_level_down_or_up(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    photos.rename(tmp_path / "x")
    photos.mkdir()
    (tmp_path / "x").rename(photos / "deep")
    library.relocate(photos, photos / "deep")
    assert_nothing_to_do(library)
    for path in sorted((photos / "deep").iterdir()):
        path.rename(photos / path.name)
    library.relocate(photos / "deep", photos)
    assert known(library) == on_disk(photos)
    assert_nothing_to_do(library)


def test_directories_shifted_into_each_others_places(
    library: sigseek.Library, photos: Path
) -> None:
    """Everything in a/ now lies in a/a/, where a path may be one that another is moved away
    from.
    """
    (photos / "a").rename(photos / "x")
    (photos / "a").mkdir()
    (photos / "x").rename(photos / "a" / "a")
    library.relocate(photos / "a", photos / "a" / "a")
    (photos / "a" / "a").rename(photos / "x")
    (photos / "a" / "a").mkdir()
    (photos / "x").rename(photos / "a" / "a" / "a")
    library.relocate(photos / "a", photos / "a" / "a")
    assert known(library) == on_disk(photos)
    assert_nothing_to_do(library)


def test_what_is_known_in_the_new_place_stays(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    new = tmp_path / "renamed"
    shutil.copytree(photos, new)
    library.index(new)  # copies: known twice
    shutil.rmtree(photos)
    library.relocate(photos, new)
    assert [(folder.path, folder.files) for folder in library.status().folders] == [(str(new), 12)]
    assert_nothing_to_do(library)


def test_a_new_place_does_not_take_in_an_offline_folder(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    media = tmp_path / "media"
    save(media / "usb" / "1.png", seed=80)
    library.index(media / "usb")
    shutil.copytree(photos, media, dirs_exist_ok=True)
    (media / "usb").rename(tmp_path / "unplugged")
    refused = (
        f"{media / 'usb'} is offline and would become part of {media}; plug in its drive first"
    )
    for old, new in ((photos, media), (photos / "a", media)):
        with pytest.raises(FolderError, match=f"^{refused}"):
            library.relocate(old, new, accept_missing=True)
    assert [(folder.path, folder.files) for folder in library.status().folders] == [
        (str(media / "usb"), 1),
        (str(photos), 12),
    ]
    (tmp_path / "unplugged").rename(media / "usb")
    shutil.rmtree(photos)
    assert library.relocate(photos, media).files == 12
    assert known(library) == on_disk(media)
    assert_nothing_to_do(library)


def test_relocated_names_need_not_be_utf8(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    odd = photos / "a" / os.fsdecode(b"\xff\xfe.png")
    save(photos / "a" / "plain.png", seed=99).rename(odd)
    library.index()
    (photos / "a").rename(photos / "b" / "a")
    assert library.relocate(photos / "a", photos / "b" / "a").files == 5
    assert str(photos / "b" / "a" / odd.name) in known(library)
    assert_nothing_to_do(library)


def test_a_failure_moves_along(library: sigseek.Library, photos: Path) -> None:
    (photos / "a" / "bad.png").write_text("no picture")
    library.index()
    (photos / "a").rename(photos / "z")
    library.relocate(photos / "a", photos / "z")
    assert [failure.path for failure in library.failures()] == [str(photos / "z" / "bad.png")]
    assert library.index().failed == 1


def test_relocating_to_where_the_files_are_not(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        FolderError, match=r"^none of the 12 files are in .*, so nothing was changed"
    ):
        library.relocate(photos, tmp_path / "empty")
    with pytest.raises(FolderError, match=f"is not in the library; its folders are: {photos}"):
        library.relocate(tmp_path / "other", tmp_path / "empty")
    call = f"library.relocate({str(photos)!r}, {str(tmp_path)!r})"
    swapped = f"the library knows {photos}, not {tmp_path}; give the old place first: {call}"
    with pytest.raises(FolderError, match=f"^{re.escape(swapped)}$"):
        library.relocate(tmp_path, photos)
    with pytest.raises(FolderError, match=f"is not in the library; its folders are: {photos}"):
        library.relocate(tmp_path / "mistyped", photos)
    with pytest.raises(FolderError, match="the library knows no files in"):
        library.relocate(photos / "nowhere", tmp_path / "empty")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(FolderError, match=f"{tmp_path / 'loop'} is not in the library"):
        library.relocate(tmp_path / "loop", tmp_path / "empty")
    with pytest.raises(FolderError, match=f"{tmp_path / 'loop'} cannot be read"):
        library.relocate(photos, tmp_path / "loop")
    assert_nothing_to_do(library)
    assert library.relocate(photos, tmp_path / "empty", accept_missing=True).files == 12


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
    with sqlite3.connect(library.directory / "catalog.sqlite") as connection:
        connection.execute(
            "UPDATE file SET missing_since = datetime('now', '-31 days') || '.000000' "
            "WHERE path IN ('a/00.png', 'a/03.png')"
        )
    connection.close()
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


def test_more_than_half_gone_changes_nothing_without_yes(
    photos: Path, library: sigseek.Library, run: Run
) -> None:
    where = ("--library", library.directory)
    before = library.status()
    for name in "ab":
        shutil.rmtree(photos / name)
    refused = run("index", *where, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(
        f"error: 8 of 12 files in {photos} are gone, and nothing was changed; "
    )
    assert library.status() == before
    (report,) = map(json.loads, run("index", *where, "--yes", "--json").stdout.splitlines())
    assert (report["missing"], report["unchanged"]) == (8, 4)
    (again,) = map(json.loads, run("index", *where, "--json").stdout.splitlines())
    assert again["missing"] == 8, "what is missing already is asked about once"


def test_files_that_only_lie_elsewhere_are_not_asked_about(
    photos: Path, library: sigseek.Library, tmp_path: Path
) -> None:
    for name in "abc":
        (photos / name).rename(photos / f"{name}2")
    report = library.index()
    assert (report.moved, report.missing) == (12, 0)
    (tmp_path / "new").mkdir()
    for name in "abc":
        (photos / f"{name}2").rename(tmp_path / "new" / name)
    save(photos / "stays.png", seed=50)
    report = library.index(tmp_path / "new", photos)
    assert (report.added, report.moved, report.missing) == (1, 12, 0)


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
    """No file may grow beyond the limit, which to SQLite is a disk that takes no more."""
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
    add_many(catalog, add_checkpoint(catalog, 2).id, random_unit(100_000, 2))
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


def similar_without_index(library: sigseek.Library, photo: Path) -> list[sigseek.SimilarHit]:
    library.close()
    shutil.rmtree(library.directory / "index")
    return library.similar(photo, 100)


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
        "mini": (12, 1.0, True),
        str(tiny): (12, 1.0, False),
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


def test_a_second_checkpoint_beside_the_first_is_resumable_and_searched_when_it_has_more(
    photos: Path, library: sigseek.Library, tiny: Path, run: Run
) -> None:
    with sigseek.open(library.directory, model=str(tiny)) as other:
        other.index(photos / "a")
        said = "has embedded 4 photos so far, others here 12; to go on with it: "
        with pytest.warns(UserWarning, match=said + r"library\.index\(model='") as warned:
            found = other.search("a red house", limit=100, include_all=True)
        assert len(found) == 4
        assert str(found.notes[0]) == str(warned[0].message)
    done = run("search", "a red house", "--library", library.directory, "--model", tiny)
    go_on = f"sigseek index --library {library.directory} --model {tiny}"
    assert f"{said}{go_on}\n" in done.stderr
    alike = ("similar", photos / "new.png", "--library", library.directory, "--model", tiny)
    save(photos / "new.png", seed=70)
    assert f"{said}{go_on}\n" in run(*alike).stderr
    with sigseek.open(library.directory) as plain:
        assert plain.checkpoint.name == "mini"
        assert len(plain.search("a red house", limit=100, include_all=True)) == 12
    with sigseek.open(library.directory, model=str(tiny)) as other:
        report = other.index()
        assert (report.added, report.unchanged) == (9, 4)
    with sigseek.open(library.directory) as plain:
        assert plain.checkpoint.name == str(tiny), "it has embedded more now"


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


def test_a_backup_to_nowhere_says_so(library: sigseek.Library, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=f"no folder {tmp_path / 'no'}; create it"):
        library.back_up(tmp_path / "no" / "copy.sqlite")


def test_a_library_without_folders_asks_for_some(library: sigseek.Library, photos: Path) -> None:
    library.forget(photos)
    with pytest.raises(LibraryError, match=r"has no folders; name the folders: library\.index"):
        library.index()
