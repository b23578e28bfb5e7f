"""Which files that failed are read again by the next run, and when."""

import errno
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sigseek.indexer import FolderError, failures, ingest
from sigseek.indexer.decoding import guarded
from sigseek.indexer.decoding.decode import DecodedPhoto
from sigseek.indexer.decoding.digest import FileDigest, digest_file
from sigseek.indexer.decoding.formats import DECODER_VERSION
from sigseek.indexer.errors import (
    ChangedError,
    DecodeError,
    SlowError,
    TooLargeError,
    UndecidedError,
    UnsupportedError,
)
from sigseek.indexer.failures import failure_of, is_due
from sigseek.indexer.listing import FoundFile
from sigseek.storage import FailureKind, FailureRecord
from tests.photos import picture, save
from tests.test_pipeline import Library, counts

pytestmark = pytest.mark.both_databases

SMALL = 64 * 48


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "library")
    yield library
    library.catalog.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "photos" / "small.png", seed=1)
    return tmp_path / "photos"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read, as they are."""
    names: list[str] = []

    def digest(path: Path, on_part: Callable[[], None]) -> FileDigest:
        names.append(path.name)
        return digest_file(path, on_part)

    monkeypatch.setattr(ingest, "digest_file", digest)
    return names


def kept(library: Library) -> FailureRecord:
    (failure,) = library.catalog.folder_failures(library.catalog.folders()[0].id)
    return failure


def later(monkeypatch: pytest.MonkeyPatch, passed: timedelta) -> None:
    """Have the clock of failures go on by so much."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + passed

    monkeypatch.setattr(failures, "datetime", Clock)


def test_a_picture_too_large_is_read_once_until_the_limit_is_raised(
    library: Library, folder: Path, read: list[str]
) -> None:
    picture(91, (640, 480)).save(folder / "large.png")
    for _ in range(3):
        assert library.index(folder, max_pixels=SMALL).failed == 1
    assert read.count("large.png") == 1
    failure = kept(library)
    assert (failure.kind, failure.pixels) == (FailureKind.TOO_LARGE, 640 * 480)
    assert failure.size == (folder / "large.png").stat().st_size
    assert library.index(folder, max_pixels=640 * 480 - 1).failed == 1
    assert read.count("large.png") == 1
    assert counts(library.index(folder, max_pixels=640 * 480)) == {
        "scanned": 2,
        "added": 1,
        "unchanged": 1,
    }
    assert library.catalog.failures() == []


def test_a_picture_too_large_is_read_again_when_it_changes(
    library: Library, folder: Path, read: list[str]
) -> None:
    picture(91, (640, 480)).save(folder / "large.png")
    library.index(folder, max_pixels=SMALL)
    save(folder / "large.png", seed=2)
    assert counts(library.index(folder, max_pixels=SMALL)) == {
        "scanned": 2,
        "added": 1,
        "unchanged": 1,
    }


def test_a_limit_holds_until_another_is_given(
    library: Library, folder: Path, read: list[str]
) -> None:
    picture(91, (640, 480)).save(folder / "large.png")
    assert library.index(folder, max_pixels=SMALL).failed == 1
    assert library.index(folder).failed == 1
    assert library.index().failed == 1
    assert read.count("large.png") == 1
    assert library.catalog.max_pixels() == SMALL
    assert library.index(max_pixels=640 * 480).added == 1
    picture(92, (640, 480)).save(folder / "larger.png")
    picture(93, (800, 600)).save(folder / "largest.png")
    assert counts(library.index()) == {"scanned": 4, "added": 1, "unchanged": 2, "failed": 1}


def test_a_refused_run_does_not_change_the_limit(library: Library, folder: Path) -> None:
    library.index(folder, max_pixels=SMALL)
    (folder / "small.png").unlink()
    (folder / "notes.txt").touch()
    with pytest.raises(FolderError):
        library.index(folder, max_pixels=2 * SMALL)
    assert library.catalog.max_pixels() == SMALL


def test_a_file_that_takes_too_long_is_read_again_the_next_day(
    library: Library, folder: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save(folder / "slow.png", seed=2)
    decode = guarded.GuardedDecoder.decode

    def decode_slowly(
        self: guarded.GuardedDecoder, path: Path, thumbnail: int | None = None
    ) -> DecodedPhoto:
        if path.name == "slow.png":
            raise SlowError("decoding took longer than 270 s; the disk or the network may be slow")
        return decode(self, path, thumbnail)

    with monkeypatch.context() as patch:
        patch.setattr(guarded.GuardedDecoder, "decode", decode_slowly)
        for _ in range(3):
            assert library.index(folder).failed == 1
    assert read.count("slow.png") == 1
    assert kept(library).kind is FailureKind.SLOW
    later(monkeypatch, timedelta(hours=23))
    assert library.index(folder).failed == 1
    later(monkeypatch, timedelta(hours=25))
    assert counts(library.index(folder)) == {"scanned": 2, "added": 1, "unchanged": 1}
    assert read.count("slow.png") == 2


def test_a_file_that_cannot_be_read_is_tried_at_every_run(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    save(folder / "refused.png", seed=2)

    def refuse(path: Path, on_part: Callable[[], None]) -> FileDigest:
        if path.name == "refused.png":
            tried.append(path)
            raise OSError(errno.EIO, "Input/output error")
        return digest_file(path, on_part)

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "digest_file", refuse)
        for _ in range(3):
            assert library.index(folder).failed == 1
    assert len(tried) == 3
    failure = kept(library)
    assert (failure.kind, failure.reason) == (
        FailureKind.UNREADABLE,
        "cannot be read: Input/output error",
    )
    assert failure.size == (folder / "refused.png").stat().st_size
    assert counts(library.index(folder)) == {"scanned": 2, "added": 1, "unchanged": 1}


def test_a_damaged_picture_is_read_once(library: Library, folder: Path, read: list[str]) -> None:
    (folder / "broken.png").write_bytes(b"no picture")
    for _ in range(3):
        assert library.index(folder).failed == 1
    assert read.count("broken.png") == 1
    assert kept(library).kind is FailureKind.NO_PICTURE


@pytest.mark.parametrize(
    ("error", "kind", "pixels"),
    [
        (TooLargeError("too large: 3 x 4 pixels", 12), FailureKind.TOO_LARGE, 12),
        (TooLargeError("decoding takes too much memory"), FailureKind.TOO_LARGE, None),
        (SlowError("slow"), FailureKind.SLOW, None),
        (ChangedError("changed"), FailureKind.CHANGED, None),
        (UndecidedError("the run was stopped"), FailureKind.INTERRUPTED, None),
        (UnsupportedError("vector graphics"), FailureKind.UNSUPPORTED, None),
        (DecodeError("damaged"), FailureKind.NO_PICTURE, None),
        (OSError(errno.EACCES, "Permission denied"), FailureKind.UNREADABLE, None),
        (MemoryError(), FailureKind.UNREADABLE, None),
    ],
)
def test_each_error_is_of_a_kind(error: Exception, kind: FailureKind, pixels: int | None) -> None:
    failure = failure_of(FoundFile("a.png", 5, 6), error)
    assert (failure.kind, failure.pixels, failure.size, failure.mtime_ns) == (kind, pixels, 5, 6)
    assert failure.reason


def test_which_failures_are_due() -> None:
    def due(kind: FailureKind, pixels: int | None = None, version: int = DECODER_VERSION) -> bool:
        now = datetime.now(UTC)
        return is_due(FailureRecord("a.png", "", 1, 1, kind, pixels, now, version), 100)

    assert due(FailureKind.TOO_LARGE, pixels=100)
    assert not due(FailureKind.TOO_LARGE, pixels=101)
    assert not due(FailureKind.TOO_LARGE)
    assert not due(FailureKind.SLOW)
    assert is_due(FailureRecord("a.png", "", 1, 1, FailureKind.SLOW), 100), "of an old version"
    assert due(FailureKind.UNREADABLE)
    assert due(FailureKind.CHANGED)
    assert due(FailureKind.INTERRUPTED)
    for kind in (FailureKind.NO_PICTURE, FailureKind.UNSUPPORTED):
        assert not due(kind)
        assert due(kind, version=DECODER_VERSION - 1), "this version may read it"
    assert failure_of(FoundFile("a.png", 5, 6), DecodeError("")).decoder_version == DECODER_VERSION
