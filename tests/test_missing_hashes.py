"""Photos that an earlier version took in get their perceptual hashes by the next run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import sigseek
from sigseek.indexer import folder_comparison
from sigseek.indexer.hash_version import HASH_VERSION
from sigseek.progress import Phase, Progress, Stop
from sigseek.storage.perceptual_hash import distances, hash_bits
from sigseek.storage.sketch_coding import decoded
from tests.catalogs import execute
from tests.listeners import Heard
from tests.photos import photograph, save, xmp

pytestmark = pytest.mark.both_databases

SIZE = (320, 240)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(3):
        photograph(seed, SIZE).save(folder / f"{seed}.png")
        photograph(seed, SIZE).save(folder / f"{seed} again.jpg", quality=60)
    return folder


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Iterator[sigseek.Library]:
    with sigseek.open(tmp_path / "library", model="mini", precision="fp32") as library:
        library.index(photos)
        yield library


def rows(library: sigseek.Library, query: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in execute(library.directory, query)]


def forget_hashes(library: sigseek.Library) -> None:
    """Make the library one of a program that knew no hashes."""
    rows(library, "DELETE FROM sketch")
    rows(library, "UPDATE photo SET hash_version = 0")


def test_new_photos_have_their_hashes_at_once(library: sigseek.Library) -> None:
    assert rows(library, "SELECT count(*) FROM sketch") == [(6,)]
    assert rows(library, "SELECT DISTINCT hash_version FROM photo") == [(HASH_VERSION,)]
    report = library.index()
    assert (report.hashed, report.unchanged) == (0, 6)


def test_a_library_without_hashes_gets_the_same_ones(library: sigseek.Library) -> None:
    import numpy as np

    kept = "SELECT photo_id, bits, levels FROM sketch ORDER BY photo_id"
    before = rows(library, kept)
    forget_hashes(library)
    found = library.duplicates(kinds=["near"])
    assert len(found) == 0
    (note,) = found.notes
    assert str(note) == (
        "6 photos have no perceptual hash yet, so other forms of them were not found; "
        "to make the hashes: library.index()"
    )
    report = library.index()
    assert (report.hashed, report.unchanged, report.device) == (6, 6, None)
    for (photo, bits, _), (same, others, levels) in zip(before, rows(library, kept), strict=True):
        one, other = (np.frombuffer(value, np.uint8)[None] for value in (bits, others))  # type: ignore[call-overload]
        assert (photo, int(distances(one, other)[0]) <= 4) == (same, True)
        sketch = decoded([levels])  # type: ignore[list-item]
        assert distances(hash_bits(sketch), other)[0] <= 8
    assert library.index().hashed == 0
    assert (len(library.duplicates(kinds=["near"])), library.duplicates().notes) == (3, ())


def test_photos_that_are_away_get_theirs_when_they_are_back(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    forget_hashes(library)
    photos.rename(tmp_path / "unplugged")
    assert library.index().hashed == 0
    assert str(library.duplicates().notes[0]).startswith("6 photos have no perceptual hash yet")
    (tmp_path / "unplugged").rename(photos)
    assert library.index().hashed == 6


def test_a_file_that_gives_no_picture_any_more_is_tried_once(
    library: sigseek.Library, photos: Path
) -> None:
    forget_hashes(library)
    path = photos / "0.png"
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)
    import os

    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    rows(library, "UPDATE file SET ctime_ns = NULL")
    assert library.index().hashed == 6
    assert rows(library, "SELECT count(*) FROM sketch") == [(5,)]
    assert library.index().hashed == 0


def test_a_stopped_run_goes_on_where_it_was(
    library: sigseek.Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sigseek.indexer import rereading

    monkeypatch.setattr(rereading, "_STORED", 2)
    forget_hashes(library)
    stop = Stop()

    def after_three(progress: Progress) -> None:
        if progress.phase is Phase.HASHING and progress.done == 3:
            stop.set()

    heard = Heard(after_three)
    report = library.index(listener=heard, stop=stop)
    assert (report.stopped, 2 <= report.hashed < 6) == (True, True)
    first = report.hashed
    assert rows(library, "SELECT count(*) FROM sketch") == [(first,)]
    report = library.index()
    assert (report.stopped, report.hashed) == (False, 6 - first)


def test_a_library_of_an_earlier_version_is_read_once(
    library: sigseek.Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Digests, metadata and hashes come of one reading of each file, however many photos there are.
    Nothing is embedded.
    """
    monkeypatch.setattr(folder_comparison, "_IDENTIFIED_AT_ONCE", 3)
    save(photos / "words.jpg", xmp=xmp("<dc:title>Harbour</dc:title>"))
    save(photos / "copy.jpg", xmp=xmp("<dc:title>Quay</dc:title>"))
    save(photos / "starred.jpg", seed=1)
    (photos / "starred.xmp").write_bytes(xmp("", 'xmp:Rating="4"'))
    library.index()
    kept = (
        "SELECT photo.id, title, rating, photo.digest, facts_version, hash_version, is_inner "
        "FROM photo JOIN sketch ON photo_id = photo.id ORDER BY photo.id, is_inner"
    )
    before = rows(library, kept)
    assert len({photo for photo, *_ in before}) == 8
    forget_hashes(library)
    rows(library, "UPDATE photo SET facts_version = 0, digest_version = 0, title = 'old'")
    rows(library, "UPDATE file SET digest = NULL")
    heard = Heard()
    report = library.index(listener=heard)
    assert (report.hashed, report.metadata_read, report.device) == (8, 8 + 1, None)
    told = {progress.phase: progress.total for progress in heard.progress}
    # What a photo's copies say together, and sidecars, are read afterwards.
    assert told.get(Phase.READING) == 2
    assert Phase.HASHING not in told
    assert rows(library, kept) == before
    heard = Heard()
    assert library.index(listener=heard).hashed == 0
    assert Phase.READING not in {progress.phase for progress in heard.progress}


def test_metadata_is_read_with_the_hashes_where_both_are_out_of_date(
    library: sigseek.Library, photos: Path
) -> None:
    (photos / "0.xmp").write_bytes(xmp("", 'xmp:Rating="4"'))
    library.index()
    kept = "SELECT id, rating, facts_version, hash_version FROM photo ORDER BY id"
    before = rows(library, kept)
    forget_hashes(library)
    rows(library, "UPDATE photo SET facts_version = 0, rating = NULL")
    heard = Heard()
    report = library.index(listener=heard)
    assert (report.hashed, report.metadata_read) == (6, 6)
    told = {progress.phase: progress.total for progress in heard.progress}
    assert (told.get(Phase.HASHING), Phase.READING in told) == (6, False)
    assert rows(library, kept) == before
