import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigseek.storage.thumbnails import THUMBNAIL_SIZES, ThumbnailStore
from tests.conftest import ROOT

CAT = bytes.fromhex("ca" + 31 * "00")
DOG = bytes.fromhex("d0" + 31 * "00")
CHECKSUM = 4


def digest(number: int) -> bytes:
    return number.to_bytes(32, "little")


def used_at(store: ThumbnailStore, number: int, second: int) -> None:
    """Set when the small thumbnail was used last, for tests that need no real time."""
    (file,) = store.directory.rglob(f"{digest(number).hex()}-320.jpg")
    os.utime(file, (second, second))


def test_what_was_written_is_read_by_digest_and_size(tmp_path: Path) -> None:
    store = ThumbnailStore(tmp_path / "thumbnails")
    assert store.write(CAT, 320, b"small cat")
    assert store.write(CAT, 1280, b"large cat")
    assert store.write(DOG, 320, b"small dog")
    assert store.read(CAT, 320) == b"small cat"
    assert store.read(CAT, 1280) == b"large cat"
    assert store.read(DOG, 320) == b"small dog"
    assert store.read(DOG, 1280) is None
    assert ThumbnailStore(tmp_path / "thumbnails").read(DOG, 320) == b"small dog"
    assert store.size_on_disk() == 3 * (len("small cat") + CHECKSUM)


def test_holds_tells_whether_there_is_one(tmp_path: Path) -> None:
    store = ThumbnailStore(tmp_path)
    store.write(CAT, 320, b"cat")
    assert [store.holds(CAT, size) for size in THUMBNAIL_SIZES] == [True, False]


def test_only_two_sizes_are_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no thumbnails of 321 pixels are kept"):
        ThumbnailStore(tmp_path).write(CAT, 321, b"cat")


@pytest.mark.parametrize("left", [0, 1, 4, 5, 8, 106, 107])
def test_a_cut_file_is_no_thumbnail_and_goes(tmp_path: Path, left: int) -> None:
    store = ThumbnailStore(tmp_path)
    content = bytes(range(104))
    store.write(CAT, 320, content)
    (file,) = tmp_path.rglob("*.jpg")
    os.truncate(file, left)
    assert store.read(CAT, 320) is None
    assert not file.exists()
    assert store.write(CAT, 320, content)
    assert store.read(CAT, 320) == content


def test_a_file_of_zeros_is_no_thumbnail(tmp_path: Path) -> None:
    """A power cut may leave a file of the right length without its content."""
    store = ThumbnailStore(tmp_path)
    store.write(CAT, 320, b"a cat")
    (file,) = tmp_path.rglob("*.jpg")
    for length in (4, 5, len("a cat") + CHECKSUM):
        file.write_bytes(bytes(length))
        assert store.read(CAT, 320) is None


def test_others_may_not_look_at_thumbnails(tmp_path: Path) -> None:
    ThumbnailStore(tmp_path / "thumbnails").write(CAT, 320, b"cat")
    made = [path for path in (tmp_path / "thumbnails").rglob("*") if path.is_dir()]
    assert [stat.S_IMODE(path.stat().st_mode) & 0o077 for path in made[-1:]] == [0]


def test_those_used_the_longest_ago_go_first(tmp_path: Path) -> None:
    store = ThumbnailStore(tmp_path, 2000)
    for number in range(20):
        assert store.write(digest(number), 320, bytes(96))  # each one takes a twentieth
        used_at(store, number, 1000 + number)
    assert store.read(digest(0), 320)  # the oldest, but used now
    for number in range(20, 23):
        store.write(digest(number), 320, bytes(96))
    kept = {number for number in range(23) if store.holds(digest(number), 320)}
    assert {0, 20, 21, 22} <= kept
    assert kept == {0} | set(range(23 - len(kept) + 1, 23))
    assert 1700 <= store.size_on_disk() <= 2000


def test_a_store_of_no_bytes_keeps_none(tmp_path: Path) -> None:
    ThumbnailStore(tmp_path).write(CAT, 320, b"cat")
    store = ThumbnailStore(tmp_path, 0)
    assert not store.write(DOG, 320, b"dog")
    assert not store.holds(DOG, 320)
    assert store.read(CAT, 320) == b"cat"


def test_a_file_in_the_directorys_place_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = ThumbnailStore(tmp_path / "file")
    assert not store.write(CAT, 320, b"cat")
    assert store.read(CAT, 320) is None
    assert store.size_on_disk() == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
def test_a_full_disk_keeps_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write goes to /dev/full, which has no space left."""
    real = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda _, data: real(Path("/dev/full"), data))
    store = ThumbnailStore(tmp_path)
    assert not store.write(CAT, 320, b"cat")
    assert store.read(CAT, 320) is None


def test_abandoned_parts_are_swept_and_fresh_ones_stay(tmp_path: Path) -> None:
    store = ThumbnailStore(tmp_path, 2000)
    store.write(CAT, 320, b"cat")
    (shard,) = {path.parent for path in tmp_path.rglob("*.jpg")}
    old, fresh = shard / "old.part", shard / "fresh.part"
    old.write_bytes(b"1")
    fresh.write_bytes(b"2")
    os.utime(old, (1000, 1000))
    for number in range(3):
        store.write(digest(number), 320, bytes(96))
    assert not old.exists()
    assert fresh.exists()


@settings(max_examples=60)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["write", "read", "cut", "reopen"]),
            st.integers(0, 30),
            st.sampled_from(THUMBNAIL_SIZES),
            st.integers(1, 250),
        ),
        max_size=80,
    )
)
def test_any_order_of_steps_gives_whole_thumbnails_within_the_bound(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int, int]]
) -> None:
    directory = tmp_path_factory.mktemp("thumbnails")
    most, reopened = 5000, 0
    store = ThumbnailStore(directory, most)
    written: dict[tuple[int, int], bytes] = {}
    for step, number, size, length in steps:
        if step == "write":
            data = bytes([number]) * length
            assert store.write(digest(number), size, data) == (length + CHECKSUM <= most // 20)
            if length + CHECKSUM <= most // 20:
                written[number, size] = data
        elif step == "read":
            assert store.read(digest(number), size) in (None, written.get((number, size)))
        elif step == "cut":
            for file in directory.rglob(f"{digest(number).hex()}-{size}.jpg"):
                os.truncate(file, file.stat().st_size // 2)
            assert store.read(digest(number), size) is None
        else:
            store = ThumbnailStore(directory, most)
            reopened += 1
        assert store.size_on_disk() <= most + reopened * most // 20
    assert not list(directory.rglob("*.part"))


_WRITER = """
import sys
from pathlib import Path
from sigseek.storage.thumbnails import ThumbnailStore

store = ThumbnailStore(Path(sys.argv[1]), 40_000)
first = int(sys.argv[2])
for round in range(3):
    for number in range(first, first + 120):
        data = bytes([number % 256]) * 500
        store.write(number.to_bytes(32, "little"), 320, data)
        found = store.read(number.to_bytes(32, "little"), 320)
        assert found in (None, data), number
"""


def test_two_processes_may_write_and_sweep_at_once(tmp_path: Path) -> None:
    program = [sys.executable, "-c", _WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*program, first], cwd=ROOT) for first in ("0", "60")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    store = ThumbnailStore(tmp_path, 40_000)
    # A process may write a twentieth before it sweeps, and both end without sweeping.
    assert store.size_on_disk() <= 40_000 + 2 * 2_000
    kept = [number for number in range(180) if store.holds(digest(number), 320)]
    assert len(kept) >= 60
    assert all(store.read(digest(number), 320) == bytes([number]) * 500 for number in kept)
    assert not list(tmp_path.rglob("*.part"))
