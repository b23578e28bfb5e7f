"""A library on a file system of another machine. The type of the file system is pretended."""

import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sigseek
from sigseek.errors import ErrorKind
from sigseek.storage import Catalog, LibraryError, file_system, network_lock, writer_lock
from sigseek.storage.network_lock import NetworkLock
from tests.catalogs import add_checkpoint, add_photos, random_unit
from tests.lock_racers import leave, race
from tests.test_pipeline import Heard

MOUNTS = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/nas rw,relatime shared:2 master:3 - cifs //nas/photos rw,vers=3.1.1
31 22 0:41 / /mnt/my\040photos rw - nfs4 server:/photos rw
32 30 0:42 / /mnt/nas/disk rw - ext4 /dev/sdb1 rw
35 22 0:45 / /mnt/two lines rw - cifs //nas/two rw
33 22 0:43 / /home rw - ext4 /dev/sdc1 rw
34 22 0:44 / /home rw - fuse.sshfs me@server: rw
not a mount
"""


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("/", "ext4"),
        ("/mnt/nas", "cifs"),
        ("/mnt/nas/.sigseek", "cifs"),
        ("/mnt/nasty", "ext4"),
        ("/mnt/nas/disk/a", "ext4"),
        ("/mnt/my photos/a", "nfs4"),
        ("/home/me", "fuse.sshfs"),
        ("/mnt/two\u2028lines/a", "cifs"),
    ],
)
def test_the_mount_that_a_place_is_on(place: str, found: str) -> None:
    assert file_system._type_of(place, MOUNTS) == found


MAC_MOUNTS = """/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
devfs on /dev (devfs, local, nobrowse)
/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse, protect, root data)
map auto_home on /System/Volumes/Data/home (autofs, automounted, nobrowse)
/dev/disk4s1 on /Volumes/My Disk (1) (exfat, local, nodev, nosuid, noowners, mounted by me)
//me@nas/share on /Volumes/share (smbfs, nodev, nosuid, mounted by me)
//GUEST:@nas._smb._tcp.local/Photos%20(2019) on /Volumes/Photos (2019) (smbfs, nodev, nosuid)
//me@nas/a on /b on /Volumes/of old (smbfs)
nas:/volume1/photos on /Volumes/nüss (nfs, nodev, nosuid, automounted, mounted by me)
afp_1 on /Volumes/time (afpfs, nodev, nosuid, mounted by me)
https://cloud/dav/ on /Volumes/dav (webdav, nodev, noexec, nosuid, mounted by me)
me@server:/photos on /Users/me/server (macfuse, nodev, nosuid, synchronous, mounted by me)
/dev/disk5s1@osxfuse0 on /Volumes/ntfs (osxfuse, local, synchronous)
/dev/disk6s1 on /Volumes/share/disk (hfs, local, journaled)
not a mount
on (smbfs)
"""


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("/", "apfs"),
        ("/Users/me/Pictures", "apfs"),
        ("/Users/me/server/2024", "remote"),
        ("/Volumes/share", "smbfs"),
        ("/Volumes/share/.sigseek", "smbfs"),
        ("/Volumes/shared", "apfs"),
        ("/Volumes/share/disk/a", "hfs"),
        ("/Volumes/My Disk (1)/a", "exfat"),
        ("/Volumes/Photos (2019)/a", "smbfs"),
        ("/Volumes/of old/a", "smbfs"),
        ("/Volumes/nüss/a", "nfs"),
        ("/Volumes/time", "afpfs"),
        ("/Volumes/dav/a", "webdav"),
        ("/Volumes/ntfs/a", "osxfuse"),
    ],
)
def test_the_mount_that_a_place_is_on_by_macos(place: str, found: str) -> None:
    assert file_system._type_on_mac(place, MAC_MOUNTS) == found


@pytest.mark.parametrize(
    ("place", "network"),
    [("/Volumes/share", "smbfs"), ("/Users/me/server", "remote"), ("/Volumes/ntfs", None)],
)
def test_a_network_drive_on_macos(
    monkeypatch: pytest.MonkeyPatch, place: str, network: str | None
) -> None:
    found = file_system._type_on_mac(place, MAC_MOUNTS)
    monkeypatch.setattr(file_system, "file_system_type", lambda directory: found)
    assert file_system.network_type(Path(place)) == network


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("#!/bin/sh\necho '//a on /b (smbfs)'\n", "//a on /b (smbfs)\n"),
        ("#!/bin/sh\nexec sleep 60\n", ""),
        (None, ""),
    ],
)
def test_what_macos_tells_of_its_mounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str | None, told: str
) -> None:
    mount = tmp_path / "mount"
    if program:
        mount.write_text(program)
        mount.chmod(0o755)
    monkeypatch.setattr(file_system, "_MAC_MOUNT", mount)
    monkeypatch.setattr(file_system, "_MAC_PATIENCE", 5.0 if told else 0.2)
    assert file_system._mac_mounts() == told


@given(st.text(alphabet="/ab on(),", max_size=40), st.text(alphabet="/ab on(),\n"))
def test_nothing_that_macos_could_tell_is_an_error(place: str, mounts: str) -> None:
    found = file_system._type_on_mac(place, mounts)
    assert found is None or f"({found}" in mounts


def test_a_local_disk_is_no_network_drive(tmp_path: Path) -> None:
    assert file_system.network_type(tmp_path / "not" / "there") is None


@pytest.fixture
def on_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_system, "file_system_type", lambda directory: "nfs4")


def journal(library: Path) -> str:
    with closing(sqlite3.connect(library / "catalog.sqlite")) as connection:
        mode: str = connection.execute("PRAGMA journal_mode").fetchone()[0]
    return mode


@pytest.mark.usefixtures("on_network")
def test_everything_works_without_wal_and_it_is_said_once(tmp_path: Path, drawn: Path) -> None:
    library, heard = tmp_path / "library", Heard()
    with sigseek.open(library, model="mini", listener=heard) as opened:
        assert opened.index(drawn).added == 40
        assert heard.lines[0] == (
            f"the library {library} is on a network drive (nfs4); "
            "while it is being changed, searches may have to wait"
        )
        houses = [hit.path for hit in opened.search("a house")]
        assert houses
        assert [tag.photos for tag in opened.tag([sigseek.Label("a house", "a house")])] == [
            len(houses)
        ]
        assert opened.verify(contents=True, repair=True).problems == ()
        assert opened.back_up(tmp_path / "backup.sqlite").exists()
    assert journal(library) == "delete"
    assert {path.name for path in library.iterdir()} == {"catalog.sqlite", "index"}
    again = Heard()
    with sigseek.open(library, model="mini", listener=again) as opened:
        assert [hit.path for hit in opened.search("a house")] == houses
        assert opened.index().unchanged == 40
    assert again.lines == []


def test_a_library_that_moves_to_a_network_drive_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog(tmp_path)
    ids = add_photos(catalog, add_checkpoint(catalog, 4), random_unit(1, 4), tmp_path, ["a.jpg"])
    assert catalog.network is None
    catalog.close()
    assert journal(tmp_path) == "wal"
    with monkeypatch.context() as patch:
        patch.setattr(file_system, "file_system_type", lambda directory: "cifs")
        catalog = Catalog(tmp_path)
        assert catalog.network == "cifs"
        assert list(catalog.photos(ids)) == ids
        with closing(sqlite3.connect(tmp_path / "catalog.sqlite", timeout=0)) as other:
            other.execute("BEGIN IMMEDIATE")  # nobody holds the file any more
        catalog.close()
        assert journal(tmp_path) == "delete"
    Catalog(tmp_path).close()
    assert journal(tmp_path) == "wal"


@pytest.mark.usefixtures("on_network")
def test_the_lock_of_another_machine_holds_until_it_is_not_renewed(tmp_path: Path) -> None:
    lock = tmp_path / "lock.network"
    facts = {"host": "elsewhere", "pid": os.getpid(), "since": "2026-01-01", "token": "a"}
    lock.write_text(json.dumps(facts))
    busy = f"another sigseek .process {os.getpid()} on elsewhere since 2026-01-01. is updating"
    with pytest.raises(LibraryError, match=busy) as caught, writer_lock(tmp_path):
        pass
    assert caught.value.kind is ErrorKind.BUSY
    before = lock.stat().st_mtime - 121
    os.utime(lock, (before, before))
    with writer_lock(tmp_path):
        assert json.loads(lock.read_text())["host"] != "elsewhere"
        assert [path.name for path in tmp_path.iterdir()] == ["lock.network"]
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_renewed_and_one_that_was_taken_over_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_lock, "_RENEWED", 0.01)
    lock = tmp_path / "lock.network"
    with NetworkLock(tmp_path).hold():
        os.utime(lock, (1, 1))
        while lock.stat().st_mtime == 1:
            pass
        (tmp_path / "other").write_text(json.dumps({"token": "of another"}))
        (tmp_path / "other").replace(lock)
    assert json.loads(lock.read_text()) == {"token": "of another"}


def test_a_lock_that_is_not_understood_is_an_unknown_process(tmp_path: Path) -> None:
    (tmp_path / "lock.network").write_text("{")
    with pytest.raises(LibraryError, match="unknown process"), NetworkLock(tmp_path).hold():
        pass


def test_a_directory_that_cannot_be_written(ordinary_folder: Path) -> None:
    ordinary_folder.chmod(0o555)
    with (
        pytest.raises(LibraryError, match=r"cannot be locked \(Permission denied\)"),
        NetworkLock(ordinary_folder).hold(),
    ):
        pass
    ordinary_folder.chmod(0o755)


@pytest.mark.parametrize("rounds", [200, pytest.param(1_500, marks=pytest.mark.slow)])
def test_of_many_that_take_an_abandoned_lock_over_one_holds_it(tmp_path: Path, rounds: int) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    started = multiprocessing.get_context("spawn")
    racers = 8
    barrier, held = started.Barrier(racers), started.Array("i", rounds)
    processes = [
        started.Process(
            target=race, args=(tmp_path, rounds, ended.pid, number, barrier, held), daemon=True
        )
        for number in range(racers)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * racers
    assert list(held) == [1] * rounds
    assert list(tmp_path.iterdir()) == [], "nothing is left"


def test_a_process_that_is_just_taking_the_lock_over_is_named(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    leave(tmp_path / "lock.network", ended.pid)
    leave(tmp_path / "lock.network.takeover", 1, "elsewhere")
    busy = "another sigseek .process 1 on elsewhere since 2026. is updating"
    with pytest.raises(LibraryError, match=busy), NetworkLock(tmp_path).hold():
        pass
    os.utime(tmp_path / "lock.network.takeover", (1, 1))
    with NetworkLock(tmp_path).hold():
        pass
    assert list(tmp_path.iterdir()) == []
