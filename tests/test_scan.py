import os
import stat
import threading
import types
from pathlib import Path, PurePath

import pytest

from sigseek import disk
from sigseek.indexer.decoding import digest
from sigseek.indexer.directory import DirectoryLook
from sigseek.indexer.errors import SilentDiskError
from sigseek.indexer.exclusion import Rules
from sigseek.indexer.listing import Listing
from sigseek.indexer.scan import scan_folder, scan_parts
from sigseek.progress import Stop
from tests.conftest import CORPORA
from tests.silent_disks import silent_disk


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * len(name))


def paths(listing: Listing) -> list[str]:
    return list(listing.files)


def test_what_is_found(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "b.JPG",
        "a/z.png",
        "a/deep/er/photo.HEIC",
        "notes.txt",
        "a.jpg.part",
        "noextension",
        "鳥.webp",
    )
    listing = scan_folder(tmp_path, PurePath())
    assert paths(listing) == ["b.JPG", "鳥.webp", "a/z.png", "a/deep/er/photo.HEIC"]
    status = (tmp_path / "b.JPG").stat()
    assert listing.files["b.JPG"] == (len("b.JPG"), status.st_mtime_ns, status.st_ctime_ns)
    assert listing.unreadable == {}


def test_junk_is_left_out(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "._a.jpg", ".hidden.jpg", ".git/a.jpg", "@eaDir/a.jpg", "#recycle/a.jpg",
        "$RECYCLE.BIN/a.jpg",
        "__MACOSX/a.jpg", "System Volume Information/a.jpg", ".thumbnails/a.jpg", "ok/fine.jpg",
    )  # fmt: skip
    assert paths(scan_folder(tmp_path, PurePath())) == ["ok/fine.jpg"]


def test_only_the_part_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg", "b/2.jpg", "b/c/3.jpg")
    assert paths(scan_folder(tmp_path, PurePath("b"))) == ["b/2.jpg", "b/c/3.jpg"]


def test_parts_come_in_the_order_of_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two directories, the one comes first whose files come first in the catalog's order."""
    monkeypatch.setattr("sigseek.indexer.scan._PART", 1)
    odd = os.fsdecode(b"a\xff")
    touch(tmp_path, "b.jpg", "a/1.jpg", "a/d/2.jpg", "a-b/3.jpg", "a0/4.jpg", f"{odd}/5.jpg")
    parts = [
        (paths(part), part.complete_before, part.later_directories)
        for part in scan_parts(tmp_path, PurePath())
    ]
    assert parts == [
        (["b.jpg"], "a-b/", [odd]),
        (["a-b/3.jpg"], "a/", [odd]),
        (["a/1.jpg"], "a/d/", [odd]),
        (["a/d/2.jpg"], "a0/", [odd]),
        (["a0/4.jpg"], "", [odd]),
        ([f"{odd}/5.jpg"], None, []),
    ]


def test_a_raw_file_finds_the_picture_of_an_earlier_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sigseek.indexer.scan._PART", 1)
    touch(tmp_path, "a/1.jpg", "a/b/c.jpg", "a/raw/1.dng", "a/raw/2.dng", "1.dng", "a/b/d/1.dng")
    parts = list(scan_parts(tmp_path, PurePath()))
    assert [path for part in parts for path in part.files] == [
        "1.dng", "a/1.jpg", "a/b/c.jpg", "a/b/d/1.dng", "a/raw/2.dng",
    ]  # fmt: skip
    pairs = [(raw.path, picture) for part in parts for raw, picture in part.raw_pairs.items()]
    assert pairs == [("a/raw/1.dng", "a/1.jpg")]


def test_links(tmp_path: Path) -> None:
    touch(tmp_path, "real/a.jpg")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "file.jpg").symlink_to(tmp_path / "real" / "a.jpg")
    (tmp_path / "dead.jpg").symlink_to(tmp_path / "nowhere")
    listing = scan_folder(tmp_path, PurePath())
    assert paths(listing) == ["file.jpg", "real/a.jpg"], "links to directories are not followed"
    assert list(listing.unreadable) == ["dead.jpg"]


def test_a_pipe_named_like_a_picture_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert scan_folder(tmp_path, PurePath()).files == {}


def test_a_system_that_has_no_open_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "1.jpg", "a/2.jpg", "a/.hidden/3.jpg")
    listing = scan_folder(tmp_path, PurePath())
    monkeypatch.setattr(os, "supports_fd", set())
    assert scan_folder(tmp_path, PurePath()) == listing


def test_a_folder_that_cannot_be_looked_into_at_all(tmp_path: Path) -> None:
    listing = scan_folder(tmp_path / "nowhere", PurePath())
    assert (listing.files, list(listing.unreadable)) == ({}, ["."])


def test_an_unreadable_directory_is_noted_and_passed_over(ordinary_folder: Path) -> None:
    touch(ordinary_folder, "a/1.jpg", "b/2.jpg", "c/3.jpg")
    (ordinary_folder / "b").chmod(0)
    try:
        listing = scan_folder(ordinary_folder, PurePath())
    finally:
        (ordinary_folder / "b").chmod(0o755)
    assert paths(listing) == ["a/1.jpg", "c/3.jpg"]
    assert listing.unreadable == {"b": "the directory cannot be read: Permission denied"}


def test_a_directory_whose_disk_does_not_answer_is_noted_and_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a/1.jpg", "b/2.jpg", "b/c/3.jpg", "d/4.jpg", "e/5.jpg", "f/6.jpg")
    with silent_disk(monkeypatch) as silent:
        silent.paths = {tmp_path / name for name in ("a", "b", "e")}
        listing = scan_folder(tmp_path, PurePath())
    assert paths(listing) == ["d/4.jpg", "f/6.jpg"]
    reason = "the directory cannot be read: no answer for 2 s"
    assert listing.unreadable == {"a": reason, "b": reason, "e": reason}


def test_a_disk_that_answers_nothing_ends_the_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a/1.jpg", "b/2.jpg", "c/3.jpg", "d/4.jpg")
    with silent_disk(monkeypatch) as silent:
        silent.paths = {tmp_path / name for name in ("b", "c", "d")}
        with pytest.raises(SilentDiskError, match=f"^the disk of {tmp_path} does not answer$"):
            scan_folder(tmp_path, PurePath())


def test_a_scan_stops_though_a_disk_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a/1.jpg", "b/2.jpg")
    stop = Stop()
    with silent_disk(monkeypatch) as silent:
        monkeypatch.setattr(disk, "PATIENCE", 600.0)
        silent.paths = {tmp_path / "b"}
        threading.Timer(0.5, stop.set).start()
        listing = scan_folder(tmp_path, PurePath(), stop)
    assert (listing.files.keys(), listing.unreadable) == ({"a/1.jpg"}, {})


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the shared pictures are not beside this checkout")
def test_every_photo_of_the_corpora_is_found() -> None:
    found = {PurePath(path).name for path in paths(scan_folder(CORPORA / "photos", PurePath()))}
    assert {"鳥鳥.png", "kookaburras.pnm", "duck.jp2", "200MP.heic", "DJI_0018.JPG"} <= found
    assert "not-an-image.txt" not in found


@pytest.mark.parametrize("mtime_ns", [-11_644_473_600 * 10**9, 10_413_792_000 * 10**9])
def test_times_of_change_that_64_bits_do_not_hold(mtime_ns: int) -> None:
    """1601, where some file systems begin to count, and 2300: what is listed is what the catalog
    will hold of the file.
    """

    class Entry:
        name = "a.jpg"

        def is_dir(self, *, follow_symlinks: bool) -> bool:
            return False

        def stat(self) -> types.SimpleNamespace:
            return types.SimpleNamespace(
                st_mode=stat.S_IFREG, st_size=7, st_mtime_ns=mtime_ns, st_ctime_ns=5
            )

    listing = Listing()
    DirectoryLook("", ".", Rules(), listing).through([Entry()], lambda: None)  # type: ignore[list-item]
    kept = digest.mtime_ns(Entry().stat())  # type: ignore[arg-type]
    assert listing.files == {"a.jpg": (7, kept, 5)}
    assert abs(kept) < 2**63
